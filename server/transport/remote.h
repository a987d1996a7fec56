/* Finds TLS connections that have ended, by their remote addresses.
 *
 * nng 1.5.2 misses the end of a TLS connection if nothing is being received on it at that moment,
 * and then waits for ever for bytes that cannot come. Nor may nng be told of the end in the middle
 * of a reply (nng_connections.h). The kernel, however, knows which connections are still open: the
 * transport compares its TLS connections with the kernel's. Thread-safe. */
#ifndef WEIR_SERVER_REMOTE_H
#define WEIR_SERVER_REMOTE_H

#include <nng/nng.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct weir_remote {
    uint16_t family;  // nng's number for it; NNG_AF_UNSPEC: not a TLS connection
    uint16_t port;    // in network byte order
    uint8_t address[16];
};

/* Returns the remote address of a TLS pipe; for any other pipe the family is NNG_AF_UNSPEC. */
struct weir_remote weir_remote_of(nng_pipe pipe);

/* Returns the remote addresses of all TCP connections that the process has open and that the peer
 * has not begun to close, sorted, and their number in *n. The caller frees the array. Returns NULL
 * if the connections cannot be listed completely. */
struct weir_remote *weir_remotes_open(size_t *n);

/* Whether `remote` is in the sorted array `open` of `n` elements. */
bool weir_remote_is_among(const struct weir_remote *remote, const struct weir_remote *open,
                          size_t n);

#endif
