/* Which connections are closed for the incomplete messages they hold (partial_messages.c), with
 * time controlled by the test; and what nng's socket calls report about them
 * (nng_connections.h). */
#include "server/transport/partial_messages.h"

#include "server/transport/pending_replies.h"
#include "server/transport/ws_frames.h"
#include "tests/lib/check_main.h"
#include "weir/base/monotonic.h"
#include "weir/base/slice.h"

#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

enum {
    MIB = 1024 * 1024,
    BYTES_MAX = 100 * MIB,
    LENGTH = 64 * MIB,
    PAIRS = 8,
    MS = 1000,
    SECOND = 1000 * MS,
    SILENCE = 60 * SECOND
};

static struct pair {
    int server;
    int client;
} pairs[PAIRS];

static void open_pair(struct pair *pair)
{
    int ends[2];
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    *pair = (struct pair){.server = ends[0], .client = ends[1]};
    weir_partial_opened(pair->server, 0);
    weir_partial_whole(pair->server);
}

/* Closes the connection as nng does. */
static void close_pair(const struct pair *pair)
{
    (void)shutdown(pair->server, SHUT_RDWR);
    (void)close(pair->server);
    (void)close(pair->client);
}

static void open_pairs(void)
{
    for (size_t i = 0; i < PAIRS; i++) {
        open_pair(&pairs[i]);
    }
    weir_partial_limit(BYTES_MAX, SILENCE);
    ck_assert_uint_eq(weir_partial_bytes(), 0);
}

static void close_pairs(void)
{
    for (size_t i = 0; i < PAIRS; i++) {
        close_pair(&pairs[i]);
    }
    ck_assert_uint_eq(weir_partial_bytes(), 0);
    weir_partial_limit(0, 0);
}

static bool is_ended(size_t i)
{
    char byte = 0;
    const ssize_t n = recv(pairs[i].client, &byte, 1, MSG_DONTWAIT);
    ck_assert(n == 0 || (n < 0 && errno == EAGAIN));
    return n == 0;
}

static size_t count_ended(void)
{
    size_t n = 0;
    for (size_t i = 0; i < PAIRS; i++) {
        n += is_ended(i);
    }
    return n;
}

static bool add(size_t i, size_t bytes, int64_t now_us)
{
    return weir_partial_add(pairs[i].server, bytes, LENGTH, now_us);
}

/* ---- threads ---- */

enum { ROUNDS = 2000 };

static void *receive_again_and_again(void *context)
{
    const struct pair *pair = context;
    for (size_t i = 0; i < ROUNDS; i++) {
        weir_partial_opened(pair->server, INT64_MAX / 2);
        weir_partial_whole(pair->server);
        (void)weir_partial_add(pair->server, 1, LENGTH, INT64_MAX / 2);
        weir_partial_closed(pair->server);
    }
    return NULL;
}

/* ThreadSanitizer reports a lock that is missing. */
START_TEST(threads_receive_while_others_look)
{
    pthread_t threads[2];
    for (size_t i = 0; i < WEIR_COUNTOF(threads); i++) {
        ck_assert_int_eq(pthread_create(&threads[i], NULL, receive_again_and_again, &pairs[i]), 0);
    }
    for (int64_t i = 0; i < ROUNDS; i++) {
        ck_assert(!weir_partial_look(i * SILENCE));
    }
    for (size_t i = 0; i < WEIR_COUNTOF(threads); i++) {
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    }
}
END_TEST

/* ---- memory that counts ---- */

START_TEST(what_is_received_counts_until_the_message_is_whole)
{
    add(0, 0, 0);
    ck_assert_uint_eq(weir_partial_bytes(), 0);
    add(0, 7 * MIB, 0);
    add(1, 2 * MIB, 0);
    add(0, 1, 0);
    ck_assert_uint_eq(weir_partial_bytes(), 9 * MIB + 1);
    weir_partial_whole(pairs[0].server);
    ck_assert_uint_eq(weir_partial_bytes(), 2 * MIB);
    add(0, 5, 0);
    ck_assert_uint_eq(weir_partial_bytes(), 2 * MIB + 5);
    weir_partial_closed(pairs[0].server);
    weir_partial_closed(pairs[1].server);
    ck_assert_uint_eq(weir_partial_bytes(), 0);
}
END_TEST

/* The whole block of a small message counts, since all of its memory may be in use. */
START_TEST(of_a_small_message_all_counts_from_the_first)
{
    weir_partial_add(pairs[0].server, 0, WEIR_LARGE_BLOCK_BYTES - 1, 0);
    weir_partial_add(pairs[1].server, 7, WEIR_LARGE_BLOCK_BYTES, 0);
    ck_assert_uint_eq(weir_partial_bytes(), WEIR_LARGE_BLOCK_BYTES - 1 + 7);
    weir_partial_add(pairs[0].server, 100, WEIR_LARGE_BLOCK_BYTES - 1, 0);
    ck_assert_uint_eq(weir_partial_bytes(), WEIR_LARGE_BLOCK_BYTES - 1 + 7);
}
END_TEST

/* For a connection whose message boundaries are not known here. */
START_TEST(all_that_comes_by_a_connection_that_is_followed_counts)
{
    weir_partial_came(pairs[0].server, 3 * MIB, 0);
    ck_assert_uint_eq(weir_partial_bytes(), 0);
    weir_partial_follow(pairs[0].server);
    weir_partial_came(pairs[0].server, 3 * MIB, 0);
    weir_partial_came(pairs[0].server, 100, 0);
    ck_assert_uint_eq(weir_partial_bytes(), 3 * MIB + 100);
    weir_partial_whole(pairs[0].server);
    ck_assert_uint_eq(weir_partial_bytes(), 0);
    weir_partial_came(pairs[0].server, 7, 0);
    ck_assert_uint_eq(weir_partial_bytes(), 7);
    close_pair(&pairs[0]);
    open_pair(&pairs[0]);
    weir_partial_came(pairs[0].server, 3 * MIB, 0);
    ck_assert_uint_eq(weir_partial_bytes(), 0);
}
END_TEST

/* ---- which connections are closed ---- */

START_TEST(up_to_the_bound_nobody_is_ended)
{
    add(0, BYTES_MAX / 2, 0);
    add(1, BYTES_MAX / 2, 3600 * (int64_t)SECOND);
    ck_assert_uint_eq(count_ended(), 0);
}
END_TEST

START_TEST(beyond_the_bound_who_has_stopped_first_is_ended)
{
    add(0, 40 * MIB, 0);
    add(1, 10 * MIB, 0);
    add(1, 30 * MIB, 2 * MS);
    ck_assert(!add(0, 1024, 3 * MS));
    ck_assert(add(2, 40 * MIB, 4 * MS));
    ck_assert(is_ended(1));
    ck_assert_uint_eq(count_ended(), 1);
    ck_assert_uint_eq(weir_partial_bytes(), 80 * MIB + 1024);
}
END_TEST

/* A fast message does not lose to older ones; only as many of them are closed as make room. */
START_TEST(as_many_are_ended_as_make_room)
{
    for (size_t i = 0; i < 5; i++) {
        add(i, 20 * MIB, (int64_t)i * MS);
    }
    add(5, 50 * MIB, 9 * MS);
    ck_assert(is_ended(0) && is_ended(1) && is_ended(2));
    ck_assert_uint_eq(count_ended(), 3);
}
END_TEST

/* One client sends 60 MiB over a quarter of an hour, while two others a second connect, send much
 * at once and stop. */
START_TEST(who_goes_on_slowly_outlasts_who_stops)
{
    int64_t now_us = 0;
    for (size_t second = 0; second < 960; second++) {
        add(0, 64 * 1024, now_us);
        for (size_t i = 0; i < 2; i++) {
            const size_t attacker = 1 + (2 * second + i) % (PAIRS - 1);
            close_pair(&pairs[attacker]);
            open_pair(&pairs[attacker]);
            add(attacker, 15 * MIB, now_us + 400 * MS + (int64_t)i * 100 * MS);
        }
        now_us += SECOND;
        ck_assert(!is_ended(0));
    }
    ck_assert_uint_gt(count_ended(), 0);
}
END_TEST

START_TEST(bytes_now_and_then_are_no_progress)
{
    add(0, 60 * MIB, 0);
    for (int64_t now_us = 0; now_us < 10 * SECOND; now_us += 10 * MS) {
        add(0, 1, now_us);
    }
    add(1, 32 * 1024, 7 * SECOND);
    add(1, 32 * 1024, 9 * SECOND);
    add(2, 60 * MIB, 10 * SECOND);
    ck_assert(is_ended(0));
    ck_assert_uint_eq(count_ended(), 1);
}
END_TEST

/* Fast data after a pause compensates for the pause. */
START_TEST(what_comes_fast_makes_up_for_a_pause_and_for_none_to_come)
{
    add(0, 10 * MIB, 0);
    add(1, 40 * MIB, 5 * SECOND);
    add(0, 30 * MIB, 6 * SECOND);
    add(2, 40 * MIB, 7 * SECOND);
    ck_assert(!is_ended(0) && is_ended(1));
    add(2, 16 * 1024, 20 * SECOND);
    add(3, 40 * MIB, 20 * SECOND);
    ck_assert(is_ended(0) && !is_ended(2));
}
END_TEST

START_TEST(who_holds_next_to_nothing_is_spared)
{
    weir_partial_add(pairs[0].server, 0, BYTES_MAX / WEIR_DESCRIPTORS_MAX, 0);
    add(1, 60 * MIB, SECOND);
    add(2, 60 * MIB, 2 * SECOND);
    ck_assert(is_ended(1));
    ck_assert_uint_eq(count_ended(), 1);
}
END_TEST

START_TEST(one_alone_may_be_the_one_too_many)
{
    add(0, BYTES_MAX + 1, 0);
    ck_assert(is_ended(0));
    add(0, 1, 0);
    ck_assert_uint_eq(weir_partial_bytes(), 0);
}
END_TEST

/* shutdown() fails on a connection whose peer has gone. */
START_TEST(who_is_ended_leaves_no_fault_in_anothers_call)
{
    const int gone = socket(AF_INET, SOCK_STREAM, 0);
    weir_partial_opened(gone, 0);
    weir_partial_add(gone, 60 * MIB, LENGTH, 0);
    errno = EAGAIN;
    add(0, 60 * MIB, SECOND);
    ck_assert_int_eq(errno, EAGAIN);
    ck_assert_uint_eq(weir_partial_bytes(), 60 * MIB);
    (void)shutdown(gone, SHUT_RDWR);
    (void)close(gone);
}
END_TEST

/* After nng has shut a connection down, the descriptor may belong to another file. */
START_TEST(a_descriptor_is_left_alone_when_it_has_been_given_up)
{
    add(0, 60 * MIB, 0);
    (void)shutdown(pairs[0].server, SHUT_RDWR);
    add(0, 60 * MIB, 0);
    int other[2];
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, other), 0);
    ck_assert_int_eq(dup2(other[0], pairs[0].server), pairs[0].server);
    (void)close(pairs[0].client);
    (void)close(other[0]);
    pairs[0].client = other[1];
    add(1, 60 * MIB, SECOND);
    add(2, 60 * MIB, 2 * SECOND);
    weir_partial_look(2 * SILENCE);
    ck_assert(!is_ended(0));
    ck_assert(is_ended(1) && is_ended(2));
}
END_TEST

/* ---- silence ---- */

START_TEST(who_is_silent_for_long_is_ended)
{
    add(0, 0, 0);
    add(1, 1, 0);
    add(2, 1, 0);
    add(1, 1, SECOND);
    add(2, 0, SECOND);
    weir_partial_whole(pairs[3].server);
    ck_assert(!weir_partial_look(SILENCE - 1));
    ck_assert_uint_eq(count_ended(), 0);
    weir_partial_look(SILENCE + SECOND - 1);
    ck_assert_uint_eq(count_ended(), 0);
    ck_assert(weir_partial_look(SILENCE + SILENCE / 2));
    ck_assert(is_ended(0) && is_ended(1) && is_ended(2));
    ck_assert_uint_eq(count_ended(), 3);
}
END_TEST

/* What is received meanwhile does not count: it is part of the handshake. */
START_TEST(a_handshake_takes_no_longer_than_silence)
{
    for (size_t i = 0; i < 3; i++) {
        weir_partial_closed(pairs[i].server);
        weir_partial_opened(pairs[i].server, SECOND);
    }
    weir_partial_came(pairs[0].server, 100, SILENCE);
    weir_partial_whole(pairs[1].server);
    ck_assert_uint_eq(weir_partial_bytes(), 0);
    weir_partial_look(SILENCE + SECOND - 1);
    ck_assert_uint_eq(count_ended(), 0);
    ck_assert(weir_partial_look(SILENCE + SILENCE / 2));
    ck_assert(is_ended(0) && !is_ended(1) && is_ended(2));
    ck_assert_uint_eq(count_ended(), 2);
}
END_TEST

START_TEST(without_connections_or_limits_nobody_looks)
{
    ck_assert_int_gt(weir_partial_look_in_ms(), 0);
    ck_assert_int_lt(weir_partial_look_in_ms(), SILENCE / MS);
    weir_partial_limit(BYTES_MAX, 0);
    ck_assert_int_eq(weir_partial_look_in_ms(), -1);
    weir_partial_limit(0, SILENCE);
    for (size_t i = 0; i < PAIRS; i++) {
        ck_assert_int_gt(weir_partial_look_in_ms(), 0);
        weir_partial_closed(pairs[i].server);
    }
    ck_assert_int_eq(weir_partial_look_in_ms(), -1);
}
END_TEST

/* ---- by nng's calls ---- */

static struct pair tcp;

static void open_tcp(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t address_n = sizeof address;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int listener = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_eq(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
    ck_assert_int_eq(listen(listener, 1), 0);
    ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&address, &address_n), 0);
    tcp.client = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_eq(connect(tcp.client, (struct sockaddr *)&address, sizeof address), 0);
    tcp.server = accept(listener, NULL, NULL);
    ck_assert_int_ge(tcp.server, 0);
    (void)close(listener);
}

/* Receives at least `least` of `n` bytes, from `done` on, while nng asks for all that are missing.
 * Returns false at the end of the connection. */
static bool receive_part(uint8_t *to, size_t n, size_t done, size_t least)
{
    while (done < least) {
        const struct iovec part = {.iov_base = to + done, .iov_len = n - done};
        const ssize_t got = readv(tcp.server, &part, 1);
        if (got <= 0) {
            ck_assert_int_eq(got, -1);
            ck_assert_int_eq(errno, ECONNRESET);
            return false;
        }
        done += (size_t)got;
    }
    return true;
}

static bool receive(uint8_t *to, size_t n)
{
    return receive_part(to, n, 0, n);
}

static void send_first(const void *first, size_t n)
{
    struct iovec part = {.iov_base = (void *)(uintptr_t)first, .iov_len = n};
    const struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    ck_assert_int_eq(sendmsg(tcp.server, &message, MSG_NOSIGNAL), (ssize_t)n);
}

static void greet(void)
{
    uint8_t greeting[] = {0, 'S', 'P', 0, 0, 0x31, 0, 0};
    send_first(greeting, sizeof greeting);
    ck_assert_int_eq(send(tcp.client, "\0SP\0\0\x30\0\0", 8, 0), 8);
    ck_assert(receive(greeting, sizeof greeting));
    ck_assert_int_eq(recv(tcp.client, greeting, sizeof greeting, MSG_WAITALL), sizeof greeting);
}

enum { MESSAGE = 10000, PIECE = 5000 };
static uint8_t bytes[8 + MESSAGE] = {0, 0, 0, 0, 0, 0, MESSAGE >> 8, MESSAGE & 0xff, 0x80};
static uint8_t received[MESSAGE];

static bool receive_rest(void)
{
    return receive_part(received, MESSAGE, PIECE, MESSAGE);
}

static void receive_piece(void)
{
    open_tcp();
    greet();
    ck_assert_int_eq(send(tcp.client, bytes, 8 + PIECE, 0), 8 + PIECE);
    ck_assert(receive(received, 8));
    ck_assert(receive_part(received, MESSAGE, 0, PIECE));
}

static bool is_tcp_ended(void)
{
    char byte = 0;
    return recv(tcp.client, &byte, 1, 0) == 0;
}

START_TEST(a_message_that_is_not_whole_is_counted)
{
    receive_piece();
    ck_assert_uint_eq(weir_partial_bytes(), MESSAGE);
    ck_assert_int_eq(send(tcp.client, bytes + 8 + PIECE, MESSAGE - PIECE, 0), MESSAGE - PIECE);
    ck_assert(receive_rest());
    ck_assert_mem_eq(received, bytes + 8, MESSAGE);
    ck_assert_uint_eq(weir_partial_bytes(), 0);
    close_pair(&tcp);
}
END_TEST

START_TEST(a_message_of_which_nothing_has_come_is_counted)
{
    open_tcp();
    greet();
    ck_assert_int_eq(ioctl(tcp.server, FIONBIO, &(int){1}), 0);
    ck_assert_int_eq(send(tcp.client, bytes, 8, 0), 8);
    ck_assert(receive(received, 8));
    const struct iovec part = {.iov_base = received, .iov_len = MESSAGE};
    ck_assert_int_eq(readv(tcp.server, &part, 1), -1);
    ck_assert_int_eq(errno, EAGAIN);
    ck_assert_uint_eq(weir_partial_bytes(), MESSAGE);
    close_pair(&tcp);
}
END_TEST

/* Counted are the pieces of messages, in the frames that follow a request of HTTP. */
START_TEST(by_websocket_what_is_part_of_a_message_counts)
{
    static const char answer[] = "HTTP/1.1 101 Switching";
    static const uint8_t sent[] = {'a',  '\n', '\r', '\n', 2, 0x82, 1,   2, 3,    4, 'a', 'b',
                                   0x89, 0x81, 0,    0,    0, 0,    'p', 0, 0x80, 0, 0,   0};
    open_tcp();
    weir_partial_follow(tcp.server);
    ck_assert_int_eq(send(tcp.client, sent, sizeof sent, 0), sizeof sent);
    const struct iovec part = {.iov_base = received, .iov_len = sizeof received};
    ck_assert_int_eq(readv(tcp.server, &part, 1), 2);
    ck_assert_int_eq(readv(tcp.server, &part, 1), 2);
    weir_partial_whole(tcp.server);
    send_first(answer, sizeof answer - 1);
    ck_assert(receive(received, 7));
    ck_assert_uint_eq(weir_partial_bytes(), WEIR_WS_PIECE_MEMORY + 1);
    ck_assert(receive(received, 13));
    ck_assert_mem_eq(received, sent + 11, 13);
    ck_assert_uint_eq(weir_partial_bytes(), WEIR_WS_PIECE_MEMORY + 2);
    close_pair(&tcp);
}
END_TEST

START_TEST(nng_is_told_the_end_of_what_is_ended)
{
    receive_piece();
    add(0, BYTES_MAX, weir_monotonic_us() + SECOND);
    ck_assert(is_tcp_ended());
    ck_assert(!receive_rest());
    close_pair(&tcp);
}
END_TEST

START_TEST(what_has_ended_by_itself_is_not_counted)
{
    receive_piece();
    (void)close(tcp.client);
    ck_assert(!receive_rest());
    ck_assert_uint_eq(weir_partial_bytes(), 0);
    (void)close(tcp.server);
}
END_TEST

START_TEST(who_waits_for_events_ends_the_silent)
{
    receive_piece();
    weir_partial_limit(0, 20 * MS);
    struct epoll_event event = {.events = EPOLLIN | EPOLLONESHOT};
    const int epoll = epoll_create1(0);
    ck_assert_int_eq(epoll_ctl(epoll, EPOLL_CTL_ADD, tcp.server, &event), 0);
    ck_assert_int_eq(epoll_wait(epoll, &event, 1, -1), 1);
    ck_assert(is_tcp_ended());
    ck_assert(!receive_rest());
    (void)close(epoll);
    close_pair(&tcp);
}
END_TEST

static Suite *half_messages_suite(void)
{
    Suite *suite = suite_create("half_messages");
    TCase *tcase = tcase_create("connections");
    tcase_add_checked_fixture(tcase, open_pairs, close_pairs);
    tcase_add_test(tcase, threads_receive_while_others_look);
    tcase_add_test(tcase, what_is_received_counts_until_the_message_is_whole);
    tcase_add_test(tcase, of_a_small_message_all_counts_from_the_first);
    tcase_add_test(tcase, all_that_comes_by_a_connection_that_is_followed_counts);
    tcase_add_test(tcase, up_to_the_bound_nobody_is_ended);
    tcase_add_test(tcase, beyond_the_bound_who_has_stopped_first_is_ended);
    tcase_add_test(tcase, as_many_are_ended_as_make_room);
    tcase_add_test(tcase, who_goes_on_slowly_outlasts_who_stops);
    tcase_add_test(tcase, bytes_now_and_then_are_no_progress);
    tcase_add_test(tcase, what_comes_fast_makes_up_for_a_pause_and_for_none_to_come);
    tcase_add_test(tcase, who_holds_next_to_nothing_is_spared);
    tcase_add_test(tcase, one_alone_may_be_the_one_too_many);
    tcase_add_test(tcase, who_is_ended_leaves_no_fault_in_anothers_call);
    tcase_add_test(tcase, a_descriptor_is_left_alone_when_it_has_been_given_up);
    tcase_add_test(tcase, who_is_silent_for_long_is_ended);
    tcase_add_test(tcase, a_handshake_takes_no_longer_than_silence);
    tcase_add_test(tcase, without_connections_or_limits_nobody_looks);
    tcase_add_test(tcase, a_message_that_is_not_whole_is_counted);
    tcase_add_test(tcase, a_message_of_which_nothing_has_come_is_counted);
    tcase_add_test(tcase, by_websocket_what_is_part_of_a_message_counts);
    tcase_add_test(tcase, nng_is_told_the_end_of_what_is_ended);
    tcase_add_test(tcase, what_has_ended_by_itself_is_not_counted);
    tcase_add_test(tcase, who_waits_for_events_ends_the_silent);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return check_main(half_messages_suite());
}
