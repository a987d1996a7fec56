/* How frames of WebSocket are followed, however they are cut (ws_frames.c). */
#include "server/transport/ws_frames.h"

#include "tests/lib/check_main.h"
#include "weir/base/slice.h"

#include <string.h>

enum {
    BINARY = 2,
    CONTINUED = 0,
    PING = 9,
    PONG = 10,
    FIN = 0x80,
    FRAME_MAX = 1 << 17,
    MANY = 10 * WEIR_WS_PIECES_FREE,
    MEMORY = WEIR_WS_PIECE_MEMORY
};

static struct weir_ws_frames frames;
static size_t held;

static void begin(void)
{
    frames = (struct weir_ws_frames){.head_n = 0};
    held = 0;
}

/* Writes the head of a masked frame; returns its size. */
static size_t put_head(uint8_t *to, uint8_t first, size_t length)
{
    size_t n = 0;
    to[n++] = first;
    if (length < 126) {
        to[n++] = (uint8_t)(0x80 | length);
    } else if (length < 1 << 16) {
        to[n++] = 0x80 | 126;
        to[n++] = (uint8_t)(length >> 8);
        to[n++] = (uint8_t)length;
    } else {
        to[n++] = 0x80 | 127;
        for (int shift = 56; shift >= 0; shift -= 8) {
            to[n++] = (uint8_t)(length >> shift);
        }
    }
    memset(to + n, 0x81, 4);
    return n + 4;
}

/* Takes in a frame of `length` bytes, `step` bytes at a time. The bytes look like heads. */
static bool add(uint8_t first, size_t length, size_t step)
{
    static uint8_t bytes[WEIR_WS_HEAD_MAX + FRAME_MAX];
    const size_t all = put_head(bytes, first, length) + length;
    memset(bytes + all - length, 0x81, length);
    bool is_well = true;
    for (size_t at = 0; is_well && at < all; at += step) {
        is_well = weir_ws_frames_add(&frames, bytes + at, step < all - at ? step : all - at, &held);
    }
    return is_well;
}

START_TEST(frames_of_all_lengths_are_counted_however_they_are_cut)
{
    static const size_t lengths[] = {0, 1, 125, 126, 127, 65535, 65536, FRAME_MAX};
    static const size_t steps[] = {1, 2, 3, 7, 2048, SIZE_MAX / 2};
    for (size_t i = 0; i < WEIR_COUNTOF(steps); i++) {
        begin();
        size_t expected = 0;
        for (size_t k = 0; k < WEIR_COUNTOF(lengths); k++) {
            ck_assert(add(FIN | BINARY, lengths[k], steps[i]));
            expected += MEMORY + lengths[k];
            ck_assert_uint_eq(held, expected);
        }
        ck_assert_uint_eq(frames.head_n, 0);
    }
}
END_TEST

START_TEST(a_frame_without_a_mask_is_followed)
{
    static const uint8_t bytes[] = {FIN | BINARY, 1, 'a', FIN | BINARY, 126, 0, 2, 'a', 'b'};
    begin();
    ck_assert(weir_ws_frames_add(&frames, bytes, sizeof bytes, &held));
    ck_assert_uint_eq(held, 2 * MEMORY + 3);
    ck_assert_uint_eq(frames.head_n, 0);
}
END_TEST

START_TEST(control_frames_are_part_of_no_message)
{
    begin();
    ck_assert(add(BINARY, 10, 5));
    for (size_t i = 0; i < 2 * WEIR_WS_PIECES_FREE; i++) {
        ck_assert(add(FIN | PONG, 5, 5));
    }
    ck_assert_uint_eq(held, MEMORY + 10);
    ck_assert_uint_eq(frames.pieces, 1);
    ck_assert(add(FIN | CONTINUED, 10, 5));
    ck_assert_uint_eq(frames.pieces, 0);
}
END_TEST

START_TEST(a_control_frame_is_short)
{
    begin();
    ck_assert(add(FIN | PONG, WEIR_WS_CONTROL_MAX, 1));
    ck_assert(!add(FIN | PONG, WEIR_WS_CONTROL_MAX + 1, 1));
    begin();
    ck_assert(!add(FIN | PING, FRAME_MAX, SIZE_MAX / 2));
}
END_TEST

/* Adds pieces of an unfinished message; returns how many are taken, `max` at most. */
static size_t add_pieces(size_t length, size_t max)
{
    size_t n = 0;
    while (n < max && add(n == 0 ? BINARY : CONTINUED, length, SIZE_MAX / 2)) {
        n++;
    }
    return n;
}

START_TEST(a_message_has_few_small_pieces)
{
    begin();
    ck_assert_uint_eq(add_pieces(0, MANY), WEIR_WS_PIECES_FREE);
    begin();
    ck_assert_uint_eq(add_pieces(WEIR_WS_PIECE_BYTES / 2, MANY), 2 * WEIR_WS_PIECES_FREE);
}
END_TEST

START_TEST(a_long_message_allows_the_next_one_no_more)
{
    begin();
    ck_assert(add(FIN | BINARY, FRAME_MAX, SIZE_MAX / 2));
    ck_assert_uint_eq(add_pieces(0, MANY), WEIR_WS_PIECES_FREE);
}
END_TEST

START_TEST(a_message_has_any_number_of_large_pieces)
{
    begin();
    ck_assert_uint_eq(add_pieces(WEIR_WS_PIECE_BYTES, MANY), MANY);
}
END_TEST

START_TEST(few_pings_wait_for_their_answers)
{
    begin();
    for (size_t i = 0; i < WEIR_WS_PINGS_MAX; i++) {
        ck_assert(add(FIN | PING, 125, SIZE_MAX / 2));
    }
    ck_assert_uint_eq(held, 0);
    weir_ws_frames_sent(&frames, FIN | PONG);
    ck_assert(add(FIN | PING, 0, 1));
    weir_ws_frames_sent(&frames, FIN | BINARY);
    ck_assert(!add(FIN | PING, 0, 1));
}
END_TEST

START_TEST(what_nobody_asked_for_is_no_answer)
{
    begin();
    weir_ws_frames_sent(&frames, FIN | PONG);
    ck_assert_uint_eq(frames.pings, 0);
}
END_TEST

START_TEST(each_message_counts_for_itself)
{
    begin();
    for (int i = 0; i < 3; i++) {
        ck_assert_uint_eq(add_pieces(1, WEIR_WS_PIECES_FREE - 1), WEIR_WS_PIECES_FREE - 1);
        ck_assert(add(FIN | CONTINUED, 1, 1));
    }
    for (size_t i = 0; i < 2 * WEIR_WS_PIECES_FREE; i++) {
        ck_assert(add(FIN | BINARY, 1, SIZE_MAX / 2));
    }
}
END_TEST

START_TEST(one_answer_of_http_begins_a_websocket)
{
    static const char switching[] = "HTTP/1.1 101 Switching Protocols\r\n";
    const uint8_t *bytes = (const uint8_t *)switching;
    ck_assert(weir_ws_begins(bytes, sizeof switching - 1));
    ck_assert(weir_ws_begins(bytes, 13));
    ck_assert(!weir_ws_begins(bytes, 12));
    ck_assert(!weir_ws_begins((const uint8_t *)"HTTP/1.1 404 Not Found\r\n", 24));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("ws_frames");
    TCase *tcase = tcase_create("frames");
    tcase_add_test(tcase, frames_of_all_lengths_are_counted_however_they_are_cut);
    tcase_add_test(tcase, a_frame_without_a_mask_is_followed);
    tcase_add_test(tcase, control_frames_are_part_of_no_message);
    tcase_add_test(tcase, a_control_frame_is_short);
    tcase_add_test(tcase, a_message_has_few_small_pieces);
    tcase_add_test(tcase, a_long_message_allows_the_next_one_no_more);
    tcase_add_test(tcase, a_message_has_any_number_of_large_pieces);
    tcase_add_test(tcase, few_pings_wait_for_their_answers);
    tcase_add_test(tcase, what_nobody_asked_for_is_no_answer);
    tcase_add_test(tcase, each_message_counts_for_itself);
    tcase_add_test(tcase, one_answer_of_http_begins_a_websocket);
    suite_add_tcase(suite, tcase);
    return check_main(suite);
}
