/* The wake list: arming, waking, timing out and giving up. */
#include "tests/lib/check_main.h"
#include "tests/unit/wake_fixture.h"
#include "weir/base/monotonic.h"
#include "weir/rules/stream_name.h"

#include <poll.h>
#include <stdio.h>

START_TEST(a_commit_between_arming_and_parking_is_not_slept_through)
{
    arm(0, WEIR_SELECT_STREAM, "a-1");
    commit("a-1");
    ck_assert_uint_eq(count(), 0);
    park(0);
    ck_assert_uint_eq(count(), 1);
    ck_assert_ptr_eq(wf.woken[0], &wf.waiters[0]);
    ck_assert_int_eq(wf.reasons[0], WEIR_WAKE_CHANGE);
    ck_assert_int_eq(wf.waiters[0].state, WEIR_WAITER_IDLE);
}
END_TEST

/* For example, the token has been rotated since the call was admitted, before the waiter could be
 * found. */
START_TEST(one_armed_after_its_tenant_has_changed_looks_again)
{
    weir_tenants_forget(wf.tenants, weir_slice_of("test"));
    arm(0, WEIR_SELECT_STREAM, "a-1");
    ck_assert_uint_eq(count(), 0);
    park(0);
    ck_assert_uint_eq(count(), 1);
    ck_assert_int_eq(wf.reasons[0], WEIR_WAKE_CHANGE);
}
END_TEST

START_TEST(a_commit_wakes_by_stream_category_and_all)
{
    let_poller_look();
    arm(0, WEIR_SELECT_STREAM, "a-1");
    arm(1, WEIR_SELECT_CATEGORY, "a");
    arm(2, WEIR_SELECT_ALL, "");
    arm(3, WEIR_SELECT_STREAM, "a-2");
    arm(4, WEIR_SELECT_CATEGORY, "a-1");
    for (size_t i = 0; i < 5; i++) {
        park(i);
    }
    commit("a-1");
    ck_assert_uint_eq(count(), 3);
    for (size_t i = 0; i < 3; i++) {
        ck_assert_ptr_eq(wf.woken[i], &wf.waiters[i]);
    }
    ck_assert_uint_eq(atomic_load(&wf.tenant->waiters_n), 2);
    weir_wake_tenant(wf.wake, wf.tenant);
    ck_assert_uint_eq(count(), 5);
    ck_assert_uint_eq(atomic_load(&wf.tenant->waiters_n), 0);
}
END_TEST

/* A waiter with a group, a type or a correlation is not woken by messages outside its selection,
 * because each wake-up costs a read. */
START_TEST(a_commit_leaves_alone_whom_its_messages_do_not_concern)
{
    const uint64_t mark = weir_interest_mark(weir_slice_of("other"));
    ck_assert(mark != weir_interest_mark(weir_slice_of("T")));
    const int64_t member = weir_name_member(weir_slice_of("a-1"), 2);
    const struct weir_slice all = weir_slice_of("");
    const struct weir_interest interests[] = {
        {.selector = WEIR_SELECT_ALL, .name = all, .group_size = 2, .group_member = 1 - member},
        {.selector = WEIR_SELECT_ALL, .name = all, .types = mark},
        {.selector = WEIR_SELECT_ALL, .name = all, .correlation = mark},
        {.selector = WEIR_SELECT_ALL, .name = all, .group_size = 2, .group_member = member},
    };
    let_poller_look();
    for (size_t i = 0; i < WEIR_COUNTOF(interests); i++) {
        ck_assert(weir_wake_arm(wf.wake, &wf.waiters[i], wf.tenant, &interests[i]));
        park(i);
    }
    commit("a");
    ck_assert_uint_eq(count(), 0);
    commit("a-1");
    ck_assert_uint_eq(count(), 1);
    ck_assert_ptr_eq(wf.woken[0], &wf.waiters[3]);
    weir_wake_tenant(wf.wake, wf.tenant);
    ck_assert_uint_eq(count(), 4);
}
END_TEST

START_TEST(each_record_of_an_import_wakes)
{
    let_poller_look();
    arm(0, WEIR_SELECT_STREAM, "a-1");
    arm(1, WEIR_SELECT_CATEGORY, "b");
    arm(2, WEIR_SELECT_CATEGORY, "c");
    for (size_t i = 0; i < 3; i++) {
        park(i);
    }
    struct weir_import_record records[] = {
        {.stream = weir_slice_of("a-1"), .message.type = weir_slice_of("T")},
        {.stream = weir_slice_of("b-1"), .message.type = weir_slice_of("T")},
    };
    const struct weir_write write = {.kind = WEIR_WRITE_IMPORT,
                                     .of.import = {.records = records, .n = 2, .imported = 2}};
    ck_assert_int_eq(weir_wake_committed(wf.wake, wf.tenant, &write), 2);
    ck_assert_uint_eq(count(), 2);
    ck_assert_ptr_eq(wf.woken[0], &wf.waiters[0]);
    ck_assert_ptr_eq(wf.woken[1], &wf.waiters[1]);
    weir_wake_tenant(wf.wake, wf.tenant);
}
END_TEST

static atomic_size_t judged;

int64_t __real_weir_hash_member(int64_t hash, int64_t size);
int64_t __wrap_weir_hash_member(int64_t hash, int64_t size);

int64_t __wrap_weir_hash_member(int64_t hash, int64_t size)
{
    atomic_fetch_add(&judged, 1);
    return __real_weir_hash_member(hash, size);
}

/* All waiters of the server wait for the lock meanwhile. */
START_TEST(an_import_judges_each_waiter_once)
{
    enum { RECORDS = 100 };
    const int64_t member = weir_name_member(weir_slice_of("a-1"), 2);
    const struct weir_interest interest = {.selector = WEIR_SELECT_CATEGORY,
                                           .name = weir_slice_of("a"),
                                           .group_size = 2,
                                           .group_member = 1 - member};
    struct weir_import_record records[RECORDS];
    for (size_t i = 0; i < RECORDS; i++) {
        records[i] = (struct weir_import_record){.stream = weir_slice_of("a-1"),
                                                 .message.type = weir_slice_of("T")};
    }
    const struct weir_write write = {
        .kind = WEIR_WRITE_IMPORT,
        .of.import = {.records = records, .n = RECORDS, .imported = RECORDS}};
    let_poller_look();
    for (size_t i = 0; i < 2; i++) {
        ck_assert(weir_wake_arm(wf.wake, &wf.waiters[i], wf.tenant, &interest));
        park(i);
    }
    atomic_store(&judged, 0);
    ck_assert_int_eq(weir_wake_committed(wf.wake, wf.tenant, &write), RECORDS);
    ck_assert_uint_eq(atomic_load(&judged), 2);
    ck_assert_uint_eq(count(), 0);
    weir_wake_tenant(wf.wake, wf.tenant);
}
END_TEST

/* There may be streams of the waiter's member among those that are not kept. */
START_TEST(an_import_of_many_streams_wakes_groups)
{
    enum { RECORDS = 100 };
    static char names[RECORDS][8];
    struct weir_import_record records[RECORDS];
    const int64_t size = 1000003;  // no two of the streams are one member's
    for (size_t i = 0; i < RECORDS; i++) {
        (void)snprintf(names[i], sizeof names[i], "a-%zu", i);
        records[i] = (struct weir_import_record){.stream = weir_slice_of(names[i]),
                                                 .message.type = weir_slice_of("T")};
    }
    const struct weir_slice last = records[RECORDS - 1].stream;
    const struct weir_interest interest = {.selector = WEIR_SELECT_CATEGORY,
                                           .name = weir_slice_of("a"),
                                           .group_size = size,
                                           .group_member = weir_name_member(last, size)};
    const struct weir_write write = {
        .kind = WEIR_WRITE_IMPORT,
        .of.import = {.records = records, .n = RECORDS, .imported = RECORDS}};
    let_poller_look();
    ck_assert(weir_wake_arm(wf.wake, &wf.waiters[0], wf.tenant, &interest));
    park(0);
    ck_assert_int_eq(weir_wake_committed(wf.wake, wf.tenant, &write), RECORDS);
    ck_assert_uint_eq(count(), 1);
}
END_TEST

START_TEST(one_that_was_disarmed_is_left_alone)
{
    arm(0, WEIR_SELECT_STREAM, "a-1");
    commit("a-1");
    weir_wake_disarm(wf.wake, &wf.waiters[0]);
    commit("a-1");
    ck_assert_uint_eq(count(), 0);
    ck_assert_uint_eq(atomic_load(&wf.tenant->waiters_n), 0);
}
END_TEST

START_TEST(waits_end_in_the_order_of_their_times)
{
    enum { N = 32 };
    let_poller_look();
    const int64_t start_us = weir_monotonic_us();
    for (size_t i = 0; i < N; i++) {
        arm(i, WEIR_SELECT_STREAM, "a-1");
        wf.waiters[i].until_us = start_us + 20000 + (int64_t)(i * 7 % N) * 1000;
        park(i);
    }
    while (count() < N) {
        (void)poll(NULL, 0, 1);
    }
    ck_assert_int_ge(weir_monotonic_us(), start_us + 20000 + (N - 1) * 1000);
    for (size_t i = 0; i < N; i++) {
        ck_assert_int_eq(wf.reasons[i], WEIR_WAKE_TIME);
        ck_assert(i == 0 || wf.woken[i]->until_us >= wf.woken[i - 1]->until_us);
    }
}
END_TEST

/* Removing waits from the middle of the heap keeps the others in order. */
START_TEST(waits_that_end_early_leave_the_others_in_order)
{
    enum { N = 48 };
    struct weir_link other;
    bool is_other_gone = false;
    weir_link_init(&other);
    let_poller_look();
    const int64_t start_us = weir_monotonic_us();
    for (size_t i = 0; i < N; i++) {
        arm(i, WEIR_SELECT_STREAM, "a-1");
        wf.waiters[i].until_us = start_us + 50000 + (int64_t)(i * 31 % N) * 500;
        weir_wake_park(wf.wake, &wf.waiters[i], i % 2 == 0 ? &wf.peer : &other,
                       i % 2 == 0 ? &wf.is_gone : &is_other_gone);
    }
    weir_wake_peer_gone(wf.wake, &other, &is_other_gone);
    ck_assert_uint_eq(count(), N / 2);
    while (count() < N) {
        (void)poll(NULL, 0, 1);
    }
    for (size_t i = N / 2 + 1; i < N; i++) {
        ck_assert_int_eq(wf.reasons[i], WEIR_WAKE_TIME);
        ck_assert_int_ge(wf.woken[i]->until_us, wf.woken[i - 1]->until_us);
    }
}
END_TEST

/* The last wait of the heap takes the place of a removed one, and may end before its new
 * parents. */
START_TEST(a_wait_that_takes_anothers_place_ends_in_its_time)
{
    static const int ends_ms[] = {100, FAR_MS, 150, FAR_MS, FAR_MS, 200, 250};
    enum { N = 7, EARLY = 3 };
    let_poller_look();
    for (size_t i = 0; i < N; i++) {
        arm(i, WEIR_SELECT_STREAM, i == EARLY ? "b-1" : "a-1");
        wf.waiters[i].until_us = weir_monotonic_us() + ends_ms[i] * INT64_C(1000);
        park(i);
    }
    commit("b-1");
    arm(N, WEIR_SELECT_STREAM, "a-1");
    park(N);
    while (count() < 5) {
        (void)poll(NULL, 0, 1);
    }
    ck_assert_int_lt(weir_monotonic_us(), wf.waiters[1].until_us);
    weir_wake_tenant(wf.wake, wf.tenant);
    ck_assert_uint_eq(count(), N + 1);
}
END_TEST

START_TEST(a_lost_connection_gives_up_its_waits_and_later_ones)
{
    struct weir_link other;
    bool is_other_gone = false;
    weir_link_init(&other);
    let_poller_look();
    arm(0, WEIR_SELECT_STREAM, "a-1");
    park(0);
    arm(1, WEIR_SELECT_STREAM, "a-1");
    weir_wake_park(wf.wake, &wf.waiters[1], &other, &is_other_gone);
    arm(2, WEIR_SELECT_STREAM, "a-1");
    weir_wake_peer_gone(wf.wake, &wf.peer, &wf.is_gone);
    ck_assert_uint_eq(count(), 1);
    ck_assert_int_eq(wf.reasons[0], WEIR_WAKE_GONE);
    park(2);
    ck_assert_uint_eq(count(), 2);
    ck_assert_int_eq(wf.reasons[1], WEIR_WAKE_GONE);
    arm(3, WEIR_SELECT_STREAM, "a-1");
    weir_wake_park(wf.wake, &wf.waiters[3], NULL, NULL);
    ck_assert_int_eq(wf.reasons[2], WEIR_WAKE_GONE);
    commit("a-1");
    ck_assert_uint_eq(count(), 4);
    ck_assert_ptr_eq(wf.woken[3], &wf.waiters[1]);
}
END_TEST

START_TEST(stopping_ends_all_and_lets_nobody_wait)
{
    arm(0, WEIR_SELECT_STREAM, "a-1");
    park(0);
    arm(1, WEIR_SELECT_STREAM, "a-1");
    weir_wake_stop(wf.wake);
    ck_assert_uint_eq(count(), 1);
    park(1);
    ck_assert_uint_eq(count(), 2);
    ck_assert_int_eq(wf.reasons[0], WEIR_WAKE_STOP);
    ck_assert_int_eq(wf.reasons[1], WEIR_WAKE_STOP);
}
END_TEST

START_TEST(a_store_that_fails_is_told_to_those_who_wait)
{
    let_poller_look();
    arm(0, WEIR_SELECT_STREAM, "a-1");
    park(0);
    fake_calls_fail(WEIR_BACKEND_UNAVAILABLE);
    while (count() == 0) {
        (void)poll(NULL, 0, 1);
    }
    ck_assert_int_eq(wf.reasons[0], WEIR_WAKE_CHANGE);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("wake");
    TCase *tcase = tcase_create("wake");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, wake_fixture_begin, wake_fixture_end);
    tcase_add_test(tcase, a_commit_between_arming_and_parking_is_not_slept_through);
    tcase_add_test(tcase, one_armed_after_its_tenant_has_changed_looks_again);
    tcase_add_test(tcase, a_commit_wakes_by_stream_category_and_all);
    tcase_add_test(tcase, a_commit_leaves_alone_whom_its_messages_do_not_concern);
    tcase_add_test(tcase, each_record_of_an_import_wakes);
    tcase_add_test(tcase, an_import_judges_each_waiter_once);
    tcase_add_test(tcase, an_import_of_many_streams_wakes_groups);
    tcase_add_test(tcase, one_that_was_disarmed_is_left_alone);
    tcase_add_test(tcase, waits_end_in_the_order_of_their_times);
    tcase_add_test(tcase, waits_that_end_early_leave_the_others_in_order);
    tcase_add_test(tcase, a_wait_that_takes_anothers_place_ends_in_its_time);
    tcase_add_test(tcase, a_lost_connection_gives_up_its_waits_and_later_ones);
    tcase_add_test(tcase, stopping_ends_all_and_lets_nobody_wait);
    tcase_add_test(tcase, a_store_that_fails_is_told_to_those_who_wait);
    suite_add_tcase(suite, tcase);
    return check_main(suite);
}
