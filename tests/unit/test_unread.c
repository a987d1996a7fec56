/* What the server knows about replies that a peer has not read (peers.c, pending_replies.c), on a
 * TCP connection with the calls that nng makes. */
#include "server/transport/peers.h"

#include "tests/lib/check_main.h"
#include "tests/unit/wire.h"
#include "weir/base/monotonic.h"
#include "weir/base/slice.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>

enum { ATTEMPTS = 50 };

/* ---- data taken by the peer ---- */

static struct weir_peers peers;

/* The transport knows the address of a TLS connection only. */
static const struct weir_remote no_remote = {.family = NNG_AF_UNSPEC};

static void fill_connection(void)
{
    static const char bytes[1 << 16];
    while (send(wire.server, bytes, sizeof bytes, MSG_NOSIGNAL) > 0) {
    }
    ck_assert_int_eq(errno, EAGAIN);
}

static void read_some(void)
{
    static char bytes[1 << 16];
    ck_assert_int_gt(recv(wire.client, bytes, sizeof bytes, 0), 0);
}

/* Returns whether the connection is eventually considered stuck, or not stuck. The kernel may
 * report what the peer has read a moment later. */
static bool comes_to_be_stuck(bool is_stuck)
{
    uint32_t id = 0;
    bool is_so = false;
    for (int i = 0; !is_so && i < ATTEMPTS; i++) {
        if (!is_stuck) {
            read_some();
        }
        (void)poll(NULL, 0, 10);
        is_so = (weir_peers_stuck(&peers, weir_monotonic_us(), INT64_MAX, &id, 1) == 1) == is_stuck;
    }
    return is_so;
}

START_TEST(who_reads_slowly_is_not_stuck)
{
    wire_learn_key();
    weir_peers_init(&peers);
    ck_assert(weir_peers_add(&peers, 1, wire.key, false, &no_remote));
    struct weir_peer *peer = weir_peers_find(&peers, 1);
    weir_peer_sends(peer, 1, 0);
    fill_connection();
    ck_assert(comes_to_be_stuck(true));
    ck_assert(comes_to_be_stuck(false));
    ck_assert(comes_to_be_stuck(true));
    weir_peer_sent(peer, 1, 0);
    weir_peer_release(peer);
    weir_peers_fini(&peers);
}
END_TEST

/* ---- one connection ---- */

/* The peer's pipe id is that of the table's first bucket. */
enum { PIPE = WEIR_PEERS_BUCKETS };

static struct weir_peer *begin_peer(bool is_opaque)
{
    wire_learn_key();
    weir_peers_init(&peers);
    ck_assert(weir_peers_add(&peers, PIPE, wire.key, is_opaque, &no_remote));
    return weir_peers_find(&peers, PIPE);
}

static void end_peer(struct weir_peer *peer)
{
    weir_peers_remove(&peers, PIPE);
    weir_peer_release(peer);
    ck_assert_uint_eq(atomic_load(&peers.unread_bytes), 0);
    weir_peers_fini(&peers);
}

/* ---- a reply under way ---- */

static bool is_stuck(int64_t since_us, int64_t quiet_since_us)
{
    uint32_t id = 0;
    return weir_peers_stuck(&peers, since_us, quiet_since_us, &id, 1) == 1;
}

/* The reply to a long poll begins when its connection has been idle for long. */
START_TEST(a_reply_is_under_way_since_the_first_of_several)
{
    struct weir_peer *peer = begin_peer(false);
    ck_assert(!weir_peers_any_sends(&peers));
    weir_peer_sends(peer, 1, 1000);
    ck_assert(weir_peers_any_sends(&peers));
    ck_assert(!is_stuck(1000, INT64_MAX));
    ck_assert(is_stuck(1001, INT64_MAX));
    weir_peer_sent(peer, 1, 2000);
    ck_assert(!is_stuck(INT64_MAX, INT64_MAX));
    weir_peer_sends(peer, 1, 5000);
    ck_assert(!is_stuck(5000, INT64_MAX));
    weir_peer_sends(peer, 1, 6000);
    ck_assert(is_stuck(5001, INT64_MAX));
    weir_peer_sent(peer, 1, 7000);
    ck_assert(!is_stuck(7000, INT64_MAX));
    weir_peer_arrived(peer, 8000);
    ck_assert(!is_stuck(INT64_MAX, 8000));
    ck_assert(is_stuck(INT64_MAX, 8001));
    weir_peer_sent(peer, 1, 9000);
    end_peer(peer);
}
END_TEST

START_TEST(no_more_stuck_connections_are_named_than_there_is_room_for)
{
    uint32_t ids[2] = {0};
    struct weir_peer *peer = begin_peer(false);
    ck_assert(weir_peers_add(&peers, PIPE - 1, wire.key, false, &no_remote));
    struct weir_peer *other = weir_peers_find(&peers, PIPE - 1);
    weir_peer_sends(peer, 1, 0);
    weir_peer_sends(other, 1, 0);
    ck_assert_uint_eq(weir_peers_stuck(&peers, INT64_MAX, INT64_MAX, ids, 1), 1);
    ck_assert_uint_eq(ids[0], PIPE);
    ck_assert_uint_eq(ids[1], 0);
    ck_assert_uint_eq(weir_peers_stuck(&peers, INT64_MAX, INT64_MAX, ids, 2), 2);
    ck_assert_uint_eq(ids[1], PIPE - 1);
    weir_peer_sent(other, 1, 0);
    weir_peer_sent(peer, 1, 0);
    weir_peer_release(other);
    end_peer(peer);
}
END_TEST

/* ---- all connections ---- */

enum { ROUNDS = 2000, SHARED_PIPE = 9 };

static void find(void)
{
    weir_peer_release(weir_peers_find(&peers, SHARED_PIPE));
}

static void reply(void)
{
    struct weir_peer *peer = weir_peers_find(&peers, PIPE);
    weir_peer_sends(peer, 1 << 20, 0);
    weir_peer_sent(peer, 1 << 20, 0);
    weir_peer_release(peer);
}

static void recount(void)
{
    static int64_t now_us;
    now_us += 1000 * 1000;
    weir_peers_recount(&peers, now_us);
}

static void look(void)
{
    (void)is_stuck(0, 0);
}

static void search(void)
{
    uint32_t id = 0;
    (void)weir_peers_lost(&peers, NULL, 0, &id, 1);
}

static void ask(void)
{
    (void)weir_peers_any_sends(&peers);
}

static void compare(void)
{
    (void)weir_peers_greediest(&peers, 1);
}

struct repeated {
    void (*call)(void);
};

static atomic_bool is_over;

static void *repeat(void *context)
{
    const struct repeated *repeated = context;
    while (!atomic_load_explicit(&is_over, memory_order_relaxed)) {
        repeated->call();
    }
    return NULL;
}

/* ThreadSanitizer reports a lock that is missing: each thread makes one kind of call, so that no
 * other lock puts its calls into an order. */
START_TEST(threads_share_the_table)
{
    static struct repeated all[] = {{find}, {reply},  {reply}, {recount},
                                    {look}, {search}, {ask},   {compare}};
    pthread_t threads[WEIR_COUNTOF(all)];
    struct weir_peer *peer = begin_peer(true);
    atomic_store(&is_over, false);
    for (size_t i = 0; i < WEIR_COUNTOF(all); i++) {
        ck_assert_int_eq(pthread_create(&threads[i], NULL, repeat, &all[i]), 0);
    }
    for (size_t i = 0; i < ROUNDS; i++) {
        ck_assert(weir_peers_add(&peers, SHARED_PIPE, wire.key, true, &no_remote));
        weir_peers_remove(&peers, SHARED_PIPE);
    }
    atomic_store(&is_over, true);
    for (size_t i = 0; i < WEIR_COUNTOF(all); i++) {
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    }
    ck_assert_uint_eq(weir_peers_count(&peers), 1);
    end_peer(peer);
}
END_TEST

/* ---- lost connections ---- */

static const struct weir_remote lost_remote = {.family = NNG_AF_INET, .port = 7};

/* Returns how many connections are lost after another search that finds `open_n` ones open. */
static size_t count_lost(size_t open_n, uint32_t ids[2], size_t max)
{
    ids[0] = ids[1] = 0;
    return weir_peers_lost(&peers, &lost_remote, open_n, ids, max);
}

START_TEST(a_connection_is_lost_once_it_was_missed_three_times_in_a_row)
{
    uint32_t ids[2];
    struct weir_peer *peer = begin_peer(false);
    ck_assert(weir_peers_add(&peers, 5, 0, true, &lost_remote));
    struct weir_peer *lost = weir_peers_find(&peers, 5);
    ck_assert_uint_eq(count_lost(0, ids, 2), 0);
    ck_assert_uint_eq(count_lost(0, ids, 2), 0);
    ck_assert_uint_eq(count_lost(1, ids, 2), 0);
    ck_assert_uint_eq(count_lost(0, ids, 2), 0);
    ck_assert_uint_eq(count_lost(0, ids, 2), 0);
    weir_peer_sends(lost, 1, 0);
    ck_assert_uint_eq(count_lost(0, ids, 2), 0);
    weir_peer_sent(lost, 1, 0);
    ck_assert_uint_eq(count_lost(0, ids, 2), 0);
    ck_assert_uint_eq(count_lost(0, ids, 2), 0);
    ck_assert_uint_eq(count_lost(0, ids, 2), 1);
    ck_assert_uint_eq(ids[0], 5);
    weir_peer_release(lost);
    weir_peers_remove(&peers, 5);
    end_peer(peer);
}
END_TEST

/* Two in one bucket, and one in another. */
START_TEST(no_more_lost_connections_are_named_than_there_is_room_for)
{
    static const uint32_t all_lost[] = {5, 5 + WEIR_PEERS_BUCKETS, 6};
    uint32_t ids[2];
    struct weir_peer *peer = begin_peer(false);
    for (size_t i = 0; i < WEIR_COUNTOF(all_lost); i++) {
        ck_assert(weir_peers_add(&peers, all_lost[i], 0, true, &lost_remote));
    }
    ck_assert_uint_eq(count_lost(0, ids, 1), 0);
    ck_assert_uint_eq(count_lost(0, ids, 1), 0);
    ck_assert_uint_eq(count_lost(0, ids, 1), 1);
    ck_assert_uint_eq(ids[1], 0);
    ck_assert_uint_eq(weir_peers_count(&peers), 4);
    for (size_t i = 0; i < WEIR_COUNTOF(all_lost); i++) {
        weir_peers_remove(&peers, all_lost[i]);
    }
    end_peer(peer);
}
END_TEST

/* ---- replies that nng has reported as sent ---- */

enum { REPLY_BYTES = 16 * 1024 * 1024 };

/* Sends a reply as nng does, which reports it as sent once sending has begun. Returns false if a
 * part is left. */
static bool send_large(void)
{
    static char bytes[REPLY_BYTES];
    return wire_try_to_send(bytes, sizeof bytes) == (ssize_t)sizeof bytes;
}

static void reply_large(struct weir_peer *peer)
{
    wire_announce(1);
    weir_peer_sends(peer, REPLY_BYTES, 0);
    ck_assert(!send_large());
    weir_peer_sent(peer, REPLY_BYTES, 0);
}

static void read_all_of_it(void)
{
    do {
        read_some();
    } while (!send_large());
}

/* Returns the unread bytes of replies after another check. */
static size_t unread_after_look(void)
{
    uint32_t id = 0;
    (void)weir_peers_stuck(&peers, 0, 0, &id, 1);
    return atomic_load(&peers.unread_bytes);
}

START_TEST(a_reply_counts_as_long_as_something_is_left_of_it)
{
    struct weir_peer *peer = begin_peer(false);
    reply_large(peer);
    ck_assert_uint_eq(weir_peer_unread(peer), REPLY_BYTES);
    ck_assert_uint_eq(unread_after_look(), REPLY_BYTES);
    ck_assert(weir_peers_any_sends(&peers));
    ck_assert(comes_to_be_stuck(true));
    ck_assert(comes_to_be_stuck(false));
    read_all_of_it();
    ck_assert_uint_eq(unread_after_look(), 0);
    ck_assert_uint_eq(weir_peer_unread(peer), 0);
    ck_assert(!weir_peers_any_sends(&peers));
    end_peer(peer);
}
END_TEST

START_TEST(what_is_left_of_a_reply_is_given_up_with_its_connection)
{
    struct weir_peer *peer = begin_peer(false);
    reply_large(peer);
    end_peer(peer);
}
END_TEST

/* A caller that finds too much unread recounts at once, but not more often than the interval
 * allows. */
START_TEST(replies_are_counted_anew_where_they_are_too_many)
{
    struct weir_peer *peer = begin_peer(false);
    const int64_t now_us = weir_monotonic_us();
    reply_large(peer);
    weir_peers_recount(&peers, now_us);
    ck_assert_uint_eq(weir_peer_unread(peer), REPLY_BYTES);
    read_all_of_it();
    weir_peers_recount(&peers, now_us + 1);
    ck_assert_uint_eq(weir_peer_unread(peer), REPLY_BYTES);
    weir_peers_recount(&peers, now_us + 1000 * 1000);
    ck_assert_uint_eq(weir_peer_unread(peer), 0);
    end_peer(peer);
}
END_TEST

/* On TLS nng may be between two parts of a reply during a check. */
START_TEST(a_reply_in_parts_counts_again_when_it_goes_on)
{
    struct weir_peer *peer = begin_peer(true);
    weir_peer_sends(peer, REPLY_BYTES, 0);
    weir_peer_sent(peer, REPLY_BYTES, 0);
    ck_assert_uint_eq(weir_peer_unread(peer), REPLY_BYTES);
    ck_assert_uint_eq(unread_after_look(), 0);
    ck_assert(weir_peers_any_sends(&peers));
    wire_announce(1);
    ck_assert(!send_large());
    ck_assert_uint_eq(unread_after_look(), REPLY_BYTES);
    read_all_of_it();
    for (int i = 0; i < 3; i++) {
        ck_assert(weir_peers_any_sends(&peers));
        ck_assert_uint_eq(unread_after_look(), 0);
    }
    ck_assert(!weir_peers_any_sends(&peers));
    end_peer(peer);
}
END_TEST

/* nng holds as much for each of these connections anyway. */
START_TEST(a_small_reply_in_parts_does_not_count_and_takes_the_place_of_a_large_one)
{
    struct weir_peer *peer = begin_peer(true);
    weir_peer_sends(peer, REPLY_BYTES, 0);
    weir_peer_sent(peer, REPLY_BYTES, 0);
    weir_peer_sends(peer, 1000, 0);
    weir_peer_sent(peer, 1000, 0);
    ck_assert_uint_eq(weir_peer_unread(peer), 0);
    ck_assert(!weir_peers_any_sends(&peers));
    end_peer(peer);
}
END_TEST

START_TEST(of_what_has_ended_nothing_is_known)
{
    wire_learn_key();
    fill_connection();
    const int64_t untaken = weir_pending_untaken(wire.key);
    ck_assert_int_gt(untaken, 0);
    weir_pending_leave(wire.server, 100);
    ck_assert_int_eq(weir_pending_untaken(wire.key), untaken + 100);
    ck_assert_uint_eq(weir_pending_left(wire.key), 100);
    ck_assert(weir_pending_close(wire.server));
    ck_assert_int_eq(weir_pending_untaken(wire.key), -1);
    ck_assert_uint_eq(weir_pending_left(wire.key), 0);
    ck_assert_int_eq(weir_pending_untaken(0), -1);
    ck_assert_uint_eq(weir_pending_left(0), 0);
    ck_assert_int_eq(weir_pending_descriptor(0), -1);
}
END_TEST

static Suite *unread_suite(void)
{
    Suite *suite = suite_create("unread");
    TCase *tcase = tcase_create("connection");
    tcase_add_checked_fixture(tcase, wire_open, wire_close);
    tcase_add_test(tcase, who_reads_slowly_is_not_stuck);
    tcase_add_test(tcase, a_reply_is_under_way_since_the_first_of_several);
    tcase_add_test(tcase, no_more_stuck_connections_are_named_than_there_is_room_for);
    tcase_add_test(tcase, threads_share_the_table);
    tcase_add_test(tcase, a_connection_is_lost_once_it_was_missed_three_times_in_a_row);
    tcase_add_test(tcase, no_more_lost_connections_are_named_than_there_is_room_for);
    tcase_add_test(tcase, a_reply_counts_as_long_as_something_is_left_of_it);
    tcase_add_test(tcase, what_is_left_of_a_reply_is_given_up_with_its_connection);
    tcase_add_test(tcase, replies_are_counted_anew_where_they_are_too_many);
    tcase_add_test(tcase, a_reply_in_parts_counts_again_when_it_goes_on);
    tcase_add_test(tcase, a_small_reply_in_parts_does_not_count_and_takes_the_place_of_a_large_one);
    tcase_add_test(tcase, of_what_has_ended_nothing_is_known);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return check_main(unread_suite());
}
