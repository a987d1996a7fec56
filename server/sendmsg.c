/* nng 1.5.2 stops accepting for good when a client of an ipc:// listener has gone before the
 * handshake is sent: sendmsg() then says EPIPE, which nng takes for the end of the listener itself.
 * After ECONNRESET, which is what happened and what tcp:// is told, it goes on (nng issue 1518,
 * fixed in later versions). So the program has a sendmsg() of its own, which nng's library is bound
 * to. */
#define _DEFAULT_SOURCE
#include <errno.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    const ssize_t n = (ssize_t)syscall(SYS_sendmsg, fd, message, flags);
    if (n < 0 && errno == EPIPE) {
        errno = ECONNRESET;
    }
    return n;
}
