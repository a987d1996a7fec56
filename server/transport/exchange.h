/* An exchange: one request and its one reply, on any kind of connection.
 *
 * At any time an exchange has exactly one owner: the transport (while idle, receiving or sending),
 * the queue, a worker or the transport's thread that serves in place of a worker, a write lane or
 * read lane, or the wake list. Ownership passes with the call of the next owner's function; the
 * caller must not touch the exchange after that call. The last owner either sends a reply or
 * abandons the exchange, which returns it to the transport. Every function here may be called by
 * the owner on any thread; none blocks. */
#ifndef WEIR_SERVER_EXCHANGE_H
#define WEIR_SERVER_EXCHANGE_H

#include "server/base/queue.h"
#include "weir/base/list.h"
#include "weir/base/slice.h"

struct weir_exchange;
struct weir_waiter;

/* The request's bytes as received. Valid until the exchange is sent or abandoned. */
struct weir_slice weir_exchange_request(const struct weir_exchange *exchange);

/* When the request arrived, in monotonic microseconds. */
int64_t weir_exchange_arrived_us(const struct weir_exchange *exchange);

/* The `context` of struct weir_transport_user. */
void *weir_exchange_context(const struct weir_exchange *exchange);

/* The exchange's entry in the queue, and the exchange of such an entry. */
struct weir_job *weir_exchange_job(struct weir_exchange *exchange);
struct weir_exchange *weir_exchange_of_job(struct weir_job *job);

/* The exchange's waiter (waiter.h), as new for each request, and the exchange of such a waiter. */
struct weir_waiter *weir_exchange_waiter(struct weir_exchange *exchange);
struct weir_exchange *weir_exchange_of_waiter(struct weir_waiter *waiter);

/* Returns the list of waiters of the exchange's connection, and in *is_gone the flag that says
 * whether the connection has ended; the wake list guards both. Returns NULL and leaves *is_gone
 * alone if the connection had already ended when the request arrived, or has no peer (peers.h). */
struct weir_link *weir_exchange_peer(struct weir_exchange *exchange, const bool **is_gone);

/* Sets *own and *all to the bytes of replies that clients have not read yet, on the exchange's
 * connection and on all connections. Both may include replies that were read recently;
 * weir_exchange_recount_unread counts anew, unless that was done in the last 100 ms. */
void weir_exchange_unread(const struct weir_exchange *exchange, size_t *own, size_t *all);
void weir_exchange_recount_unread(struct weir_exchange *exchange);

/* Tells the transport that the exchange is going to wait. The transport opens further exchanges to
 * replace it if it can; as that takes a while, the only thread of the transport that may call this
 * is the one on the spot (dispatch.h). */
void weir_exchange_make_way(struct weir_exchange *exchange);

/* Returns room for a reply of exactly `n` bytes in the message that will be sent, or NULL if memory
 * is exhausted. The exchange owns the room. Releases the room that an earlier call returned. */
uint8_t *weir_exchange_reply_room(struct weir_exchange *exchange, size_t n);

/* Announces that this exchange's reply will be sent soon, so that earlier replies on its connection
 * may leave in the same segment (pending_replies.h). A caller that replies to several exchanges
 * announces all of them before it sends the first reply. */
void weir_exchange_announce(struct weir_exchange *exchange);

/* Takes the announcement back, if there is one: the reply will be long in coming, and other replies
 * on the connection must not be held for it. */
void weir_exchange_withdraw(struct weir_exchange *exchange);

/* Sends the reply that was written into the room, and returns the exchange to the transport. */
void weir_exchange_send(struct weir_exchange *exchange);

/* Returns the exchange to the transport without a reply. If `is_fatal`, closes the connection, so
 * that the client does not wait for a reply in vain. */
void weir_exchange_abandon(struct weir_exchange *exchange, bool is_fatal);

#endif
