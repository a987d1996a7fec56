/* Checkpoints: the size of the WAL, and the report of their end. */
#include "tests/lib/check_main.h"
#include "tests/store/store_fixture.h"

#include "store/sqlite/sqlite_checkpoint.h"
#include "store/store_int.h"
#include "weir/base/monotonic.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

START_TEST(a_long_wal_is_checkpointed)
{
    static char data[200 * 1024 + 1];
    memset(data, '1', sizeof data - 1);
    for (uint64_t i = 0; i < 200; i++) {  // 50 pages each: together more than a checkpoint needs
        const struct weir_new_message message = message_of(i + 1, data);
        struct weir_written written;
        ck_assert_int_eq(append(fx.ns, "a-1", ANY, &message, 1, &written), WEIR_OK);
    }
    /* The database file itself must grow although nothing has been closed. */
    const int64_t until_us = weir_monotonic_us() + 20000000;
    struct stat status = {.st_size = 0};
    while (status.st_size < 4 << 20 && weir_monotonic_us() < until_us) {
        ck_assert_int_eq(stat(namespace_path(), &status), 0);
    }
    ck_assert_int_ge(status.st_size, 4 << 20);
    ck_assert_str_eq(fx.report, "");
}
END_TEST

static void put_megabytes(uint64_t first, uint64_t n)
{
    static char data[(1 << 20) + 1];
    memset(data, '1', sizeof data - 1);
    for (uint64_t i = first; i < first + n; i++) {
        const struct weir_new_message message = message_of(i, data);
        struct weir_written written;
        ck_assert_int_eq(append(fx.ns, "a-1", ANY, &message, 1, &written), WEIR_OK);
    }
}

static off_t wal_bytes(void)
{
    char wal[420];
    struct stat status;
    (void)snprintf(wal, sizeof wal, "%s-wal", namespace_path());
    ck_assert_int_eq(stat(wal, &status), 0);
    return status.st_size;
}

/* Puts messages until the WAL has been cut. */
static void put_until_cut(uint64_t first)
{
    const off_t too_long = INT64_C(2) << 30;
    const int64_t until_us = weir_monotonic_us() + 90000000;
    while (wal_bytes() > (off_t)WEIR_SQLITE_WAL_PAGES_KEPT * 4096 && wal_bytes() < too_long &&
           weir_monotonic_us() < until_us) {
        put_megabytes(first++, 1);
    }
    ck_assert_int_le(wal_bytes(), (off_t)WEIR_SQLITE_WAL_PAGES_KEPT * 4096);
}

/* A long reader makes the WAL grow. Once the reader has ended, the WAL is limited again. */
START_TEST(the_wal_is_bounded_although_writes_never_pause)
{
    put_megabytes(1, 1);
    sqlite3 *reader = start_program(namespace_path(), "BEGIN; SELECT count(*) FROM counters");
    put_megabytes(2, WEIR_SQLITE_WAL_PAGES_MAX / 256 + 1);
    ck_assert_int_gt(wal_bytes(), (off_t)WEIR_SQLITE_WAL_PAGES_MAX * 4096);
    end_program(reader);
    put_until_cut(1000);
}
END_TEST

/* One write may wait for readers, or two: those before a checkpoint has found the reader to be a
 * long one. */
START_TEST(no_write_waits_for_a_long_reader_and_the_operator_is_told)
{
    enum { MEGABYTES = (WEIR_SQLITE_WAL_PAGES_MAX + 3 * WEIR_SQLITE_CHECKPOINT_PAGES) / 256 + 1 };
    int slow = 0;
    put_megabytes(1, 1);
    fx.report[0] = '\0';
    sqlite3 *reader = start_program(namespace_path(), "BEGIN; SELECT count(*) FROM counters");
    for (uint64_t id = 2; id < MEGABYTES; id++) {
        const int64_t from_us = weir_monotonic_us();
        put_megabytes(id, 1);
        slow += weir_monotonic_us() - from_us >= WEIR_SQLITE_READERS_WAIT_US;
    }
    ck_assert_int_le(slow, 2);
    ck_assert_msg(strstr(fx.report, "-wal has grown to") != NULL, "%s", fx.report);
    end_program(reader);
    put_until_cut(1000);
    ck_assert_msg(strstr(fx.report, "no longer held") != NULL, "%s", fx.report);
}
END_TEST

static void put_small(uint64_t id)
{
    const struct timespec nap = {.tv_nsec = 100 * 1000 * 1000};
    (void)nanosleep(&nap, NULL);
    ck_assert_int_eq(put_one(id), WEIR_OK);
}

/* Puts messages until a second checkpoint has found as much left as the first. */
static void put_until_held(uint64_t id)
{
    const struct sqlite_backend *backend = (const struct sqlite_backend *)fx.store->backend;
    const int64_t until_us = weir_monotonic_us() + 20000000;
    char name[WEIR_SQLITE_NAME_BYTES];
    weir_sqlite_database_name(weir_slice_of("test"), name);
    while (!weir_sqlite_checkpointer_is_held(backend->checkpointer, name) &&
           weir_monotonic_us() < until_us) {
        put_small(id++);
    }
    ck_assert(weir_sqlite_checkpointer_is_held(backend->checkpointer, name));
}

enum { SHORT_READERS = 4 };

static atomic_bool is_over;
static atomic_int reads_failed;

/* Counts failures, because only the test's own thread may assert. */
static void *read_again_and_again(void *path)
{
    while (!atomic_load(&is_over)) {
        const struct timespec nap = {.tv_nsec = WEIR_SQLITE_READERS_WAIT_US / 2 * 1000};
        sqlite3 *reader = NULL;
        const bool is_reading = sqlite3_open(path, &reader) == SQLITE_OK &&
                                sqlite3_busy_timeout(reader, 20000) == SQLITE_OK &&
                                sqlite3_exec(reader, "BEGIN; SELECT count(*) FROM counters", NULL,
                                             NULL, NULL) == SQLITE_OK;
        atomic_fetch_add(&reads_failed, is_reading ? 0 : 1);
        (void)nanosleep(&nap, NULL);
        (void)sqlite3_close(reader);
    }
    return NULL;
}

/* They leave as much of the WAL behind as a long reader does, but the writer can wait for them. */
START_TEST(short_readers_that_overlap_do_not_unbind_the_wal)
{
    pthread_t threads[SHORT_READERS];
    char path[400];
    (void)snprintf(path, sizeof path, "%s", namespace_path());
    put_megabytes(1, 1);
    atomic_store(&is_over, false);
    atomic_store(&reads_failed, 0);
    for (size_t t = 0; t < SHORT_READERS; t++) {
        const struct timespec nap = {.tv_nsec = WEIR_SQLITE_READERS_WAIT_US / 8 * 1000};
        ck_assert_int_eq(pthread_create(&threads[t], NULL, read_again_and_again, path), 0);
        (void)nanosleep(&nap, NULL);
    }
    put_megabytes(2, WEIR_SQLITE_WAL_PAGES_MAX / 256 + 1);
    put_until_cut(1000);
    atomic_store(&is_over, true);
    for (size_t t = 0; t < SHORT_READERS; t++) {
        (void)pthread_join(threads[t], NULL);
    }
    ck_assert_int_eq(atomic_load(&reads_failed), 0);
}
END_TEST

/* A namespace to which little is written must not keep a long WAL until much has been. */
START_TEST(a_wal_is_moved_soon_after_a_long_reader_has_ended)
{
    sqlite3 *reader = start_program(namespace_path(), "BEGIN; SELECT count(*) FROM counters");
    put_megabytes(1, WEIR_SQLITE_CHECKPOINT_PAGES / 256 + 2);
    put_until_held(500);
    end_program(reader);
    struct stat status = {.st_size = 0};
    const int64_t until_us = weir_monotonic_us() + 20000000;
    for (uint64_t id = 1000; status.st_size < 16 << 20 && weir_monotonic_us() < until_us; id++) {
        put_small(id);
        ck_assert_int_eq(stat(namespace_path(), &status), 0);
    }
    ck_assert_int_ge(status.st_size, 16 << 20);
}
END_TEST

/* Waits until the requested checkpoint has ended. */
static bool take_checkpoint(struct sqlite_checkpointer *checkpointer, const char *name)
{
    const int64_t until_us = weir_monotonic_us() + 20000000;
    bool is_taken = false;
    while (!is_taken && weir_monotonic_us() < until_us) {
        is_taken = weir_sqlite_checkpointer_take(checkpointer, name);
    }
    return is_taken;
}

START_TEST(the_end_of_a_checkpoint_is_told_once)
{
    const struct sqlite_backend *backend = (const struct sqlite_backend *)fx.store->backend;
    char name[WEIR_SQLITE_NAME_BYTES];
    weir_sqlite_database_name(weir_slice_of("test"), name);
    put_megabytes(1, 1);
    ck_assert(!weir_sqlite_checkpointer_take(backend->checkpointer, name));

    weir_sqlite_checkpointer_ask(backend->checkpointer, name);
    ck_assert(!weir_sqlite_checkpointer_take(backend->checkpointer, "ns-of-somebody-else.db"));
    ck_assert(take_checkpoint(backend->checkpointer, name));
    ck_assert(!weir_sqlite_checkpointer_take(backend->checkpointer, name));

    weir_sqlite_checkpointer_ask(backend->checkpointer, name);
    ck_assert(weir_sqlite_checkpointer_forget(backend->checkpointer, name, INT64_MAX));
    ck_assert(!weir_sqlite_checkpointer_take(backend->checkpointer, name));
    ck_assert_str_eq(fx.report, "");
}
END_TEST

/* Asks for a checkpoint, and waits until it and all that were asked for before have ended. */
static void checkpoint_last(struct sqlite_checkpointer *checkpointer, const char *id)
{
    char name[WEIR_SQLITE_NAME_BYTES];
    weir_sqlite_database_name(weir_slice_of(id), name);
    weir_sqlite_checkpointer_ask(checkpointer, name);
    ck_assert(take_checkpoint(checkpointer, name));
}

START_TEST(an_end_that_is_told_late_hides_no_other_and_can_be_forgotten)
{
    const struct sqlite_backend *backend = (const struct sqlite_backend *)fx.store->backend;
    struct sqlite_checkpointer *checkpointer = backend->checkpointer;
    char name[WEIR_SQLITE_NAME_BYTES];
    char other[WEIR_SQLITE_NAME_BYTES];
    weir_sqlite_database_name(weir_slice_of("test"), name);
    weir_sqlite_database_name(weir_slice_of("other"), other);
    must_create(fx.store, "other");
    must_create(fx.store, "last");
    weir_sqlite_checkpointer_ask(checkpointer, name);
    weir_sqlite_checkpointer_ask(checkpointer, other);
    checkpoint_last(checkpointer, "last");
    weir_sqlite_checkpointer_ask(checkpointer, name);
    checkpoint_last(checkpointer, "last");
    ck_assert(weir_sqlite_checkpointer_take(checkpointer, name));
    ck_assert(!weir_sqlite_checkpointer_take(checkpointer, name));
    weir_sqlite_checkpointer_ask(checkpointer, name);
    checkpoint_last(checkpointer, "last");
    ck_assert(weir_sqlite_checkpointer_forget(checkpointer, name, INT64_MAX));
    ck_assert(!weir_sqlite_checkpointer_take(checkpointer, name));
    ck_assert(weir_sqlite_checkpointer_take(checkpointer, other));
    ck_assert(!weir_sqlite_checkpointer_take(checkpointer, other));
}
END_TEST

/* Only changes to the registry cause checkpoints of its WAL. */
START_TEST(the_list_of_namespaces_has_its_checkpoints_as_well)
{
    struct weir_token_hash hash = {{0}};
    for (size_t i = 0; i < 2200; i++) {  // one page each
        hash.bytes[0] = (uint8_t)i;
        ck_assert_int_eq(
            weir_namespace_set_token(fx.store, weir_slice_of("test"), &hash, INT64_MAX, &fx.err),
            WEIR_OK);
    }
    struct stat status;
    ck_assert_int_eq(stat(path_in_dir("registry.db-wal"), &status), 0);
    ck_assert_int_lt(status.st_size, 1500 * 4096);
    ck_assert_str_eq(fx.report, "");
}
END_TEST

/* The byte range that SQLite locks in an open file, after the first GiB. */
enum { SHARED_FIRST = (1 << 30) + 2, SHARED_SIZE = 510 };

/* Returns whether another process finds the file locked. The check forks, because a process never
 * sees its own locks. */
static bool is_locked_for_others(const char *path)
{
    const pid_t child = fork();
    if (child == 0) {
        struct flock lock = {
            .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = SHARED_FIRST, .l_len = SHARED_SIZE};
        const int fd = open(path, O_RDWR | O_CLOEXEC);
        _exit(fd >= 0 && fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK ? 0 : 1);
    }
    int status = -1;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* A program that finds no lock removes the WAL when it closes the file, and with it everything
 * acknowledged later. */
START_TEST(a_file_is_in_use_for_others_as_long_as_it_is_open)
{
    const struct sqlite_backend *backend = (const struct sqlite_backend *)fx.store->backend;
    char name[WEIR_SQLITE_NAME_BYTES];
    weir_sqlite_database_name(weir_slice_of("test"), name);
    put_megabytes(1, 1);
    ck_assert(is_locked_for_others(namespace_path()));
    weir_sqlite_checkpointer_ask(backend->checkpointer, name);  // opens and closes the file
    ck_assert(take_checkpoint(backend->checkpointer, name));
    ck_assert(is_locked_for_others(namespace_path()));
    ck_assert(is_locked_for_others(path_in_dir("registry.db")));
}
END_TEST

static Suite *sqlite_checkpoint_suite(void)
{
    Suite *suite = suite_create("sqlite_checkpoint");
    TCase *tcase = tcase_create("checkpoints");
    tcase_add_checked_fixture(tcase, fixture_on_disk, fixture_end);
    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, a_long_wal_is_checkpointed);
    tcase_add_test(tcase, the_wal_is_bounded_although_writes_never_pause);
    tcase_add_test(tcase, no_write_waits_for_a_long_reader_and_the_operator_is_told);
    tcase_add_test(tcase, short_readers_that_overlap_do_not_unbind_the_wal);
    tcase_add_test(tcase, a_wal_is_moved_soon_after_a_long_reader_has_ended);
    tcase_add_test(tcase, the_end_of_a_checkpoint_is_told_once);
    tcase_add_test(tcase, an_end_that_is_told_late_hides_no_other_and_can_be_forgotten);
    tcase_add_test(tcase, the_list_of_namespaces_has_its_checkpoints_as_well);
    tcase_add_test(tcase, a_file_is_in_use_for_others_as_long_as_it_is_open);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return check_main(sqlite_checkpoint_suite());
}
