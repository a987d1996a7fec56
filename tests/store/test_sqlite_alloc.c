/* SQLite's allocator: large blocks grow without a copy. */
#include "store/sqlite/sqlite_alloc.h"
#include "tests/lib/check_main.h"

#include <sqlite3.h>
#include <sys/resource.h>

static long faults(void)
{
    struct rusage usage;
    ck_assert_int_eq(getrusage(RUSAGE_SELF, &usage), 0);
    return usage.ru_minflt;
}

/* Pages of a block that were never written are not resident; a copy would touch them all. */
START_TEST(a_large_block_grows_without_a_copy)
{
    enum { MIB = 1024 * 1024 };
    weir_sqlite_alloc_install();
    ck_assert_int_eq(sqlite3_initialize(), SQLITE_OK);
    char *bytes = sqlite3_malloc64(64 * MIB);
    ck_assert_ptr_nonnull(bytes);
    bytes[0] = 'a';
    bytes[64 * MIB - 1] = 'z';
    const long before = faults();
    char *more = sqlite3_realloc64(bytes, 128 * MIB);
    const long during = faults() - before;
    ck_assert_ptr_nonnull(more);
    ck_assert_int_eq(more[0], 'a');
    ck_assert_int_eq(more[64 * MIB - 1], 'z');
    ck_assert_uint_ge(sqlite3_msize(more), 128 * MIB);
    ck_assert_int_lt(during, 1000);  // of 16,384 pages
    sqlite3_free(more);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sqlite_alloc");
    TCase *tcase = tcase_create("large");
    tcase_add_test(tcase, a_large_block_grows_without_a_copy);
    suite_add_tcase(suite, tcase);
    return check_main(suite);
}
