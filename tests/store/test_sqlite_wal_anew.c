/* A WAL that restarts while a checkpoint starts. */
#include "tests/lib/check_main.h"
#include "tests/store/store_fixture.h"

#include "store/sqlite/sqlite_checkpoint.h"
#include "store/sqlite/sqlite_connect.h"
#include "store/store_int.h"

#include <sqlite3.h>
#include <stdio.h>

static sqlite3_vfs watching;
static sqlite3_vfs *watched;
static sqlite3_io_methods methods;
static int (*unfetch_of_file)(sqlite3_file *file, sqlite3_int64 at, void *page);
static bool is_awaited;

static void put_kilobytes(uint64_t first, uint64_t n)
{
    static char data[3000 + 1];
    memset(data, '1', sizeof data - 1);
    for (uint64_t i = first; i < first + n; i++) {
        const struct weir_new_message message = message_of(i, data);
        struct weir_written written;
        ck_assert_int_eq(append(fx.ns, "a-1", ANY, &message, 1, &written), WEIR_OK);
    }
}

/* Called by a checkpoint after it reads the length of the WAL and before it reads how much has been
 * moved. */
static int unfetch(sqlite3_file *file, sqlite3_int64 at, void *page)
{
    if (is_awaited) {
        is_awaited = false;
        put_kilobytes(1000, 1);
    }
    return unfetch_of_file(file, at, page);
}

static int open_watched(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags,
                        int *out_flags)
{
    (void)vfs;
    const int rc = watched->xOpen(watched, name, file, flags, out_flags);
    if (rc == SQLITE_OK && (flags & SQLITE_OPEN_MAIN_DB) != 0) {
        methods = *file->pMethods;
        unfetch_of_file = methods.xUnfetch == unfetch ? unfetch_of_file : methods.xUnfetch;
        methods.xUnfetch = unfetch;
        file->pMethods = &methods;
    }
    return rc;
}

/* The store's VFS wraps the VFS that is the default when a store is first opened. */
static void on_disk_and_watched(void)
{
    watched = sqlite3_vfs_find(NULL);
    watching = *watched;
    watching.zName = "watching";
    watching.xOpen = open_watched;
    is_awaited = false;
    ck_assert_int_eq(sqlite3_vfs_register(&watching, 1), SQLITE_OK);
    fixture_on_disk();
}

static void end_watched(void)
{
    fixture_end();
    ck_assert_int_eq(sqlite3_vfs_register(watched, 1), SQLITE_OK);
}

static sqlite3 *connect(struct sqlite_backend *backend, const char *name)
{
    const struct sqlite_wanted wanted = {name, &weir_sqlite_namespace_schema, INT64_MAX};
    sqlite3 *db = NULL;
    ck_assert_int_eq(weir_sqlite_connect(backend, &wanted, &db, NULL, &fx.err), WEIR_OK);
    return db;
}

START_TEST(what_is_written_while_a_checkpoint_begins_is_not_lost)
{
    struct sqlite_backend *backend = (struct sqlite_backend *)fx.store->backend;
    const int mode = SQLITE_CHECKPOINT_PASSIVE;
    struct sqlite_progress progress;
    char name[WEIR_SQLITE_NAME_BYTES];
    weir_sqlite_database_name(weir_slice_of("test"), name);
    put_kilobytes(1, 1);
    sqlite3 *first = connect(backend, name);
    sqlite3 *second = connect(backend, name);
    put_kilobytes(2, 99);
    ck_assert_int_eq(weir_sqlite_checkpoint(backend, name, first, mode, &progress), SQLITE_OK);
    ck_assert_int_eq(progress.moved, progress.pages);
    is_awaited = true;
    ck_assert_int_eq(weir_sqlite_checkpoint(backend, name, second, mode, NULL), SQLITE_OK);
    ck_assert(!is_awaited);
    put_kilobytes(101, 150);  // more than the WAL held
    ck_assert_int_eq(weir_sqlite_checkpoint(backend, name, first, mode, NULL), SQLITE_OK);
    put_kilobytes(251, 1);
    end_program(first);
    end_program(second);
    char path[400];
    (void)snprintf(path, sizeof path, "%s", namespace_path());
    reopen();
    check_integrity(path);
    const struct weir_query query = query_all();
    must_read(fx.ns, &query);
    ck_assert_uint_eq(fx.rows.n, 252);
}
END_TEST

static Suite *sqlite_wal_anew_suite(void)
{
    Suite *suite = suite_create("sqlite_wal_anew");
    TCase *tcase = tcase_create("wal_anew");
    tcase_add_checked_fixture(tcase, on_disk_and_watched, end_watched);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, what_is_written_while_a_checkpoint_begins_is_not_lost);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return check_main(sqlite_wal_anew_suite());
}
