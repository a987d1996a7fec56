/* The socket calls of nng in this program (nng_connections.h): which replies leave together and
 * when the end of a connection is reported (pending_replies.c), on a TCP connection with the calls
 * that nng makes. */
#include "server/transport/nng_connections.h"
#include "server/transport/nng_sockets.h"
#include "server/transport/pending_replies.h"
#include "server/transport/ws_frames.h"

#include "tests/lib/check_main.h"
#include "tests/unit/wire.h"
#include "weir/base/monotonic.h"
#include "weir/base/slice.h"

#include <errno.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

/* With MSG_MORE the kernel holds data back for about 200 ms. */
enum { HELD_US = 100 * 1000, ATTEMPTS = 50 };

/* ---- sending ---- */

static bool is_held(void)
{
    int unsent = 0;
    ck_assert_int_eq(ioctl(wire.server, SIOCOUTQNSD, &unsent), 0);
    return unsent > 0;
}

/* Sends two replies. Returns false if it was so slow that the kernel may have sent the first. */
static bool send_two_in_time(void)
{
    const int64_t from_us = weir_monotonic_us();
    wire_send("one");
    const bool is_first_held = is_held();
    wire_send("two");
    const bool is_in_time = weir_monotonic_us() - from_us < HELD_US;
    ck_assert(is_first_held || !is_in_time);
    ck_assert(!is_held());
    wire_assert_received("onetwo");
    return is_in_time;
}

START_TEST(announced_replies_leave_with_the_last)
{
    wire_learn_key();
    bool is_in_time = false;
    for (int i = 0; !is_in_time && i < ATTEMPTS; i++) {
        wire_announce(2);
        is_in_time = send_two_in_time();
    }
    ck_assert(is_in_time);
}
END_TEST

static void assert_sent_at_once(const char *text)
{
    wire_send(text);
    ck_assert(!is_held());
    wire_assert_received(text);
}

START_TEST(a_reply_by_itself_leaves_at_once)
{
    assert_sent_at_once("not known");
    wire_learn_key();
    assert_sent_at_once("not announced");
    wire_announce(1);
    assert_sent_at_once("announced");
}
END_TEST

/* Sends one reply of several. Returns false if it was so slow that the kernel may have sent it. */
static bool send_held_in_time(const char *text)
{
    const int64_t from_us = weir_monotonic_us();
    wire_send(text);
    const bool was_held = is_held();
    const bool is_in_time = weir_monotonic_us() - from_us < HELD_US;
    ck_assert(was_held || !is_in_time);
    return is_in_time;
}

START_TEST(what_is_sent_before_one_that_is_withdrawn_leaves_with_that)
{
    wire_learn_key();
    bool is_in_time = false;
    for (int i = 0; !is_in_time && i < ATTEMPTS; i++) {
        wire_announce(2);
        is_in_time = send_held_in_time("first");
        weir_pending_withdraw(wire.key);
        ck_assert(!is_held());
        wire_assert_received("first");
    }
    ck_assert(is_in_time);
}
END_TEST

START_TEST(what_is_withdrawn_is_not_waited_for)
{
    wire_learn_key();
    wire_announce(1);
    weir_pending_withdraw(weir_pending_add(wire.key));
    assert_sent_at_once("left");
    weir_pending_withdraw(wire.key);
    wire_announce(1);
    assert_sent_at_once("another");
}
END_TEST

START_TEST(a_connection_does_not_wait_for_its_predecessors_replies)
{
    wire_learn_key();
    const uint64_t old = weir_pending_add(wire.key);
    const int descriptor = wire.server;
    const weir_connection_key old_key = wire.key;
    wire_close();
    wire_open();
    ck_assert_int_eq(wire.server, descriptor);
    wire_learn_key();
    ck_assert_uint_eq(weir_pending_add(old_key), 0);
    wire_announce(1);
    assert_sent_at_once("of the new one");
    bool is_in_time = false;
    for (int i = 0; !is_in_time && i < ATTEMPTS; i++) {
        wire_announce(2);
        weir_pending_withdraw(old);
        is_in_time = send_two_in_time();
    }
    ck_assert(is_in_time);
}
END_TEST

/* ---- accepting ---- */

static void log_fault(void *context, enum weir_nng_sockets_event event, int fault)
{
    ck_assert_int_eq(event, WEIR_NNG_SOCKETS_FULL);
    *(int *)context = fault;
    errno = 0;
}

/* The connection is closed at once. nng sees the failure, whatever reporting it does to errno. */
START_TEST(descriptors_above_the_bound_are_left_to_others)
{
    struct sockaddr_in address;
    socklen_t address_n = sizeof address;
    char byte = 0;
    ck_assert_int_eq(getsockname(wire.listener, (struct sockaddr *)&address, &address_n), 0);
    int reported = 0;
    const int other = socket(AF_INET, SOCK_STREAM, 0);
    weir_nng_sockets_report(log_fault, &reported);
    weir_nng_sockets_take_below(other + 1);
    ck_assert_int_eq(connect(other, (struct sockaddr *)&address, sizeof address), 0);
    const int refused = accept(wire.listener, NULL, NULL);
    const int fault = errno;
    weir_nng_sockets_take_below(0);
    weir_nng_sockets_report(NULL, NULL);
    ck_assert_int_lt(refused, 0);
    ck_assert_int_eq(fault, EMFILE);
    ck_assert_int_eq(reported, EMFILE);
    ck_assert_int_eq(recv(other, &byte, 1, 0), 0);
    (void)close(other);
    weir_nng_sockets_take_below(wire.server + 1);
    wire_close();
    wire_open();
    weir_nng_sockets_take_below(0);
}
END_TEST

/* ---- receiving ---- */

static void assert_reads(const char *bytes, size_t n)
{
    char read[8192];
    ck_assert_uint_le(n, sizeof read);
    size_t done = 0;
    while (done < n) {
        const struct iovec part = {.iov_base = read + done, .iov_len = n - done};
        const ssize_t got = readv(wire.server, &part, 1);
        ck_assert_int_gt(got, 0);
        done += (size_t)got;
    }
    ck_assert_mem_eq(read, bytes, n);
}

static void assert_nothing_to_read(void)
{
    char byte = 0;
    const struct iovec part = {.iov_base = &byte, .iov_len = 1};
    ck_assert_int_lt(readv(wire.server, &part, 1), 0);
    ck_assert_int_eq(errno, EAGAIN);
}

/* Parts whose lengths are around the size of the read-ahead buffer. */
START_TEST(each_byte_is_read_once_in_order)
{
    static const size_t parts[] = {8, 1, 2040, 8, 2048, 8, 2049, 3, 4096, 1};
    char bytes[16384];
    size_t all = 0;
    for (size_t i = 0; i < WEIR_COUNTOF(parts); i++) {
        all += parts[i];
    }
    ck_assert_uint_le(all, sizeof bytes);
    for (size_t i = 0; i < all; i++) {
        bytes[i] = (char)(i * 7 % 251);
    }
    ck_assert_int_eq(send(wire.client, bytes, all, 0), (ssize_t)all);
    size_t at = 0;
    for (size_t i = 0; i < WEIR_COUNTOF(parts); i++) {
        assert_reads(bytes + at, parts[i]);
        at += parts[i];
    }
    assert_nothing_to_read();
}
END_TEST

static void assert_end_is_told(void)
{
    char byte = 0;
    const struct iovec part = {.iov_base = &byte, .iov_len = 1};
    ck_assert_int_lt(readv(wire.server, &part, 1), 0);
    ck_assert_int_eq(errno, ECONNRESET);
}

START_TEST(what_came_before_the_end_is_read)
{
    ck_assert_int_eq(send(wire.client, "abcd", 4, 0), 4);
    ck_assert_int_eq(shutdown(wire.client, SHUT_WR), 0);
    assert_reads("ab", 2);
    assert_reads("cd", 2);
    assert_end_is_told();
}
END_TEST

START_TEST(the_end_is_told_behind_the_last_reply)
{
    wire_learn_key();
    wire_announce(2);
    const uint64_t withdrawn = weir_pending_add(wire.key);
    ck_assert_int_eq(shutdown(wire.client, SHUT_WR), 0);
    assert_nothing_to_read();
    wire_send("one");
    wire_send("two");
    assert_nothing_to_read();
    weir_pending_withdraw(withdrawn);
    ck_assert(!weir_pending_is_over(wire.key));
    assert_end_is_told();
    ck_assert(weir_pending_is_over(wire.key));
    ck_assert_uint_eq(weir_pending_add(wire.key), 0);
}
END_TEST

/* Fills the kernel's buffer, which nobody reads; the waiting reply is then discarded at once. */
START_TEST(a_reply_that_waits_for_room_does_not_hold_up_the_end)
{
    static char bytes[1 << 20];
    wire_learn_key();
    do {
        wire_announce(1);
    } while (wire_try_to_send(bytes, sizeof bytes) == (ssize_t)sizeof bytes);
    ck_assert_int_eq(errno, EAGAIN);
    ck_assert_int_eq(shutdown(wire.client, SHUT_WR), 0);
    struct pollfd ready = {.fd = wire.server, .events = POLLIN};
    ck_assert_int_eq(poll(&ready, 1, -1), 1);
    assert_nothing_to_read();
    ready.events = POLLOUT;
    ck_assert_int_eq(poll(&ready, 1, 0), 1);
    ck_assert_int_eq(wire_try_to_send(bytes, sizeof bytes), (ssize_t)sizeof bytes);
    assert_end_is_told();
}
END_TEST

/* A reply that never comes delays the end only for a limited time. */
START_TEST(the_end_is_told_after_a_while)
{
    wire_learn_key();
    wire_announce(1);
    ck_assert_int_eq(shutdown(wire.client, SHUT_WR), 0);
    const int64_t from_us = weir_monotonic_us();
    assert_nothing_to_read();
    while (weir_monotonic_us() - from_us <= 1000 * 1000) {
        (void)poll(NULL, 0, 10);
    }
    assert_end_is_told();
}
END_TEST

/* ---- input that nng refuses ---- */

enum { SHORTEST = 4, LONGEST = 64, HOPS_MAX = 8, IPC_LENGTH_BYTES = 9 };

/* Lets the client send bytes, in two parts if possible. Returns false if the server does not
 * receive them. */
static bool passes(const uint8_t *bytes, size_t n)
{
    static uint8_t to[256];
    size_t sent = 0;
    ck_assert_uint_le(n, sizeof to);
    while (sent < n) {
        const size_t sends = sent == 0 && n > 1 ? n / 2 : n - sent;
        ck_assert_int_eq(send(wire.client, bytes + sent, sends, 0), (ssize_t)sends);
        struct pollfd ready = {.fd = wire.server, .events = POLLIN};
        ck_assert_int_eq(poll(&ready, 1, -1), 1);
        const struct iovec part = {.iov_base = to + sent, .iov_len = n - sent};
        if (readv(wire.server, &part, 1) < 0) {
            ck_assert_int_eq(errno, EAGAIN);
            return false;
        }
        sent += sends;
    }
    ck_assert_mem_eq(to, bytes, n);
    return true;
}

static bool length_passes(uint64_t length)
{
    const uint8_t bytes[] = {(uint8_t)(length >> 56), 0, 0, 0, 0, 0, 0, (uint8_t)length};
    return passes(bytes, sizeof bytes);
}

/* On ipc:// a type byte precedes the length. */
static bool ipc_length_passes(uint8_t what, uint8_t length)
{
    const uint8_t bytes[IPC_LENGTH_BYTES] = {what, [IPC_LENGTH_BYTES - 1] = length};
    return passes(bytes, sizeof bytes);
}

/* Sends a message in which hop number last_hop is marked as the last. */
static bool message_passes(size_t n, size_t last_hop)
{
    uint8_t bytes[LONGEST] = {0};
    bytes[last_hop * 4 % LONGEST] = 0x80;
    return passes(bytes, n);
}

static void open_another(void)
{
    wire_close();
    wire_open();
    wire_learn_key();
}

static bool greeting_passes(const char *greeting)
{
    open_another();
    ck_assert_int_eq(wire_try_to_send("\0SP\0\0\x31\0\0", 8), 8);
    wire_announce(1);
    return passes((const uint8_t *)greeting, 8);
}

static void begin(void)
{
    open_another();
    wire_greet();
    wire_announce(1);
}

static void assert_ends_behind_the_last_reply(void)
{
    assert_nothing_to_read();
    wire_send("last");
    assert_end_is_told();
    ck_assert(weir_pending_is_over(wire.key));
}

START_TEST(a_greeting_that_nng_refuses_is_the_end)
{
    static const char *const refused[] = {"GET / HT", "\0SQ\0\0\x30\0\0", "\0SP\1\0\x30\0\0",
                                          "\0SP\0\0\x30\1\0", "\0SP\0\0\x30\0\1"};
    for (size_t i = 0; i < WEIR_COUNTOF(refused); i++) {
        ck_assert(!greeting_passes(refused[i]));
        assert_ends_behind_the_last_reply();
    }
    ck_assert(greeting_passes("\0SP\0\xff\xff\0\0"));  // any protocol number
}
END_TEST

START_TEST(a_length_that_nng_refuses_is_the_end)
{
    static const uint64_t refused[] = {0, SHORTEST - 1, LONGEST + 1, UINT64_C(1) << 56 | SHORTEST};
    weir_nng_sockets_refuse_above(LONGEST);
    for (size_t i = 0; i < WEIR_COUNTOF(refused); i++) {
        begin();
        ck_assert(length_passes(LONGEST));
        ck_assert(message_passes(LONGEST, 0));
        ck_assert(!length_passes(refused[i]));
        assert_ends_behind_the_last_reply();
    }
    begin();
    ck_assert(ipc_length_passes(1, SHORTEST));
    ck_assert(message_passes(SHORTEST, 0));
    ck_assert(!ipc_length_passes(2, SHORTEST));
    assert_ends_behind_the_last_reply();
    begin();
    ck_assert(!ipc_length_passes(1, LONGEST + 1));
    assert_ends_behind_the_last_reply();
    weir_nng_sockets_refuse_above(0);
    begin();
    ck_assert(length_passes(LONGEST + 1));
}
END_TEST

START_TEST(a_message_that_nng_refuses_is_the_end)
{
    static const size_t refused[] = {4, 7, 8, 11, 28, 31};
    for (size_t i = 0; i < WEIR_COUNTOF(refused); i++) {
        begin();
        ck_assert(length_passes(refused[i]));
        ck_assert(!message_passes(refused[i], refused[i] / 4));
        assert_ends_behind_the_last_reply();
    }
}
END_TEST

START_TEST(a_message_of_many_hops_is_none_that_nng_refuses)
{
    begin();
    for (size_t hop = 0; hop <= HOPS_MAX; hop++) {
        const size_t n = hop < HOPS_MAX ? hop * 4 + 4 : hop * 4;
        ck_assert(length_passes(n));
        ck_assert(message_passes(n, hop));
    }
    ck_assert(length_passes(LONGEST));
    ck_assert(message_passes(LONGEST, HOPS_MAX + 1));
    assert_nothing_to_read();
    ck_assert(!weir_pending_is_over(wire.key));
}
END_TEST

START_TEST(what_follows_what_nng_refuses_is_not_read)
{
    static const char bytes[] = "\0\0\0\0\0\0\0\3\x80 request";
    begin();
    ck_assert_int_eq(send(wire.client, bytes, sizeof bytes, 0), sizeof bytes);
    char to[8];
    const struct iovec part = {.iov_base = to, .iov_len = sizeof to};
    ck_assert_int_lt(readv(wire.server, &part, 1), 0);
    ck_assert_int_lt(readv(wire.server, &part, 1), 0);
    assert_ends_behind_the_last_reply();
}
END_TEST

/* Messages of another protocol are not checked. */
START_TEST(another_protocols_bytes_are_not_looked_at)
{
    wire_close();
    wire_open();
    wire_learn_key();
    wire_send("HTTP/1.1");
    for (uint64_t length = 0; length < SHORTEST; length++) {
        ck_assert(length_passes(length));
    }
}
END_TEST

/* ---- WebSocket ---- */

enum { WS_FRAME_BYTES = 6 };

/* Sends frames with a request that opens a WebSocket, in which nng would read them too. */
static void begin_websocket(const uint8_t *frames, size_t n)
{
    open_another();
    ck_assert_int_eq(send(wire.client, "GET /\r\n\r\n", 9, MSG_MORE), 9);
    ck_assert_int_eq(send(wire.client, frames, n, 0), (ssize_t)n);
    assert_reads("GET /\r\n\r\n", 9);
    wire_send("HTTP/1.1 101 Switching");
}

/* A request may be so long after each answer. */
START_TEST(a_long_request_of_http_is_the_end)
{
    static char lines[2 * WEIR_NNG_HTTP_MAX + 1];
    const size_t line_n = WEIR_NNG_HTTP_MAX / 8;
    for (size_t i = 0; i < sizeof lines; i++) {
        lines[i] = i % line_n == line_n - 1 ? '\n' : 'x';
    }
    open_another();
    ck_assert_int_eq(send(wire.client, lines, sizeof lines, 0), sizeof lines);
    for (size_t i = 0; i < 2 * WEIR_NNG_HTTP_MAX; i += line_n) {
        if (i == WEIR_NNG_HTTP_MAX) {
            wire_send("HTTP/1.1 404 Not Found");
        }
        assert_reads(lines + i, line_n);
    }
    wire_announce(1);
    assert_ends_behind_the_last_reply();
}
END_TEST

/* Fills `frames` with empty frames that begin with a byte. */
static void fill_frames(uint8_t first, uint8_t *frames, size_t n)
{
    memset(frames, 0, n);
    for (size_t i = 0; i < n; i += WS_FRAME_BYTES) {
        frames[i] = first;
        frames[i + 1] = 0x80;  // a mask follows
    }
}

/* Reads frames up to the last byte of the last head. */
static void assert_ends_in_the_last_frame(const uint8_t *frames, size_t n)
{
    for (size_t i = 0; i < n - WS_FRAME_BYTES; i += WS_FRAME_BYTES) {
        assert_reads((const char *)frames + i, WS_FRAME_BYTES);
    }
    wire_announce(1);
    assert_reads((const char *)frames, WS_FRAME_BYTES - 1);
    assert_ends_behind_the_last_reply();
}

START_TEST(a_message_in_too_many_pieces_is_the_end)
{
    static uint8_t pieces[(WEIR_WS_PIECES_FREE + 1) * WS_FRAME_BYTES];
    fill_frames(0, pieces, sizeof pieces);
    begin_websocket(pieces, sizeof pieces);
    assert_ends_in_the_last_frame(pieces, sizeof pieces);
}
END_TEST

START_TEST(too_many_pings_without_an_answer_are_the_end)
{
    static uint8_t pings[(WEIR_WS_PINGS_MAX + 2) * WS_FRAME_BYTES];
    fill_frames(0x89, pings, sizeof pings);
    begin_websocket(pings, sizeof pings);
    assert_reads((const char *)pings, WS_FRAME_BYTES);
    wire_send("\x8a");
    assert_ends_in_the_last_frame(pings + WS_FRAME_BYTES, sizeof pings - WS_FRAME_BYTES);
}
END_TEST

/* ---- reports ---- */

static void count_event(void *context, enum weir_nng_sockets_event event, int fault)
{
    (void)fault;
    ((unsigned *)context)[event]++;
}

/* At most once a minute for each reason: this test alone asks for reports. */
START_TEST(what_is_refused_is_reported_by_its_reason)
{
    static unsigned counts[WEIR_NNG_SOCKETS_EVENTS];
    static uint8_t pieces[(WEIR_WS_PIECES_FREE + 1) * WS_FRAME_BYTES];
    weir_nng_sockets_refuse_above(LONGEST);
    weir_nng_sockets_report(count_event, counts);
    begin();
    ck_assert(!length_passes(LONGEST + 1));
    ck_assert_uint_eq(counts[WEIR_NNG_SOCKETS_TOO_LONG], 1);
    begin();
    ck_assert(!length_passes(SHORTEST - 1));
    ck_assert_uint_eq(counts[WEIR_NNG_SOCKETS_NOT_SP], 1);
    ck_assert(!greeting_passes("GET / HT"));
    ck_assert_uint_eq(counts[WEIR_NNG_SOCKETS_NOT_SP], 1);
    fill_frames(0, pieces, sizeof pieces);
    begin_websocket(pieces, sizeof pieces);
    assert_ends_in_the_last_frame(pieces, sizeof pieces);
    ck_assert_uint_eq(counts[WEIR_NNG_SOCKETS_WEBSOCKET], 1);
    ck_assert_uint_eq(counts[WEIR_NNG_SOCKETS_NO_WEBSOCKET], 0);
    open_another();
    wire_send("HTTP/1.1 404 Not Found");
    ck_assert_uint_eq(counts[WEIR_NNG_SOCKETS_NO_WEBSOCKET], 1);
    ck_assert_uint_eq(counts[WEIR_NNG_SOCKETS_TOO_LONG], 1);
    weir_nng_sockets_report(NULL, NULL);
    weir_nng_sockets_refuse_above(0);
}
END_TEST

/* ---- data held back ---- */

START_TEST(a_reply_of_a_plain_connection_leaves_when_it_is_pushed)
{
    wire_greet();
    bool is_in_time = false;
    for (int i = 0; !is_in_time && i < ATTEMPTS; i++) {
        is_in_time = send_held_in_time("reply");
        weir_pending_push();
        ck_assert(!is_held());
        wire_assert_received("reply");
    }
    ck_assert(is_in_time);
}
END_TEST

/* A thread holds back one at a time. */
START_TEST(a_reply_is_not_held_back_for_that_of_another_connection)
{
    wire_greet();
    bool is_in_time = false;
    for (int i = 0; !is_in_time && i < ATTEMPTS; i++) {
        is_in_time = send_held_in_time("reply");
        weir_pending_hold(wire.client);
        ck_assert(!is_held());
        wire_assert_received("reply");
        weir_pending_push();
    }
    ck_assert(is_in_time);
}
END_TEST

/* The count includes a reply that another thread was about to send, seen by the thread that has
 * sent the previous one. */
START_TEST(the_end_of_a_reply_tells_whether_another_is_announced_still)
{
    wire_learn_key();
    wire_announce(2);
    ck_assert(weir_pending_begin(wire.server));
    ck_assert(weir_pending_end(wire.server));
    ck_assert(!weir_pending_end(wire.server));
    wire_announce(2);
    ck_assert(weir_pending_begin(wire.server));
    weir_pending_withdraw(wire.key);
    ck_assert(!weir_pending_end(wire.server));
}
END_TEST

static void *wait_for_events_and_send(void *context)
{
    (void)context;
    struct epoll_event event;
    const int epoll = epoll_create1(0);
    ck_assert_int_eq(epoll_wait(epoll, &event, 1, 0), 0);
    (void)close(epoll);
    wire_send("rest");
    return NULL;
}

START_TEST(who_waits_for_events_holds_nothing_back)
{
    wire_greet();
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, wait_for_events_and_send, NULL), 0);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    ck_assert(!is_held());
    wire_assert_received("rest");
}
END_TEST

START_TEST(a_connection_is_known_by_what_is_asked_of_it)
{
    wire_learn_key();
    weir_pending_ask();
    ck_assert_uint_eq(weir_pending_asked(), 0);
    ck_assert_uint_eq(wire_key_of(wire.client), 0);
    ck_assert_uint_eq(wire_key_of(wire.listener), 0);
    ck_assert_uint_eq(wire_key_of(wire.server), wire.key);
}
END_TEST

static Suite *nng_sockets_suite(void)
{
    Suite *suite = suite_create("nng_sockets");
    TCase *tcase = tcase_create("connection");
    tcase_add_checked_fixture(tcase, wire_open, wire_close);
    tcase_add_test(tcase, announced_replies_leave_with_the_last);
    tcase_add_test(tcase, a_reply_by_itself_leaves_at_once);
    tcase_add_test(tcase, what_is_sent_before_one_that_is_withdrawn_leaves_with_that);
    tcase_add_test(tcase, a_reply_of_a_plain_connection_leaves_when_it_is_pushed);
    tcase_add_test(tcase, a_reply_is_not_held_back_for_that_of_another_connection);
    tcase_add_test(tcase, the_end_of_a_reply_tells_whether_another_is_announced_still);
    tcase_add_test(tcase, who_waits_for_events_holds_nothing_back);
    tcase_add_test(tcase, what_is_withdrawn_is_not_waited_for);
    tcase_add_test(tcase, a_connection_does_not_wait_for_its_predecessors_replies);
    tcase_add_test(tcase, descriptors_above_the_bound_are_left_to_others);
    tcase_add_test(tcase, each_byte_is_read_once_in_order);
    tcase_add_test(tcase, what_came_before_the_end_is_read);
    tcase_add_test(tcase, the_end_is_told_behind_the_last_reply);
    tcase_add_test(tcase, a_reply_that_waits_for_room_does_not_hold_up_the_end);
    tcase_add_test(tcase, the_end_is_told_after_a_while);
    tcase_add_test(tcase, a_greeting_that_nng_refuses_is_the_end);
    tcase_add_test(tcase, a_length_that_nng_refuses_is_the_end);
    tcase_add_test(tcase, a_message_that_nng_refuses_is_the_end);
    tcase_add_test(tcase, a_message_of_many_hops_is_none_that_nng_refuses);
    tcase_add_test(tcase, what_follows_what_nng_refuses_is_not_read);
    tcase_add_test(tcase, another_protocols_bytes_are_not_looked_at);
    tcase_add_test(tcase, a_long_request_of_http_is_the_end);
    tcase_add_test(tcase, a_message_in_too_many_pieces_is_the_end);
    tcase_add_test(tcase, too_many_pings_without_an_answer_are_the_end);
    tcase_add_test(tcase, what_is_refused_is_reported_by_its_reason);
    tcase_add_test(tcase, a_connection_is_known_by_what_is_asked_of_it);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return check_main(nng_sockets_suite());
}
