#define _DEFAULT_SOURCE  // TCP_INFO
#include "server/transport/remote.h"

#include <dirent.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

struct weir_remote weir_remote_of(nng_pipe pipe)
{
    struct weir_remote remote = {.family = NNG_AF_UNSPEC};
    bool is_verified = false;
    nng_sockaddr address;
    if (nng_pipe_get_bool(pipe, NNG_OPT_TLS_VERIFIED, &is_verified) != 0) {
        return remote;
    }
    /* A connection whose peer has gone already has no address, and so will not be found open. */
    remote.family = NNG_AF_INET;
    if (nng_pipe_get_addr(pipe, NNG_OPT_REMADDR, &address) != 0) {
        return remote;
    }
    if (address.s_family == NNG_AF_INET) {
        remote.port = address.s_in.sa_port;
        memcpy(remote.address, &address.s_in.sa_addr, sizeof address.s_in.sa_addr);
    } else if (address.s_family == NNG_AF_INET6) {
        remote.family = NNG_AF_INET6;
        remote.port = address.s_in6.sa_port;
        memcpy(remote.address, address.s_in6.sa_addr, sizeof remote.address);
    }
    return remote;
}

/* Whether `fd` is a TCP connection that the peer has not begun to close. */
static bool is_open(int fd)
{
    struct tcp_info info;
    socklen_t info_n = sizeof info;
    return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &info_n) == 0 &&
           info.tcpi_state == TCP_ESTABLISHED;
}

/* Writes the remote address of an open TCP connection; returns false for any other descriptor. */
static bool read_remote(int fd, struct weir_remote *remote)
{
    union {
        struct sockaddr any;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
    } address;
    socklen_t address_n = sizeof address;
    if (!is_open(fd) || getpeername(fd, &address.any, &address_n) != 0) {
        return false;
    }
    *remote = (struct weir_remote){.family = NNG_AF_UNSPEC};
    if (address.any.sa_family == AF_INET) {
        remote->family = NNG_AF_INET;
        remote->port = address.in.sin_port;
        memcpy(remote->address, &address.in.sin_addr, sizeof address.in.sin_addr);
    } else if (address.any.sa_family == AF_INET6) {
        remote->family = NNG_AF_INET6;
        remote->port = address.in6.sin6_port;
        memcpy(remote->address, &address.in6.sin6_addr, sizeof remote->address);
    }
    return remote->family != NNG_AF_UNSPEC;
}

static int compare_remotes(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct weir_remote));
}

/* Returns the descriptor that an entry of /proc/self/fd names, or -1. */
static int descriptor_of(const char *name)
{
    char *end = NULL;
    const long fd = strtol(name, &end, 10);
    return end != name && *end == '\0' ? (int)fd : -1;
}

struct weir_remote *weir_remotes_open(size_t *n)
{
    DIR *descriptors = opendir("/proc/self/fd");
    struct weir_remote *open = NULL;
    size_t room = 0;
    *n = 0;
    const struct dirent *entry = NULL;
    while (descriptors != NULL && (entry = readdir(descriptors)) != NULL) {
        if (*n == room) {
            room = room == 0 ? 64 : 2 * room;
            struct weir_remote *larger = realloc(open, room * sizeof *open);
            if (larger == NULL) {
                break;
            }
            open = larger;
        }
        *n += read_remote(descriptor_of(entry->d_name), &open[*n]) ? 1 : 0;
    }
    const bool is_complete = descriptors != NULL && entry == NULL;
    if (descriptors != NULL) {
        (void)closedir(descriptors);
    }
    if (!is_complete) {
        free(open);
        return NULL;
    }
    qsort(open, *n, sizeof *open, compare_remotes);
    return open;
}

bool weir_remote_is_among(const struct weir_remote *remote, const struct weir_remote *open,
                          size_t n)
{
    return bsearch(remote, open, n, sizeof *open, compare_remotes) != NULL;
}
