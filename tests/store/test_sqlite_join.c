/* Writes queued while a group is being applied are committed with the group, in order.
 *
 * Each insert of a message queues the next write from SQLite's update hook. */
#include "tests/lib/check_main.h"
#include "tests/store/store_fixture.h"

#include <sqlite3.h>

enum { WRITES = 4 };

static struct weir_write writes[WRITES];
static struct weir_error errors[WRITES];
static struct weir_stream_append parts[WRITES];
static struct weir_new_message messages[WRITES];
static struct weir_written written[WRITES];
static struct weir_write *waiting;  // next writes to queue, linked by `context`
static size_t done;
static bool must_fail;  // makes the commit fail

static void count_done(struct weir_write *write)
{
    (void)write;
    done++;
}

static void on_change(void *context, int operation, const char *schema, const char *table,
                      sqlite3_int64 row)
{
    (void)context;
    (void)schema;
    (void)row;
    struct weir_write *write = waiting;
    if (write != NULL && operation == SQLITE_INSERT && strcmp(table, "messages") == 0) {
        waiting = write->context;
        ck_assert(!weir_write_submit(fx.ns, write));
    }
}

static int on_commit(void *context)
{
    (void)context;
    return must_fail;
}

static int set_hooks(sqlite3 *db, char **text, const void *api)
{
    (void)text;
    (void)api;
    (void)sqlite3_update_hook(db, on_change, NULL);
    (void)sqlite3_commit_hook(db, on_commit, NULL);
    return SQLITE_OK;
}

/* Prepares appends of one message each to "a-1". */
static void set_up(void)
{
    ck_assert_int_eq(sqlite3_auto_extension((void (*)(void))set_hooks), SQLITE_OK);
    fixture_on_disk();
    for (size_t w = 0; w < WRITES; w++) {
        messages[w] = message_of(w + 1, "1");
        writes[w] = write_of(&parts[w], "a-1", ANY, &messages[w], &written[w]);
        writes[w].deadline_us = INT64_MAX;
        writes[w].arena = &fx.arena;
        writes[w].err = &errors[w];
        writes[w].done = count_done;
    }
    done = 0;
    must_fail = false;
    waiting = NULL;
}

static void tear_down(void)
{
    fixture_end();
    (void)sqlite3_cancel_auto_extension((void (*)(void))set_hooks);
}

/* Queues the first of `n` writes; each insert queues the next one. Commits one group and returns
 * its number of writes. */
static size_t commit_with_late_ones(size_t n)
{
    for (size_t w = 1; w < n; w++) {
        writes[w].context = w + 1 < n ? &writes[w + 1] : NULL;
    }
    waiting = n > 1 ? &writes[1] : NULL;
    ck_assert(weir_write_submit(fx.ns, &writes[0]));
    struct weir_write *group = NULL;
    ck_assert(!weir_lane_commit(fx.ns, &group));
    size_t in_group = 0;
    for (struct weir_write *w = group; w != NULL; w = w->next) {
        ck_assert_ptr_eq(w, &writes[in_group++]);
    }
    weir_group_finish(group);
    ck_assert_uint_eq(done, in_group);
    return in_group;
}

START_TEST(what_comes_while_a_group_is_applied_is_committed_with_it)
{
    ck_assert_uint_eq(commit_with_late_ones(WRITES), WRITES);
    for (size_t w = 0; w < WRITES; w++) {
        ck_assert_int_eq(errors[w].status, WEIR_OK);
        ck_assert_int_eq(written[w].position, (int64_t)w);
        ck_assert_int_eq(written[w].global_position, (int64_t)w + 1);
    }
    reopen();
    ck_assert_int_eq(must_version(fx.ns, "a-1"), WRITES - 1);
}
END_TEST

START_TEST(one_that_joins_is_judged_by_what_went_before_it)
{
    parts[1].expectation = EXACT(5);
    parts[2].expectation = EXACT(0);
    /* The refused write inserts nothing, so no further write is queued. */
    ck_assert_uint_eq(commit_with_late_ones(2), 2);
    ck_assert_int_eq(errors[1].status, WEIR_STREAM_VERSION_CONFLICT);
    ck_assert_int_eq(must_version(fx.ns, "a-1"), 0);
    ck_assert_int_eq(commit_write(fx.ns, &writes[2]), WEIR_OK);
    ck_assert_int_eq(written[2].global_position, 2);
}
END_TEST

START_TEST(one_that_joins_past_its_deadline_is_refused)
{
    writes[1].deadline_us = 1;
    ck_assert_uint_eq(commit_with_late_ones(2), 2);
    ck_assert_int_eq(errors[0].status, WEIR_OK);
    ck_assert_int_eq(errors[1].status, WEIR_DEADLINE_EXCEEDED);
    ck_assert_int_eq(must_version(fx.ns, "a-1"), 0);
}
END_TEST

START_TEST(one_that_joins_may_empty_the_namespace)
{
    writes[1].kind = WEIR_WRITE_CLEAR;
    writes[1].of.clear = (struct weir_clear){.messages_deleted = 0};
    ck_assert_uint_eq(commit_with_late_ones(2), 2);
    ck_assert_int_eq(errors[1].status, WEIR_OK);
    ck_assert_int_eq(writes[1].of.clear.messages_deleted, 1);
    ck_assert_int_eq(must_version(fx.ns, "a-1"), -1);
}
END_TEST

START_TEST(those_that_joined_fail_with_their_group)
{
    must_fail = true;
    ck_assert_uint_eq(commit_with_late_ones(WRITES), WRITES);
    must_fail = false;
    for (size_t w = 0; w < WRITES; w++) {
        ck_assert_int_ne(errors[w].status, WEIR_OK);
    }
    ck_assert_int_eq(must_version(fx.ns, "a-1"), -1);
    ck_assert_int_eq(must_head(fx.ns), 0);
}
END_TEST

/* Its own outcome is certain even if the group fails. */
START_TEST(one_that_was_too_late_is_told_so_though_its_group_fails)
{
    must_fail = true;
    writes[1].deadline_us = 1;
    ck_assert_uint_eq(commit_with_late_ones(2), 2);
    must_fail = false;
    ck_assert_int_eq(errors[0].status, WEIR_BACKEND_ERROR);
    ck_assert_int_eq(errors[1].status, WEIR_DEADLINE_EXCEEDED);
}
END_TEST

static Suite *join_suite(void)
{
    Suite *suite = suite_create("sqlite_join");
    TCase *tcase = tcase_create("join");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, what_comes_while_a_group_is_applied_is_committed_with_it);
    tcase_add_test(tcase, one_that_joins_is_judged_by_what_went_before_it);
    tcase_add_test(tcase, one_that_joins_past_its_deadline_is_refused);
    tcase_add_test(tcase, one_that_joins_may_empty_the_namespace);
    tcase_add_test(tcase, those_that_joined_fail_with_their_group);
    tcase_add_test(tcase, one_that_was_too_late_is_told_so_though_its_group_fails);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return check_main(join_suite());
}
