/* Stream versions that a session caches: used while nobody else has written, and never afterwards.
 * Also namespaces whose append function is older than the cache. */
#include "store/postgres/pg_dialect.h"

#include "tests/lib/check_main.h"
#include "tests/postgres/pg_fixture.h"
#include "weir/base/monotonic.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LONG_NAME = 300, MANY_STREAMS = 3000 };

static uint64_t next_id = 1000;

/* Appends one message to the stream and returns its position. */
static int64_t put(struct weir_namespace *ns, const char *stream)
{
    const struct weir_new_message message = message_of(next_id++, "1");
    struct weir_written written = {.position = -1};
    ck_assert_int_eq(append(ns, stream, ANY, &message, 1, &written), WEIR_OK);
    return written.position;
}

/* Deletes the messages behind the store's back: the position of the next write shows whether its
 * version was cached or looked up. */
static void remove_messages(void)
{
    sql("DELETE FROM %s.stored", schema_of("test"));
}

START_TEST(the_version_of_the_last_append_is_known)
{
    ck_assert_int_eq(put(fx.ns, "a-1"), 0);
    ck_assert_int_eq(put(fx.ns, "a-2"), 0);
    remove_messages();
    ck_assert_int_eq(put(fx.ns, "a-1"), 1);
    ck_assert_int_eq(put(fx.ns, "a-2"), 1);
    ck_assert_int_eq(put(fx.ns, "a-3"), 0);
    ck_assert_int_eq(put(fx.second_ns, "a-3"), 1);
}
END_TEST

START_TEST(what_changes_the_counters_ends_what_is_known)
{
    ck_assert_int_eq(put(fx.ns, "a-1"), 0);
    remove_messages();
    sql("UPDATE %s.counters SET head = head", schema_of("test"));
    ck_assert_int_eq(put(fx.ns, "a-1"), 0);
}
END_TEST

START_TEST(what_is_known_ends_when_another_server_writes)
{
    for (int64_t k = 0; k < 10; k++) {
        ck_assert_int_eq(put(fx.ns, "a-1"), 3 * k);
        ck_assert_int_eq(put(fx.ns, "a-1"), 3 * k + 1);
        ck_assert_int_eq(put(fx.ns, "a-2"), 2 * k);
        ck_assert_int_eq(put(fx.second_ns, "a-1"), 3 * k + 2);
        ck_assert_int_eq(put(fx.second_ns, "a-2"), 2 * k + 1);
    }
}
END_TEST

/* The other server writes one of several cached streams, then this server writes another: the first
 * must not count as cached, although this server made the last append. */
START_TEST(one_append_brings_back_nothing_that_was_known_before)
{
    ck_assert_int_eq(put(fx.ns, "a-1"), 0);
    ck_assert_int_eq(put(fx.ns, "a-2"), 0);
    ck_assert_int_eq(put(fx.second_ns, "a-1"), 1);
    ck_assert_int_eq(put(fx.ns, "a-2"), 1);
    ck_assert_int_eq(put(fx.ns, "a-1"), 2);
}
END_TEST

START_TEST(what_is_known_ends_with_an_import_and_a_clear)
{
    ck_assert_int_eq(put(fx.ns, "a-1"), 0);
    ck_assert_int_eq(put(fx.ns, "a-1"), 1);
    const struct weir_import_record record = record_of(1, "a-1", 2, 100);
    struct weir_import outcome;
    ck_assert_int_eq(import(fx.second_ns, &record, 1, &outcome), WEIR_OK);
    ck_assert_int_eq(put(fx.ns, "a-1"), 3);
    struct weir_write clear = {.kind = WEIR_WRITE_CLEAR};
    ck_assert_int_eq(commit_write(fx.second_ns, &clear), WEIR_OK);
    ck_assert_int_eq(put(fx.ns, "a-1"), 0);
}
END_TEST

/* An import below the head leaves the head unchanged. */
START_TEST(what_is_known_ends_with_an_import_of_old_messages)
{
    const struct weir_import_record high = record_of(1, "a-1", 0, 100);
    const struct weir_import_record low = record_of(2, "a-1", 1, 50);
    struct weir_import outcome;
    ck_assert_int_eq(import(fx.ns, &high, 1, &outcome), WEIR_OK);
    ck_assert_int_eq(put(fx.ns, "a-2"), 0);
    ck_assert_int_eq(import(fx.second_ns, &low, 1, &outcome), WEIR_OK);
    ck_assert_int_eq(put(fx.ns, "a-2"), 1);
    ck_assert_int_eq(put(fx.ns, "a-1"), 2);
}
END_TEST

/* Some writes of the group are refused, and one is a duplicate. */
START_TEST(a_group_with_refusals_leaves_the_versions_that_are)
{
    struct weir_new_message messages[5];
    struct weir_stream_append parts[5];
    struct weir_write writes[5];
    struct weir_written written[5];
    struct weir_error errors[5];
    ck_assert_int_eq(put(fx.ns, "a-1"), 0);
    const struct weir_expectation expectations[] = {EXACT(0), EXACT(7), STREAM_EXISTS, NO_STREAM,
                                                    ANY};
    const char *const streams[] = {"a-1", "a-1", "b-1", "b-1", "a-1"};
    for (size_t w = 0; w < 5; w++) {
        messages[w] = message_of(next_id++, "1");
        writes[w] = write_of(&parts[w], streams[w], expectations[w], &messages[w], &written[w]);
    }
    messages[4].id = id_of(next_id - 6);  // the id of the message written before
    commit_group(fx.ns, writes, errors, 5);
    ck_assert_int_eq(errors[0].status, WEIR_OK);
    ck_assert_int_eq(errors[1].status, WEIR_STREAM_VERSION_CONFLICT);
    ck_assert_int_eq(errors[2].status, WEIR_STREAM_VERSION_CONFLICT);
    ck_assert_int_eq(errors[3].status, WEIR_OK);
    ck_assert_int_eq(errors[4].status, WEIR_OK);
    ck_assert_int_eq(written[0].global_position, 2);
    ck_assert_int_eq(written[3].global_position, 3);
    ck_assert_int_eq(written[4].global_position, 1);
    ck_assert_int_eq(put(fx.ns, "a-1"), 2);
    ck_assert_int_eq(put(fx.ns, "b-1"), 1);
    ck_assert_int_eq(must_version(fx.ns, "a-1"), 2);
    ck_assert_int_eq(must_version(fx.ns, "b-1"), 1);
    ck_assert_int_eq(sql_int("SELECT message_count FROM %s.counters", schema_of("test")), 5);
    ck_assert_int_eq(
        sql_int("SELECT message_count FROM %s.categories WHERE name = 'a'", schema_of("test")), 3);
    ck_assert_int_eq(sql_int("SELECT sum(stream_count) FROM %s.categories", schema_of("test")), 2);
}
END_TEST

START_TEST(long_names_and_more_streams_than_there_is_room_for_are_looked_up)
{
    char name[LONG_NAME + 1] = "a-";
    memset(name + 2, 'x', LONG_NAME - 2);
    for (int64_t k = 0; k < 3; k++) {
        ck_assert_int_eq(put(fx.ns, name), k);
    }
    name[LONG_NAME - 1] = 'y';
    ck_assert_int_eq(put(fx.ns, name), 0);
    for (int64_t k = 0; k < 2; k++) {
        for (int stream = 0; stream < MANY_STREAMS; stream++) {
            (void)snprintf(name, sizeof name, "many-%d", stream);
            ck_assert_int_eq(put(fx.ns, name), k);
        }
    }
}
END_TEST

/* ---- older versions ---- */

/* Restores the namespace as the previous version left it. */
START_TEST(a_namespace_with_the_older_append_gets_the_newer)
{
    ck_assert_int_eq(put(fx.ns, "a-1"), 0);
    sql("DO $$ DECLARE f regprocedure; BEGIN"
        " FOR f IN SELECT p.oid::regprocedure FROM pg_proc AS p"
        " WHERE p.pronamespace = '%s'::regnamespace AND p.proname = 'append' AND p.pronargs >= 24"
        " LOOP EXECUTE 'DROP FUNCTION ' || f; END LOOP;"
        " ALTER TABLE %s.counters DROP COLUMN era, DROP COLUMN born;"
        " ALTER TABLE %s.categories DROP COLUMN era;"
        " UPDATE weir_registry.namespaces SET schema_version = 2 WHERE id = 'test'; END $$",
        schema_of("test"), schema_of("test"), schema_of("test"));
    reopen();
    ck_assert_int_eq(put(fx.ns, "a-1"), 1);
    ck_assert_int_eq(
        sql_int("SELECT schema_version FROM weir_registry.namespaces WHERE id = 'test'"), 13);
}
END_TEST

/* A namespace of an older version with functions that existed then, functions of another program,
 * and grants by an operator on functions that still exist. */
START_TEST(functions_of_an_older_version_are_replaced)
{
    const char *schema = schema_of("test");
    ck_assert_int_eq(put(fx.ns, "a-1"), 0);
    sql("CREATE FUNCTION %1$s.append(int4) RETURNS int4 LANGUAGE sql AS 'SELECT 1';"
        " CREATE FUNCTION %1$s.clear(int4, text) RETURNS int4 LANGUAGE sql AS 'SELECT 1';"
        " CREATE FUNCTION %1$s.mine(int4) RETURNS int4 LANGUAGE sql AS 'SELECT 1';"
        " CREATE OR REPLACE FUNCTION %1$s.must_be(p_born timestamptz) RETURNS void LANGUAGE plpgsql"
        "  AS 'BEGIN RAISE EXCEPTION ''old''; END';"
        " GRANT EXECUTE ON FUNCTION %1$s.must_be TO locked;"
        " ALTER TABLE %1$s.counters DROP COLUMN born;"
        " UPDATE weir_registry.namespaces SET schema_version = 8"
        "  WHERE id = 'test'",
        schema);
    reopen();
    ck_assert_int_eq(put(fx.ns, "a-1"), 1);
    struct weir_write clear = {.kind = WEIR_WRITE_CLEAR};
    ck_assert_int_eq(commit_write(fx.ns, &clear), WEIR_OK);
    ck_assert_int_eq(sql_int("SELECT %s.mine(1)", schema), 1);
    ck_assert_int_eq(sql_int("SELECT count(*) FROM pg_proc WHERE pronamespace = '%s'::regnamespace"
                             " AND (proname, pronargs) IN (('append', 1), ('clear', 2))",
                             schema),
                     0);
    ck_assert_int_eq(sql_int("SELECT count(*) FROM pg_proc WHERE pronamespace = '%s'::regnamespace"
                             " AND proname = 'must_be' AND array_to_string(proacl, ' ') ~ 'locked'",
                             schema),
                     1);
}
END_TEST

/* Makes the namespace look like one of the version before `born` was added. */
static void put_back_to_version_8(void)
{
    sql("ALTER TABLE %s.counters DROP COLUMN born;"
        " UPDATE weir_registry.namespaces SET schema_version = 8 WHERE id = 'test'",
        schema_of("test"));
}

static void check_not_migrated(const char *url, const char *why)
{
    struct weir_namespace *ns = NULL;
    struct weir_error err;
    weir_error_init(&err);
    struct weir_store *store = open_store(url, 1);
    ck_assert_int_ne(weir_namespace_open(store, weir_slice_of("test"),
                                         weir_monotonic_us() + 1000 * 1000, &ns, &err),
                     WEIR_OK);
    ck_assert_ptr_nonnull(strstr(fx.report, schema_of("test")));
    ck_assert_ptr_nonnull(strstr(fx.report, "from schema version 8 to version 13"));
    ck_assert_msg(strstr(fx.report, why) != NULL, "%s", fx.report);
    weir_store_close(store);
    ck_assert_int_eq(
        sql_int("SELECT schema_version FROM weir_registry.namespaces WHERE id = 'test'"), 8);
}

START_TEST(what_keeps_a_namespace_old_is_reported)
{
    char url[300];
    const char *schema = schema_of("test");
    PGconn *backup = sql_connect();
    char text[200];
    ck_assert_int_eq(put(fx.ns, "a-1"), 0);
    close_all();
    put_back_to_version_8();
    (void)snprintf(text, sizeof text, "BEGIN; LOCK TABLE %s.counters IN ACCESS SHARE MODE", schema);
    sql_on(backup, text);
    check_not_migrated(getenv("WEIR_TEST_STORE"), "holds locks on its tables");
    PQfinish(backup);
    sql("GRANT ALL ON SCHEMA weir_registry, %1$s TO locked;"
        " GRANT ALL ON ALL TABLES IN SCHEMA weir_registry, %1$s TO locked",
        schema);
    (void)snprintf(url, sizeof url, "%s&options=-c%%20role%%3dlocked", getenv("WEIR_TEST_STORE"));
    check_not_migrated(url, "must own the schema");
    reopen();
    ck_assert_int_eq(put(fx.ns, "a-1"), 1);
}
END_TEST

/* A step beyond the version would be applied to new schemas and never to existing ones. */
START_TEST(the_steps_of_a_layout_rise_up_to_its_version)
{
    const struct pg_layout *const layouts[] = {&weir_pg_rows_layout, &weir_pg_adopted_layout};
    const struct pg_layout *layout = layouts[_i];
    ck_assert_int_eq(layout->steps[0].version, 1);
    for (size_t s = 1; s < layout->steps_n; s++) {
        ck_assert_int_gt(layout->steps[s].version, layout->steps[s - 1].version);
    }
    ck_assert_int_le(layout->steps[layout->steps_n - 1].version, layout->version);
}
END_TEST

/* Servers of older versions write with the append functions that they know. */
START_TEST(the_older_append_may_write_meanwhile)
{
    ck_assert_int_eq(put(fx.ns, "a-1"), 0);
    ck_assert_int_eq(put(fx.ns, "a-1"), 1);
    ck_assert_int_eq(
        sql_int("SELECT head FROM %s.append(500, 300, '{a-1}', '{1}', '{1}', '{1}', '{0}', '{-1}',"
                " '{1}', '{1}', '{00000000-0000-0000-0000-00000000aaaa}', '{T}', '{NULL}',"
                " '{NULL}', '{NULL}')",
                schema_of("test")),
        2);
    ck_assert_int_eq(put(fx.ns, "a-1"), 3);
}
END_TEST

/* Four writes: of two streams, of what the first one leads to, one whose expectation does not hold,
 * and one that only checks a stream. */
START_TEST(the_older_append_judges_a_group)
{
    ck_assert_int_eq(put(fx.ns, "a-1"), 0);
    const char *answer = sql(
        "SELECT concat_ws(' ', head, outcomes, versions) FROM %s.append(500, 300, '{a-1,b-1}',"
        " '{1,2}', '{1,1,2,3,4}', '{1,2,1,2,2}', '{0,0,1,1,2}', '{-1,-1,1,7,-1}', '{1,2,1,1,0}',"
        " '{1,2,2,3,4}', ARRAY(SELECT md5(i::text)::uuid FROM generate_series(1, 5) AS i),"
        " '{A,B,C,D,E}', array_fill(NULL::text, '{5}'), '{1,2,3,4,5}', array_fill(NULL::text,"
        " '{5}'))",
        schema_of("test"));
    ck_assert_str_eq(answer, "1 {0,0,0,1,0} {0,-1,1,1,1}");
    answer = sql("SELECT string_agg(concat_ws(' ', global_position, stream_name, position, type),"
                 " ', ' ORDER BY global_position) FROM %s.stored WHERE global_position > 1",
                 schema_of("test"));
    ck_assert_str_eq(answer, "2 a-1 1 A, 3 b-1 0 B, 4 b-1 1 C, 5 a-1 2 D");
    answer = sql("SELECT string_agg(concat_ws(' ', name, stream_count, message_count), ', ' ORDER"
                 " BY name) FROM %s.categories",
                 schema_of("test"));
    ck_assert_str_eq(answer, "a 1 3, b 1 2");
    ck_assert_int_eq(put(fx.ns, "a-1"), 3);
    ck_assert_int_eq(put(fx.ns, "b-1"), 2);
}
END_TEST

static Suite *versions_suite(void)
{
    Suite *suite = suite_create("pg_versions");
    TCase *tcase = tcase_create("versions");
    tcase_set_timeout(tcase, 120);
    tcase_add_checked_fixture(tcase, fixture_of_two, fixture_end);
    tcase_add_test(tcase, the_version_of_the_last_append_is_known);
    tcase_add_test(tcase, what_changes_the_counters_ends_what_is_known);
    tcase_add_test(tcase, what_is_known_ends_when_another_server_writes);
    tcase_add_test(tcase, one_append_brings_back_nothing_that_was_known_before);
    tcase_add_test(tcase, what_is_known_ends_with_an_import_and_a_clear);
    tcase_add_test(tcase, what_is_known_ends_with_an_import_of_old_messages);
    tcase_add_test(tcase, a_group_with_refusals_leaves_the_versions_that_are);
    tcase_add_test(tcase, long_names_and_more_streams_than_there_is_room_for_are_looked_up);
    tcase_add_test(tcase, a_namespace_with_the_older_append_gets_the_newer);
    tcase_add_test(tcase, functions_of_an_older_version_are_replaced);
    tcase_add_test(tcase, what_keeps_a_namespace_old_is_reported);
    tcase_add_loop_test(tcase, the_steps_of_a_layout_rise_up_to_its_version, 0, 2);
    tcase_add_test(tcase, the_older_append_may_write_meanwhile);
    tcase_add_test(tcase, the_older_append_judges_a_group);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return check_main(versions_suite());
}
