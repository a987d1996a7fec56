/* Files as other programs and operators leave them while no server runs: in another journal mode,
 * linked, or without the right to write them. */
#define _GNU_SOURCE  // setresuid
#include "tests/lib/check_main.h"
#include "tests/store/store_fixture.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { NOBODY = 65534 };

static char file[256];
static char away[sizeof file + 8];
static char registry[256];

/* Starts with three messages and without a server. */
static void begin(void)
{
    fixture_on_disk();
    must_put(fx.ns, "a-1", 3);
    (void)snprintf(file, sizeof file, "%s", namespace_path());
    (void)snprintf(away, sizeof away, "%s-away", file);
    (void)snprintf(registry, sizeof registry, "%s", path_in_dir("registry.db"));
    close_all();
    fx.report[0] = '\0';
}

static void must_go_on(int64_t head)
{
    reopen();
    ck_assert_int_eq(must_head(fx.ns), head);
    ck_assert_int_eq(put_one(100 + (uint64_t)head), WEIR_OK);
    ck_assert_str_eq(fx.report, "");
    close_all();
}

static void vacuum_into_copy(const char *path)
{
    char sql[sizeof away + 32];
    (void)snprintf(sql, sizeof sql, "VACUUM INTO '%s'", away);
    run_sql(path, sql);
    ck_assert_int_eq(rename(away, path), 0);
}

START_TEST(copies_made_by_vacuum_into_are_used)
{
    vacuum_into_copy(file);
    vacuum_into_copy(registry);
    must_go_on(3);
    must_go_on(4);
}
END_TEST

START_TEST(files_in_another_journal_mode_are_used)
{
    run_sql(file, "PRAGMA journal_mode = DELETE");
    run_sql(registry, "PRAGMA journal_mode = TRUNCATE");
    must_go_on(3);
    must_go_on(4);
}
END_TEST

static void *end_program_soon(void *program)
{
    const struct timespec nap = {.tv_nsec = 200 * 1000 * 1000};
    (void)nanosleep(&nap, NULL);
    end_program(program);
    return NULL;
}

/* As while another server, or another call, puts the same file into WAL mode. SQLite itself does
 * not wait there. */
START_TEST(who_writes_the_file_in_another_journal_mode_is_waited_for)
{
    run_sql(file, "PRAGMA journal_mode = DELETE");
    sqlite3 *program = start_program(file, "BEGIN IMMEDIATE");
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, end_program_soon, program), 0);
    must_go_on(3);
    (void)pthread_join(thread, NULL);
}
END_TEST

static void must_be_refused(const char *told)
{
    struct weir_namespace *ns = NULL;
    fx.store = open_store(fx.url, 4);
    ck_assert_int_eq(weir_namespace_open(fx.store, weir_slice_of("test"), INT64_MAX, &ns, &fx.err),
                     WEIR_BACKEND_UNAVAILABLE);
    ck_assert_ptr_null(strstr(fx.err.text, fx.dir));
    ck_assert_msg(strstr(fx.report, told) != NULL, "%s", fx.report);
    close_all();
    fx.report[0] = '\0';
}

/* Only the single connection to a file can change its mode. */
START_TEST(a_program_that_keeps_the_mode_from_being_changed_is_told_of)
{
    run_sql(file, "PRAGMA journal_mode = DELETE");
    sqlite3 *program = start_program(file, "BEGIN; SELECT count(*) FROM counters");
    must_be_refused("locked");
    end_program(program);
    must_go_on(3);
}
END_TEST

START_TEST(a_link_is_not_followed)
{
    ck_assert_int_eq(rename(file, away), 0);
    ck_assert_int_eq(symlink(away, file), 0);
    must_be_refused("link");
    ck_assert_int_eq(unlink(file), 0);
    ck_assert_int_eq(mkdir(file, 0700), 0);
    must_be_refused("directory");
    ck_assert_int_eq(rmdir(file), 0);
    ck_assert_int_eq(rename(away, file), 0);
    must_go_on(3);
}
END_TEST

START_TEST(a_file_that_is_missing_can_be_put_back)
{
    ck_assert_int_eq(rename(file, away), 0);
    must_be_refused("put it back");
    ck_assert_int_eq(rename(away, file), 0);
    must_go_on(3);
}
END_TEST

/* Root may write everything. */
static void become(uid_t user)
{
    if (user != 0) {
        const char *const paths[] = {fx.dir, file, registry};
        for (size_t i = 0; i < WEIR_COUNTOF(paths); i++) {
            ck_assert_int_eq(chown(paths[i], user, (gid_t)-1), 0);
        }
    }
    ck_assert_int_eq(setresuid(user, user, 0), 0);
}

START_TEST(a_file_that_may_not_be_written_is_named_and_no_trap_is_left)
{
    const bool is_root = getuid() == 0;
    ck_assert_int_eq(chmod(file, 0400), 0);
    if (is_root) {
        become(NOBODY);
    }
    must_be_refused("cannot write");
    ck_assert_int_eq(chmod(file, 0600), 0);
    must_go_on(3);
    if (is_root) {
        become(0);
    }
}
END_TEST

static Suite *sqlite_copies_suite(void)
{
    Suite *suite = suite_create("sqlite_copies");
    TCase *tcase = tcase_create("copies");
    tcase_add_checked_fixture(tcase, begin, fixture_end);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, copies_made_by_vacuum_into_are_used);
    tcase_add_test(tcase, files_in_another_journal_mode_are_used);
    tcase_add_test(tcase, who_writes_the_file_in_another_journal_mode_is_waited_for);
    tcase_add_test(tcase, a_program_that_keeps_the_mode_from_being_changed_is_told_of);
    tcase_add_test(tcase, a_link_is_not_followed);
    tcase_add_test(tcase, a_file_that_is_missing_can_be_put_back);
    tcase_add_test(tcase, a_file_that_may_not_be_written_is_named_and_no_trap_is_left);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return check_main(sqlite_copies_suite());
}
