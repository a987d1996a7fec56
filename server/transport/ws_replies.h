/* Replies that nng 1.5.2 loses by WebSocket.
 *
 * There it forgets a reply, memory and all, that is still on its way when it closes the connection:
 * for a frame that is none, or because nobody reads. So what sends is remembered by connection, and
 * when that has ended, what is left with it is released.
 *
 * Process-wide, by descriptor, as descriptors are. Thread-safe. */
#ifndef WEIR_SERVER_WS_REPLIES_H
#define WEIR_SERVER_WS_REPLIES_H

#include <nng/nng.h>

/* A connection has got the descriptor. The end of the one that had it before may not have been
 * told, where there was no memory to count that one. */
void weir_ws_replies_new(int descriptor);

/* nng is about to send what `aio` has, by a connection by WebSocket. */
void weir_ws_replies_begin(nng_stream *stream, nng_aio *aio);

/* The connection that has the descriptor has been closed, and nng has not released it yet. Waits
 * for the end of what is being sent, as nng is about to do itself. */
void weir_ws_replies_end(int descriptor);

#endif
