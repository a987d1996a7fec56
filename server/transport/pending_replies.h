/* Replies that a connection will be sent.
 *
 * A reply is announced before it is handed to nng, those of a group all before the first of them.
 * What is announced and does not come after all is withdrawn. Three things follow from it:
 *
 * - Replies that are ready together leave together. nng sends one after the other, each once it has
 *   been told that the one before is on its way. Each would be a segment of its own, and wake a
 *   client that has read the one before and gone to sleep. So the system is told of all but the
 *   last that more will follow (MSG_MORE), and sends them with the last, or when that is withdrawn.
 * - They leave when nng has let go of its lock. It sends under one that all its threads need, and
 *   what leaves wakes the client, and on one machine passes through all of the network as well. So
 *   even with the last the system is told that more will follow, and then that nothing does, by the
 *   thread that has sent it, once nng has returned.
 * - A connection ends behind its last reply. nng 1.5.2 loses a reply, memory and all, that it
 *   begins to send while it is closing the connection. So the end is told only when no reply is
 *   announced, and from then on none can be.
 *
 * nng does not say which descriptor a connection has. But it asks the system for some options of a
 * connection whenever it is asked for them, which tells. Nothing is announced to one that is not
 * known.
 *
 * Process-wide, as descriptors are. Thread-safe; nothing blocks or fails. */
#ifndef WEIR_SERVER_PENDING_REPLIES_H
#define WEIR_SERVER_PENDING_REPLIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Connections whose descriptor is not below it are left as nng handles them. */
enum { WEIR_DESCRIPTORS_MAX = 65536 };

/* Which descriptor a connection has, and which of all that had it it is. 0: not known. */
typedef uint64_t weir_connection_key;

/* ---- for who replies ---- */

/* The key of the connection that the system is asked about, by getsockopt(), between these two
 * calls on the thread that makes them; 0 where it is asked about none. */
void weir_pending_ask(void);
weir_connection_key weir_pending_asked(void);

/* For each thread that has handed a reply to nng, or that nng tells of one: what it has sent and
 * the system holds back leaves. Where that is forgotten, it does so after 200 ms. */
void weir_pending_push(void);

/* A reply will be handed to nng. What is returned withdraws it; 0 where nothing is known or the
 * connection is over. */
uint64_t weir_pending_add(weir_connection_key key);
void weir_pending_withdraw(uint64_t announced);

/* The connection has ended: nothing may be sent any more. */
bool weir_pending_is_over(weir_connection_key key);

/* Which descriptor it has; -1 where that is not known or the connection has ended. */
int weir_pending_descriptor(weir_connection_key key);

/* Bytes of the message being sent that the system has no room for: as long as there are any, nng
 * has all of that message. 0 also where nothing is known. */
size_t weir_pending_left(weir_connection_key key);

/* These, and what the system has been given and the other end has not taken; -1 where that is not
 * known. */
int64_t weir_pending_untaken(weir_connection_key key);

/* ---- for who sends and receives (nng_sockets.c) ---- */

void weir_pending_opened(int descriptor);

/* Whether this thread asks, about a connection that is therefore open. */
bool weir_pending_is_asking(void);

/* What has been sent leaves when this thread pushes; who cannot be sure that it does keeps away. */
void weir_pending_hold(int descriptor);

/* The system is asked about it. */
void weir_pending_answer(int descriptor);

/* Something is about to be sent; returns whether more will follow. */
bool weir_pending_begin(int descriptor);

/* So much of it is left for later. */
void weir_pending_leave(int descriptor, size_t n);

/* All of it has been. Returns whether anything else is announced. */
bool weir_pending_end(int descriptor);

/* The connection is over, unless a reply is still announced: then false. */
bool weir_pending_close(int descriptor);

#endif
