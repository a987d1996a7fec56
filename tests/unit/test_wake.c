/* The wake list: arming, waking, timing out and giving up. */
#include "server/waiting/wake.h"

#include "tests/lib/check_main.h"
#include "tests/lib/fake_backend.h"
#include "weir/base/monotonic.h"
#include "weir/rules/stream_name.h"

#include <poll.h>
#include <stdio.h>

enum { WAITERS = 64, FAR_MS = 10 * 1000, FAR_US = 60 * 1000 * 1000 };

static struct weir_store *store;
static struct weir_tenants *tenants;
static struct weir_tenant *tenant;
static struct weir_wake *wake;
static struct weir_arena arena;
static struct weir_waiter waiters[WAITERS];
static struct weir_link peer;
static bool is_gone;

/* The callbacks made, in order. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static size_t woken_n;
static struct weir_waiter *woken[WAITERS];
static enum weir_wake_reason reasons[WAITERS];

static void note(void *context, struct weir_waiter *waiter, enum weir_wake_reason reason)
{
    (void)context;
    (void)pthread_mutex_lock(&lock);
    woken[woken_n] = waiter;
    reasons[woken_n++] = reason;
    (void)pthread_mutex_unlock(&lock);
}

static size_t count(void)
{
    (void)pthread_mutex_lock(&lock);
    const size_t n = woken_n;
    (void)pthread_mutex_unlock(&lock);
    return n;
}

static void set_up(void)
{
    struct weir_error err;
    struct weir_tenant_lookup lookup = {.max_age_us = 0, .deadline_us = INT64_MAX};
    weir_error_init(&err);
    weir_arena_init(&arena, 65536, 0);
    fake_backend_reset();
    store = fake_store_open(4);
    tenants = weir_tenants_new(store);
    ck_assert_ptr_nonnull(tenants);
    ck_assert_int_eq(weir_tenants_find(tenants, weir_slice_of("test"), &arena, &lookup, &err),
                     WEIR_OK);
    tenant = lookup.tenant;
    ck_assert_int_eq(weir_tenant_open(tenant, INT64_MAX, &err), WEIR_OK);
    wake = weir_wake_new(tenants, note, NULL);
    ck_assert_ptr_nonnull(wake);
    woken_n = 0;
    is_gone = false;
    weir_link_init(&peer);
    for (size_t i = 0; i < WAITERS; i++) {
        weir_waiter_init(&waiters[i]);
        waiters[i].until_us = weir_monotonic_us() + FAR_US;
    }
}

static void tear_down(void)
{
    weir_wake_free(wake);
    weir_tenant_release(tenant);
    weir_tenants_free(tenants);
    weir_store_close(store);
    weir_arena_fini(&arena);
}

static void arm(size_t i, enum weir_selector selector, const char *name)
{
    const struct weir_interest interest = {.selector = selector, .name = weir_slice_of(name)};
    ck_assert(weir_wake_arm(wake, &waiters[i], tenant, &interest));
}

static void park(size_t i)
{
    weir_wake_park(wake, &waiters[i], &peer, &is_gone);
}

static void commit(const char *stream)
{
    struct weir_new_message message = {.type = weir_slice_of("T")};
    struct weir_stream_append append = {
        .stream = weir_slice_of(stream), .messages = &message, .n = 1};
    const struct weir_write write = {.kind = WEIR_WRITE_APPEND,
                                     .of.append = {.streams = &append, .n = 1}};
    ck_assert_int_eq(weir_wake_committed(wake, tenant, &write), 1);
}

/* Waits for the poller's first check, which wakes every waiter once because the poller has no
 * earlier state to compare with. */
static void let_poller_look(void)
{
    arm(WAITERS - 1, WEIR_SELECT_STREAM, "nothing");
    park(WAITERS - 1);
    while (count() == 0) {
        (void)poll(NULL, 0, 1);
    }
    ck_assert_int_eq(reasons[0], WEIR_WAKE_CHANGE);
    woken_n = 0;
}

START_TEST(a_commit_between_arming_and_parking_is_not_slept_through)
{
    arm(0, WEIR_SELECT_STREAM, "a-1");
    commit("a-1");
    ck_assert_uint_eq(count(), 0);
    park(0);
    ck_assert_uint_eq(count(), 1);
    ck_assert_ptr_eq(woken[0], &waiters[0]);
    ck_assert_int_eq(reasons[0], WEIR_WAKE_CHANGE);
    ck_assert_int_eq(waiters[0].state, WEIR_WAITER_IDLE);
}
END_TEST

/* For example, the token has been rotated since the call was admitted, before the waiter could be
 * found. */
START_TEST(one_armed_after_its_tenant_has_changed_looks_again)
{
    weir_tenants_forget(tenants, weir_slice_of("test"));
    arm(0, WEIR_SELECT_STREAM, "a-1");
    ck_assert_uint_eq(count(), 0);
    park(0);
    ck_assert_uint_eq(count(), 1);
    ck_assert_int_eq(reasons[0], WEIR_WAKE_CHANGE);
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
        ck_assert_ptr_eq(woken[i], &waiters[i]);
    }
    ck_assert_uint_eq(atomic_load(&tenant->waiters_n), 2);
    weir_wake_tenant(wake, tenant);
    ck_assert_uint_eq(count(), 5);
    ck_assert_uint_eq(atomic_load(&tenant->waiters_n), 0);
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
        ck_assert(weir_wake_arm(wake, &waiters[i], tenant, &interests[i]));
        park(i);
    }
    commit("a");
    ck_assert_uint_eq(count(), 0);
    commit("a-1");
    ck_assert_uint_eq(count(), 1);
    ck_assert_ptr_eq(woken[0], &waiters[3]);
    weir_wake_tenant(wake, tenant);
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
    ck_assert_int_eq(weir_wake_committed(wake, tenant, &write), 2);
    ck_assert_uint_eq(count(), 2);
    ck_assert_ptr_eq(woken[0], &waiters[0]);
    ck_assert_ptr_eq(woken[1], &waiters[1]);
    weir_wake_tenant(wake, tenant);
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
        ck_assert(weir_wake_arm(wake, &waiters[i], tenant, &interest));
        park(i);
    }
    atomic_store(&judged, 0);
    ck_assert_int_eq(weir_wake_committed(wake, tenant, &write), RECORDS);
    ck_assert_uint_eq(atomic_load(&judged), 2);
    ck_assert_uint_eq(count(), 0);
    weir_wake_tenant(wake, tenant);
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
    ck_assert(weir_wake_arm(wake, &waiters[0], tenant, &interest));
    park(0);
    ck_assert_int_eq(weir_wake_committed(wake, tenant, &write), RECORDS);
    ck_assert_uint_eq(count(), 1);
}
END_TEST

START_TEST(one_that_was_disarmed_is_left_alone)
{
    arm(0, WEIR_SELECT_STREAM, "a-1");
    commit("a-1");
    weir_wake_disarm(wake, &waiters[0]);
    commit("a-1");
    ck_assert_uint_eq(count(), 0);
    ck_assert_uint_eq(atomic_load(&tenant->waiters_n), 0);
}
END_TEST

START_TEST(waits_end_in_the_order_of_their_times)
{
    enum { N = 32 };
    let_poller_look();
    const int64_t start_us = weir_monotonic_us();
    for (size_t i = 0; i < N; i++) {
        arm(i, WEIR_SELECT_STREAM, "a-1");
        waiters[i].until_us = start_us + 20000 + (int64_t)(i * 7 % N) * 1000;
        park(i);
    }
    while (count() < N) {
        (void)poll(NULL, 0, 1);
    }
    ck_assert_int_ge(weir_monotonic_us(), start_us + 20000 + (N - 1) * 1000);
    for (size_t i = 0; i < N; i++) {
        ck_assert_int_eq(reasons[i], WEIR_WAKE_TIME);
        ck_assert(i == 0 || woken[i]->until_us >= woken[i - 1]->until_us);
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
        waiters[i].until_us = start_us + 50000 + (int64_t)(i * 31 % N) * 500;
        weir_wake_park(wake, &waiters[i], i % 2 == 0 ? &peer : &other,
                       i % 2 == 0 ? &is_gone : &is_other_gone);
    }
    weir_wake_peer_gone(wake, &other, &is_other_gone);
    ck_assert_uint_eq(count(), N / 2);
    while (count() < N) {
        (void)poll(NULL, 0, 1);
    }
    for (size_t i = N / 2 + 1; i < N; i++) {
        ck_assert_int_eq(reasons[i], WEIR_WAKE_TIME);
        ck_assert_int_ge(woken[i]->until_us, woken[i - 1]->until_us);
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
        waiters[i].until_us = weir_monotonic_us() + ends_ms[i] * INT64_C(1000);
        park(i);
    }
    commit("b-1");
    arm(N, WEIR_SELECT_STREAM, "a-1");
    park(N);
    while (count() < 5) {
        (void)poll(NULL, 0, 1);
    }
    ck_assert_int_lt(weir_monotonic_us(), waiters[1].until_us);
    weir_wake_tenant(wake, tenant);
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
    weir_wake_park(wake, &waiters[1], &other, &is_other_gone);
    arm(2, WEIR_SELECT_STREAM, "a-1");
    weir_wake_peer_gone(wake, &peer, &is_gone);
    ck_assert_uint_eq(count(), 1);
    ck_assert_int_eq(reasons[0], WEIR_WAKE_GONE);
    park(2);
    ck_assert_uint_eq(count(), 2);
    ck_assert_int_eq(reasons[1], WEIR_WAKE_GONE);
    arm(3, WEIR_SELECT_STREAM, "a-1");
    weir_wake_park(wake, &waiters[3], NULL, NULL);
    ck_assert_int_eq(reasons[2], WEIR_WAKE_GONE);
    commit("a-1");
    ck_assert_uint_eq(count(), 4);
    ck_assert_ptr_eq(woken[3], &waiters[1]);
}
END_TEST

START_TEST(stopping_ends_all_and_lets_nobody_wait)
{
    arm(0, WEIR_SELECT_STREAM, "a-1");
    park(0);
    arm(1, WEIR_SELECT_STREAM, "a-1");
    weir_wake_stop(wake);
    ck_assert_uint_eq(count(), 1);
    park(1);
    ck_assert_uint_eq(count(), 2);
    ck_assert_int_eq(reasons[0], WEIR_WAKE_STOP);
    ck_assert_int_eq(reasons[1], WEIR_WAKE_STOP);
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
    ck_assert_int_eq(reasons[0], WEIR_WAKE_CHANGE);
}
END_TEST

/* ---- writes of other servers ---- */

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
    ck_assert_int_eq(reasons[0], WEIR_WAKE_CHANGE);
}

/* A commit of this process as the poller may see it: the message is visible slightly before it is
 * counted as the process's own. */
static void commit_slowly(void)
{
    struct weir_error err;
    weir_error_init(&err);
    struct weir_new_message message = {.type = weir_slice_of("T")};
    struct weir_stream_append append = {
        .stream = weir_slice_of("b-1"), .messages = &message, .n = 1};
    const struct weir_write write = {
        .kind = WEIR_WRITE_APPEND, .of.append = {.streams = &append, .n = 1}, .err = &err};
    weir_own_writes_begin(&tenant->own);
    (void)poll(NULL, 0, 1);
    make_visible(1);
    (void)poll(NULL, 0, 1);
    weir_own_writes_end(&tenant->own, &write);
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
    ck_assert_int_eq(reasons[0], WEIR_WAKE_CHANGE);
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
    weir_own_writes_begin(&tenant->own);
    assert_told_within(TOLD_US);
    weir_own_writes_end(&tenant->own, NULL);
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
        ck_assert(weir_wake_arm(wake, &waiters[i], tenant, &interests[i]));
        park(i);
    }
    append_by_other("a-1", 2);
    wait_until_woken(CONCERNED);
    for (size_t i = 0; i < CONCERNED; i++) {
        ck_assert_int_eq(reasons[i], WEIR_WAKE_CHANGE);
        ck_assert_int_eq(waiters[i].state, WEIR_WAITER_IDLE);
    }
    append_by_other("a-2", 1);  // of the other member
    wait_until_woken(CONCERNED + 2);
    append_by_other("b-1", 3);
    wait_until_woken(CONCERNED + 4);
    weir_wake_tenant(wake, tenant);
    ck_assert_uint_eq(count(), ALL_OF_THEM);
}
END_TEST

/* This process's own messages are among those that are read. */
START_TEST(own_commits_beside_appends_of_others_wake_nobody_else)
{
    struct weir_error err;
    weir_error_init(&err);
    struct weir_new_message message = {.type = weir_slice_of("T")};
    struct weir_stream_append append = {
        .stream = weir_slice_of("b-1"), .messages = &message, .n = 1};
    const struct weir_write write = {
        .kind = WEIR_WRITE_APPEND, .of.append = {.streams = &append, .n = 1}, .err = &err};
    park_for_others();
    arm(1, WEIR_SELECT_CATEGORY, "b");
    park(1);
    weir_own_writes_begin(&tenant->own);
    append_by_other("b-1", 1);
    append_by_other("b-2", 1);
    weir_own_writes_end(&tenant->own, &write);
    wait_until_woken(1);
    ck_assert_ptr_eq(woken[0], &waiters[1]);
    weir_wake_tenant(wake, tenant);
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
    weir_wake_tenant(wake, tenant);
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
    weir_wake_tenant(wake, tenant);
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
        ck_assert_int_eq(weir_tenants_find(tenants, weir_slice_of(names[i]), &arena, &lookup, &err),
                         WEIR_OK);
        all[i] = lookup.tenant;
        ck_assert_int_eq(weir_tenant_open(all[i], INT64_MAX, &err), WEIR_OK);
    }
}

static void wait_in_all(struct weir_tenant **all)
{
    const struct weir_interest interest = {.selector = WEIR_SELECT_ALL, .name = weir_slice_of("")};
    for (size_t i = 0; i < ALL; i++) {
        ck_assert(weir_wake_arm(wake, &waiters[i], all[i], &interest));
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
    woken_n = 0;
    atomic_store(&asked, 0);
    fake.find = find_slowly;
    wait_in_all(all);
    while (atomic_load(&asked) == 0) {
        (void)poll(NULL, 0, 1);
    }
    weir_wake_stop(wake);
    const size_t before = atomic_load(&asked);
    weir_wake_join(wake);
    ck_assert_uint_le(atomic_load(&asked), before + 1);
    for (size_t i = 0; i < ALL; i++) {
        weir_tenant_release(all[i]);
    }
}
END_TEST

static Suite *wake_suite(void)
{
    Suite *suite = suite_create("wake");
    TCase *tcase = tcase_create("wake");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, set_up, tear_down);
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
    return suite;
}

int main(void)
{
    return check_main(wake_suite());
}
