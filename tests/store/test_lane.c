/* The lane: who leads, the order of writes, and the size of a group. */
#include "store/lane.h"

#include "tests/lib/check_main.h"

#include <sched.h>

static struct weir_lane lane;

static void set_up(void)
{
    weir_lane_init(&lane);
}

static void tear_down(void)
{
    weir_lane_fini(&lane);
}

static size_t length(const struct weir_write *group)
{
    size_t n = 0;
    for (; group != NULL; group = group->next) {
        n++;
    }
    return n;
}

START_TEST(the_first_leads_and_the_others_follow)
{
    struct weir_write writes[3] = {{.kind = WEIR_WRITE_CLEAR}};
    ck_assert(weir_lane_add(&lane, &writes[0]));
    ck_assert(!weir_lane_add(&lane, &writes[1]));
    ck_assert(!weir_lane_add(&lane, &writes[2]));
    const struct weir_write *group = weir_lane_take(&lane);
    ck_assert_ptr_eq(group, &writes[0]);
    ck_assert_ptr_eq(group->next, &writes[1]);
    ck_assert_ptr_eq(group->next->next, &writes[2]);
    ck_assert_ptr_null(group->next->next->next);
    ck_assert(!weir_lane_go_on(&lane));
}
END_TEST

START_TEST(what_comes_while_a_group_is_committed_is_the_next_group)
{
    struct weir_write writes[2] = {{.kind = WEIR_WRITE_CLEAR}};
    ck_assert(weir_lane_add(&lane, &writes[0]));
    ck_assert_uint_eq(length(weir_lane_take(&lane)), 1);
    ck_assert(!weir_lane_add(&lane, &writes[1]));
    ck_assert(weir_lane_go_on(&lane));
    ck_assert_ptr_eq(weir_lane_take(&lane), &writes[1]);
    ck_assert(!weir_lane_go_on(&lane));
}
END_TEST

START_TEST(an_idle_lane_is_led_anew)
{
    struct weir_write write = {.kind = WEIR_WRITE_CLEAR};
    for (int i = 0; i < 2; i++) {
        ck_assert(weir_lane_add(&lane, &write));
        ck_assert_ptr_eq(weir_lane_take(&lane), &write);
        ck_assert(!weir_lane_go_on(&lane));
    }
    ck_assert(weir_lane_add(&lane, &write));
    ck_assert_ptr_eq(weir_lane_take(&lane), &write);
    ck_assert_ptr_null(weir_lane_take(&lane));
    ck_assert(!weir_lane_go_on(&lane));
}
END_TEST

START_TEST(a_group_has_so_many_writes_at_most)
{
    static struct weir_write writes[WEIR_GROUP_WRITES_MAX + 1];
    for (size_t w = 0; w < WEIR_COUNTOF(writes); w++) {
        writes[w].kind = WEIR_WRITE_CLEAR;
        writes[w].deadline_us = INT64_MAX;
        ck_assert(weir_lane_add(&lane, &writes[w]) == (w == 0));
    }
    ck_assert_uint_eq(length(weir_lane_take(&lane)), WEIR_GROUP_WRITES_MAX);
    ck_assert(weir_lane_go_on(&lane));
    ck_assert_ptr_eq(weir_lane_take(&lane), &writes[WEIR_GROUP_WRITES_MAX]);
    ck_assert(!weir_lane_go_on(&lane));
}
END_TEST

/* Makes an append of `n` messages. The lane looks only at their number and lengths. */
static struct weir_write append_of(struct weir_stream_append *part,
                                   const struct weir_new_message *messages, size_t n)
{
    *part = (struct weir_stream_append){.messages = messages, .n = n};
    return (struct weir_write){.kind = WEIR_WRITE_APPEND, .of.append = {.streams = part, .n = 1}};
}

START_TEST(a_group_has_so_many_messages_at_most)
{
    static const struct weir_new_message messages[WEIR_GROUP_MESSAGES_MAX];
    struct weir_stream_append parts[3];
    struct weir_write writes[3];
    writes[0] = append_of(&parts[0], messages, WEIR_GROUP_MESSAGES_MAX - 1);
    writes[1] = append_of(&parts[1], messages, 1);
    writes[2] = append_of(&parts[2], messages, 1);
    for (size_t w = 0; w < 3; w++) {
        (void)weir_lane_add(&lane, &writes[w]);
    }
    ck_assert_uint_eq(length(weir_lane_take(&lane)), 2);
    ck_assert(weir_lane_go_on(&lane));
    ck_assert_uint_eq(length(weir_lane_take(&lane)), 1);
    ck_assert(!weir_lane_go_on(&lane));
}
END_TEST

START_TEST(a_group_has_so_many_bytes_at_most_but_one_write_is_always_taken)
{
    /* The lane looks only at the lengths. */
    const struct weir_import_record huge = {
        .message = {.data = {(const uint8_t *)"", (size_t)WEIR_GROUP_BYTES_MAX + 1}}};
    const struct weir_new_message small = {.data = {(const uint8_t *)"", 1}};
    struct weir_stream_append part;
    struct weir_write writes[2] = {
        {.kind = WEIR_WRITE_IMPORT, .of.import = {.records = &huge, .n = 1}}};
    writes[1] = append_of(&part, &small, 1);
    (void)weir_lane_add(&lane, &writes[0]);
    (void)weir_lane_add(&lane, &writes[1]);
    ck_assert_ptr_eq(weir_lane_take(&lane), &writes[0]);
    ck_assert_ptr_null(writes[0].next);
    ck_assert(weir_lane_go_on(&lane));
    ck_assert_ptr_eq(weir_lane_take(&lane), &writes[1]);
    ck_assert(!weir_lane_go_on(&lane));
}
END_TEST

/* Of the four queued writes, those whose bit is set in _i have missed their deadline. */
START_TEST(those_whose_deadline_has_passed_leave_the_queue)
{
    struct weir_write writes[4];
    size_t late_n = 0;
    for (int w = 0; w < 4; w++) {
        const bool is_late = (_i >> w & 1) != 0;
        writes[w] =
            (struct weir_write){.kind = WEIR_WRITE_CLEAR, .deadline_us = is_late ? 0 : INT64_MAX};
        late_n += is_late;
        (void)weir_lane_add(&lane, &writes[w]);
    }
    ck_assert_uint_eq(length(weir_lane_take_late(&lane)), late_n);
    ck_assert_uint_eq(lane.queued, 4 - late_n);
    struct weir_write last = {.kind = WEIR_WRITE_CLEAR, .deadline_us = INT64_MAX};
    ck_assert(!weir_lane_add(&lane, &last));
    const struct weir_write *left = weir_lane_take(&lane);
    for (int w = 0; w < 4; w++) {
        if (writes[w].deadline_us != 0) {
            ck_assert_ptr_eq(left, &writes[w]);
            left = left->next;
        }
    }
    ck_assert_ptr_eq(left, &last);
    ck_assert_ptr_null(last.next);
    ck_assert(!weir_lane_go_on(&lane));
}
END_TEST

/* Types, data and metadata are counted together. */
START_TEST(all_that_a_message_holds_counts)
{
    const struct weir_slice third = {(const uint8_t *)"", (size_t)WEIR_GROUP_BYTES_MAX / 3};
    const struct weir_new_message large = {.type = third, .data = third, .metadata = third};
    const struct weir_new_message small[] = {{.type = {(const uint8_t *)"", 3}},
                                             {.data = {(const uint8_t *)"", 3}},
                                             {.metadata = {(const uint8_t *)"", 3}}};
    struct weir_stream_append parts[4];
    struct weir_write writes[4] = {append_of(&parts[0], &large, 1)};
    (void)weir_lane_add(&lane, &writes[0]);
    for (size_t i = 0; i < 3; i++) {
        writes[i + 1] = append_of(&parts[i + 1], &small[i], 1);
        (void)weir_lane_add(&lane, &writes[i + 1]);
    }
    ck_assert_uint_eq(length(weir_lane_take(&lane)), 1);
    ck_assert(weir_lane_go_on(&lane));
    ck_assert_uint_eq(length(weir_lane_take(&lane)), 3);
    ck_assert(!weir_lane_go_on(&lane));
}
END_TEST

START_TEST(what_has_come_since_joins_the_group_behind_its_last)
{
    struct weir_write writes[4] = {{.kind = WEIR_WRITE_CLEAR}};
    ck_assert(weir_lane_add(&lane, &writes[0]));
    ck_assert_ptr_eq(weir_lane_take(&lane), &writes[0]);
    ck_assert_ptr_null(weir_lane_join(&lane, &writes[0], 0));
    for (size_t w = 1; w < 3; w++) {
        ck_assert(!weir_lane_add(&lane, &writes[w]));
    }
    ck_assert_ptr_eq(weir_lane_join(&lane, &writes[0], 0), &writes[1]);
    ck_assert_ptr_null(weir_lane_join(&lane, &writes[2], 0));
    ck_assert(!weir_lane_add(&lane, &writes[3]));
    ck_assert_ptr_eq(weir_lane_join(&lane, &writes[2], 0), &writes[3]);
    for (size_t w = 0; w < 3; w++) {
        ck_assert_ptr_eq(writes[w].next, &writes[w + 1]);
    }
    ck_assert(!weir_lane_go_on(&lane));
}
END_TEST

START_TEST(those_that_join_are_within_the_bounds_of_the_whole_group)
{
    static struct weir_write writes[WEIR_GROUP_WRITES_MAX + 1];
    for (size_t w = 0; w < WEIR_COUNTOF(writes); w++) {
        writes[w].kind = WEIR_WRITE_CLEAR;
        writes[w].deadline_us = INT64_MAX;
    }
    (void)weir_lane_add(&lane, &writes[0]);
    struct weir_write *group = weir_lane_take(&lane);
    for (size_t w = 1; w < WEIR_COUNTOF(writes); w++) {
        (void)weir_lane_add(&lane, &writes[w]);
    }
    ck_assert_ptr_eq(weir_lane_join(&lane, &writes[0], 0), &writes[1]);
    ck_assert_uint_eq(length(group), WEIR_GROUP_WRITES_MAX);
    ck_assert_ptr_null(weir_lane_join(&lane, &writes[WEIR_GROUP_WRITES_MAX - 1], 0));
    ck_assert(weir_lane_go_on(&lane));
    ck_assert_ptr_eq(weir_lane_take(&lane), &writes[WEIR_GROUP_WRITES_MAX]);
    ck_assert(!weir_lane_go_on(&lane));
}
END_TEST

START_TEST(messages_of_those_that_join_are_counted_with_the_group)
{
    static const struct weir_new_message messages[WEIR_GROUP_MESSAGES_MAX];
    struct weir_stream_append parts[2];
    struct weir_write writes[2] = {append_of(&parts[0], messages, WEIR_GROUP_MESSAGES_MAX),
                                   append_of(&parts[1], messages, 1)};
    (void)weir_lane_add(&lane, &writes[0]);
    ck_assert_ptr_eq(weir_lane_take(&lane), &writes[0]);
    (void)weir_lane_add(&lane, &writes[1]);
    ck_assert_ptr_null(weir_lane_join(&lane, &writes[0], 0));
    ck_assert(weir_lane_go_on(&lane));
    ck_assert_ptr_eq(weir_lane_take(&lane), &writes[1]);
    ck_assert(!weir_lane_go_on(&lane));
}
END_TEST

/* ---- waiting for more ---- */

enum { MANY = 48, WANTED_OF_MANY = 24, HOUR_US = INT32_MAX };

static struct weir_write many[MANY];

/* Queues `n` writes on an idle lane and commits them as one group. */
static void commit_at_once(size_t n)
{
    for (size_t w = 0; w < n; w++) {
        many[w].kind = WEIR_WRITE_CLEAR;
        ck_assert(weir_lane_add(&lane, &many[w]) == (w == 0));
    }
    ck_assert_uint_eq(length(weir_lane_take(&lane)), n);
    ck_assert(!weir_lane_go_on(&lane));
}

START_TEST(nobody_waits_where_few_writes_are_on_their_way)
{
    commit_at_once(WEIR_LANE_WAITS_FROM - 1);
    (void)weir_lane_add(&lane, &many[0]);
    ck_assert_ptr_eq(weir_lane_take(&lane), &many[0]);
    ck_assert_ptr_null(weir_lane_join(&lane, &many[0], HOUR_US));
    ck_assert(!weir_lane_go_on(&lane));
}
END_TEST

static bool is_waiting(void)
{
    (void)pthread_mutex_lock(&lane.mutex);
    const bool is = lane.is_waiting;
    (void)pthread_mutex_unlock(&lane.mutex);
    return is;
}

static void *add_what_is_wanted(void *context)
{
    const size_t *wanted = context;
    while (!is_waiting()) {
        (void)sched_yield();
    }
    for (size_t w = 1; w < *wanted; w++) {
        (void)weir_lane_add(&lane, &many[w]);
    }
    return NULL;
}

/* Checks that, after a group of `on_their_way` writes, the leader waits until its group has
 * `wanted` writes. */
static void wait_after(size_t on_their_way, size_t wanted)
{
    commit_at_once(on_their_way);
    (void)weir_lane_add(&lane, &many[0]);
    struct weir_write *group = weir_lane_take(&lane);
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, add_what_is_wanted, &wanted), 0);
    ck_assert_ptr_eq(weir_lane_join(&lane, group, HOUR_US), &many[1]);
    ck_assert_uint_eq(length(group), wanted);
    (void)pthread_join(thread, NULL);
    ck_assert(!weir_lane_go_on(&lane));
}

START_TEST(where_some_are_the_leader_waits_for_a_third)
{
    wait_after(WEIR_LANE_WAITS_FROM, 3);
    wait_after(10, 4);
    wait_after(WEIR_LANE_MANY - 1, 11);
}
END_TEST

START_TEST(where_many_are_the_leader_waits_for_half)
{
    wait_after(WEIR_LANE_MANY, 16);
    wait_after(MANY, WANTED_OF_MANY);
}
END_TEST

START_TEST(the_leader_waits_for_those_that_wait_with_the_last_group_too)
{
    for (size_t w = 0; w < MANY; w++) {
        many[w].kind = WEIR_WRITE_CLEAR;
        (void)weir_lane_add(&lane, &many[w]);
        if (w == 0) {
            ck_assert_ptr_eq(weir_lane_take(&lane), &many[0]);
        }
    }
    ck_assert(weir_lane_go_on(&lane));
    ck_assert_uint_eq(lane.wanted, WANTED_OF_MANY);
    ck_assert_uint_eq(length(weir_lane_take(&lane)), MANY - 1);
    ck_assert(!weir_lane_go_on(&lane));
}
END_TEST

START_TEST(the_leader_waits_no_longer_than_it_is_told)
{
    commit_at_once(MANY);
    (void)weir_lane_add(&lane, &many[0]);
    ck_assert_ptr_eq(weir_lane_take(&lane), &many[0]);
    ck_assert_ptr_null(weir_lane_join(&lane, &many[0], 0));
    ck_assert_ptr_null(weir_lane_join(&lane, &many[0], 100));
    ck_assert_ptr_null(weir_lane_join(&lane, &many[0], HOUR_US));  // at most once per group
    ck_assert(!weir_lane_go_on(&lane));
}
END_TEST

/* ---- many threads ---- */

enum { THREADS = 4, WRITES_EACH = 2000 };

static size_t committed;  // written by leaders only: a data race on it means two leaders at once

static size_t late;  // likewise

/* Lets others add writes before each look at the queue. */
static void lead(void)
{
    do {
        (void)sched_yield();
        late += weir_lane_take_late(&lane) != NULL;
        (void)sched_yield();
        struct weir_write *last = weir_lane_take(&lane);
        while (last != NULL) {
            committed++;
            last = last->next != NULL ? last->next : weir_lane_join(&lane, last, 20);
        }
        (void)sched_yield();
    } while (weir_lane_go_on(&lane));
}

static void *submit_many(void *context)
{
    struct weir_write *writes = context;
    for (size_t w = 0; w < WRITES_EACH; w++) {
        writes[w].kind = WEIR_WRITE_CLEAR;
        writes[w].deadline_us = INT64_MAX;
        if (weir_lane_add(&lane, &writes[w])) {
            lead();
        }
    }
    return NULL;
}

START_TEST(of_many_threads_one_leads_at_a_time_and_no_write_is_lost)
{
    static struct weir_write writes[THREADS][WRITES_EACH];
    pthread_t threads[THREADS];
    committed = late = 0;
    for (size_t t = 0; t < THREADS; t++) {
        ck_assert_int_eq(pthread_create(&threads[t], NULL, submit_many, writes[t]), 0);
    }
    for (size_t t = 0; t < THREADS; t++) {
        (void)pthread_join(threads[t], NULL);
    }
    ck_assert_uint_eq(committed, (size_t)THREADS * WRITES_EACH);
    ck_assert_uint_eq(late, 0);
}
END_TEST

static Suite *lane_suite(void)
{
    Suite *suite = suite_create("lane");
    TCase *tcase = tcase_create("lane");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, the_first_leads_and_the_others_follow);
    tcase_add_test(tcase, what_comes_while_a_group_is_committed_is_the_next_group);
    tcase_add_test(tcase, an_idle_lane_is_led_anew);
    tcase_add_test(tcase, a_group_has_so_many_writes_at_most);
    tcase_add_test(tcase, a_group_has_so_many_messages_at_most);
    tcase_add_test(tcase, a_group_has_so_many_bytes_at_most_but_one_write_is_always_taken);
    tcase_add_loop_test(tcase, those_whose_deadline_has_passed_leave_the_queue, 0, 16);
    tcase_add_test(tcase, all_that_a_message_holds_counts);
    tcase_add_test(tcase, what_has_come_since_joins_the_group_behind_its_last);
    tcase_add_test(tcase, those_that_join_are_within_the_bounds_of_the_whole_group);
    tcase_add_test(tcase, messages_of_those_that_join_are_counted_with_the_group);
    tcase_add_test(tcase, nobody_waits_where_few_writes_are_on_their_way);
    tcase_add_test(tcase, where_some_are_the_leader_waits_for_a_third);
    tcase_add_test(tcase, where_many_are_the_leader_waits_for_half);
    tcase_add_test(tcase, the_leader_waits_for_those_that_wait_with_the_last_group_too);
    tcase_add_test(tcase, the_leader_waits_no_longer_than_it_is_told);
    tcase_add_test(tcase, of_many_threads_one_leads_at_a_time_and_no_write_is_lost);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return check_main(lane_suite());
}
