/* The mapping of SQLite's result codes to statuses. */
#include "store/sqlite/sqlite_status.h"

#include "tests/lib/check_main.h"

#include <sqlite3.h>

static const struct {
    int rc;
    weir_status status;
    bool is_breaking;
} codes[] = {
    {SQLITE_OK, WEIR_OK, false},
    {SQLITE_ROW, WEIR_OK, false},
    {SQLITE_DONE, WEIR_OK, false},
    {SQLITE_BUSY, WEIR_BACKEND_UNAVAILABLE, false},
    {SQLITE_BUSY_SNAPSHOT, WEIR_BACKEND_UNAVAILABLE, false},
    {SQLITE_BUSY_RECOVERY, WEIR_BACKEND_UNAVAILABLE, false},
    {SQLITE_LOCKED, WEIR_BACKEND_UNAVAILABLE, false},
    {SQLITE_INTERRUPT, WEIR_DEADLINE_EXCEEDED, false},
    {SQLITE_NOMEM, WEIR_BACKEND_UNAVAILABLE, true},
    {SQLITE_IOERR, WEIR_BACKEND_UNAVAILABLE, true},
    {SQLITE_IOERR_FSYNC, WEIR_BACKEND_UNAVAILABLE, true},
    {SQLITE_IOERR_WRITE, WEIR_BACKEND_UNAVAILABLE, true},
    {SQLITE_IOERR_SHMMAP, WEIR_BACKEND_UNAVAILABLE, true},
    {SQLITE_IOERR_CORRUPTFS, WEIR_DATA_CORRUPT, true},
    {SQLITE_IOERR_DATA, WEIR_DATA_CORRUPT, true},
    {SQLITE_FULL, WEIR_BACKEND_UNAVAILABLE, false},
    {SQLITE_CANTOPEN, WEIR_BACKEND_UNAVAILABLE, true},
    {SQLITE_READONLY_DBMOVED, WEIR_BACKEND_UNAVAILABLE, true},
    {SQLITE_PERM, WEIR_BACKEND_UNAVAILABLE, true},
    {SQLITE_PROTOCOL, WEIR_BACKEND_UNAVAILABLE, true},
    {SQLITE_CORRUPT, WEIR_DATA_CORRUPT, true},
    {SQLITE_CORRUPT_INDEX, WEIR_DATA_CORRUPT, true},
    {SQLITE_NOTADB, WEIR_DATA_CORRUPT, true},
    {SQLITE_TOOBIG, WEIR_LIMIT_EXCEEDED, false},
    {SQLITE_CONSTRAINT_UNIQUE, WEIR_BACKEND_ERROR, false},
    {SQLITE_CONSTRAINT_DATATYPE, WEIR_BACKEND_ERROR, false},
    {SQLITE_ERROR, WEIR_BACKEND_ERROR, true},
    {SQLITE_MISUSE, WEIR_BACKEND_ERROR, true},
    {SQLITE_SCHEMA, WEIR_BACKEND_ERROR, true},
    {SQLITE_INTERNAL, WEIR_BACKEND_ERROR, true},
    {250, WEIR_BACKEND_ERROR, true},
    {-1, WEIR_BACKEND_ERROR, true},
};

START_TEST(a_code_has_its_meaning)
{
    ck_assert_int_eq(weir_sqlite_status(codes[_i].rc), codes[_i].status);
    ck_assert(weir_sqlite_is_breaking(codes[_i].rc) == codes[_i].is_breaking);
}
END_TEST

START_TEST(a_failure_is_never_ok)
{
    struct weir_error err;
    weir_error_init(&err);
    ck_assert_int_eq(weir_sqlite_fail(&err, codes[_i].rc, "do it"),
                     codes[_i].status == WEIR_OK ? WEIR_BACKEND_ERROR : codes[_i].status);
    ck_assert_int_ne(err.text[0], '\0');
}
END_TEST

static Suite *sqlite_status_suite(void)
{
    Suite *suite = suite_create("sqlite_status");
    TCase *tcase = tcase_create("codes");
    tcase_add_loop_test(tcase, a_code_has_its_meaning, 0, WEIR_COUNTOF(codes));
    tcase_add_loop_test(tcase, a_failure_is_never_ok, 0, WEIR_COUNTOF(codes));
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return check_main(sqlite_status_suite());
}
