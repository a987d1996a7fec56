/* The far end of a connection by TLS, and which of them the system still has.
 *
 * nng 1.5.2 forgets that a TLS connection has ended where nobody is receiving at that moment, and
 * then waits for ever for what will not come; and it must not close one in the middle of an answer
 * (nng_sockets.c). The system knows which have ended. */
#ifndef WEIR_SERVER_REMOTE_H
#define WEIR_SERVER_REMOTE_H

#include <nng/nng.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct weir_remote {
    uint16_t family;  // as nng has it; NNG_AF_UNSPEC: no TLS connection
    uint16_t port;    // in network order
    uint8_t address[16];
};

/* Of a pipe by TLS; NNG_AF_UNSPEC for any other. */
struct weir_remote weir_remote_of(nng_pipe pipe);

/* The far ends of all connections that the process has open, sorted, to be freed; NULL where that
 * cannot be told. */
struct weir_remote *weir_remotes_open(size_t *n);

/* Whether it is among them. */
bool weir_remote_is_among(const struct weir_remote *remote, const struct weir_remote *open,
                          size_t n);

#endif
