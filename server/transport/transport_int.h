/* The transport as its own files see it. */
#ifndef WEIR_SERVER_TRANSPORT_INT_H
#define WEIR_SERVER_TRANSPORT_INT_H

#include "server/transport/exchange_int.h"
#include "server/transport/listen_url.h"
#include "server/transport/transport.h"

enum { WEIR_EXCHANGE_BLOCK = 256 };

/* Exchanges are never freed while the socket is open, so they come in blocks that stay in place. */
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
    atomic_size_t opened;        // exchanges in all
    atomic_size_t parked;        // of them, those that wait for something to read
    size_t base;                 // exchanges there are to be beside those that are parked
    pthread_mutex_t idle_lock;   // guards idle and changes of receiving; a leaf
    struct weir_exchange *idle;  // the one that was used last comes first
    atomic_size_t receiving;     // of them, those that wait for a request
    atomic_bool is_closing;
    nng_aio *relief;  // makes room once no exchange is left
    atomic_bool is_relieving;
    int64_t exhausted_at_us;   // when none was left last; monotonic; the relief's own, as the next
    unsigned exhausted_looks;  // that found none
    nng_aio *sweep;  // looks for connections that do not read, while replies are on their way
    atomic_bool is_sweeping;
    atomic_size_t tls_n;  // connections by TLS
    nng_aio *search;      // for those of them that are lost
    atomic_bool is_searching;

    size_t listeners_n;
    char urls[WEIR_LISTEN_MAX][WEIR_URL_BYTES_MAX];
};

/* Opens more exchanges where too many wait. Without resources there are fewer to refuse with. */
void weir_transport_keep_room(struct weir_transport *transport);

/* Called when the last exchange has taken a request and none is idle: unless the need passes, room
 * is made a moment later at the expense of the connection that has the most replies waiting. */
void weir_transport_relieve(struct weir_transport *transport);

/* Called when a reply is given to nng. As long as there are replies that nng has not sent yet,
 * their connections are looked after, and one that takes nothing of them for too long is closed. */
void weir_transport_watch(struct weir_transport *transport);

#endif
