/* A store directory that disappears, or becomes read-only, while the server runs. */
#define _GNU_SOURCE
#include "tests/lib/check_main.h"
#include "tests/store/store_fixture.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* Writes until refused; the store checks its location twice a second. */
static weir_status put_until_refused(struct weir_namespace *ns)
{
    const struct timespec pause = {.tv_nsec = 20 * 1000 * 1000};
    weir_status status = WEIR_OK;
    for (uint64_t n = 1; status == WEIR_OK && n < 200; n++) {
        const struct weir_new_message message = message_of(1000 + n, "1");
        struct weir_written written;
        (void)nanosleep(&pause, NULL);
        status = append(ns, "a-1", ANY, &message, 1, &written);
    }
    return status;
}

/* The store examines its files and its disk twice a second. */
static void ping_until(weir_status want)
{
    const struct timespec pause = {.tv_nsec = 20 * 1000 * 1000};
    weir_status status = WEIR_STATUS_COUNT;
    for (int n = 0; status != want && n < 500; n++) {
        weir_error_init(&fx.err);
        status = weir_store_ping(fx.store, INT64_MAX, &fx.err);
        (void)nanosleep(&pause, NULL);
    }
    ck_assert_int_eq(status, want);
}

/* The directory renamed, and the registry removed. */
START_TEST(a_store_that_is_not_where_it_was_takes_no_writes)
{
    char away[sizeof fx.dir + 8];
    (void)snprintf(away, sizeof away, "%s-away", fx.dir);
    must_put(fx.ns, "a-1", 1);
    ck_assert_int_eq(_i == 0 ? rename(fx.dir, away) : unlink(path_in_dir("registry.db")), 0);
    ck_assert_int_eq(put_until_refused(fx.ns), WEIR_BACKEND_UNAVAILABLE);
    ck_assert_ptr_nonnull(strstr(fx.report, "has been removed, renamed or replaced"));
    ck_assert_ptr_null(strstr(fx.err.text, fx.dir));
    ping_until(WEIR_BACKEND_UNAVAILABLE);

    /* The store does not check whether the directory has returned. */
    ck_assert(_i != 0 || rename(away, fx.dir) == 0);
    ck_assert_int_eq(put_until_refused(fx.ns), WEIR_BACKEND_UNAVAILABLE);
    ck_assert_int_eq(weir_store_ping(fx.store, INT64_MAX, &fx.err), WEIR_BACKEND_UNAVAILABLE);
    struct weir_namespace_record record = {.id = weir_slice_of("new")};
    bool is_same = false;
    ck_assert_int_eq(weir_namespace_create(fx.store, &record, INT64_MAX, &is_same, &fx.err),
                     WEIR_BACKEND_UNAVAILABLE);
    ck_assert_int_ge(must_head(fx.ns), 1);
    if (_i == 0) {
        reopen();
        must_put(fx.ns, "a-1", 1);
    }
}
END_TEST

static weir_status create(const char *id)
{
    struct weir_namespace_record record = {.id = weir_slice_of(id)};
    bool is_same = false;
    return weir_namespace_create(fx.store, &record, INT64_MAX, &is_same, &fx.err);
}

static weir_status set_token(const char *id)
{
    const struct weir_token_hash hash = {{1}};
    return weir_namespace_set_token(fx.store, weir_slice_of(id), &hash, INT64_MAX, &fx.err);
}

static weir_status drop(const char *id)
{
    int64_t deleted = 0;
    return weir_namespace_delete(fx.store, weir_slice_of(id), INT64_MAX, &deleted, &fx.err);
}

/* Returns the number of namespaces in the registry file without its WAL. */
static int64_t listed(void)
{
    char uri[450];
    sqlite3 *db = NULL;
    sqlite3_stmt *statement = NULL;
    (void)snprintf(uri, sizeof uri, "file:%s?immutable=1", path_in_dir("registry.db"));
    ck_assert_int_eq(sqlite3_open_v2(uri, &db, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, NULL),
                     SQLITE_OK);
    ck_assert_int_eq(
        sqlite3_prepare_v2(db, "SELECT count(*) FROM namespaces", -1, &statement, NULL), SQLITE_OK);
    ck_assert_int_eq(sqlite3_step(statement), SQLITE_ROW);
    const int64_t n = sqlite3_column_int64(statement, 0);
    (void)sqlite3_finalize(statement);
    (void)sqlite3_close(db);
    return n;
}

/* The first change after the removal is refused, however recent the removal; earlier acknowledged
 * changes survive a crash. */
START_TEST(a_registry_whose_wal_is_removed_acknowledges_no_change)
{
    weir_status (*const changes[])(const char *id) = {create, set_token, drop};
    must_create(fx.store, "other");
    ck_assert_int_eq(unlink(path_in_dir("registry.db-wal")), 0);
    ck_assert_int_eq(changes[_i](_i == 0 ? "new" : "other"), WEIR_BACKEND_UNAVAILABLE);
    ck_assert_ptr_nonnull(strstr(fx.report, "SIGTERM"));
    ck_assert_ptr_null(strstr(fx.err.text, fx.dir));
    ck_assert_int_ge(listed(), _i == 2 ? 1 : 2);
    ping_until(WEIR_BACKEND_UNAVAILABLE);
    ck_assert_int_eq(create("another"), WEIR_BACKEND_UNAVAILABLE);
    reopen();
    must_create(fx.store, "another");
}
END_TEST

/* ---- a disk that takes no writes ---- */

static atomic_bool is_read_only;

int fdatasync(int fd)
{
    if (atomic_load(&is_read_only)) {
        errno = EROFS;
        return -1;
    }
    return (int)syscall(SYS_fdatasync, fd);
}

START_TEST(a_store_whose_disk_takes_no_writes_is_not_well)
{
    atomic_store(&is_read_only, true);
    ping_until(WEIR_BACKEND_UNAVAILABLE);
    ck_assert_ptr_nonnull(strstr(fx.err.text, "takes no writes"));
    ck_assert_ptr_null(strstr(fx.err.text, fx.dir));
    atomic_store(&is_read_only, false);
    ping_until(WEIR_OK);
}
END_TEST

static Suite *sqlite_location_suite(void)
{
    Suite *suite = suite_create("sqlite_location");
    TCase *tcase = tcase_create("location");
    tcase_add_checked_fixture(tcase, fixture_on_disk, fixture_end);
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, a_store_that_is_not_where_it_was_takes_no_writes, 0, 2);
    tcase_add_loop_test(tcase, a_registry_whose_wal_is_removed_acknowledges_no_change, 0, 3);
    tcase_add_test(tcase, a_store_whose_disk_takes_no_writes_is_not_well);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return check_main(sqlite_location_suite());
}
