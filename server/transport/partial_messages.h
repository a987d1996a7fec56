/* Partial messages: bounds the memory that nng holds for messages received in part.
 *
 * Any client that can connect, with or without a token, may send most of a message and then stop;
 * nng keeps the received part as long as the connection lives. So the bytes held for the partial
 * messages of all connections together are bounded. When they exceed the bound, connections are
 * ended, starting with the one whose message is furthest behind a modest pace: a message that keeps
 * arriving, even by a slow line, keeps that pace; one that has stopped or trickles does not.
 * Connections that hold next to nothing are spared, because ending them would free nothing. Apart
 * from the bound, a connection is ended if nothing of its partial message arrives for a given time.
 * A new connection is as one of whose message nothing arrives until its handshake is over, whatever
 * is received of that: nng would wait for ever for those of TLS and WebSocket.
 *
 * To end a connection its socket is shut down, which any thread may do: nng sees the same as when
 * the peer closes. The descriptor might belong to another connection by then; so nng's own call of
 * shutdown(), which precedes each of its close() calls, is reported here (weir_partial_closed), and
 * the descriptor is left alone from then on.
 *
 * State is process-wide, by descriptor, under one leaf lock. Thread-safe; no function fails. */
#ifndef WEIR_SERVER_PARTIAL_MESSAGES_H
#define WEIR_SERVER_PARTIAL_MESSAGES_H

#include "server/transport/pending_replies.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* malloc maps each block of at least this size separately (main.c), so only the pages that have
 * been written to take memory. A smaller block counts in full from the start. */
enum { WEIR_LARGE_BLOCK_BYTES = 4 * 1024 * 1024 };

/* Sets the bytes that all partial messages together may hold, and how long a partial message may
 * receive nothing. To be called before the first connection; 0, the default of each: no limit. */
void weir_partial_limit(size_t bytes_max, int64_t silence_us);

/* Called when a connection with this descriptor has been accepted (opened), and when nng is about
 * to close it (closed). */
void weir_partial_opened(int descriptor, int64_t now_us);
void weir_partial_closed(int descriptor);

/* Counts `received` more bytes, possibly 0, of a message of `length` bytes that is still partial.
 * Returns whether connections have been ended to keep the bound, this one possibly among them. */
bool weir_partial_add(int descriptor, size_t received, size_t length, int64_t now_us);

/* The connection's message, or its handshake, is complete: nothing is held for it any more. */
void weir_partial_whole(int descriptor);

/* For TLS and WebSocket, where only nng sees the messages: from now on all bytes received on the
 * connection (weir_partial_came) count as parts of one message until weir_partial_whole. Bytes of
 * the next message that nng has received by then are not counted. */
void weir_partial_follow(int descriptor);

/* Counts `received` bytes of unknown content if the connection is followed; otherwise does nothing.
 * Returns whether connections have been ended to keep the bound. */
bool weir_partial_came(int descriptor, size_t received, int64_t now_us);

/* Ends the connections whose partial message has received nothing for too long, if a look for them
 * is due. Returns whether there were any. Cheap when no look is due. */
bool weir_partial_look(int64_t now_us);

/* Ends a connection, whatever it holds; does nothing if it is over or being closed already. Only
 * for a connection without TLS and WebSocket, whose end nng never meets between two parts of a
 * message (nng_connections.h, 1). */
void weir_partial_end(weir_connection_key key);

/* Returns how many milliseconds to wait at most before the next look; -1, for ever, if there is no
 * connection or no limit of silence. */
int weir_partial_look_in_ms(void);

/* The bytes that all partial messages hold. */
size_t weir_partial_bytes(void);

#endif
