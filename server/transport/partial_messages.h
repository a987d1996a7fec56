/* What has been received of messages that are not whole yet.
 *
 * Whoever can connect, with a token or without, may send most of a message and then nothing. nng
 * keeps what it has for as long as the connection lives. So what all connections together hold that
 * way is bounded, and where it would be more, connections are ended: first the one whose message is
 * the furthest behind a modest pace. One that arrives keeps up with it, by a slow line too; one
 * that has stopped, or of which a byte comes now and then, does not. Those that hold next to
 * nothing are spared, as ending them would make no room. And of a message of which nothing comes
 * for long the connection is ended as well, whatever the others hold.
 *
 * To end a connection its socket is shut down, which may be done from any other connection's calls:
 * nng learns of it as if the other end had gone. Should the descriptor be another's by then, that
 * one would be shut down; so nng's own shutdown(), which comes before each of its close(), is told
 * of here, and from then on the descriptor is left alone.
 *
 * Process-wide, by descriptor, as descriptors are. Thread-safe; nothing blocks or fails. */
#ifndef WEIR_SERVER_PARTIAL_MESSAGES_H
#define WEIR_SERVER_PARTIAL_MESSAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A block of memory from this size on is the system's own, and takes room only where it has been
 * written to; of a smaller one all may be in use from the first (main.c, for malloc). */
enum { WEIR_LARGE_BLOCK_BYTES = 4 * 1024 * 1024 };

/* Half messages may hold so many bytes together, and nothing may come of one for so long. Before
 * the first connection; 0, as at first: there is no limit. */
void weir_partial_limit(size_t bytes_max, int64_t silence_us);

/* A connection has the descriptor from now on; it has it no longer. */
void weir_partial_opened(int descriptor);
void weir_partial_closed(int descriptor);

/* So much more has been received of a message of `length` bytes, perhaps nothing, and it is not
 * all. Returns whether connections have been ended, this one perhaps among them. */
bool weir_partial_add(int descriptor, size_t received, size_t length, int64_t now_us);

/* The message is whole. */
void weir_partial_whole(int descriptor);

/* Under TLS and WebSocket nng alone knows where a message begins. All that comes by such a
 * connection from now on is taken for a part of one, until one is whole; of the next, what nng has
 * received by then is not counted. */
void weir_partial_follow(int descriptor);

/* So many bytes have been received of whatever, which counts if the connection is followed. Returns
 * whether connections have been ended. */
bool weir_partial_came(int descriptor, size_t received, int64_t now_us);

/* Ends those that are silent, if it is time to look for them. Returns whether there were any. */
bool weir_partial_look(int64_t now_us);

/* When to look again, in milliseconds; -1 while there is no connection or no limit. */
int weir_partial_look_in_ms(void);

/* What all of them hold. */
size_t weir_partial_bytes(void);

#endif
