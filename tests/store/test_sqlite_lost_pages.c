/* A disk that loses pages written by a checkpoint. The C library's sync call is replaced by one
 * that can fail once, as the kernel reports a lost write only once; the test then restores the old
 * pages. */
#define _GNU_SOURCE
#include "tests/lib/check_main.h"
#include "tests/store/store_fixture.h"

#include "store/sqlite/sqlite_checkpoint.h"
#include "store/sqlite/sqlite_connect.h"
#include "store/sqlite/sqlite_wal_index.h"
#include "store/store_int.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MEGABYTE = 1 << 20 };

static atomic_ulong database;  // inode of the database
static atomic_bool is_told;    // the next sync of the database reports the loss

int fdatasync(int fd)
{
    struct stat status;
    if (fstat(fd, &status) == 0 && status.st_ino == atomic_load(&database) &&
        atomic_exchange(&is_told, false)) {
        errno = EIO;
        return -1;
    }
    return fsync(fd);
}

/* Keeps the namespace open in a second store throughout, as another process would. */
static void begin(void)
{
    struct stat status;
    fixture_on_disk();
    open_second();
    (void)must_head(fx.second_ns);
    ck_assert_int_eq(stat(namespace_path(), &status), 0);
    atomic_store(&database, status.st_ino);
}

static void put_megabyte(uint64_t id)
{
    static char data[MEGABYTE + 1];
    memset(data, '0' + (char)id, MEGABYTE);
    const struct weir_new_message message = message_of(id, data);
    struct weir_written written;
    ck_assert_int_eq(append(fx.ns, "a-1", ANY, &message, 1, &written), WEIR_OK);
}

static int checkpoint_of(sqlite3 *db, int *left)
{
    struct sqlite_backend *backend = (struct sqlite_backend *)fx.store->backend;
    struct sqlite_progress progress;
    const int rc =
        weir_sqlite_checkpoint(backend, "test", db, SQLITE_CHECKPOINT_PASSIVE, &progress);
    *left = progress.pages - progress.moved;
    return rc;
}

static sqlite3 *connect(void)
{
    struct sqlite_backend *backend = (struct sqlite_backend *)fx.store->backend;
    char name[WEIR_SQLITE_NAME_BYTES];
    const struct sqlite_wanted wanted = {name, &weir_sqlite_namespace_schema, INT64_MAX};
    sqlite3 *db = NULL;
    weir_sqlite_database_name(weir_slice_of("test"), name);
    ck_assert_int_eq(weir_sqlite_connect(backend, &wanted, &db, NULL, &fx.err), WEIR_OK);
    return db;
}

static int checkpoint(int *left)
{
    sqlite3 *db = connect();
    const int rc = checkpoint_of(db, left);
    ck_assert_int_eq(sqlite3_close(db), SQLITE_OK);
    return rc;
}

/* Makes a checkpoint of the part of the WAL that no reader needs, without a sync. Returns the
 * previous contents of the file. */
static uint8_t *checkpoint_a_part(size_t *n)
{
    static const char read[] = "BEGIN; SELECT count(*) FROM messages";
    uint8_t *before = NULL;
    struct stat status;
    int left = 0;
    put_megabyte(1);
    sqlite3 *reader = start_program(namespace_path(), read);
    put_megabyte(2);
    ck_assert(file_bytes(namespace_path(), &before, n));
    ck_assert_int_eq(checkpoint(&left), SQLITE_OK);
    ck_assert_int_ge(left, MEGABYTE / 4096);
    ck_assert_int_eq(stat(namespace_path(), &status), 0);
    ck_assert_int_ge(status.st_size, MEGABYTE);
    end_program(reader);
    return before;
}

static void lose_pages(const uint8_t *before, size_t n)
{
    FILE *file = fopen(namespace_path(), "r+b");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(before, 1, n, file), n);
    for (size_t at = n; at < MEGABYTE; at++) {
        ck_assert_int_eq(fputc(0, file), 0);
    }
    ck_assert_int_eq(fclose(file), 0);
}

static void check_messages(size_t n)
{
    const struct weir_query query = query_stream("a-1");
    must_read(fx.ns, &query);
    ck_assert_uint_eq(fx.rows.n, n);
    for (size_t m = 0; m < n; m++) {
        ck_assert_uint_eq(fx.rows.rows[m].data.n, MEGABYTE);
        ck_assert_uint_eq(fx.rows.rows[m].data.p[MEGABYTE - 1], '1' + m);
    }
}

/* The loss is reported by a later sync than the one that should have covered the pages; there was
 * none. The sync after that reports nothing. */
START_TEST(what_a_disk_has_lost_is_moved_out_of_the_wal_again)
{
    int left = 0;
    size_t n = 0;
    uint8_t *before = checkpoint_a_part(&n);
    lose_pages(before, n);
    atomic_store(&is_told, true);
    ck_assert_int_eq(checkpoint(&left), SQLITE_IOERR_FSYNC);
    ck_assert_ptr_nonnull(strstr(fx.report, "the checkpoint failed"));
    reopen();  // empties all page caches
    check_messages(2);
    ck_assert_int_eq(checkpoint(&left), SQLITE_OK);
    ck_assert_int_eq(left, 0);
    put_megabyte(3);  // the WAL restarts
    reopen();
    check_messages(3);
    check_integrity(namespace_path());
    free(before);
}
END_TEST

/* Returns the number of WAL pages marked as moved in the WAL's index. */
static uint32_t moved(void)
{
    enum { MOVED_AT = 96 };
    char path[400];
    uint8_t *bytes = NULL;
    size_t n = 0;
    uint32_t pages = 0;
    (void)snprintf(path, sizeof path, "%s-shm", namespace_path());
    ck_assert(file_bytes(path, &bytes, &n));
    ck_assert_uint_gt(n, MOVED_AT + sizeof pages);
    memcpy(&pages, bytes + MOVED_AT, sizeof pages);
    free(bytes);
    return pages;
}

/* The checkpoint cannot open a file, as no descriptor is left. */
START_TEST(a_checkpoint_that_does_not_begin_takes_nothing_back)
{
    struct rlimit limit;
    int left = 0;
    size_t n = 0;
    free(checkpoint_a_part(&n));
    const uint32_t before = moved();
    sqlite3 *db = connect();
    ck_assert_uint_gt(before, 0);
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    const struct rlimit none = {.rlim_cur = 0, .rlim_max = limit.rlim_max};
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
    const int rc = checkpoint_of(db, &left);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    ck_assert_int_eq(rc & 0xff, SQLITE_CANTOPEN);
    ck_assert_ptr_nonnull(strstr(fx.report, "the checkpoint failed"));
    ck_assert_uint_eq(moved(), before);
    ck_assert_int_eq(sqlite3_close(db), SQLITE_OK);
}
END_TEST

static weir_status set_token(uint8_t first)
{
    const struct weir_token_hash hash = {{first}};
    weir_error_init(&fx.err);
    return weir_namespace_set_token(fx.store, weir_slice_of("test"), &hash, INT64_MAX, &fx.err);
}

/* What a connection believes of a file that was not synced is not to be trusted. */
START_TEST(the_list_of_namespaces_is_opened_anew_after_a_sync_that_failed)
{
    const struct sqlite_backend *backend = (const struct sqlite_backend *)fx.store->backend;
    struct weir_namespace_record record = {.id = weir_slice_of("test")};
    struct stat status;
    ck_assert_int_eq(set_token(1), WEIR_OK);
    ck_assert_int_eq(stat(path_in_dir("registry.db-wal"), &status), 0);
    const sqlite3 *before = backend->changes.db;
    atomic_store(&database, status.st_ino);
    atomic_store(&is_told, true);
    ck_assert_int_ne(set_token(2), WEIR_OK);
    ck_assert(!atomic_load(&is_told));
    ck_assert_int_eq(set_token(3), WEIR_OK);
    const sqlite3 *anew = backend->changes.db;
    ck_assert_ptr_ne(anew, before);
    ck_assert_int_eq(set_token(4), WEIR_OK);
    ck_assert_ptr_eq(backend->changes.db, anew);  // once is enough
    ck_assert_int_eq(weir_namespace_find(fx.store, &record, INT64_MAX, &fx.arena, &fx.err),
                     WEIR_OK);
    ck_assert_uint_eq(record.token_hash.bytes[0], 4);
}
END_TEST

static int do_not_sleep(sqlite3_vfs *vfs, int us)
{
    (void)vfs;
    return us;
}

static sqlite3 *open_index(sqlite3_file **file)
{
    sqlite3 *db = start_program(namespace_path(), "SELECT * FROM counters");
    ck_assert_int_eq(sqlite3_file_control(db, "main", SQLITE_FCNTL_FILE_POINTER, file), SQLITE_OK);
    return db;
}

/* A checkpoint in another process raises the number when it ends. */
START_TEST(the_checkpoint_of_another_process_is_waited_for)
{
    enum { LOCK_OF_CHECKPOINTS = 1, LOCK = SQLITE_SHM_LOCK, UNLOCK = SQLITE_SHM_UNLOCK };
    sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);
    int (*sleep_of_vfs)(sqlite3_vfs *, int) = vfs->xSleep;
    sqlite3_file *file = NULL;
    put_megabyte(1);
    sqlite3 *db = open_index(&file);
    sqlite3 *other = open_index(&file);
    ck_assert_int_eq(
        file->pMethods->xShmLock(file, LOCK_OF_CHECKPOINTS, 1, LOCK | SQLITE_SHM_EXCLUSIVE),
        SQLITE_OK);
    vfs->xSleep = do_not_sleep;
    ck_assert(!weir_sqlite_declare_unmoved(db));  // the wait is limited
    vfs->xSleep = sleep_of_vfs;
    ck_assert_int_eq(
        file->pMethods->xShmLock(file, LOCK_OF_CHECKPOINTS, 1, UNLOCK | SQLITE_SHM_EXCLUSIVE),
        SQLITE_OK);
    ck_assert(weir_sqlite_declare_unmoved(db));
    end_program(other);
    end_program(db);
}
END_TEST

static Suite *lost_pages_suite(void)
{
    Suite *suite = suite_create("sqlite_lost_pages");
    TCase *tcase = tcase_create("lost pages");
    tcase_add_checked_fixture(tcase, begin, fixture_end);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, what_a_disk_has_lost_is_moved_out_of_the_wal_again);
    tcase_add_test(tcase, a_checkpoint_that_does_not_begin_takes_nothing_back);
    tcase_add_test(tcase, the_list_of_namespaces_is_opened_anew_after_a_sync_that_failed);
    tcase_add_test(tcase, the_checkpoint_of_another_process_is_waited_for);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return check_main(lost_pages_suite());
}
