/* The internals of the transport, for its own files only. */
#ifndef WEIR_SERVER_TRANSPORT_INT_H
#define WEIR_SERVER_TRANSPORT_INT_H

#include "server/transport/exchange_int.h"
#include "server/transport/listen_url.h"
#include "server/transport/transport.h"

enum { WEIR_EXCHANGE_BLOCK = 256 };

/* A block of exchanges. Blocks keep their place and are freed only after the socket is closed. */
struct weir_exchange_block {
    struct weir_exchange_block *next;
    size_t n;
    struct weir_exchange exchanges[WEIR_EXCHANGE_BLOCK];
};

struct weir_transport {
    nng_socket socket;
    const struct weir_log *log;
    struct weir_transport_user user;

    struct weir_peers peers;
    pthread_mutex_t grow_lock;  // guards blocks; held while contexts are opened
    struct weir_exchange_block *blocks;
    atomic_size_t opened;        // exchanges in total
    atomic_size_t parked;        // exchanges whose read waits for a message
    size_t base;                 // exchanges required besides the parked ones
    pthread_mutex_t idle_lock;   // guards idle and changes of receiving; a leaf
    struct weir_exchange *idle;  // idle exchanges, the most recently used one first
    atomic_size_t receiving;     // exchanges that wait for a request
    atomic_bool is_closing;

    /* Timer while no exchange is left to receive: closes a connection to get exchanges back. */
    nng_aio *relief;
    atomic_bool is_relieving;
    int64_t exhausted_at_us;   // latest look without a receiver; monotonic; relief only
    unsigned exhausted_looks;  // patient looks without a receiver; relief only

    /* Timer while replies are under way: closes connections that do not read theirs. */
    nng_aio *sweep;
    atomic_bool is_sweeping;

    atomic_size_t tls_n;  // TLS connections
    /* Timer while there are TLS connections: closes those that have ended unnoticed. */
    nng_aio *search;
    atomic_bool is_searching;

    size_t listeners_n;
    char urls[WEIR_LISTEN_MAX][WEIR_URL_BYTES_MAX];
};

/* Opens more exchanges if too many are parked. If resources are exhausted, none are added, which
 * leaves fewer to refuse requests with. */
void weir_transport_keep_room(struct weir_transport *transport);

/* Called when the last receiving exchange has taken a request and none is idle. Unless an exchange
 * becomes free within a moment, closes the connection with the most replies under way. */
void weir_transport_relieve(struct weir_transport *transport);

/* Called when a reply is handed to nng. While any reply is under way, connections are looked at
 * every second, and one that takes nothing of its replies for too long is closed. */
void weir_transport_watch(struct weir_transport *transport);

#endif
