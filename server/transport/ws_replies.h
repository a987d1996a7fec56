/* Frees the replies that nng 1.5.2 leaks on WebSocket connections.
 *
 * When nng closes a WebSocket connection, because of an invalid frame or because the client does
 * not read, it forgets the reply that is being sent and leaks its memory. So the aio that sends is
 * remembered for each connection, and the message left in it is freed after the connection's end.
 *
 * State is process-wide, by descriptor. Thread-safe. */
#ifndef WEIR_SERVER_WS_REPLIES_H
#define WEIR_SERVER_WS_REPLIES_H

#include <nng/nng.h>

/* A new connection has this descriptor (-1: unknown). Forgets the previous one, whose end is not
 * reported if there was no memory for its peer. */
void weir_ws_replies_new(int descriptor);

/* nng is about to send the message in `aio` on a WebSocket connection. */
void weir_ws_replies_begin(nng_stream *stream, nng_aio *aio);

/* The connection with this descriptor (-1: unknown) is closed, and nng has not yet released it.
 * Waits until its sending has ended, as nng itself is about to, and frees a message left over. */
void weir_ws_replies_end(int descriptor);

#endif
