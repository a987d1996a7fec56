#include "server/transport/ws_frames.h"

#include <string.h>

enum {
    FIRST_BYTES = 2,  // of a head; they tell how long it is
    FIN = 0x80,
    OPCODE = 0x0f,
    CONTROL = 0x08,  // the bit that all control frames have
    PING = 0x09,
    PONG = 0x0a,
    MASKED = 0x80,
    MASK_BYTES = 4,
    LENGTH = 0x7f,
    LENGTH_IN_2 = 126,
    LENGTH_IN_8 = 127
};

static size_t length_bytes(const struct weir_ws_frames *frames)
{
    switch (frames->head[1] & LENGTH) {
    case LENGTH_IN_2:
        return 2;
    case LENGTH_IN_8:
        return 8;
    default:
        return 0;
    }
}

static bool has_head(const struct weir_ws_frames *frames)
{
    return frames->head_n >= FIRST_BYTES &&
           frames->head_n == FIRST_BYTES + length_bytes(frames) +
                                 ((frames->head[1] & MASKED) != 0 ? MASK_BYTES : 0);
}

static uint64_t length_of(const struct weir_ws_frames *frames)
{
    const size_t n = length_bytes(frames);
    uint64_t length = n == 0 ? frames->head[1] & LENGTH : 0;
    for (size_t i = 0; i < n; i++) {
        length = length << 8 | frames->head[FIRST_BYTES + i];
    }
    return length;
}

static void begin_message(struct weir_ws_frames *frames)
{
    frames->pieces = 0;
    frames->bytes = 0;
}

static void begin_piece(struct weir_ws_frames *frames)
{
    frames->pieces++;
    frames->bytes += frames->lacking;
}

static bool are_too_many(const struct weir_ws_frames *frames)
{
    return frames->pings > WEIR_WS_PINGS_MAX ||
           frames->pieces > WEIR_WS_PIECES_FREE + frames->bytes / WEIR_WS_PIECE_BYTES;
}

static void end_frame(struct weir_ws_frames *frames)
{
    if (frames->is_piece && (frames->head[0] & FIN) != 0) {
        begin_message(frames);
    }
    frames->head_n = 0;
}

/* Returns false if the head is that of one piece or ping too many, or of a control frame that is
 * too long. */
static bool take_head(struct weir_ws_frames *frames, uint8_t byte, size_t *held)
{
    frames->head[frames->head_n++] = byte;
    if (!has_head(frames)) {
        return true;
    }
    frames->lacking = length_of(frames);
    frames->is_piece = (frames->head[0] & CONTROL) == 0;
    if (frames->is_piece) {
        begin_piece(frames);
        *held += WEIR_WS_PIECE_MEMORY;
    } else if ((frames->head[0] & OPCODE) == PING) {
        frames->pings++;
    }
    return !are_too_many(frames) && (frames->is_piece || frames->lacking <= WEIR_WS_CONTROL_MAX);
}

/* Returns how many of the bytes belong to the frame. */
static size_t take_payload(struct weir_ws_frames *frames, size_t n, size_t *held)
{
    const size_t taken = n < frames->lacking ? n : (size_t)frames->lacking;
    frames->lacking -= taken;
    *held += frames->is_piece ? taken : 0;
    return taken;
}

bool weir_ws_frames_add(struct weir_ws_frames *frames, const uint8_t *bytes, size_t n, size_t *held)
{
    size_t at = 0;
    while (at < n) {
        if (!has_head(frames)) {
            if (!take_head(frames, bytes[at++], held)) {
                return false;
            }
        } else {
            at += take_payload(frames, n - at, held);
        }
        if (has_head(frames) && frames->lacking == 0) {
            end_frame(frames);
        }
    }
    return true;
}

void weir_ws_frames_sent(struct weir_ws_frames *frames, uint8_t first)
{
    if ((first & OPCODE) == PONG && frames->pings > 0) {
        frames->pings--;
    }
}

bool weir_ws_begins(const uint8_t *bytes, size_t n)
{
    static const char switching[] = "HTTP/1.1 101 ";
    return n >= sizeof switching - 1 && memcmp(bytes, switching, sizeof switching - 1) == 0;
}
