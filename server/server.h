/* The server as a whole: starts the store, tenants, workers, transport, wake list and HTTP, and
 * stops them.
 *
 * main.c starts one server from a configuration and waits for a signal; tests start servers inside
 * their own process. What a server consists of: calls/server_parts.h. */
#ifndef WEIR_SERVER_SERVER_H
#define WEIR_SERVER_SERVER_H

#include "weir/base/fail.h"

struct weir_config;
struct weir_server;
struct weir_store;

/* Checks the configuration, opens the store and serves. Borrows `config` for the server's life.
 * Blocks on the store. Returns INVALID_REQUEST where the configuration makes no sense, and what the
 * store, the transport or the system fails with otherwise. */
weir_status weir_server_start(const struct weir_config *config, struct weir_server **server,
                              struct weir_error *err);

/* Serves from a store that is open already, without the checks of weir_server_start. The server
 * takes over the store and closes it, also on failure. */
weir_status weir_server_start_on(const struct weir_config *config, struct weir_store *store,
                                 struct weir_server **server, struct weir_error *err);

/* Has `call` called by weir_server_stop when every call has been answered and the store is closed:
 * only connections remain to be closed then, from which nng may never return. */
void weir_server_when_store_closed(struct weir_server *server, void (*call)(void *context),
                                   void *context);

/* Refuses new requests with SHUTTING_DOWN, waits until the calls in flight are answered, and closes
 * and frees everything. Returns false where calls still run after `patience_ms`: nothing is closed
 * then, and the process must end. */
bool weir_server_stop(struct weir_server *server, int64_t patience_ms);

#endif
