/* The server's side of nng: one REP socket, its listeners, and the exchanges (exchange.h) in which
 * requests arrive.
 *
 * An arrived request is handed to the transport's user together with the exchange, which the user
 * then owns. There are more exchanges than calls may be in flight, so that one request too many is
 * refused at once instead of left to wait; only a few exchanges receive at a time. The transport
 * closes connections that do not read their replies (peers.h). The server's own thread opens and
 * closes the transport; requests arrive on nng's threads. */
#ifndef WEIR_SERVER_TRANSPORT_H
#define WEIR_SERVER_TRANSPORT_H

#include "server/base/config.h"
#include "server/base/log.h"
#include "server/transport/exchange.h"

struct weir_transport;

/* The user of a transport: its callbacks run on nng's threads and must not block. */
struct weir_transport_user {
    void *context;
    /* A request has arrived; the user owns the exchange. */
    void (*arrived)(void *context, struct weir_exchange *exchange);
    /* A connection has ended: `peer` is the list of its waiters; the user sets *is_gone. */
    void (*gone)(void *context, struct weir_link *peer, bool *is_gone);
};

/* Checks the configuration before anything is opened: URLs, certificates, and that no other file is
 * at the path of an ipc socket. Returns INVALID_REQUEST with a text that says what is wrong. */
weir_status weir_transport_check(const struct weir_config *config, struct weir_error *err);

/* Opens the socket and its exchanges, without listeners. `log` must outlive the transport. Returns
 * BACKEND_UNAVAILABLE if resources are exhausted. */
weir_status weir_transport_open(const struct weir_config *config, const struct weir_log *log,
                                const struct weir_transport_user *user,
                                struct weir_transport **transport, struct weir_error *err);

/* Starts every listener of the configuration. Returns INVALID_REQUEST (a URL, a certificate) or
 * BACKEND_UNAVAILABLE (an address in use) with a text that names it. Requests arrive from the first
 * listener's start on, even if a later listener fails. */
weir_status weir_transport_listen(struct weir_transport *transport,
                                  const struct weir_config *config, struct weir_error *err);

/* The size of the longest message that is received, its SP header included. */
size_t weir_transport_message_max(const struct weir_config *config);

/* Returns the URL of listener `i`, with its real port, until the transport is closed; NULL past the
 * last one. */
const char *weir_transport_url(const struct weir_transport *transport, size_t i);

/* The number of connections at this moment, those without a peer (peers.h) not included. */
size_t weir_transport_connections(struct weir_transport *transport);

/* Closes and frees the transport; waits for nng's callbacks. The user must have sent or abandoned
 * every exchange. Replies that nng still holds may be lost. */
void weir_transport_close(struct weir_transport *transport);

#endif
