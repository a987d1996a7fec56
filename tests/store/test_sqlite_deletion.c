/* A deletion of a namespace and who else is at work meanwhile. */
#include "tests/lib/check_main.h"
#include "tests/store/store_fixture.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

struct outcome {
    struct weir_error err;
    atomic_bool is_told;
};

static void *delete_in_thread(void *context)
{
    struct outcome *outcome = context;
    int64_t deleted = 0;
    weir_error_init(&outcome->err);
    (void)weir_namespace_delete(fx.store, weir_slice_of("test"), INT64_MAX, &deleted,
                                &outcome->err);
    atomic_store(&outcome->is_told, true);
    return NULL;
}

/* It waits for another process; the list of namespaces does not wait with it. */
START_TEST(a_deletion_that_waits_delays_no_other_namespace)
{
    struct outcome outcome = {.is_told = false};
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

/* ---- another process that deletes it as well ---- */

static char path[400];
static bool is_awaited;
static sqlite3 *other;

/* It gets the lock of the namespace's database in the moment when that is off the list, and holds
 * it while it waits for the list itself. */
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

static Suite *make_suite(void)
{
    Suite *suite = suite_create("sqlite_deletion");
    TCase *tcase = tcase_create("files");
    tcase_add_checked_fixture(tcase, fixture_on_disk, fixture_end);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, a_deletion_that_waits_delays_no_other_namespace);
    suite_add_tcase(suite, tcase);
    TCase *two = tcase_create("two");
    tcase_add_checked_fixture(two, on_disk_and_watched, end_watched);
    tcase_set_timeout(two, 60);
    tcase_add_test(two, of_two_deletions_neither_waits_for_what_the_other_has);
    suite_add_tcase(suite, two);
    return suite;
}

int main(void)
{
    return check_main(make_suite());
}
