/* The wake list: what other servers write to the store, and the poller that looks for it. */
#include "tests/lib/check_main.h"
#include "tests/unit/wake_fixture.h"
#include "weir/base/monotonic.h"
#include "weir/rules/stream_name.h"

#include <poll.h>

enum { TOLD_US = 1000 * 1000, TOLD_LATE_US = 5000 * 1000, MANY_LOOKS_US = 900 * 1000 };

static void move_head(int64_t positions, int64_t messages)
{
    (void)pthread_mutex_lock(&fake.mutex);
    fake.head.position += positions;
    fake.head.messages += messages;
    (void)pthread_mutex_unlock(&fake.mutex);
}

static void make_visible(int64_t messages)
{
    move_head(messages, messages);
}

static void assert_told_within(int64_t us)
{
    const int64_t until_us = weir_monotonic_us() + us;
    while (count() == 0 && weir_monotonic_us() < until_us) {
        (void)poll(NULL, 0, 1);
    }
    ck_assert_uint_eq(count(), 1);
    ck_assert_int_eq(wf.reasons[0], WEIR_WAKE_CHANGE);
}

/* Ends a write of this process, of one message to the stream "b-1". */
static void end_own_write(void)
{
    struct weir_error err;
    weir_error_init(&err);
    struct weir_new_message message = {.type = weir_slice_of("T")};
    struct weir_stream_append append = {
        .stream = weir_slice_of("b-1"), .messages = &message, .n = 1};
    const struct weir_write write = {
        .kind = WEIR_WRITE_APPEND, .of.append = {.streams = &append, .n = 1}, .err = &err};
    weir_own_writes_end(&wf.tenant->own, &write);
}

/* A commit of this process as the poller may see it: the message is visible slightly before it is
 * counted as the process's own. */
static void commit_slowly(void)
{
    weir_own_writes_begin(&wf.tenant->own);
    (void)poll(NULL, 0, 1);
    make_visible(1);
    (void)poll(NULL, 0, 1);
    end_own_write();
}

static void park_for_others(void)
{
    let_poller_look();
    arm(0, WEIR_SELECT_STREAM, "a-1");
    park(0);
}

START_TEST(own_commits_wake_nobody_whom_they_do_not_concern)
{
    park_for_others();
    const int64_t until_us = weir_monotonic_us() + MANY_LOOKS_US;
    while (weir_monotonic_us() < until_us) {
        commit_slowly();
        (void)poll(NULL, 0, 1);
    }
    ck_assert_uint_eq(count(), 0);
}
END_TEST

START_TEST(a_write_of_others_wakes_beside_own_commits)
{
    park_for_others();
    const int64_t since_us = weir_monotonic_us();
    make_visible(1);
    while (count() == 0 && weir_monotonic_us() < since_us + TOLD_US) {
        commit_slowly();
        (void)poll(NULL, 0, 1);
    }
    ck_assert_uint_eq(count(), 1);
    ck_assert_int_eq(wf.reasons[0], WEIR_WAKE_CHANGE);
}
END_TEST

START_TEST(a_clear_and_as_many_writes_of_others_wake)
{
    park_for_others();
    move_head(3, 0);
    assert_told_within(TOLD_US);
}
END_TEST

START_TEST(what_others_get_in_below_the_head_wakes)
{
    park_for_others();
    move_head(0, 1);
    assert_told_within(TOLD_US);
}
END_TEST

START_TEST(a_commit_that_does_not_end_hides_nothing_for_long)
{
    park_for_others();
    weir_own_writes_begin(&wf.tenant->own);
    assert_told_within(TOLD_US);
    weir_own_writes_end(&wf.tenant->own, NULL);
}
END_TEST

START_TEST(a_store_that_is_late_hides_nothing_for_ever)
{
    park_for_others();
    fake_calls_fail(WEIR_DEADLINE_EXCEEDED);
    assert_told_within(TOLD_LATE_US);
}
END_TEST

/* ---- appends of other servers ---- */

enum { APPENDED_MOST = 40 };  // more than are read for two waiters

/* Another server's messages, visible together with the head that they make. */
static void append_by_other(const char *stream, int64_t n)
{
    (void)pthread_mutex_lock(&fake.mutex);
    fake.head.is_in_order = true;
    for (int64_t i = 0; i < n; i++) {
        fake.head.messages++;
        fake.rows[fake.rows_n++] = (struct weir_row){.stream = weir_slice_of(stream),
                                                     .type = weir_slice_of("T"),
                                                     .global_position = ++fake.head.position};
    }
    (void)pthread_mutex_unlock(&fake.mutex);
}

static void wait_until_woken(size_t n)
{
    const int64_t until_us = weir_monotonic_us() + TOLD_US;
    while (count() < n && weir_monotonic_us() < until_us) {
        (void)poll(NULL, 0, 1);
    }
    ck_assert_uint_eq(count(), n);
}

/* The correlation of a message is not among its headers. */
START_TEST(an_append_of_others_wakes_those_whom_it_concerns)
{
    const uint64_t mark = weir_interest_mark(weir_slice_of("other"));
    const int64_t member = weir_name_member(weir_slice_of("a-1"), 2);
    const struct weir_slice all = weir_slice_of("");
    const struct weir_slice a = weir_slice_of("a");
    const struct weir_slice b = weir_slice_of("b");
    const struct weir_interest interests[] = {
        {.selector = WEIR_SELECT_STREAM, .name = weir_slice_of("a-1")},
        {.selector = WEIR_SELECT_CATEGORY, .name = a},
        {.selector = WEIR_SELECT_CATEGORY, .name = a, .group_size = 2, .group_member = member},
        {.selector = WEIR_SELECT_CATEGORY, .name = a, .correlation = mark},
        {.selector = WEIR_SELECT_ALL, .name = all},
        {.selector = WEIR_SELECT_ALL, .name = all, .types = weir_interest_mark(weir_slice_of("T"))},
        {.selector = WEIR_SELECT_STREAM, .name = weir_slice_of("a-2")},
        {.selector = WEIR_SELECT_CATEGORY, .name = a, .group_size = 2, .group_member = 1 - member},
        {.selector = WEIR_SELECT_CATEGORY, .name = b},
        {.selector = WEIR_SELECT_CATEGORY, .name = b, .correlation = mark},
        {.selector = WEIR_SELECT_ALL, .name = all, .types = mark},
    };
    enum { CONCERNED = 6, ALL_OF_THEM = WEIR_COUNTOF(interests) };
    let_poller_look();
    for (size_t i = 0; i < ALL_OF_THEM; i++) {
        ck_assert(weir_wake_arm(wf.wake, &wf.waiters[i], wf.tenant, &interests[i]));
        park(i);
    }
    append_by_other("a-1", 2);
    wait_until_woken(CONCERNED);
    for (size_t i = 0; i < CONCERNED; i++) {
        ck_assert_int_eq(wf.reasons[i], WEIR_WAKE_CHANGE);
        ck_assert_int_eq(wf.waiters[i].state, WEIR_WAITER_IDLE);
    }
    append_by_other("a-2", 1);  // of the other member
    wait_until_woken(CONCERNED + 2);
    append_by_other("b-1", 3);
    wait_until_woken(CONCERNED + 4);
    weir_wake_tenant(wf.wake, wf.tenant);
    ck_assert_uint_eq(count(), ALL_OF_THEM);
}
END_TEST

/* This process's own messages are among those that are read. */
START_TEST(own_commits_beside_appends_of_others_wake_nobody_else)
{
    park_for_others();
    arm(1, WEIR_SELECT_CATEGORY, "b");
    park(1);
    weir_own_writes_begin(&wf.tenant->own);
    append_by_other("b-1", 1);
    append_by_other("b-2", 1);
    end_own_write();
    wait_until_woken(1);
    ck_assert_ptr_eq(wf.woken[0], &wf.waiters[1]);
    weir_wake_tenant(wf.wake, wf.tenant);
}
END_TEST

static void no_more(void)
{
}

static void lose_a_row(void)
{
    fake.rows_n--;
}

static void fill_a_gap_below(void)
{
    fake.head.messages++;
}

static void remove_another(void)
{
    fake.head.messages--;
}

static void jump_over_a_position(void)
{
    fake.rows[fake.rows_n - 1].global_position = ++fake.head.position;
}

static void append_many(void)
{
    while (fake.rows_n < APPENDED_MOST) {
        fake.rows[fake.rows_n] = fake.rows[0];
        fake.head.messages++;
        fake.rows[fake.rows_n++].global_position = ++fake.head.position;
    }
}

static void appear_out_of_order(void)
{
    fake.head.is_in_order = false;
}

static void fail_to_read(void)
{
    fake.heads_pass = true;
    fake.call_fails = WEIR_DEADLINE_EXCEEDED;
}

static const struct {
    void (*happens_too)(void);  // beside the append; with fake.mutex
    size_t wakes;
} beside_appends[] = {{no_more, 0},        {lose_a_row, 2},           {fill_a_gap_below, 2},
                      {remove_another, 2}, {jump_over_a_position, 2}, {append_many, 2},
                      {fail_to_read, 2},   {appear_out_of_order, 2}};

/* Where it is not sure that others have only appended, all waiters look. */
START_TEST(what_may_be_more_than_an_append_wakes_everybody)
{
    park_for_others();
    arm(1, WEIR_SELECT_CATEGORY, "c");
    park(1);
    (void)pthread_mutex_lock(&fake.mutex);
    fake.head.is_in_order = true;
    fake.head.position = fake.head.messages = 2;
    for (int64_t i = 0; i < 2; i++) {
        fake.rows[fake.rows_n++] = (struct weir_row){
            .stream = weir_slice_of("b-1"), .type = weir_slice_of("T"), .global_position = i + 1};
    }
    beside_appends[_i].happens_too();
    (void)pthread_mutex_unlock(&fake.mutex);
    if (beside_appends[_i].wakes == 0) {
        (void)poll(NULL, 0, MANY_LOOKS_US / 1000);
    }
    wait_until_woken(beside_appends[_i].wakes);
    weir_wake_tenant(wf.wake, wf.tenant);
}
END_TEST

/* A failover during the outage may have lost messages, and others have taken their positions. */
START_TEST(an_append_during_an_outage_wakes_everybody)
{
    let_poller_look();
    for (size_t i = 0; i < 4; i++) {
        if (i == 2) {
            fake_calls_fail(WEIR_BACKEND_UNAVAILABLE);
            wait_until_woken(2);
            append_by_other("b-1", 1);
            fake_calls_fail(WEIR_OK);
        }
        arm(i, WEIR_SELECT_STREAM, i % 2 == 0 ? "a-1" : "c-1");
        park(i);
    }
    wait_until_woken(4);
}
END_TEST

/* ---- a slow store ---- */

static _Atomic(int64_t) registry_read_us;

static weir_status note_time(struct weir_namespace_record *record, struct weir_error *err)
{
    (void)record;
    (void)err;
    atomic_store(&registry_read_us, weir_monotonic_us());
    return WEIR_OK;
}

/* Returns the time of the first read of the registry after after_us. */
static int64_t next_registry_read(int64_t after_us)
{
    int64_t at_us = 0;
    while ((at_us = atomic_load(&registry_read_us)) <= after_us) {
        (void)poll(NULL, 0, 1);
    }
    return at_us;
}

static const struct {
    int64_t head_takes_us;
    int64_t within_us;  // largest interval between two checks of the registry
} slow_stores[] = {{60 * 1000, 900 * 1000}, {250 * 1000, 1120 * 1000}};

/* Writes of other servers must be seen within a second, however the second is divided into checks
 * and pauses. Several attempts compensate for a slow machine. */
START_TEST(a_slow_store_is_looked_at_every_second)
{
    atomic_store(&registry_read_us, 0);
    fake.find = note_time;
    fake.head_takes_us = slow_stores[_i].head_takes_us;
    park_for_others();
    int64_t before_us = next_registry_read(0);
    int64_t shortest_us = FAR_US;
    for (int tries = 0; tries < 10 && shortest_us >= slow_stores[_i].within_us; tries++) {
        const int64_t at_us = next_registry_read(before_us);
        shortest_us = at_us - before_us < shortest_us ? at_us - before_us : shortest_us;
        before_us = at_us;
    }
    ck_assert_int_lt(shortest_us, slow_stores[_i].within_us);
    weir_wake_tenant(wf.wake, wf.tenant);
}
END_TEST

/* ---- the end ---- */

static atomic_size_t asked;

static weir_status find_slowly(struct weir_namespace_record *record, struct weir_error *err)
{
    (void)record;
    atomic_fetch_add(&asked, 1);
    (void)poll(NULL, 0, 200);
    return weir_fail(err, WEIR_DEADLINE_EXCEEDED, "as the test wants it");
}

enum { ALL = FAKE_NAMESPACES_MAX };

static void open_all(struct weir_tenant **all)
{
    static const char *const names[ALL] = {"test", "b", "c", "d", "e", "f", "g", "h"};
    struct weir_error err;
    weir_error_init(&err);
    for (size_t i = 0; i < ALL; i++) {
        struct weir_tenant_lookup lookup = {.max_age_us = 0, .deadline_us = INT64_MAX};
        fake.namespaces[i] = names[i];
        ck_assert_int_eq(
            weir_tenants_find(wf.tenants, weir_slice_of(names[i]), &wf.arena, &lookup, &err),
            WEIR_OK);
        all[i] = lookup.tenant;
        ck_assert_int_eq(weir_tenant_open(all[i], INT64_MAX, &err), WEIR_OK);
    }
}

static void wait_in_all(struct weir_tenant **all)
{
    const struct weir_interest interest = {.selector = WEIR_SELECT_ALL, .name = weir_slice_of("")};
    for (size_t i = 0; i < ALL; i++) {
        ck_assert(weir_wake_arm(wf.wake, &wf.waiters[i], all[i], &interest));
        park(i);
    }
}

/* This holds for any number of namespaces. The poller also looks them up again from time to
 * time. */
START_TEST(the_end_waits_for_no_more_than_one_answer_of_the_store)
{
    struct weir_tenant *all[ALL];
    open_all(all);
    wait_in_all(all);
    while (count() < ALL) {
        (void)poll(NULL, 0, 1);
    }
    wf.woken_n = 0;
    atomic_store(&asked, 0);
    fake.find = find_slowly;
    wait_in_all(all);
    while (atomic_load(&asked) == 0) {
        (void)poll(NULL, 0, 1);
    }
    weir_wake_stop(wf.wake);
    const size_t before = atomic_load(&asked);
    weir_wake_join(wf.wake);
    ck_assert_uint_le(atomic_load(&asked), before + 1);
    for (size_t i = 0; i < ALL; i++) {
        weir_tenant_release(all[i]);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("wake_poll");
    TCase *tcase = tcase_create("wake_poll");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, wake_fixture_begin, wake_fixture_end);
    tcase_add_test(tcase, own_commits_wake_nobody_whom_they_do_not_concern);
    tcase_add_test(tcase, a_write_of_others_wakes_beside_own_commits);
    tcase_add_test(tcase, a_clear_and_as_many_writes_of_others_wake);
    tcase_add_test(tcase, what_others_get_in_below_the_head_wakes);
    tcase_add_test(tcase, a_commit_that_does_not_end_hides_nothing_for_long);
    tcase_add_test(tcase, a_store_that_is_late_hides_nothing_for_ever);
    tcase_add_test(tcase, an_append_of_others_wakes_those_whom_it_concerns);
    tcase_add_test(tcase, own_commits_beside_appends_of_others_wake_nobody_else);
    tcase_add_loop_test(tcase, what_may_be_more_than_an_append_wakes_everybody, 0,
                        WEIR_COUNTOF(beside_appends));
    tcase_add_test(tcase, an_append_during_an_outage_wakes_everybody);
    tcase_add_loop_test(tcase, a_slow_store_is_looked_at_every_second, 0,
                        WEIR_COUNTOF(slow_stores));
    tcase_add_test(tcase, the_end_waits_for_no_more_than_one_answer_of_the_store);
    suite_add_tcase(suite, tcase);
    return check_main(suite);
}
