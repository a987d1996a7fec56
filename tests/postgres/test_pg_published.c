/* A database all of whose tables are published, as for an upgrade by logical replication:
 * PostgreSQL then refuses updates and deletions in tables without a replica identity. */
#include "tests/lib/check_main.h"
#include "tests/postgres/pg_fixture.h"

static void begin(void)
{
    fixture_on_disk();
    sql("DROP PUBLICATION IF EXISTS everything; CREATE PUBLICATION everything FOR ALL TABLES");
}

static void end(void)
{
    sql("DROP PUBLICATION IF EXISTS everything");
    fixture_end();
}

/* Makes every kind of change, in the list of namespaces too. */
static void change_everything(void)
{
    const struct weir_import_record record = record_of(1, "b-1", 0, 5000);
    struct weir_import outcome;
    struct weir_write clear = {.kind = WEIR_WRITE_CLEAR};
    const struct weir_token_hash hash = {{7}};
    int64_t deleted = 0;
    must_put(fx.ns, "a-1", 3);
    must_put(fx.ns, "a-1", 2);
    ck_assert_msg(import(fx.ns, &record, 1, &outcome) == WEIR_OK, "%s", fx.report);
    ck_assert_msg(commit_write(fx.ns, &clear) == WEIR_OK, "%s", fx.report);
    ck_assert_int_eq(clear.of.clear.messages_deleted, 6);
    must_create(fx.store, "other");
    ck_assert_int_eq(
        weir_namespace_set_token(fx.store, weir_slice_of("other"), &hash, INT64_MAX, &fx.err),
        WEIR_OK);
    ck_assert_int_eq(
        weir_namespace_delete(fx.store, weir_slice_of("other"), INT64_MAX, &deleted, &fx.err),
        WEIR_OK);
}

START_TEST(all_is_written_though_all_is_published)
{
    change_everything();
}
END_TEST

/* A namespace of version 11, whose counters have no replica identity. */
START_TEST(what_is_there_already_is_written_too)
{
    sql("ALTER TABLE %s.counters REPLICA IDENTITY DEFAULT;"
        " UPDATE weir_registry.namespaces SET schema_version = 11"
        " WHERE id = 'test'",
        schema_of("test"));
    reopen();
    change_everything();
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("pg_published");
    TCase *tcase = tcase_create("published");
    tcase_set_timeout(tcase, 120);
    tcase_add_checked_fixture(tcase, begin, end);
    tcase_add_test(tcase, all_is_written_though_all_is_published);
    tcase_add_test(tcase, what_is_there_already_is_written_too);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return check_main(make_suite());
}
