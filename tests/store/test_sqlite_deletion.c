/* Deletions of a namespace while other threads and processes use it. */
#include "tests/lib/check_main.h"
#include "tests/store/store_fixture.h"

#include "weir/base/monotonic.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

struct outcome {
    int64_t deadline_us;
    struct weir_error err;
    atomic_bool is_told;
};

static void *delete_in_thread(void *context)
{
    struct outcome *outcome = context;
    int64_t deleted = 0;
    weir_error_init(&outcome->err);
    (void)weir_namespace_delete(fx.store, weir_slice_of("test"), outcome->deadline_us, &deleted,
                                &outcome->err);
    atomic_store(&outcome->is_told, true);
    return NULL;
}

/* The deletion waits for another process, without holding up the registry. */
START_TEST(a_deletion_that_waits_delays_no_other_namespace)
{
    struct outcome outcome = {.deadline_us = INT64_MAX};
    const struct timespec pause = {.tv_nsec = 10 * 1000 * 1000};
    pthread_t thread;
    sqlite3 *other = NULL;
    ck_assert_int_eq(sqlite3_open(namespace_path(), &other), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    ck_assert_int_eq(pthread_create(&thread, NULL, delete_in_thread, &outcome), 0);
    for (int n = 0; n < 20; n++) {
        char id[16];
        (void)snprintf(id, sizeof id, "other-%d", n);
        must_create(fx.store, id);
        ck_assert(!atomic_load(&outcome.is_told));
        (void)nanosleep(&pause, NULL);
    }
    ck_assert_int_eq(sqlite3_close(other), SQLITE_OK);
    (void)pthread_join(thread, NULL);
    ck_assert_int_eq(outcome.err.status, WEIR_OK);
    must_create(fx.store, "test");
}
END_TEST

/* The deletion waits only until its deadline; meanwhile the namespace is not reported as
 * deleted. */
START_TEST(a_deletion_that_fails_leaves_the_namespace_in_use)
{
    struct outcome outcome = {.is_told = false};
    const int64_t from_us = weir_monotonic_us();
    struct weir_head head;
    pthread_t thread;
    sqlite3 *other = start_program(namespace_path(), "BEGIN IMMEDIATE");
    outcome.deadline_us = from_us + 500 * 1000;
    ck_assert_int_eq(pthread_create(&thread, NULL, delete_in_thread, &outcome), 0);
    while (!atomic_load(&outcome.is_told)) {
        const weir_status status = weir_head(fx.ns, INT64_MAX, &head, &fx.err);
        ck_assert(status == WEIR_OK || status == WEIR_BACKEND_UNAVAILABLE);
    }
    (void)pthread_join(thread, NULL);
    ck_assert_int_eq(outcome.err.status, WEIR_DEADLINE_EXCEEDED);
    ck_assert_int_lt(weir_monotonic_us() - from_us, 3 * 1000 * 1000);
    end_program(other);
    must_put(fx.ns, "a-1", 1);
}
END_TEST

/* ---- a concurrent deletion by another process ---- */

static char path[400];
static bool is_awaited;
static sqlite3 *other;

/* Locks the namespace's database as soon as it has left the registry, as another process does that
 * deletes the namespace as well and then waits for the registry. */
static int on_prepare(void *context, int action, const char *table, const char *second,
                      const char *schema, const char *trigger)
{
    (void)context;
    (void)second;
    (void)schema;
    (void)trigger;
    if (action == SQLITE_DELETE && strcmp(table, "doomed_files") == 0 && is_awaited) {
        is_awaited = false;
        other = start_program(path, "BEGIN IMMEDIATE");
    }
    return SQLITE_OK;
}

static int watch(sqlite3 *db, char **text, const void *api)
{
    (void)text;
    (void)api;
    return sqlite3_set_authorizer(db, on_prepare, NULL);
}

static void on_disk_and_watched(void)
{
    is_awaited = false;
    other = NULL;
    ck_assert_int_eq(sqlite3_auto_extension((void (*)(void))watch), SQLITE_OK);
    fixture_dir_only();
    fx.store = open_store(fx.url, 4);
}

static void end_watched(void)
{
    fixture_end();
    (void)sqlite3_cancel_auto_extension((void (*)(void))watch);
}

START_TEST(of_two_deletions_neither_waits_for_what_the_other_has)
{
    must_create(fx.store, "test");
    (void)snprintf(path, sizeof path, "%s", namespace_path());
    is_awaited = true;
    int64_t deleted = 0;
    ck_assert_int_eq(
        weir_namespace_delete(fx.store, weir_slice_of("test"), INT64_MAX, &deleted, &fx.err),
        WEIR_OK);
    ck_assert(!is_awaited);
    ck_assert_str_eq(fx.report, "");
    ck_assert_int_ne(access(path, F_OK), 0);
    end_program(other);
    must_create(fx.store, "test");
}
END_TEST

/* ---- removal of an open file ---- */

static char wal_path[sizeof path + 8];
static bool is_wal_kept;

/* Closes the other connection during the deletion. The last connection to close a database removes
 * the WAL by name, which soon may belong to another file. */
static int close_other(void *context, int action, const char *table, const char *second,
                       const char *schema, const char *trigger)
{
    (void)context;
    (void)second;
    (void)schema;
    (void)trigger;
    if (action == SQLITE_DELETE && strcmp(table, "doomed_files") == 0 && other != NULL) {
        end_program(other);
        other = NULL;
        is_wal_kept = access(wal_path, F_OK) == 0;
    }
    return SQLITE_OK;
}

static int watch_removal(sqlite3 *db, char **text, const void *api)
{
    (void)text;
    (void)api;
    return sqlite3_set_authorizer(db, close_other, NULL);
}

START_TEST(who_closes_a_deleted_file_is_not_the_last_to_do_so)
{
    other = NULL;
    ck_assert_int_eq(sqlite3_auto_extension((void (*)(void))watch_removal), SQLITE_OK);
    fx.store = open_store(fx.url, 4);
    must_create(fx.store, "test");
    (void)snprintf(path, sizeof path, "%s", namespace_path());
    (void)snprintf(wal_path, sizeof wal_path, "%s-wal", path);
    is_wal_kept = false;
    other = start_program(path, "SELECT * FROM counters");
    int64_t deleted = 0;
    ck_assert_int_eq(
        weir_namespace_delete(fx.store, weir_slice_of("test"), INT64_MAX, &deleted, &fx.err),
        WEIR_OK);
    (void)sqlite3_cancel_auto_extension((void (*)(void))watch_removal);
    ck_assert_ptr_null(other);
    ck_assert(is_wal_kept);
    ck_assert_int_ne(access(path, F_OK), 0);
    ck_assert_int_ne(access(wal_path, F_OK), 0);
}
END_TEST

/* ---- a namespace re-created by another process ---- */

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static bool has_to_wait;  // the deletion in the thread, for the first one's lock
static bool may_go_on;
static _Thread_local bool is_in_thread;
static pthread_t thread_of_second;
static struct outcome second_outcome;
static int (*sleep_of_vfs)(sqlite3_vfs *vfs, int us);

static int sleep_until_told(sqlite3_vfs *vfs, int us)
{
    if (!is_in_thread) {
        return sleep_of_vfs(vfs, us);
    }
    (void)pthread_mutex_lock(&mutex);
    has_to_wait = true;
    (void)pthread_cond_broadcast(&changed);
    while (!may_go_on) {
        (void)pthread_cond_wait(&changed, &mutex);
    }
    (void)pthread_mutex_unlock(&mutex);
    return us;
}

static void *delete_in_second(void *context)
{
    struct outcome *outcome = context;
    int64_t deleted = 0;
    is_in_thread = true;
    weir_error_init(&outcome->err);
    (void)weir_namespace_delete(fx.second, weir_slice_of("test"), INT64_MAX, &deleted,
                                &outcome->err);
    return NULL;
}

/* Starts the second deletion while the first holds the lock of the namespace's database and has not
 * yet removed the namespace from the registry. */
static int start_second(void *context, int action, const char *table, const char *second,
                        const char *schema, const char *trigger)
{
    (void)context;
    (void)second;
    (void)schema;
    (void)trigger;
    if (action == SQLITE_INSERT && strcmp(table, "doomed_files") == 0 && is_awaited) {
        is_awaited = false;
        ck_assert_int_eq(pthread_create(&thread_of_second, NULL, delete_in_second, &second_outcome),
                         0);
        (void)pthread_mutex_lock(&mutex);
        while (!has_to_wait) {
            (void)pthread_cond_wait(&changed, &mutex);
        }
        (void)pthread_mutex_unlock(&mutex);
    }
    return SQLITE_OK;
}

static int watch_list(sqlite3 *db, char **text, const void *api)
{
    (void)text;
    (void)api;
    return sqlite3_set_authorizer(db, start_second, NULL);
}

START_TEST(a_deletion_goes_on_with_what_another_process_has_made_anew)
{
    ck_assert_int_eq(sqlite3_auto_extension((void (*)(void))watch_list), SQLITE_OK);
    fx.store = open_store(fx.url, 4);
    fx.second = open_store(fx.url, 4);
    must_create(fx.store, "test");
    sqlite3_vfs *vfs = sqlite3_vfs_find("weir");
    sleep_of_vfs = vfs->xSleep;
    vfs->xSleep = sleep_until_told;
    has_to_wait = false;
    may_go_on = false;
    is_awaited = true;
    int64_t deleted = 0;
    ck_assert_int_eq(
        weir_namespace_delete(fx.store, weir_slice_of("test"), INT64_MAX, &deleted, &fx.err),
        WEIR_OK);
    must_create(fx.store, "test");
    (void)pthread_mutex_lock(&mutex);
    may_go_on = true;
    (void)pthread_cond_broadcast(&changed);
    (void)pthread_mutex_unlock(&mutex);
    (void)pthread_join(thread_of_second, NULL);
    vfs->xSleep = sleep_of_vfs;
    (void)sqlite3_cancel_auto_extension((void (*)(void))watch_list);
    ck_assert_msg(second_outcome.err.status == WEIR_OK, "%s", second_outcome.err.text);
    must_create(fx.store, "test");
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("sqlite_deletion");
    TCase *tcase = tcase_create("files");
    tcase_add_checked_fixture(tcase, fixture_on_disk, fixture_end);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, a_deletion_that_waits_delays_no_other_namespace);
    tcase_add_test(tcase, a_deletion_that_fails_leaves_the_namespace_in_use);
    suite_add_tcase(suite, tcase);
    TCase *two = tcase_create("two");
    tcase_add_checked_fixture(two, on_disk_and_watched, end_watched);
    tcase_set_timeout(two, 60);
    tcase_add_test(two, of_two_deletions_neither_waits_for_what_the_other_has);
    suite_add_tcase(suite, two);
    TCase *others = tcase_create("others");
    tcase_add_checked_fixture(others, fixture_dir_only, fixture_end);
    tcase_set_timeout(others, 60);
    tcase_add_test(others, who_closes_a_deleted_file_is_not_the_last_to_do_so);
    tcase_add_test(others, a_deletion_goes_on_with_what_another_process_has_made_anew);
    suite_add_tcase(suite, others);
    return suite;
}

int main(void)
{
    return check_main(make_suite());
}
