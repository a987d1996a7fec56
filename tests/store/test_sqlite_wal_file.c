/* The WAL file's VFS: many small writes reach the underlying VFS as a few large ones, and SQLite is
 * told of every write that is lost. */
#include "store/sqlite/sqlite_wal_file.h"

#include "tests/lib/check_main.h"
#include "tests/lib/faulty_vfs.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FRAME = 24, PAGE = 4096, PAGES = 100, ROOM = 64 * 1024 };

static char directory[64];
static sqlite3_filename names;
static sqlite3_file *file;
static char page[PAGE];

static int put(int n, sqlite3_int64 at)
{
    return file->pMethods->xWrite(file, page, n, at);
}

static int sync_file(void)
{
    return file->pMethods->xSync(file, SQLITE_SYNC_NORMAL);
}

/* Returns a byte of the file itself, bypassing gathered writes. */
static char byte_at(sqlite3_int64 at)
{
    char byte = '?';
    FILE *stream = fopen(sqlite3_filename_wal(names), "rb");
    ck_assert_ptr_nonnull(stream);
    if (fseek(stream, (long)at, SEEK_SET) != 0 || fread(&byte, 1, 1, stream) != 1) {
        byte = '?';
    }
    (void)fclose(stream);
    return byte;
}

static void open_file(void)
{
    (void)snprintf(directory, sizeof directory, "/tmp/weir-wal-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(directory));
    char paths[3][sizeof directory + 16];
    (void)snprintf(paths[0], sizeof paths[0], "%s/a.db", directory);
    (void)snprintf(paths[1], sizeof paths[1], "%s/a.db-journal", directory);
    (void)snprintf(paths[2], sizeof paths[2], "%s/a.db-wal", directory);
    FILE *database = fopen(paths[0], "wb");
    ck_assert_ptr_nonnull(database);
    (void)fclose(database);
    names = sqlite3_create_filename(paths[0], paths[1], paths[2], 0, NULL);
    sqlite3_vfs *vfs = sqlite3_vfs_find(weir_sqlite_wal_vfs());
    ck_assert_str_eq(vfs->zName, "weir");
    file = calloc(1, (size_t)vfs->szOsFile);
    int flags = SQLITE_OPEN_WAL | SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
    ck_assert_int_eq(vfs->xOpen(vfs, sqlite3_filename_wal(names), file, flags, &flags), SQLITE_OK);
    memset(page, 'x', sizeof page);
}

static void close_file(void)
{
    (void)faulty_vfs_stop(NULL);
    ck_assert_int_eq(file->pMethods->xClose(file), SQLITE_OK);
    free(file);
    (void)unlink(sqlite3_filename_wal(names));
    (void)unlink(sqlite3_filename_database(names));
    (void)rmdir(directory);
    sqlite3_free_filename(names);
}

START_TEST(frames_are_written_together)
{
    faulty_vfs_start(0, false);
    sqlite3_int64 at = 32;
    for (int i = 0; i < PAGES; i++) {
        ck_assert_int_eq(put(FRAME, at), SQLITE_OK);
        ck_assert_int_eq(put(PAGE, at + FRAME), SQLITE_OK);
        at += FRAME + PAGE;
    }
    ck_assert_int_eq(sync_file(), SQLITE_OK);
    /* A buffer of 64 KiB holds 15 frames. The sync is one more operation; making room for later
     * frames asks for the file's size and writes four pieces of zeros. */
    ck_assert_uint_eq(faulty_vfs_stop(NULL), (PAGES + 14) / 15 + 1 + 1 + 4);
    ck_assert_int_eq(byte_at(32), 'x');
    ck_assert_int_eq(byte_at(at - 1), 'x');
    ck_assert_int_eq(byte_at(at), '\0');
}
END_TEST

START_TEST(what_does_not_follow_begins_anew)
{
    ck_assert_int_eq(put(10, 100), SQLITE_OK);
    ck_assert_int_eq(put(10, 200), SQLITE_OK);
    ck_assert_int_eq(put(10, 150), SQLITE_OK);
    ck_assert_int_eq(sync_file(), SQLITE_OK);
    ck_assert_int_eq(byte_at(100), 'x');
    ck_assert_int_eq(byte_at(110), '\0');
    ck_assert_int_eq(byte_at(159), 'x');
    ck_assert_int_eq(byte_at(209), 'x');
}
END_TEST

START_TEST(what_is_gathered_can_be_read_and_sized)
{
    char byte = '?';
    sqlite3_int64 size = 0;
    ck_assert_int_eq(put(10, 0), SQLITE_OK);
    ck_assert_int_eq(file->pMethods->xRead(file, &byte, 1, 9), SQLITE_OK);
    ck_assert_int_eq(byte, 'x');
    ck_assert_int_eq(put(10, 10), SQLITE_OK);
    ck_assert_int_eq(file->pMethods->xFileSize(file, &size), SQLITE_OK);
    ck_assert_int_eq(size, 20);
    ck_assert_int_eq(put(10, 20), SQLITE_OK);
    ck_assert_int_eq(file->pMethods->xTruncate(file, 25), SQLITE_OK);
    ck_assert_int_eq(file->pMethods->xFileSize(file, &size), SQLITE_OK);
    ck_assert_int_eq(size, 25);
}
END_TEST

START_TEST(a_sync_tells_of_a_write_that_failed)
{
    ck_assert_int_eq(put(10, 0), SQLITE_OK);
    faulty_vfs_start(1, false);
    ck_assert_int_eq(sync_file(), SQLITE_IOERR_WRITE);
    /* The error is reported once. The transaction may succeed when it is written again. */
    ck_assert_int_eq(put(20, 0), SQLITE_OK);
    ck_assert_int_eq(sync_file(), SQLITE_OK);
    ck_assert_int_eq(byte_at(19), 'x');
}
END_TEST

/* Whatever SQLite does with the failed read, the data must not count as durable. */
START_TEST(a_failure_is_not_forgotten)
{
    char byte = '?';
    sqlite3_int64 size = 0;
    ck_assert_int_eq(put(10, 100), SQLITE_OK);
    faulty_vfs_start(1, false);
    ck_assert_int_eq(file->pMethods->xRead(file, &byte, 1, 0), SQLITE_IOERR_WRITE);
    ck_assert_int_eq(file->pMethods->xFileSize(file, &size), SQLITE_IOERR_WRITE);
    ck_assert_int_eq(put(10, 110), SQLITE_IOERR_WRITE);
    ck_assert_int_eq(sync_file(), SQLITE_IOERR_WRITE);
}
END_TEST

START_TEST(what_is_begun_anew_forgets_a_failure)
{
    char byte = '?';
    ck_assert_int_eq(put(10, 100), SQLITE_OK);
    faulty_vfs_start(1, false);
    ck_assert_int_eq(file->pMethods->xRead(file, &byte, 1, 0), SQLITE_IOERR_WRITE);
    ck_assert_int_eq(put(20, 100), SQLITE_OK);
    ck_assert_int_eq(sync_file(), SQLITE_OK);
    ck_assert_int_eq(byte_at(119), 'x');
}
END_TEST

static sqlite3_int64 size_of_file(void)
{
    sqlite3_int64 size = 0;
    ck_assert_int_eq(file->pMethods->xFileSize(file, &size), SQLITE_OK);
    return size;
}

/* Room means the file size and the zeros; both are skipped for writes within existing room. */
START_TEST(a_sync_makes_room_for_the_next)
{
    ck_assert_int_eq(put(10, 0), SQLITE_OK);
    ck_assert_int_eq(sync_file(), SQLITE_OK);
    ck_assert_int_eq(size_of_file(), 10 + ROOM);
    ck_assert_int_eq(byte_at(9), 'x');
    ck_assert_int_eq(byte_at(10), '\0');
    faulty_vfs_start(0, false);
    ck_assert_int_eq(put(PAGE, 10), SQLITE_OK);
    ck_assert_int_eq(sync_file(), SQLITE_OK);
    ck_assert_uint_eq(faulty_vfs_stop(NULL), 2);
    ck_assert_int_eq(size_of_file(), 10 + ROOM);
    ck_assert_int_eq(byte_at(9 + PAGE), 'x');
    ck_assert_int_eq(byte_at(10 + PAGE), '\0');
}
END_TEST

/* Another process may have written the bytes. */
START_TEST(what_is_there_is_not_overwritten_with_zeros)
{
    FILE *stream = fopen(sqlite3_filename_wal(names), "wb");
    ck_assert_ptr_nonnull(stream);
    ck_assert_uint_eq(fwrite(page, 1, 100, stream), 100);
    ck_assert_int_eq(fclose(stream), 0);
    ck_assert_int_eq(put(10, 0), SQLITE_OK);
    ck_assert_int_eq(sync_file(), SQLITE_OK);
    ck_assert_int_eq(size_of_file(), 100);
    ck_assert_int_eq(byte_at(10), 'x');
    ck_assert_int_eq(byte_at(99), 'x');
}
END_TEST

START_TEST(a_file_that_was_cut_is_made_longer_again)
{
    ck_assert_int_eq(put(10, 0), SQLITE_OK);
    ck_assert_int_eq(sync_file(), SQLITE_OK);
    ck_assert_int_eq(file->pMethods->xTruncate(file, 5), SQLITE_OK);
    ck_assert_int_eq(put(10, 5), SQLITE_OK);
    ck_assert_int_eq(sync_file(), SQLITE_OK);
    ck_assert_int_eq(size_of_file(), 15 + ROOM);
}
END_TEST

/* Fails the operations that make room, the size and the zeros; the write itself succeeds. */
START_TEST(a_sync_does_without_room)
{
    ck_assert_int_eq(put(10, 0), SQLITE_OK);
    faulty_vfs_start((uint64_t)_i, false);
    ck_assert_int_eq(sync_file(), SQLITE_OK);
    bool has_failed = false;
    (void)faulty_vfs_stop(&has_failed);
    ck_assert(has_failed);
    ck_assert_int_eq(byte_at(9), 'x');
    ck_assert_int_eq(put(10, 10), SQLITE_OK);
    ck_assert_int_eq(sync_file(), SQLITE_OK);
    ck_assert_int_eq(byte_at(19), 'x');
}
END_TEST

/* Zeros over the first frame are enough: a WAL ends before the first frame that is not valid. */
START_TEST(what_could_not_be_synced_is_taken_back)
{
    ck_assert_int_eq(put(32, 0), SQLITE_OK);
    ck_assert_int_eq(sync_file(), SQLITE_OK);
    ck_assert_int_eq(put(FRAME, 32), SQLITE_OK);
    ck_assert_int_eq(put(PAGE, 32 + FRAME), SQLITE_OK);
    faulty_vfs_start(2, false);
    ck_assert_int_eq(sync_file(), SQLITE_IOERR_FSYNC);
    ck_assert_uint_eq(faulty_vfs_stop(NULL), 4);  // the zeros are synced too
    ck_assert_int_eq(byte_at(31), 'x');
    ck_assert_int_eq(byte_at(32), '\0');
    ck_assert_int_eq(byte_at(31 + FRAME), '\0');
    ck_assert_int_eq(put(FRAME, 32), SQLITE_OK);
    ck_assert_int_eq(put(PAGE, 32 + FRAME), SQLITE_OK);
    ck_assert_int_eq(sync_file(), SQLITE_OK);
    ck_assert_int_eq(byte_at(32), 'x');
    ck_assert_int_eq(byte_at(31 + FRAME), 'x');
}
END_TEST

/* A checkpoint syncs the WAL too. */
START_TEST(a_sync_without_writes_takes_nothing_back)
{
    ck_assert_int_eq(put(PAGE, 32), SQLITE_OK);
    ck_assert_int_eq(sync_file(), SQLITE_OK);
    faulty_vfs_start(1, false);
    ck_assert_int_eq(sync_file(), SQLITE_IOERR_FSYNC);
    ck_assert_int_eq(byte_at(32), 'x');
}
END_TEST

/* ---- with SQLite in front ---- */

static char database[sizeof directory + 16];

static void make_directory(void)
{
    (void)snprintf(directory, sizeof directory, "/tmp/weir-wal-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(directory));
    (void)snprintf(database, sizeof database, "%s/b.db", directory);
}

static void remove_directory(void)
{
    (void)unlink(database);
    (void)rmdir(directory);
}

static void run(sqlite3 *db, const char *sql)
{
    char *text = NULL;
    ck_assert_msg(sqlite3_exec(db, sql, NULL, NULL, &text) == SQLITE_OK, "%s", text);
}

static sqlite3 *connect(void)
{
    sqlite3 *db = NULL;
    const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
    ck_assert_int_eq(sqlite3_open_v2(database, &db, flags, weir_sqlite_wal_vfs()), SQLITE_OK);
    weir_sqlite_wal_watch(db);
    run(db, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = 10");
    return db;
}

/* Exceeds the page cache, so that pages are written to the WAL before the end. */
static void write_and_roll_back(sqlite3 *db)
{
    run(db, "BEGIN; WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100)"
            "INSERT INTO t SELECT randomblob(3000) FROM n; ROLLBACK");
}

/* The next transaction is written to the same place in the file. */
START_TEST(what_is_taken_back_is_not_written_over_what_follows)
{
    sqlite3 *one = connect();
    sqlite3 *other = connect();
    run(one, "CREATE TABLE t (a); PRAGMA wal_checkpoint");
    write_and_roll_back(one);
    run(other, "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100)"
               "INSERT INTO t SELECT zeroblob(3000) FROM n");
    run(one, "CREATE TEMP TABLE whole (n CHECK (n = 100));"
             "INSERT INTO whole SELECT count(*) FROM t WHERE a = zeroblob(3000)");
    run(one, "CREATE TEMP TABLE good (answer CHECK (answer = 'ok'));"
             "INSERT INTO good SELECT * FROM pragma_integrity_check");
    ck_assert_int_eq(sqlite3_close(one), SQLITE_OK);
    ck_assert_int_eq(sqlite3_close(other), SQLITE_OK);
}
END_TEST

static void copy(const char *from, const char *to)
{
    char bytes[PAGE];
    size_t n = 0;
    FILE *in = fopen(from, "rb");
    FILE *out = fopen(to, "wb");
    ck_assert_ptr_nonnull(in);
    ck_assert_ptr_nonnull(out);
    while ((n = fread(bytes, 1, sizeof bytes, in)) > 0) {
        ck_assert_uint_eq(fwrite(bytes, 1, n, out), n);
    }
    ck_assert_int_eq(fclose(in), 0);
    ck_assert_int_eq(fclose(out), 0);
}

/* Looks at a copy of the files, which is what the next process finds after a kill. */
static void assert_synced_alone_is_found(void)
{
    char from[sizeof database + 8];
    char to[sizeof database + 8];
    (void)snprintf(from, sizeof from, "%s-wal", database);
    (void)snprintf(to, sizeof to, "%s/c.db-wal", directory);
    copy(from, to);
    (void)snprintf(to, sizeof to, "%s/c.db", directory);
    copy(database, to);
    sqlite3 *db = NULL;
    ck_assert_int_eq(sqlite3_open(to, &db), SQLITE_OK);
    run(db, "CREATE TEMP TABLE whole (a CHECK (a IS 'synced'));"
            "INSERT INTO whole SELECT group_concat(a) FROM t");
    ck_assert_int_eq(sqlite3_close(db), SQLITE_OK);
    (void)unlink(to);
}

/* Inserts a row whose commit fails with its sync, which follows the write of the frames. */
static void fail_to_sync(sqlite3 *db)
{
    sqlite3_extended_result_codes(db, 1);
    run(db, "BEGIN; INSERT INTO t VALUES ('lost')");
    faulty_vfs_start(2, false);
    ck_assert_int_eq(sqlite3_exec(db, "COMMIT", NULL, NULL, NULL), SQLITE_IOERR_FSYNC);
    (void)faulty_vfs_stop(NULL);
}

START_TEST(the_next_process_does_not_find_what_could_not_be_synced)
{
    sqlite3 *db = connect();
    run(db, "CREATE TABLE t (a); INSERT INTO t VALUES ('synced')");
    fail_to_sync(db);
    assert_synced_alone_is_found();
    ck_assert_int_eq(sqlite3_close(db), SQLITE_OK);
}
END_TEST

/* It may stand where the connection has begun a transaction and rolled it back. */
START_TEST(what_another_connection_has_committed_is_not_taken_back)
{
    sqlite3 *one = connect();
    sqlite3 *other = connect();
    run(one, "CREATE TABLE t (a)");
    write_and_roll_back(one);
    run(other, "INSERT INTO t VALUES ('synced')");
    fail_to_sync(one);
    assert_synced_alone_is_found();
    ck_assert_int_eq(sqlite3_close(one), SQLITE_OK);
    ck_assert_int_eq(sqlite3_close(other), SQLITE_OK);
}
END_TEST

static Suite *sqlite_wal_file_suite(void)
{
    Suite *suite = suite_create("sqlite_wal_file");
    TCase *tcase = tcase_create("writes");
    tcase_add_checked_fixture(tcase, open_file, close_file);
    tcase_add_test(tcase, frames_are_written_together);
    tcase_add_test(tcase, what_does_not_follow_begins_anew);
    tcase_add_test(tcase, what_is_gathered_can_be_read_and_sized);
    tcase_add_test(tcase, a_sync_tells_of_a_write_that_failed);
    tcase_add_test(tcase, a_failure_is_not_forgotten);
    tcase_add_test(tcase, what_is_begun_anew_forgets_a_failure);
    tcase_add_test(tcase, a_sync_makes_room_for_the_next);
    tcase_add_test(tcase, what_is_there_is_not_overwritten_with_zeros);
    tcase_add_test(tcase, a_file_that_was_cut_is_made_longer_again);
    tcase_add_loop_test(tcase, a_sync_does_without_room, 2, 4);
    tcase_add_test(tcase, what_could_not_be_synced_is_taken_back);
    tcase_add_test(tcase, a_sync_without_writes_takes_nothing_back);
    suite_add_tcase(suite, tcase);
    TCase *connections = tcase_create("connections");
    tcase_add_checked_fixture(connections, make_directory, remove_directory);
    tcase_add_test(connections, what_is_taken_back_is_not_written_over_what_follows);
    tcase_add_test(connections, the_next_process_does_not_find_what_could_not_be_synced);
    tcase_add_test(connections, what_another_connection_has_committed_is_not_taken_back);
    suite_add_tcase(suite, connections);
    return suite;
}

int main(void)
{
    if (sqlite3_initialize() != SQLITE_OK) {
        return EXIT_FAILURE;
    }
    faulty_vfs_install();
    return check_main(sqlite_wal_file_suite());
}
