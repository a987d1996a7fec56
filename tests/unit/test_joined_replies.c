/* Small replies that leave together (joined_replies.c), on a TCP connection with the calls that nng
 * makes: when they leave, that none is lost or out of order, and what a full socket does to them.
 */
#include "server/transport/joined_replies.h"

#include "server/transport/nng_connections.h"
#include "server/transport/peers.h"
#include "tests/lib/check_main.h"
#include "tests/unit/wire.h"
#include "weir/base/monotonic.h"
#include "weir/base/slice.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>

static void open_wire(void)
{
    wire_open();
    wire_greet();
    wire_learn_key();
}

/* ---- when they leave ---- */

static void assert_nothing_received(void)
{
    char byte = 0;
    ck_assert_int_lt(recv(wire.client, &byte, 1, MSG_DONTWAIT), 0);
    ck_assert_int_eq(errno, EAGAIN);
}

START_TEST(announced_replies_leave_in_order_with_the_last)
{
    wire_announce(3);
    wire_send("one ");
    wire_send("two ");
    assert_nothing_received();
    ck_assert_uint_eq(weir_joined_bytes(wire.server), strlen("one two "));
    wire_send("three");
    weir_pending_push();
    wire_assert_received("one two three");
    ck_assert_uint_eq(weir_joined_bytes(wire.server), 0);
}
END_TEST

START_TEST(a_reply_leaves_when_the_one_behind_it_is_withdrawn)
{
    wire_announce(3);
    wire_send("one ");
    wire_send("two");
    weir_pending_withdraw(wire.key);
    wire_assert_received("one two");
}
END_TEST

/* More than fits, and one reply that is too large by itself. */
START_TEST(what_has_no_room_is_sent_behind_what_is_joined)
{
    static char large[WEIR_JOINED_BYTES + 2];
    char all[2 * sizeof large + 1000] = "";
    char received[sizeof all];
    memset(large, 'x', sizeof large - 1);
    const char *const texts[] = {
        "a", "bcd", large + WEIR_JOINED_BYTES / 2, "e", large + WEIR_JOINED_BYTES / 2 - 10, large,
        "f", "g"};
    wire_announce(WEIR_COUNTOF(texts));
    for (size_t i = 0; i < WEIR_COUNTOF(texts); i++) {
        wire_send(texts[i]);
        (void)strcat(all, texts[i]);
    }
    weir_pending_push();
    ck_assert_int_eq(recv(wire.client, received, strlen(all), MSG_WAITALL), (ssize_t)strlen(all));
    ck_assert_mem_eq(received, all, strlen(all));
    assert_nothing_received();
}
END_TEST

START_TEST(what_is_joined_leaves_before_its_connection_ends_and_never_on_another)
{
    const int descriptor = wire.server;
    wire_announce(2);
    wire_send("old");
    ck_assert_int_eq(shutdown(wire.server, SHUT_RDWR), 0);
    wire_assert_received("old");
    ck_assert_uint_eq(weir_joined_bytes(wire.server), 0);
    wire_send("lost");
    wire_close();
    open_wire();
    ck_assert_int_eq(wire.server, descriptor);
    wire_announce(2);
    wire_send("joined to no end");
    wire_close();
    open_wire();
    ck_assert_int_eq(wire.server, descriptor);
    wire_announce(1);
    wire_send("new");
    weir_pending_push();
    wire_assert_received("new");
}
END_TEST

/* ---- a full socket ---- */

static const char filling[1 << 16];

/* Returns how many bytes the kernel has taken until there was no room for one. */
static size_t fill_socket(void)
{
    size_t filled = 0;
    for (size_t step = sizeof filling; step > 0; step /= 2) {
        ssize_t n = 0;
        while ((n = send(wire.server, filling, step, MSG_NOSIGNAL)) > 0) {
            filled += (size_t)n;
        }
    }
    return filled;
}

static void drain_filling(size_t filled)
{
    static char received[sizeof filling];
    while (filled > 0) {
        const size_t wanted = filled < sizeof received ? filled : sizeof received;
        const ssize_t n = recv(wire.client, received, wanted, 0);
        ck_assert_int_gt(n, 0);
        ck_assert_mem_eq(received, filling, (size_t)n);
        filled -= (size_t)n;
    }
}

static void wait_for_room(void)
{
    struct pollfd ready = {.fd = wire.server, .events = POLLOUT};
    ck_assert_int_eq(poll(&ready, 1, -1), 1);
}

START_TEST(the_last_reply_is_tried_again_behind_what_is_joined)
{
    const size_t filled = fill_socket();
    wire_announce(2);
    wire_send("joined ");
    ck_assert_int_lt(wire_try_to_send("last", strlen("last")), 0);
    ck_assert_int_eq(errno, EAGAIN);
    ck_assert_uint_gt(weir_pending_left(wire.key), 0);
    drain_filling(filled);
    wait_for_room();
    wire_send("last");
    weir_pending_push();
    ck_assert_uint_eq(weir_pending_left(wire.key), 0);
    wire_assert_received("joined last");
}
END_TEST

static bool any_owed(struct weir_peers *peers)
{
    uint32_t id = 0;
    (void)weir_peers_stuck(peers, 0, 0, &id, 1);
    return weir_peers_any_sends(peers);
}

/* Nothing makes nng send again: the look at all connections does. */
START_TEST(what_had_no_room_when_it_was_withdrawn_leaves_with_the_next_look)
{
    struct weir_peers peers;
    const struct weir_remote remote = {.family = NNG_AF_UNSPEC};
    weir_peers_init(&peers);
    ck_assert(weir_peers_add(&peers, 1, wire.key, false, &remote));
    ck_assert(!any_owed(&peers));
    const size_t filled = fill_socket();
    wire_announce(2);
    wire_send("joined");
    weir_pending_withdraw(wire.key);
    ck_assert_uint_eq(weir_joined_bytes(wire.server), strlen("joined"));
    ck_assert(any_owed(&peers));
    drain_filling(filled);
    wait_for_room();
    ck_assert(!any_owed(&peers));
    wire_assert_received("joined");
    weir_peers_fini(&peers);
}
END_TEST

/* ---- a kernel that takes a part ---- */

static size_t takes_n;  // bytes of each message that the kernel takes; 0: all
static int fails_with;  // an errno with which the kernel takes nothing; 0: none

long __real_syscall(long number, ...);
long __wrap_syscall(long number, ...);

static long send_part(int descriptor, const struct msghdr *message, long flags)
{
    struct iovec parts[WEIR_NNG_PARTS_MAX + 1];
    struct msghdr some = *message;
    size_t left = takes_n;
    some.msg_iov = parts;
    some.msg_iovlen = 0;
    for (size_t i = 0; left > 0; i++) {
        ck_assert_uint_lt(i, message->msg_iovlen);
        parts[i] = message->msg_iov[i];
        parts[i].iov_len = left < parts[i].iov_len ? left : parts[i].iov_len;
        left -= parts[i].iov_len;
        some.msg_iovlen++;
    }
    return __real_syscall(SYS_sendmsg, (long)descriptor, &some, flags);
}

long __wrap_syscall(long number, ...)
{
    va_list list;
    va_start(list, number);
    long of[6];
    for (size_t i = 0; i < WEIR_COUNTOF(of); i++) {
        of[i] = va_arg(list, long);
    }
    va_end(list);
    if (number == SYS_sendmsg && fails_with != 0) {
        errno = fails_with;
        return -1;
    }
    return number == SYS_sendmsg && takes_n > 0
               ? send_part((int)of[0], (const struct msghdr *)of[1], of[2])
               : __real_syscall(number, of[0], of[1], of[2], of[3], of[4], of[5]);
}

/* Joins "second " to "joined ", of which the kernel takes the beginning alone. */
static void send_two_taken_up_to(const char *taken)
{
    wire_announce(2);
    wire_send("joined ");
    takes_n = strlen(taken);
    ck_assert_int_lt(wire_try_to_send("second ", strlen("second ")), 0);
    ck_assert_int_eq(errno, EAGAIN);
    takes_n = 0;
}

/* Another reply is announced meanwhile. */
static void send_the_rest(void)
{
    wire_announce(1);
    wire_send("second ");
    wire_send("last");
    weir_pending_push();
    wire_assert_received("joined second last");
}

/* The reply that is tried again is not the last one any more, and is joined to the rest. */
START_TEST(what_is_left_of_the_joined_replies_stays_before_those_that_come)
{
    send_two_taken_up_to("joi");
    ck_assert_uint_eq(weir_joined_bytes(wire.server), strlen("ned "));
    send_the_rest();
}
END_TEST

START_TEST(a_reply_that_was_taken_in_part_is_not_joined)
{
    send_two_taken_up_to("joined sec");
    ck_assert_uint_eq(weir_joined_bytes(wire.server), 0);
    send_the_rest();
}
END_TEST

static const struct {
    int fault;
    int told;  // what nng gets to see; 0: that the reply is sent
} faults[] = {{EAGAIN, EAGAIN}, {ENOBUFS, EAGAIN}, {ENOMEM, EAGAIN}, {EINTR, EINTR}, {EPIPE, 0}};

START_TEST(a_reply_is_given_up_only_where_the_peer_has_gone)
{
    wire_announce(1);
    fails_with = faults[_i].fault;
    const ssize_t n = wire_try_to_send("reply", strlen("reply"));
    fails_with = 0;
    if (faults[_i].told == 0) {
        ck_assert_int_eq(n, (ssize_t)strlen("reply"));
        assert_nothing_received();
        return;
    }
    ck_assert_int_lt(n, 0);
    ck_assert_int_eq(errno, faults[_i].told);
    wire_send("reply");
    weir_pending_push();
    wire_assert_received("reply");
}
END_TEST

/* nng accepts no more on ipc:// after EPIPE. */
START_TEST(a_greeting_that_fails_is_told_as_a_lost_connection)
{
    static const char greeting[] = "\0SP\0\0\x31\0";
    wire_close();
    wire_open();
    fails_with = EPIPE;
    const ssize_t n = wire_try_to_send(greeting, sizeof greeting);
    const int fault = errno;
    fails_with = 0;
    ck_assert_int_lt(n, 0);
    ck_assert_int_eq(fault, ECONNRESET);
}
END_TEST

/* nng gives a message up when it closes the connection; no other one may be sent behind a part. */
START_TEST(nothing_is_sent_behind_a_part_of_what_was_given_up)
{
    wire_announce(2);
    wire_send("joined ");
    takes_n = strlen("joined sec");
    ck_assert_int_lt(wire_try_to_send("second", strlen("second")), 0);
    takes_n = 0;
    ck_assert_int_lt(wire_try_to_send("another", strlen("another")), 0);
    ck_assert_int_eq(errno, ECONNRESET);
    weir_pending_hold(wire.server);
    weir_pending_push();
    wire_assert_received("joined sec");
}
END_TEST

/* ---- any order of events ---- */

enum { EVENTS = 50 * 1000, BUFFER_BYTES = 4096, REPLY_MAX = 3000 };

/* All replies together are one sequence of bytes, in which each byte tells its place. */
static struct {
    size_t sent;
    size_t received;
    size_t announced;
    size_t trying_n;  // bytes of the reply that nng tries again; 0: none
} flow;

static uint8_t byte_at(size_t at)
{
    return (uint8_t)(at % 251);
}

static void try_reply(size_t n)
{
    uint8_t bytes[REPLY_MAX];
    for (size_t i = 0; i < n; i++) {
        bytes[i] = byte_at(flow.sent + i);
    }
    struct iovec parts[] = {{.iov_base = bytes, .iov_len = n / 3},
                            {.iov_base = bytes + n / 3, .iov_len = n - n / 3}};
    const struct msghdr message = {.msg_iov = parts, .msg_iovlen = WEIR_COUNTOF(parts)};
    const ssize_t result = sendmsg(wire.server, &message, MSG_NOSIGNAL);
    ck_assert(result == (ssize_t)n || (result < 0 && errno == EAGAIN));
    flow.trying_n = result < 0 ? n : 0;
    flow.sent += result < 0 ? 0 : n;
    flow.announced -= result < 0 ? 0 : 1;
}

static void receive_some(size_t most)
{
    uint8_t bytes[4 * REPLY_MAX];
    const ssize_t n =
        recv(wire.client, bytes, most < sizeof bytes ? most : sizeof bytes, MSG_DONTWAIT);
    for (ssize_t i = 0; i < n; i++) {
        ck_assert_uint_eq(bytes[i], byte_at(flow.received + (size_t)i));
    }
    flow.received += n > 0 ? (size_t)n : 0;
}

static void withdraw_one(void)
{
    weir_pending_withdraw(wire.key);
    flow.announced--;
}

static void let_anything_happen(unsigned chance)
{
    const size_t n = chance / 8 % (chance % 3 == 0 ? REPLY_MAX : 40) + 1;
    switch (chance % 8) {
    case 0:
        wire_announce(n % 8);
        flow.announced += n % 8;
        return;
    case 1:
        receive_some(n * 20);
        return;
    case 2:
        if (flow.announced > (flow.trying_n > 0)) {
            withdraw_one();
        }
        return;
    default:
        if (flow.announced > 0) {
            try_reply(flow.trying_n > 0 ? flow.trying_n : n);
            weir_pending_push();
        }
    }
}

static void assert_all_is_received(void)
{
    const int64_t until_us = weir_monotonic_us() + INT64_C(10) * 1000 * 1000;
    while (flow.announced > (flow.trying_n > 0)) {
        withdraw_one();
    }
    while (flow.received < flow.sent || flow.trying_n > 0) {
        ck_assert_int_lt(weir_monotonic_us(), until_us);
        if (flow.trying_n > 0) {
            try_reply(flow.trying_n);
            weir_pending_push();
        }
        (void)weir_joined_flush(wire.server);
        receive_some(SIZE_MAX);
    }
}

START_TEST(every_byte_arrives_once_in_order)
{
    const int room = BUFFER_BYTES;
    unsigned seed = 1;
    ck_assert_int_eq(setsockopt(wire.server, SOL_SOCKET, SO_SNDBUF, &room, sizeof room), 0);
    ck_assert_int_eq(setsockopt(wire.client, SOL_SOCKET, SO_RCVBUF, &room, sizeof room), 0);
    flow.sent = flow.received = flow.announced = flow.trying_n = 0;
    for (int i = 0; i < EVENTS; i++) {
        let_anything_happen((unsigned)rand_r(&seed));
    }
    assert_all_is_received();
    ck_assert_uint_gt(flow.sent, EVENTS / 4);
}
END_TEST

/* ---- threads ---- */

enum { ROUNDS = 10000, DELAYS = 200, WAIT_S = 20, SWEPT_ROUNDS = 20 };

static atomic_int announced_rounds;

static void wait_shortly(int turns)
{
    for (volatile int i = 0; i < turns; i++) {
    }
}

/* Withdraws one reply of two, in each round while the other one is sent. */
static void *withdraw_all(void *context)
{
    (void)context;
    for (int i = 0; i < ROUNDS; i++) {
        while (atomic_load(&announced_rounds) <= i) {
        }
        wait_shortly(i % DELAYS);
        weir_pending_withdraw(wire.key);
    }
    return NULL;
}

START_TEST(a_reply_is_not_left_behind_by_one_that_is_withdrawn_meanwhile)
{
    const struct timeval limit = {.tv_sec = WAIT_S};
    pthread_t thread;
    (void)setsockopt(wire.client, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    atomic_store(&announced_rounds, 0);
    ck_assert_int_eq(pthread_create(&thread, NULL, withdraw_all, NULL), 0);
    for (int i = 0; i < ROUNDS; i++) {
        char byte = 0;
        wire_announce(2);
        atomic_store(&announced_rounds, i + 1);
        wait_shortly(DELAYS / 2);
        wire_send("x");
        weir_pending_push();
        ck_assert_int_eq(recv(wire.client, &byte, 1, 0), 1);
    }
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    assert_nothing_received();
}
END_TEST

static atomic_bool is_sweeping;
static atomic_uint sweeps;

/* Does all the time what the look at all connections does each second. Nothing but the lock of what
 * is joined puts its accesses and those of the thread that sends into an order. */
static void *sweep(void *context)
{
    (void)context;
    while (atomic_load_explicit(&is_sweeping, memory_order_relaxed)) {
        (void)weir_joined_flush(wire.server);
        atomic_fetch_add_explicit(&sweeps, 1, memory_order_relaxed);
        (void)sched_yield();
    }
    return NULL;
}

static void wait_for_sweep(void)
{
    const unsigned before = atomic_load_explicit(&sweeps, memory_order_relaxed);
    while (atomic_load_explicit(&sweeps, memory_order_relaxed) - before < 2) {
        (void)sched_yield();
    }
}

START_TEST(what_is_joined_is_swept_by_another_thread_than_sends_the_rest)
{
    pthread_t thread;
    atomic_store(&is_sweeping, true);
    ck_assert_int_eq(pthread_create(&thread, NULL, sweep, NULL), 0);
    for (int i = 0; i < SWEPT_ROUNDS; i++) {
        char bytes[2] = "";
        wire_announce(2);
        wire_send("x");
        wait_for_sweep();
        wire_send("y");
        weir_pending_push();
        ck_assert_int_eq(recv(wire.client, bytes, sizeof bytes, MSG_WAITALL), sizeof bytes);
        ck_assert_mem_eq(bytes, "xy", sizeof bytes);
    }
    atomic_store(&is_sweeping, false);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
}
END_TEST

static Suite *joined_replies_suite(void)
{
    Suite *suite = suite_create("joined_replies");
    TCase *tcase = tcase_create("connection");
    tcase_set_timeout(tcase, 2 * WAIT_S);
    tcase_add_checked_fixture(tcase, open_wire, wire_close);
    tcase_add_test(tcase, announced_replies_leave_in_order_with_the_last);
    tcase_add_test(tcase, a_reply_leaves_when_the_one_behind_it_is_withdrawn);
    tcase_add_test(tcase, what_has_no_room_is_sent_behind_what_is_joined);
    tcase_add_test(tcase, what_is_joined_leaves_before_its_connection_ends_and_never_on_another);
    tcase_add_test(tcase, the_last_reply_is_tried_again_behind_what_is_joined);
    tcase_add_test(tcase, what_had_no_room_when_it_was_withdrawn_leaves_with_the_next_look);
    tcase_add_test(tcase, what_is_left_of_the_joined_replies_stays_before_those_that_come);
    tcase_add_test(tcase, a_reply_that_was_taken_in_part_is_not_joined);
    tcase_add_test(tcase, a_greeting_that_fails_is_told_as_a_lost_connection);
    tcase_add_test(tcase, nothing_is_sent_behind_a_part_of_what_was_given_up);
    tcase_add_loop_test(tcase, a_reply_is_given_up_only_where_the_peer_has_gone, 0,
                        WEIR_COUNTOF(faults));
    tcase_add_test(tcase, every_byte_arrives_once_in_order);
    tcase_add_test(tcase, a_reply_is_not_left_behind_by_one_that_is_withdrawn_meanwhile);
    tcase_add_test(tcase, what_is_joined_is_swept_by_another_thread_than_sends_the_rest);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return check_main(joined_replies_suite());
}
