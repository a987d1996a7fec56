/* A checkpoint writes to the disk in pieces. The C library's call for that is replaced by one that
 * counts and can fail. */
#define _GNU_SOURCE
#define _FILE_OFFSET_BITS 64
#include "tests/lib/check_main.h"
#include "tests/store/store_fixture.h"

#include "store/sqlite/sqlite_checkpoint.h"
#include "store/store_int.h"
#include "weir/base/monotonic.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>

enum { PIECES_MIN = 4, PIECE_MAX = 1024 * 1024 };

static atomic_int pieces;
static atomic_llong longest;
static atomic_int error_number;  // 0: the call succeeds
static atomic_uint last_flags;
static void (*at_first_piece)(void);

int sync_file_range(int fd, off_t from, off_t n, unsigned flags)
{
    (void)fd;
    (void)from;
    atomic_store(&last_flags, flags);
    if (atomic_fetch_add(&pieces, 1) == 0 && at_first_piece != NULL) {
        at_first_piece();
    }
    if (n > atomic_load(&longest)) {
        atomic_store(&longest, n);
    }
    errno = atomic_load(&error_number);
    return errno == 0 ? 0 : -1;
}

static void begin(int number)
{
    atomic_store(&pieces, 0);
    atomic_store(&longest, 0);
    atomic_store(&error_number, number);
    at_first_piece = NULL;
}

/* Writes `n` bytes to new, adjacent pages. */
static void put(size_t n)
{
    static char data[(1 << 20) + 1];
    memset(data, '1', n);
    data[n] = '\0';
    static uint64_t id;
    const struct weir_new_message message = message_of(++id, data);
    struct weir_written written;
    ck_assert_int_eq(append(fx.ns, "a-1", ANY, &message, 1, &written), WEIR_OK);
}

static struct sqlite_checkpointer *ask_for(const char *id, char name[WEIR_SQLITE_NAME_BYTES])
{
    const struct sqlite_backend *backend = (const struct sqlite_backend *)fx.store->backend;
    weir_sqlite_database_name(weir_slice_of(id), name);
    weir_sqlite_checkpointer_ask(backend->checkpointer, name);
    return backend->checkpointer;
}

static struct sqlite_checkpointer *ask(char name[WEIR_SQLITE_NAME_BYTES])
{
    return ask_for("test", name);
}

static void must_checkpoint_of(const char *id)
{
    char name[WEIR_SQLITE_NAME_BYTES];
    struct sqlite_checkpointer *checkpointer = ask_for(id, name);
    const int64_t until_us = weir_monotonic_us() + 20000000;
    while (!weir_sqlite_checkpointer_take(checkpointer, name)) {
        ck_assert_int_lt(weir_monotonic_us(), until_us);
    }
}

static void must_checkpoint(void)
{
    must_checkpoint_of("test");
    ck_assert_str_eq(fx.report, "");
}

static void must_fail_a_piece(void)
{
    char name[WEIR_SQLITE_NAME_BYTES];
    (void)ask(name);
    const int64_t until_us = weir_monotonic_us() + 20000000;
    while (atomic_load(&pieces) == 0) {
        ck_assert_int_lt(weir_monotonic_us(), until_us);
    }
    close_all();  // joins the thread that reports
}

START_TEST(a_checkpoint_goes_to_the_disk_in_pieces)
{
    begin(0);
    put(1 << 20);
    ck_assert_int_eq(atomic_load(&pieces), 0);  // a commit is synced as a whole
    must_checkpoint();
    ck_assert_int_ge(atomic_load(&pieces), PIECES_MIN);
    ck_assert_int_le(atomic_load(&longest), PIECE_MAX);
}
END_TEST

/* A checkpoint next to a writer rarely ends with a sync, so its last piece must be written out as
 * well. */
START_TEST(the_last_piece_goes_too)
{
    begin(0);
    put(1 << 14);
    must_checkpoint();
    ck_assert_int_eq(atomic_load(&pieces), 1);
}
END_TEST

START_TEST(a_last_piece_that_fails_fails_the_checkpoint)
{
    begin(EIO);
    put(1 << 14);
    must_fail_a_piece();
    ck_assert_int_eq(atomic_load(&pieces), 1);
    ck_assert_ptr_nonnull(strstr(fx.report, "the checkpoint failed"));
}
END_TEST

START_TEST(a_piece_that_fails_fails_the_checkpoint)
{
    begin(EIO);
    put(1 << 20);
    must_fail_a_piece();
    ck_assert_ptr_nonnull(strstr(fx.report, "the checkpoint failed: disk I/O error"));
}
END_TEST

/* ---- a write that fails ---- */

typedef ssize_t write_call(int fd, const void *bytes, size_t n, off_t at);

static write_call *paced_write;
static atomic_int writes_left;  // writes that still succeed

static ssize_t failing_write(int fd, const void *bytes, size_t n, off_t at)
{
    if (atomic_fetch_sub(&writes_left, 1) > 0) {
        return paced_write(fd, bytes, n, at);
    }
    errno = EIO;
    return -1;
}

static void set_write(write_call *call)
{
    sqlite3_vfs *vfs = sqlite3_vfs_find("unix");
    (void)vfs->xSetSystemCall(vfs, "pwrite", (sqlite3_syscall_ptr)call);
    (void)vfs->xSetSystemCall(vfs, "pwrite64", (sqlite3_syscall_ptr)call);
}

/* Fails the checkpoint of "test" after this number of writes. */
static void fail_checkpoint_after(int writes)
{
    char name[WEIR_SQLITE_NAME_BYTES];
    sqlite3_vfs *vfs = sqlite3_vfs_find("unix");
    paced_write = (write_call *)vfs->xGetSystemCall(vfs, "pwrite");
    atomic_store(&writes_left, writes);
    set_write(failing_write);
    struct sqlite_checkpointer *checkpointer = ask(name);
    const int64_t until_us = weir_monotonic_us() + 20000000;
    while (atomic_load(&writes_left) >= 0) {
        ck_assert_int_lt(weir_monotonic_us(), until_us);
    }
    ck_assert(weir_sqlite_checkpointer_forget(checkpointer, name, INT64_MAX));  // has ended
    set_write(paced_write);
    ck_assert_ptr_nonnull(strstr(fx.report, "the checkpoint failed"));
}

/* The file has been closed, so its descriptor may belong to another file. */
START_TEST(what_a_failed_checkpoint_has_written_is_not_left_to_the_next)
{
    begin(0);
    put(1 << 20);
    must_create(fx.store, "other");
    fail_checkpoint_after(3);
    ck_assert_int_eq(atomic_load(&pieces), 0);
    must_checkpoint_of("other");  // has nothing to move
    ck_assert_int_eq(atomic_load(&pieces), 0);
}
END_TEST

/* SQLite has synced and counted the pages, but the error of the piece was consumed before. */
START_TEST(what_a_piece_had_that_failed_is_moved_again)
{
    begin(EIO);
    put(1 << 14);
    char name[WEIR_SQLITE_NAME_BYTES];
    struct sqlite_checkpointer *checkpointer = ask(name);
    const int64_t until_us = weir_monotonic_us() + 20000000;
    while (atomic_load(&pieces) == 0) {
        ck_assert_int_lt(weir_monotonic_us(), until_us);
    }
    ck_assert(weir_sqlite_checkpointer_forget(checkpointer, name, INT64_MAX));  // has ended
    begin(0);
    must_checkpoint_of("test");
    ck_assert_int_eq(atomic_load(&pieces), 1);
}
END_TEST

static void put_little(void)
{
    put(1 << 14);
}

/* The checkpoint starts writing the pages without waiting, so that the sync by the writer has less
 * to do and the WAL does not grow meanwhile. */
START_TEST(pages_written_during_the_last_piece_are_begun_and_not_waited_for)
{
    begin(0);
    put_little();
    at_first_piece = put_little;
    must_checkpoint();
    ck_assert_int_eq(atomic_load(&pieces), 2);
    ck_assert_uint_eq(atomic_load(&last_flags), SYNC_FILE_RANGE_WRITE);
}
END_TEST

static sqlite3 *reader;

static void end_reader(void)
{
    end_program(reader);
}

/* A writer is such a reader for a moment after its commit. */
START_TEST(a_reader_that_ends_meanwhile_holds_up_one_pass_only)
{
    static const char read[] = "BEGIN; SELECT count(*) FROM messages";
    begin(0);
    put(1 << 20);
    reader = start_program(namespace_path(), read);
    put(1 << 20);
    at_first_piece = end_reader;
    must_checkpoint();
}
END_TEST

static atomic_bool is_let_go;

static void wait_to_be_let_go(void)
{
    while (!atomic_load(&is_let_go)) {
        (void)poll(NULL, 0, 1);
    }
}

static weir_status delete_by(int64_t deadline_us)
{
    int64_t deleted = 0;
    return weir_namespace_delete(fx.store, weir_slice_of("test"), deadline_us, &deleted, &fx.err);
}

/* Returns while a checkpoint is under way, which goes on once is_let_go is set. */
static void hold_a_checkpoint(char name[WEIR_SQLITE_NAME_BYTES])
{
    atomic_store(&is_let_go, false);
    at_first_piece = wait_to_be_let_go;
    (void)ask(name);
    const int64_t until_us = weir_monotonic_us() + 20000000;
    while (atomic_load(&pieces) == 0) {
        ck_assert_int_lt(weir_monotonic_us(), until_us);
    }
}

START_TEST(a_deletion_waits_for_a_checkpoint_no_longer_than_its_deadline)
{
    char name[WEIR_SQLITE_NAME_BYTES];
    begin(0);
    put(1 << 20);
    hold_a_checkpoint(name);
    ck_assert_int_eq(delete_by(weir_monotonic_us() + 20000), WEIR_DEADLINE_EXCEEDED);
    atomic_store(&is_let_go, true);
    put(1);
    weir_error_init(&fx.err);
    ck_assert_int_eq(delete_by(INT64_MAX), WEIR_OK);
}
END_TEST

/* A deletion removes the files next. */
START_TEST(a_checkpoint_that_is_forgotten_before_it_begins_is_not_made)
{
    char name[WEIR_SQLITE_NAME_BYTES];
    begin(0);
    put(1 << 20);
    must_create(fx.store, "other");
    hold_a_checkpoint(name);
    struct sqlite_checkpointer *checkpointer = ask_for("other", name);
    ck_assert(weir_sqlite_checkpointer_forget(checkpointer, name, INT64_MAX));
    atomic_store(&is_let_go, true);
    must_create(fx.store, "last");
    must_checkpoint_of("last");
    weir_sqlite_database_name(weir_slice_of("other"), name);
    ck_assert(!weir_sqlite_checkpointer_take(checkpointer, name));
}
END_TEST

START_TEST(where_the_system_has_no_such_call_a_checkpoint_goes_on)
{
    begin(ENOSYS);
    put(1 << 20);
    must_checkpoint();
}
END_TEST

static Suite *pacing_suite(void)
{
    Suite *suite = suite_create("sqlite_pacing");
    TCase *tcase = tcase_create("pacing");
    tcase_add_checked_fixture(tcase, fixture_on_disk, fixture_end);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, a_checkpoint_goes_to_the_disk_in_pieces);
    tcase_add_test(tcase, the_last_piece_goes_too);
    tcase_add_test(tcase, a_last_piece_that_fails_fails_the_checkpoint);
    tcase_add_test(tcase, a_piece_that_fails_fails_the_checkpoint);
    tcase_add_test(tcase, what_a_piece_had_that_failed_is_moved_again);
    tcase_add_test(tcase, what_a_failed_checkpoint_has_written_is_not_left_to_the_next);
    tcase_add_test(tcase, pages_written_during_the_last_piece_are_begun_and_not_waited_for);
    tcase_add_test(tcase, a_reader_that_ends_meanwhile_holds_up_one_pass_only);
    tcase_add_test(tcase, a_deletion_waits_for_a_checkpoint_no_longer_than_its_deadline);
    tcase_add_test(tcase, a_checkpoint_that_is_forgotten_before_it_begins_is_not_made);
    tcase_add_test(tcase, where_the_system_has_no_such_call_a_checkpoint_goes_on);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return check_main(pacing_suite());
}
