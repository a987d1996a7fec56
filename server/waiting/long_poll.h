/* How a read waits: the way of a long poll between its handler, dispatch and the wake list. */
#ifndef WEIR_SERVER_LONG_POLL_H
#define WEIR_SERVER_LONG_POLL_H

#include "server/calls/call.h"
#include "server/list.h"

struct weir_wake;

/* For handlers, before they read: watches for what the query selects. A read that was woken goes on
 * where it has stopped: query->from is moved. *watches is false where there is nothing to wait for
 * or no time left; the answer is then whatever the read finds. LIMIT_EXCEEDED where too many wait.
 */
weir_status weir_long_poll_watch(struct weir_call *call, struct weir_query *query, uint32_t wait_ms,
                                 bool *watches, struct weir_error *err);

/* The read is answered: nothing is watched for any more. */
void weir_long_poll_end(struct weir_call *call);

/* A handler's outcome: nothing was found up to this position, so the call waits. */
weir_status weir_long_poll_wait(struct weir_call *call, int64_t next_position);

/* For dispatch: gives the call up and leaves its exchange with the wake list. */
void weir_long_poll_park(struct weir_call *call);

/* Starts the wake list of a server; false without resources. */
bool weir_long_poll_start(struct weir_server *server);

/* Hears from the transport that a connection has ended. */
void weir_long_poll_peer_gone(void *server, struct weir_link *peer, bool *is_gone);

#endif
