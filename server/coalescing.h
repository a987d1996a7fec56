/* Replies to one connection that are ready together leave together.
 *
 * nng sends one after the other, each once it has been told that the one before is on its way. Each
 * would be a segment of its own, and wake a client that has read the one before and gone to sleep.
 * So the system is told of all but the last that more will follow (MSG_MORE), and sends them with
 * the last. A reply is announced before it is handed to nng, those of a group all before the first
 * of them. What is announced and does not come after all is withdrawn; where even that is not
 * possible, the system sends what it has after 200 ms.
 *
 * nng does not say which descriptor a connection has. It is learnt by the first reply that is sent
 * on the thread that hands it to nng; until then nothing is announced.
 *
 * Process-wide, as descriptors are. Thread-safe; nothing blocks or fails. */
#ifndef WEIR_SERVER_COALESCING_H
#define WEIR_SERVER_COALESCING_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* Connections with descriptors beyond are as nng has them. */
enum { WEIR_DESCRIPTORS_MAX = 65536 };

/* Which descriptor a connection has, and which of all that had it it is. 0: not known. */
typedef _Atomic uint64_t weir_connection_key;

/* ---- for who replies ---- */

/* A reply will be handed to nng. What is returned withdraws it; 0 where nothing is known. */
uint64_t weir_coalescing_announce(const weir_connection_key *key);
void weir_coalescing_withdraw(uint64_t announced);

/* Until the next call what this thread sends is for that connection. NULL: for none that is known.
 */
void weir_coalescing_learn(weir_connection_key *key);

/* ---- for who sends (nng_sockets.c) ---- */

void weir_coalescing_opened(int descriptor);

/* Something is about to be sent; returns whether more will follow. */
bool weir_coalescing_begin(int descriptor);

/* All of it has been. */
void weir_coalescing_end(int descriptor);

#endif
