/* Operations that lock a table exclusively make an autovacuum give way. */
#include "tests/lib/check_main.h"
#include "tests/postgres/pg_fixture.h"

#include <stdio.h>

enum { BATCHES = 20, BATCH = 1000 };

START_TEST(a_vacuum_gives_way_to_a_clear)
{
    char table[96];
    struct weir_write write = {.kind = WEIR_WRITE_CLEAR};
    for (size_t b = 0; b < BATCHES; b++) {
        must_put(fx.ns, "a-1", BATCH);
    }
    (void)snprintf(table, sizeof table, "%s.stored", schema_of("test"));
    begin_vacuum(table);
    const weir_status status = commit_write(fx.ns, &write);
    end_vacuum(table);
    ck_assert_msg(status == WEIR_OK, "%s", fx.err.text);
    ck_assert_int_eq(write.of.clear.messages_deleted, BATCHES * BATCH);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("pg_vacuum");
    TCase *tcase = tcase_create("vacuum");
    tcase_set_timeout(tcase, 120);
    tcase_add_checked_fixture(tcase, fixture_on_disk, fixture_end);
    tcase_add_test(tcase, a_vacuum_gives_way_to_a_clear);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return check_main(make_suite());
}
