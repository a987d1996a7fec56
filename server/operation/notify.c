#include "server/operation/notify.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* Makes the address of a path, or of a name in Linux's abstract namespace, which begins with '@':
 * its first byte is NUL there, and the length counts. Returns the length; 0 for any other name. */
static socklen_t make_address(const char *name, struct sockaddr_un *address)
{
    const size_t n = strlen(name);
    if ((name[0] != '/' && name[0] != '@') || n < 2 || n >= sizeof address->sun_path) {
        return 0;
    }
    memset(address, 0, sizeof *address);
    address->sun_family = AF_UNIX;
    memcpy(address->sun_path, name, n);
    if (name[0] == '@') {
        address->sun_path[0] = '\0';
    }
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
}

bool weir_notify(const char *state)
{
    const char *name = getenv("NOTIFY_SOCKET");
    if (name == NULL || name[0] == '\0') {
        return true;
    }
    struct sockaddr_un address;
    const socklen_t address_n = make_address(name, &address);
    if (address_n == 0) {
        return false;
    }
    const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return false;
    }
    const size_t n = strlen(state);
    const ssize_t sent =
        sendto(fd, state, n, MSG_NOSIGNAL, (const struct sockaddr *)&address, address_n);
    (void)close(fd);
    return sent == (ssize_t)n;
}
