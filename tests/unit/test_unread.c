/* What the server knows about replies that a peer has not read (peers.c, pending_replies.c), on a
 * TCP connection with the calls that nng makes. */
#include "server/transport/peers.h"

#include "tests/lib/check_main.h"
#include "tests/unit/wire.h"
#include "weir/base/monotonic.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

enum { ATTEMPTS = 50 };

/* ---- data taken by the peer ---- */

static struct weir_peers peers;

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
    const struct weir_remote remote = {.family = NNG_AF_UNSPEC};
    wire_learn_key();
    weir_peers_init(&peers);
    ck_assert(weir_peers_add(&peers, 1, wire.key, false, &remote));
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

/* ---- replies that nng has reported as sent ---- */

enum { REPLY_BYTES = 16 * 1024 * 1024 };

static struct weir_peer *begin_peer(bool is_opaque)
{
    const struct weir_remote remote = {.family = NNG_AF_UNSPEC};
    wire_learn_key();
    weir_peers_init(&peers);
    ck_assert(weir_peers_add(&peers, 1, wire.key, is_opaque, &remote));
    return weir_peers_find(&peers, 1);
}

static void end_peer(struct weir_peer *peer)
{
    weir_peers_remove(&peers, 1);
    weir_peer_release(peer);
    ck_assert_uint_eq(atomic_load(&peers.unread_bytes), 0);
    weir_peers_fini(&peers);
}

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

START_TEST(of_what_has_ended_nothing_is_known)
{
    wire_learn_key();
    fill_connection();
    ck_assert_int_gt(weir_pending_untaken(wire.key), 0);
    ck_assert(weir_pending_close(wire.server));
    ck_assert_int_eq(weir_pending_untaken(wire.key), -1);
    ck_assert_int_eq(weir_pending_untaken(0), -1);
}
END_TEST

static Suite *unread_suite(void)
{
    Suite *suite = suite_create("unread");
    TCase *tcase = tcase_create("connection");
    tcase_add_checked_fixture(tcase, wire_open, wire_close);
    tcase_add_test(tcase, who_reads_slowly_is_not_stuck);
    tcase_add_test(tcase, a_reply_counts_as_long_as_something_is_left_of_it);
    tcase_add_test(tcase, what_is_left_of_a_reply_is_given_up_with_its_connection);
    tcase_add_test(tcase, replies_are_counted_anew_where_they_are_too_many);
    tcase_add_test(tcase, a_reply_in_parts_counts_again_when_it_goes_on);
    tcase_add_test(tcase, of_what_has_ended_nothing_is_known);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return check_main(unread_suite());
}
