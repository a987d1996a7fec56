/* Files removed, renamed or replaced while a store has them open: no write is acknowledged that
 * could not be found again, and no acknowledged write is lost. */
#include "tests/lib/check_main.h"
#include "tests/store/store_fixture.h"

#include "store/sqlite/sqlite_checkpoint.h"
#include "store/store_int.h"
#include "weir/base/monotonic.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char file[256];
static char wal[sizeof file + 8];
static char away[sizeof file + 8];

/* Starts with three acknowledged messages. */
static void begin(void)
{
    fixture_on_disk();
    must_put(fx.ns, "a-1", 3);
    (void)snprintf(file, sizeof file, "%s", namespace_path());
    (void)snprintf(wal, sizeof wal, "%s-wal", file);
    (void)snprintf(away, sizeof away, "%s-away", file);
    fx.report[0] = '\0';
}

static void must_be_refused(const char *told)
{
    ck_assert_int_eq(put_one(101), WEIR_BACKEND_UNAVAILABLE);
    ck_assert_ptr_null(strstr(fx.err.text, fx.dir));
    ck_assert_msg(strstr(fx.report, told) != NULL, "%s", fx.report);
    const int64_t head = must_head(fx.ns);
    ck_assert_int_eq(put_one(102), WEIR_BACKEND_UNAVAILABLE);
    ck_assert_int_eq(must_head(fx.ns), head);
}

/* Returns the number of messages that the next server would find after a crash. */
static int64_t stored_in_file(void)
{
    char url[sizeof file + 32];
    sqlite3 *db = NULL;
    sqlite3_stmt *statement = NULL;
    (void)snprintf(url, sizeof url, "file:%s?immutable=1", file);
    ck_assert_int_eq(sqlite3_open_v2(url, &db, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, NULL),
                     SQLITE_OK);
    ck_assert_int_eq(sqlite3_prepare_v2(db, "SELECT count(*) FROM messages", -1, &statement, NULL),
                     SQLITE_OK);
    ck_assert_int_eq(sqlite3_step(statement), SQLITE_ROW);
    const int64_t n = sqlite3_column_int64(statement, 0);
    (void)sqlite3_finalize(statement);
    (void)sqlite3_close(db);
    return n;
}

START_TEST(a_file_that_is_removed_takes_no_writes_and_is_read)
{
    ck_assert_int_eq(unlink(file), 0);
    must_be_refused("export");
    const struct weir_query query = query_all();
    must_read(fx.ns, &query);
    ck_assert_uint_ge(fx.rows.n, 3);
}
END_TEST

START_TEST(a_file_that_is_put_back_takes_writes_again)
{
    ck_assert_int_eq(rename(file, away), 0);
    must_be_refused("put it back");
    ck_assert_int_eq(rename(away, file), 0);
    ck_assert_int_eq(put_one(103), WEIR_OK);
    const int64_t head = must_head(fx.ns);
    reopen();
    ck_assert_int_eq(must_head(fx.ns), head);
}
END_TEST

/* Waits until a checkpoint of "test" has been asked for and has ended: one of "other", asked for
 * after it, has. */
static void let_be_checkpointed(void)
{
    const struct sqlite_backend *backend = (const struct sqlite_backend *)fx.store->backend;
    const int64_t until_us = weir_monotonic_us() + 20000000;
    char name[WEIR_SQLITE_NAME_BYTES];
    weir_sqlite_database_name(weir_slice_of("test"), name);
    weir_sqlite_checkpointer_ask(backend->checkpointer, name);
    weir_sqlite_database_name(weir_slice_of("other"), name);
    weir_sqlite_checkpointer_ask(backend->checkpointer, name);
    while (!weir_sqlite_checkpointer_take(backend->checkpointer, name)) {
        ck_assert_int_lt(weir_monotonic_us(), until_us);
    }
}

static bool is_in_file(const uint8_t *bytes, size_t n)
{
    uint8_t *now = NULL;
    size_t now_n = 0;
    ck_assert(file_bytes(file, &now, &now_n));
    const bool is_same = now_n == n && memcmp(now, bytes, n) == 0;
    free(now);
    return is_same;
}

/* A session opened meanwhile does not use the new file either, and what is in the WAL is not moved
 * there. */
START_TEST(a_file_that_is_replaced_is_not_mixed_with_the_one_in_use)
{
    uint8_t *bytes = NULL;
    size_t n = 0;
    must_create(fx.store, "other");
    ck_assert(file_bytes(file, &bytes, &n));
    ck_assert_int_eq(rename(file, away), 0);
    write_file(file, bytes, n);
    must_be_refused("replaced");
    ck_assert_int_ge(must_head(fx.ns), 3);
    let_be_checkpointed();
    ck_assert(is_in_file(bytes, n));
    free(bytes);
    struct weir_backend *backend = fx.store->backend;
    struct weir_session *other = NULL;
    bool is_short_of_files = false;
    ck_assert_int_eq(backend->ops->session_open(backend, weir_slice_of("test"), INT64_MAX, &other,
                                                &is_short_of_files, &fx.err),
                     WEIR_BACKEND_UNAVAILABLE);
    ck_assert(!is_short_of_files);
    ck_assert_int_eq(rename(away, file), 0);
    ck_assert_int_eq(put_one(103), WEIR_OK);
}
END_TEST

static bool is_to_be_replaced;
static bool is_to_be_listed_anew;

/* Replaces the file between the opening of the database and that of its WAL, as another process
 * does that deletes the namespace and creates it again. */
static int replace(sqlite3 *db, char **text, const void *api)
{
    (void)text;
    (void)api;
    if (is_to_be_replaced && strcmp(sqlite3_db_filename(db, "main"), file) == 0) {
        is_to_be_replaced = false;
        ck_assert_int_eq(rename(file, away), 0);
        uint8_t *bytes = NULL;
        size_t n = 0;
        ck_assert(file_bytes(away, &bytes, &n));
        write_file(file, bytes, n);
        free(bytes);
        if (is_to_be_listed_anew) {
            run_sql(path_in_dir("registry.db"), "UPDATE namespaces SET created_at_us = 17");
        }
    }
    return SQLITE_OK;
}

static weir_status open_while_it_is_replaced(void)
{
    struct weir_namespace *ns = NULL;
    close_all();
    fx.store = open_store(fx.url, 4);
    ck_assert_int_eq(sqlite3_auto_extension((void (*)(void))replace), SQLITE_OK);
    is_to_be_replaced = true;
    const weir_status status =
        weir_namespace_open(fx.store, weir_slice_of("test"), INT64_MAX, &ns, &fx.err);
    ck_assert(!is_to_be_replaced);
    (void)sqlite3_cancel_auto_extension((void (*)(void))replace);
    fx.ns = ns;
    return status;
}

START_TEST(a_file_that_is_replaced_while_it_is_opened_is_not_used)
{
    is_to_be_listed_anew = false;
    ck_assert_int_eq(open_while_it_is_replaced(), WEIR_BACKEND_UNAVAILABLE);
    ck_assert_ptr_null(strstr(fx.err.text, fx.dir));
    fx.ns = must_open(fx.store, "test");
    ck_assert_int_eq(must_head(fx.ns), 3);
}
END_TEST

START_TEST(a_namespace_that_is_made_anew_while_it_is_opened_is_opened)
{
    fx.report[0] = '\0';
    is_to_be_listed_anew = true;
    ck_assert_msg(open_while_it_is_replaced() == WEIR_OK, "%s", fx.err.text);
    ck_assert_str_eq(fx.report, "");
    ck_assert_int_eq(must_head(fx.ns), 3);
}
END_TEST

/* The acknowledged messages were only in the WAL. */
START_TEST(a_wal_that_is_removed_takes_no_writes_and_loses_nothing)
{
    ck_assert_int_eq(_i == 0 ? unlink(wal) : rename(wal, away), 0);
    must_be_refused("SIGTERM");
    ck_assert_int_ge(stored_in_file(), 3);
    ck_assert_int_ge(must_head(fx.ns), 3);
    reopen();
    ck_assert_int_ge(must_head(fx.ns), 3);
    ck_assert_int_eq(put_one(103), WEIR_OK);
}
END_TEST

/* SQLite checks that the file still exists before it moves the WAL's contents, but not before it
 * removes the WAL by name. */
START_TEST(who_closes_a_stale_session_leaves_the_wal_alone)
{
    atomic_store(&WEIR_LINKED(fx.ns->shelf.idle.before, struct weir_session, at_shelf)->is_stale,
                 true);
    close_all();
    ck_assert_int_eq(access(wal, F_OK), 0);
    reopen();
    ck_assert_int_eq(must_head(fx.ns), 3);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("sqlite_identity");
    TCase *tcase = tcase_create("files");
    tcase_add_checked_fixture(tcase, begin, fixture_end);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, a_file_that_is_removed_takes_no_writes_and_is_read);
    tcase_add_test(tcase, a_file_that_is_put_back_takes_writes_again);
    tcase_add_test(tcase, a_file_that_is_replaced_is_not_mixed_with_the_one_in_use);
    tcase_add_test(tcase, a_file_that_is_replaced_while_it_is_opened_is_not_used);
    tcase_add_test(tcase, a_namespace_that_is_made_anew_while_it_is_opened_is_opened);
    tcase_add_loop_test(tcase, a_wal_that_is_removed_takes_no_writes_and_loses_nothing, 0, 2);
    tcase_add_test(tcase, who_closes_a_stale_session_leaves_the_wal_alone);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return check_main(make_suite());
}
