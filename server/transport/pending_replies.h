/* Pending replies: counts, for each connection, the replies that will be sent on it.
 *
 * A reply is announced before it is handed to nng, and all replies of a group are announced before
 * the first of them is handed over. An announced reply that is not sent after all is withdrawn. The
 * counts serve three purposes:
 *
 * - Replies that are ready together leave together. nng sends the replies of a connection one by
 *   one, each after it was told that the previous one is sent. Each would leave in a segment of its
 *   own and wake a client that has read the previous one and gone to sleep. So a small reply that
 *   is not the last one is joined to the next (joined_replies.h); what cannot be joined is sent
 *   with MSG_MORE: the kernel holds it back until the last one is sent or withdrawn.
 * - Replies leave when nng has released its lock. nng sends under a lock that all its threads need,
 *   and a segment that leaves wakes the client and, within one machine, runs through the whole
 *   network stack. So even the last reply is sent with MSG_MORE, and the thread that sent it makes
 *   it leave once nng has returned (weir_pending_push).
 * - A connection ends after its last reply. nng 1.5.2 loses a reply, and leaks its memory, if it
 *   begins to send it while it closes the connection. So nng is told of the end only while no reply
 *   is announced, and from then on none can be announced.
 *
 * nng does not tell the descriptor of a connection. When it is asked for certain options of a
 * connection, however, it calls getsockopt() on the descriptor, which shows it (weir_pending_ask).
 * No reply is announced to a connection whose descriptor is unknown.
 *
 * State is process-wide, by descriptor. Thread-safe; no function fails, or blocks for longer than
 * the lock on what is joined. */
#ifndef WEIR_SERVER_PENDING_REPLIES_H
#define WEIR_SERVER_PENDING_REPLIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Connections with a descriptor of this number or above are left entirely to nng. */
enum { WEIR_DESCRIPTORS_MAX = 65536 };

/* Identifies a connection by its descriptor and a generation, which tells it from all other
 * connections that have had the descriptor. 0: unknown. */
typedef uint64_t weir_connection_key;

/* ---- for callers that send replies ---- */

/* Between these two calls, the calling thread has nng call getsockopt() on a connection;
 * weir_pending_asked returns the connection's key, or 0 if nng called it on none. */
void weir_pending_ask(void);
weir_connection_key weir_pending_asked(void);

/* Makes the kernel send what this thread has sent and the kernel still holds back. Every thread
 * calls this after it has handed a reply to nng, and in nng's callback for a sent reply; without
 * the call the kernel sends after 200 ms. */
void weir_pending_push(void);

/* Announces a reply that will be handed to nng. Returns a value for weir_pending_withdraw, which
 * accepts 0; 0, without an announcement, if the connection is unknown or over. */
uint64_t weir_pending_add(weir_connection_key key);
void weir_pending_withdraw(uint64_t announced);

/* Whether the connection is over, so that no reply may be handed to nng. */
bool weir_pending_is_over(weir_connection_key key);

/* Returns the connection's descriptor, or -1 if it is unknown or the connection is over. */
int weir_pending_descriptor(weir_connection_key key);

/* Returns the bytes of the current message that the kernel has no room for. While there are any,
 * nng keeps the whole message. 0 also if the connection is unknown. */
size_t weir_pending_left(weir_connection_key key);

/* Returns weir_pending_left plus the bytes that are joined, and those that the kernel has taken and
 * the client has not; -1 if unknown. */
int64_t weir_pending_untaken(weir_connection_key key);

/* ---- for the calls that nng makes on a connection (nng_connections.h) ---- */

/* Begins a new generation: a connection with this descriptor has been accepted. */
void weir_pending_opened(int descriptor);

/* Whether this thread is between weir_pending_ask and weir_pending_asked. The connection that it
 * asks about is open. */
bool weir_pending_is_asking(void);

/* Notes that data sent on the connection is held back until this thread's next weir_pending_push.
 * Only for threads that are certain to call that. */
void weir_pending_hold(int descriptor);

/* Answers weir_pending_ask: the connection asked about has this descriptor. */
void weir_pending_answer(int descriptor);

/* A message is about to be sent. Returns whether another reply is announced after it. */
bool weir_pending_begin(int descriptor);

/* The kernel has not taken the last `n` bytes of the message. */
void weir_pending_leave(int descriptor, size_t n);

/* The kernel has taken the whole message. Removes its announcement, if it had one, and returns
 * whether further replies are announced. */
bool weir_pending_end(int descriptor);

/* Declares the connection over if no reply is announced, and returns whether it did. */
bool weir_pending_close(int descriptor);

#endif
