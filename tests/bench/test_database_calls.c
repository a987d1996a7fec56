/* Which of SQLite's calls count as calls on the database file: those of a checkpoint, not those of
 * a commit. */
#include "bench/floor/database_calls.h"

#include "tests/lib/check_main.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char directory[32];
static char path[sizeof directory + 8];
static sqlite3 *db;

static void run(const char *sql)
{
    ck_assert_int_eq(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
}

static void set_up(void)
{
    (void)snprintf(directory, sizeof directory, "/tmp/weir-bench-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(directory));
    (void)snprintf(path, sizeof path, "%s/a.db", directory);
    ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
    run("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0;"
        "CREATE TABLE t (x BLOB)");
}

static void tear_down(void)
{
    ck_assert_int_eq(sqlite3_close(db), SQLITE_OK);
    (void)unlink(path);
    (void)rmdir(directory);
}

START_TEST(a_commit_is_not_one)
{
    const struct database_calls before = database_calls_now();
    run("INSERT INTO t VALUES (zeroblob(100)), (zeroblob(20000))");
    ck_assert(!database_calls_since(&before));
}
END_TEST

START_TEST(a_checkpoint_is)
{
    run("INSERT INTO t VALUES (zeroblob(100))");
    const struct database_calls before = database_calls_now();
    run("PRAGMA wal_checkpoint(PASSIVE)");
    ck_assert(database_calls_since(&before));
    const struct database_calls after = database_calls_now();
    ck_assert(!database_calls_since(&after));
}
END_TEST

static Suite *database_calls_suite(void)
{
    Suite *suite = suite_create("database_calls");
    TCase *tcase = tcase_create("database_calls");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, a_commit_is_not_one);
    tcase_add_test(tcase, a_checkpoint_is);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return check_main(database_calls_suite());
}
