/* The server's side of nng: one REP socket, all its listeners, and the exchanges that serve them.
 *
 * A request that arrives is handed to its user with the exchange that now owns it. There are more
 * exchanges than calls can be in flight, so that a request too many is refused instead of waiting;
 * a few of them receive at a time. Connections whose replies nobody reads are closed. */
#ifndef WEIR_SERVER_TRANSPORT_H
#define WEIR_SERVER_TRANSPORT_H

#include "server/operation/config.h"
#include "server/operation/log.h"
#include "server/transport/exchange.h"

struct weir_transport;

/* Who is served by a transport. Called on threads of nng; must not block. */
struct weir_transport_user {
    void *context;
    /* A request has arrived; the exchange belongs to the user. */
    void (*arrived)(void *context, struct weir_exchange *exchange);
    /* A connection has ended: the ring of what waits for it, and a flag to be set. */
    void (*gone)(void *context, struct weir_link *peer, bool *is_gone);
};

/* Looks at what was asked for, before anything is opened: URLs, certificates, what stands where a
 * socket is to be. INVALID_REQUEST with a text that says what is wrong. */
weir_status weir_transport_check(const struct weir_config *config, struct weir_error *err);

/* Opens the socket and its exchanges; nobody can come yet. BACKEND_UNAVAILABLE (no resources). */
weir_status weir_transport_open(const struct weir_config *config, const struct weir_log *log,
                                const struct weir_transport_user *user,
                                struct weir_transport **transport, struct weir_error *err);

/* Starts every listener of the configuration. INVALID_REQUEST (a URL, a certificate) or
 * BACKEND_UNAVAILABLE (an address in use) with a text that says which. Requests arrive as soon as
 * the first one has been started, so also where another fails. */
weir_status weir_transport_listen(struct weir_transport *transport,
                                  const struct weir_config *config, struct weir_error *err);

/* The longest message that is received, its header included. */
size_t weir_transport_message_max(const struct weir_config *config);

/* Where listener `i` really is, in static storage of the transport; NULL past the last. */
const char *weir_transport_url(const struct weir_transport *transport, size_t i);

/* Connections at this moment. */
size_t weir_transport_connections(struct weir_transport *transport);

/* Closes everything. Every exchange has been sent or abandoned; replies that nng still holds may be
 * lost. */
void weir_transport_close(struct weir_transport *transport);

#endif
