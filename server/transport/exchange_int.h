/* The internals of exchanges, for the files of the transport only. */
#ifndef WEIR_SERVER_EXCHANGE_INT_H
#define WEIR_SERVER_EXCHANGE_INT_H

#include "server/transport/exchange.h"
#include "server/transport/peers.h"
#include "server/waiting/waiter.h"

#include <nng/nng.h>

struct weir_transport;

/* The owner of an exchange. Written by the owner only, before it passes the exchange on. */
enum weir_exchange_state {
    WEIR_EXCHANGE_IDLE,       // the transport, until another receiver is needed
    WEIR_EXCHANGE_RECEIVING,  // nng, until a request arrives
    WEIR_EXCHANGE_SERVED,     // the server
    WEIR_EXCHANGE_SENDING,    // nng, until it reports the reply as sent
    WEIR_EXCHANGE_CLOSED      // no owner: the socket is closed
};

struct weir_exchange {
    struct weir_job job;
    struct weir_transport *transport;
    nng_ctx ctx;
    nng_aio *aio;
    nng_msg *request;
    nng_msg *reply;
    size_t sending_bytes;    // size of the reply, while nng has it
    nng_pipe pipe;           // the request's connection
    struct weir_peer *peer;  // the connection's peer, a counted reference; NULL if it has none
    int64_t arrived_us;
    uint64_t pending;  // announcement of the reply (pending_replies.h); 0: none
    enum weir_exchange_state state;
    bool has_made_way;  // counted in the transport's `parked`
    struct weir_exchange *next_idle;
    struct weir_waiter waiter;
};

/* Initialises an exchange with a context of its own and makes it idle; it receives when needed.
 * Returns false if resources are exhausted. */
bool weir_exchange_open(struct weir_exchange *exchange, struct weir_transport *transport,
                        nng_socket socket);

/* Waits until nng has finished with the exchange, and prevents further operations. The socket must
 * be closed already. */
void weir_exchange_stop(struct weir_exchange *exchange);

/* Releases what the exchange holds. All exchanges must have been stopped before, because one
 * exchange may start another one's receiving. */
void weir_exchange_fini(struct weir_exchange *exchange);

#endif
