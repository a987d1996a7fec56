/* From a queued request to its one reply: parse, find the method, authenticate, check and decode
 * the payload, run the handler, send.
 *
 * Runs on a worker and may block on the store. Whatever a request holds, exactly one reply leaves,
 * and what happened is logged here, once: what a client did wrong at debug, what the store did
 * wrong at error, with a reference that the client is given instead of the store's own words. */
#ifndef WEIR_SERVER_DISPATCH_H
#define WEIR_SERVER_DISPATCH_H

#include "server/server.h"

/* Queues an admitted exchange for the workers. Never blocks. */
void weir_dispatch_queue(struct weir_server *server, struct weir_exchange *exchange);

/* The most memory one call may use. */
size_t weir_dispatch_memory_max(const struct weir_limits *limits);

#endif
