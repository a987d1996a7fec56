/* A disk without room. The calls of the C library that take room are replaced by some that can
 * fail. */
#define _GNU_SOURCE
#define _FILE_OFFSET_BITS 64
#include "tests/lib/check_main.h"
#include "tests/store/store_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <unistd.h>

static atomic_bool is_full;        // nothing can be written
static atomic_bool has_no_blocks;  // no block can be taken, not even one that the file has
static atomic_bool has_holes;      // files have none of their blocks

ssize_t pwrite(int fd, const void *bytes, size_t n, off_t at)
{
    if (atomic_load(&is_full)) {
        errno = ENOSPC;
        return -1;
    }
    return syscall(SYS_pwrite64, fd, bytes, n, at);
}

int fallocate(int fd, int mode, off_t at, off_t n)
{
    if (atomic_load(&has_no_blocks)) {
        errno = ENOSPC;
        return -1;
    }
    return (int)syscall(SYS_fallocate, fd, mode, at, n);
}

off_t lseek(int fd, off_t at, int whence)
{
    if (whence == SEEK_HOLE) {
        return atomic_load(&has_holes) ? at : (off_t)1 << 62;
    }
    return syscall(SYS_lseek, fd, at, whence);
}

static void begin(void)
{
    fixture_on_disk();
    must_put(fx.ns, "a-1", 3);
}

static void end(void)
{
    atomic_store(&is_full, false);
    atomic_store(&has_no_blocks, false);
    atomic_store(&has_holes, false);
    fixture_end();
}

/* A session could not be opened again: the index of the WAL would have to be made anew. */
START_TEST(reads_go_on_and_writes_as_soon_as_there_is_room)
{
    atomic_store(&is_full, true);
    for (uint64_t id = 101; id < 104; id++) {
        ck_assert_int_eq(put_one(id), WEIR_BACKEND_UNAVAILABLE);
        ck_assert_msg(strstr(fx.report, "full") != NULL, "%s", fx.report);
        const struct weir_query query = query_all();
        must_read(fx.ns, &query);
        ck_assert_uint_eq(fx.rows.n, 3);
    }
    atomic_store(&is_full, false);
    ck_assert_int_eq(put_one(104), WEIR_OK);
    ck_assert_int_eq(must_head(fx.ns), 4);
    reopen();
    ck_assert_int_eq(must_head(fx.ns), 4);
    check_integrity(namespace_path());
}
END_TEST

/* A write to memory without blocks behind it would end the process. */
START_TEST(the_index_of_a_wal_is_used_only_where_it_has_its_blocks)
{
    close_all();
    struct weir_store *store = NULL;
    atomic_store(&has_holes, true);
    atomic_store(&has_no_blocks, true);
    ck_assert_int_eq(try_open_store(fx.url, 4, &store), WEIR_BACKEND_UNAVAILABLE);
    atomic_store(&has_no_blocks, false);
    reopen();
    ck_assert_int_eq(must_head(fx.ns), 3);
}
END_TEST

/* A full XFS refuses to allot blocks that a file has already. */
START_TEST(the_index_of_a_wal_that_has_its_blocks_asks_for_none)
{
    close_all();
    atomic_store(&has_no_blocks, true);
    reopen();
    ck_assert_int_eq(must_head(fx.ns), 3);
}
END_TEST

static Suite *sqlite_full_disk_suite(void)
{
    Suite *suite = suite_create("sqlite_full_disk");
    TCase *tcase = tcase_create("full disk");
    tcase_add_checked_fixture(tcase, begin, end);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, reads_go_on_and_writes_as_soon_as_there_is_room);
    tcase_add_test(tcase, the_index_of_a_wal_is_used_only_where_it_has_its_blocks);
    tcase_add_test(tcase, the_index_of_a_wal_that_has_its_blocks_asks_for_none);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return check_main(sqlite_full_disk_suite());
}
