/* One request and its one reply, whatever transport they came by.
 *
 * An exchange is owned by exactly one of: the transport (idle, receiving or sending), the queue, a
 * worker or the thread of the transport that serves in its place, a lane of writes or of reads, the
 * wake list. Ownership passes by calling the function of the next owner; the caller must not touch
 * the exchange afterwards. In the end its owner either sends a reply or abandons it. No function
 * here blocks; all may be called from any thread. */
#ifndef WEIR_SERVER_EXCHANGE_H
#define WEIR_SERVER_EXCHANGE_H

#include "server/calls/queue.h"
#include "server/list.h"
#include "weir/base/slice.h"

struct weir_exchange;
struct weir_waiter;

/* The request as it came, until the exchange is sent or abandoned. */
struct weir_slice weir_exchange_request(const struct weir_exchange *exchange);

/* When it came, monotonic. */
int64_t weir_exchange_arrived_us(const struct weir_exchange *exchange);

/* The context of the transport's user. */
void *weir_exchange_context(const struct weir_exchange *exchange);

/* Its place in the queue. */
struct weir_job *weir_exchange_job(struct weir_exchange *exchange);
struct weir_exchange *weir_exchange_of_job(struct weir_job *job);

/* The part of it that waits (wake.h), as new when a request arrives. */
struct weir_waiter *weir_exchange_waiter(struct weir_exchange *exchange);
struct weir_exchange *weir_exchange_of_waiter(struct weir_waiter *waiter);

/* The ring of what waits for its connection, and whether that has ended; NULL where it had ended
 * before. */
struct weir_link *weir_exchange_peer(struct weir_exchange *exchange, const bool **is_gone);

/* Bytes of replies that wait for their clients to read them: those of its connection, and all. What
 * has been read lately may be among them, until they are counted anew. */
void weir_exchange_unread(const struct weir_exchange *exchange, size_t *own, size_t *all);
void weir_exchange_recount_unread(struct weir_exchange *exchange);

/* It is going to wait, so the transport opens another one in its place if it can, which takes a
 * while: of the transport's threads only the one on the spot does so. */
void weir_exchange_make_way(struct weir_exchange *exchange);

/* Room for a reply of exactly `n` bytes, in the message that will be sent; NULL without memory.
 * What an earlier call gave is dropped. */
uint8_t *weir_exchange_reply_room(struct weir_exchange *exchange, size_t n);

/* It will soon be sent, so that what is sent on its connection before it may leave together with it
 * (pending_replies.h). For a caller that is about to reply to several. */
void weir_exchange_announce(struct weir_exchange *exchange);

/* Sends the reply that was written into the room and gives the exchange back to the transport. */
void weir_exchange_send(struct weir_exchange *exchange);

/* Gives it back without a reply. `is_fatal`: the client must not wait for it, so its connection is
 * closed. */
void weir_exchange_abandon(struct weir_exchange *exchange, bool is_fatal);

#endif
