/* Long polls: how a read with wait_ms passes between its handler, dispatch and the wake list.
 *
 * The handler watches before it reads. If the read finds something, the watch ends and the call is
 * answered; otherwise the call goes back to the pool, and its exchange waits in the wake list. A
 * change wakes the exchange, whose request is begun again from where the read had stopped. The end
 * of the wait answers it with no messages. None of the functions blocks, but weir_long_poll_park
 * may take a while (weir_exchange_make_way). */
#ifndef WEIR_SERVER_LONG_POLL_H
#define WEIR_SERVER_LONG_POLL_H

#include "server/calls/call.h"
#include "weir/base/list.h"

struct weir_wake;

/* For handlers, before they read: arms the exchange's waiter for what the query selects, and sets
 * *watches. That is false where the read does not wait (no wait_ms, no batch, no time left): it is
 * answered with whatever it finds. For a read that was woken, moves query->from to where it had
 * stopped. LIMIT_EXCEEDED where the request is too large to keep, NAMESPACE_NOT_FOUND where the
 * namespace was created again meanwhile, BACKEND_UNAVAILABLE without memory. */
weir_status weir_long_poll_watch(struct weir_call *call, struct weir_query *query, uint32_t wait_ms,
                                 bool *watches, struct weir_error *err);

/* For handlers that watch and answer: disarms the exchange's waiter. */
void weir_long_poll_end(struct weir_call *call);

/* For handlers that watch and have found nothing: sets the next step to waiting, to go on at
 * `next_position`. LIMIT_EXCEEDED, with the waiter disarmed, where too many reads wait already. */
weir_status weir_long_poll_wait(struct weir_call *call, int64_t next_position,
                                struct weir_error *err);

/* For dispatch: gives the call back to the pool and leaves its exchange to the wake list. Both
 * belong to others, or are gone, afterwards. */
void weir_long_poll_park(struct weir_call *call);

/* Starts the server's wake list; false without resources. */
bool weir_long_poll_start(struct weir_server *server);

/* Called by the transport when a connection has ended: gives up the reads that wait for it. */
void weir_long_poll_peer_gone(void *server, struct weir_link *peer, bool *is_gone);

#endif
