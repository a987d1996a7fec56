/* Exchanges as the transport's own files see them. */
#ifndef WEIR_SERVER_EXCHANGE_INT_H
#define WEIR_SERVER_EXCHANGE_INT_H

#include "server/transport/exchange.h"
#include "server/transport/peers.h"
#include "server/waiting/wake.h"

#include <nng/nng.h>

struct weir_transport;

/* Who owns it. Written by the owner only, before it passes the exchange on. */
enum weir_exchange_state {
    WEIR_EXCHANGE_IDLE,       // the transport, until more are to receive
    WEIR_EXCHANGE_RECEIVING,  // nng, until a request comes
    WEIR_EXCHANGE_SERVED,     // the server
    WEIR_EXCHANGE_SENDING,    // nng, until the reply is on its way
    WEIR_EXCHANGE_CLOSED      // nobody: the socket is closed
};

struct weir_exchange {
    struct weir_job job;
    struct weir_transport *transport;
    nng_ctx ctx;
    nng_aio *aio;
    nng_msg *request;
    nng_msg *reply;
    size_t sending_bytes;    // while nng has the reply
    nng_pipe pipe;           // that the request came by
    struct weir_peer *peer;  // the same, counted; NULL where the pipe had gone already
    int64_t arrived_us;
    uint64_t pending;  // that it will be replied to; 0: not
    enum weir_exchange_state state;
    bool has_made_way;  // counted in the transport's `parked`
    struct weir_exchange *next_idle;
    struct weir_waiter waiter;
};

/* Opens a context for it, which receives when it is needed. False without resources. */
bool weir_exchange_open(struct weir_exchange *exchange, struct weir_transport *transport,
                        nng_socket socket);

/* Waits until nng is done with it, and keeps it from beginning anew; the socket is closed. */
void weir_exchange_stop(struct weir_exchange *exchange);

/* Releases what it holds; all exchanges have been stopped, as one makes another receive. */
void weir_exchange_fini(struct weir_exchange *exchange);

#endif
