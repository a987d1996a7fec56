/* Follows what nng receives on a WebSocket connection: tells what it keeps for an unfinished
 * message, and finds what would cost nng 1.5.2 too much, for which anybody can ask:
 *
 * - Messages that come in too many pieces, one frame each. For each piece that arrives nng walks
 *   all those before it, so a message costs time by the square of its pieces. Half a megabyte of
 *   the smallest ones would keep the thread that receives for all connections busy for minutes,
 *   even if the client has gone. So the number of a message's pieces is bounded:
 *   WEIR_WS_PIECES_FREE, and one more for each WEIR_WS_PIECE_BYTES of the message. The libraries
 *   that divide messages by themselves make pieces of at least 4 KiB.
 * - Pings whose answers are not taken. nng keeps an answer to each, without a limit.
 * - Control frames above WEIR_WS_CONTROL_MAX bytes, which WebSocket forbids. nng takes in all of
 *   one before it refuses it, and what it holds of them is not counted.
 *
 * One thread at a time per connection. No function fails. */
#ifndef WEIR_SERVER_WS_FRAMES_H
#define WEIR_SERVER_WS_FRAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    WEIR_WS_PINGS_MAX = 256,
    WEIR_WS_CONTROL_MAX = 125,
    WEIR_WS_PIECES_FREE = 1024,
    WEIR_WS_PIECE_BYTES = 2048,
    WEIR_WS_PIECE_MEMORY = 256,  // what nng needs for a piece beside its bytes, and a little more
    WEIR_WS_HEAD_MAX = 14        // bytes of the longest head of a frame
};

/* Initial state: all zero. */
struct weir_ws_frames {
    uint8_t head[WEIR_WS_HEAD_MAX];  // of the frame that is being received
    size_t head_n;                   // bytes received of it
    uint64_t lacking;                // bytes of the frame to come, once its head is whole
    bool is_piece;                   // the frame belongs to a message, and is no control frame
    size_t pieces;                   // of the unfinished message, the last frame included
    uint64_t bytes;                  // lengths of those pieces
    size_t pings;                    // not answered yet
};

/* Takes in `n` more bytes, and adds to *held what nng keeps of them for a message. Returns false if
 * the message has too many pieces, too many pings are not answered, or a control frame is too long.
 */
bool weir_ws_frames_add(struct weir_ws_frames *frames, const uint8_t *bytes, size_t n,
                        size_t *held);

/* The system has taken a frame from nng that begins with this byte. */
void weir_ws_frames_sent(struct weir_ws_frames *frames, uint8_t first);

/* Whether an HTTP response that begins with these bytes turns the connection into a WebSocket. */
bool weir_ws_begins(const uint8_t *bytes, size_t n);

#endif
