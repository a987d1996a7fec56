/* Query plans of reads: every SELECT of messages walks the index in the order of its rows, whatever
 * the statistics say. Nothing is sorted, no table is scanned, and the scan ends when the batch is
 * full. */
#include "store/postgres/pg_schema.h"
#include "store/postgres/pg_select.h"
#include "store/postgres/pg_session.h"
#include "store/store_int.h"

#include "tests/lib/check_main.h"
#include "tests/postgres/pg_fixture.h"

#include <stdio.h>
#include <stdlib.h>

enum { TEXT_BYTES = 8192, PLAN_BYTES = 16384 };

static struct pg_backend *backend;
static struct pg_conn *conn;
static struct pg_namespace ns;

static void begin(void)
{
    fixture_on_disk();
    backend = (struct pg_backend *)fx.store->backend;
    ck_assert_int_eq(
        weir_pg_namespace_locate(backend, weir_slice_of("test"), INT64_MAX, &ns, &fx.err), WEIR_OK);
    ck_assert_int_eq(weir_pg_acquire(backend, 1, INT64_MAX, &conn, &fx.err), WEIR_OK);
}

static void end(void)
{
    weir_pg_release(conn);
    fixture_end();
}

/* Puts nearly all messages in one category, which makes an index of all positions look good
 * although it is very bad for the other categories. */
static void fill(void)
{
    char text[TEXT_BYTES];
    (void)snprintf(text, sizeof text,
                   "INSERT INTO %s.stored SELECT g, g / 100, now(), g, gen_random_uuid(),"
                   " CASE WHEN g %% 5000 = 0 THEN 'rare-' ELSE 'common-' END || g %% 100, 'T',"
                   " CASE WHEN g %% 50 = 0 THEN 'flow' END, '{}', NULL"
                   " FROM generate_series(1, 20000) AS g; ANALYZE %s.stored",
                   ns.schema, ns.schema);
    ck_assert_msg(weir_pg_script(conn, text, &fx.err) == WEIR_OK, "%s", fx.report);
}

static PGresult *query_on(struct pg_conn *on, const char *text)
{
    struct pg_params none;
    weir_pg_params_init(&none, NULL);
    PGresult *result = NULL;
    ck_assert_msg(weir_pg_query(on, text, &none, &result, &fx.err) == WEIR_OK, "%s", fx.report);
    return result;
}

static PGresult *must_query(const char *text)
{
    return query_on(conn, text);
}

static void explain(const struct pg_shape *shape, char plan[PLAN_BYTES])
{
    char pattern[WEIR_PG_SELECT_BYTES];
    char text[TEXT_BYTES];
    weir_pg_select_text(&weir_pg_rows_layout, shape, pattern);
    char *select = weir_pg_expand(&ns, pattern);
    (void)snprintf(text, sizeof text, "DEALLOCATE ALL; PREPARE p AS %s", select);
    free(select);
    ck_assert_msg(weir_pg_script(conn, text, &fx.err) == WEIR_OK, "%s", fx.report);
    const char *extra = shape->has_correlation && shape->has_group ? ", 'flow', 4, 1"
                        : shape->has_correlation                   ? ", 'flow'"
                        : shape->has_group                         ? ", 4, 1"
                                                                   : "";
    (void)snprintf(text, sizeof text, "EXPLAIN EXECUTE p(%s, 10, 100, 1000000%s%s)",
                   shape->selector == WEIR_SELECT_ALL ? "NULL" : "'rare'", extra,
                   shape->has_types ? ", '{T}'" : "");
    PGresult *result = must_query(text);
    size_t n = 0;
    for (int r = 0; r < PQntuples(result); r++) {
        n += (size_t)snprintf(plan + n, PLAN_BYTES - n, "%s\n", PQgetvalue(result, r, 0));
        ck_assert_uint_lt(n, PLAN_BYTES);
    }
    PQclear(result);
}

static const char *wanted_index(const struct pg_shape *shape)
{
    if (shape->selector == WEIR_SELECT_STREAM) {
        return "stored_by_stream";
    }
    if (shape->has_correlation) {
        return "stored_by_correlation";
    }
    return shape->selector == WEIR_SELECT_CATEGORY ? "stored_by_category" : "stored_by_global";
}

static void assert_plan(const struct pg_shape *shape)
{
    char plan[PLAN_BYTES];
    char scan[96];
    explain(shape, plan);
    (void)snprintf(scan, sizeof scan, "%s on stored m", wanted_index(shape));
    ck_assert_msg(strstr(plan, scan) != NULL, "no %s in\n%s", scan, plan);
    ck_assert_msg(strstr(plan, "Seq Scan") == NULL, "%s", plan);
    ck_assert_msg(strstr(plan, "Sort") == NULL, "%s", plan);
    /* The row after the messages is omitted if the batch is full. */
    ck_assert_msg(strncmp(plan, "Limit", strlen("Limit")) == 0, "%s", plan);
}

/* Covers all shapes except those that no query has. */
START_TEST(every_read_walks_its_index)
{
    if (_i == 1) {
        fill();
    } else if (_i == 2) {
        sql("ANALYZE %s.stored", ns.schema);
    }
    for (unsigned bits = 0; bits < 128; bits++) {
        for (int selector = WEIR_SELECT_STREAM; selector <= WEIR_SELECT_ALL; selector++) {
            const bool is_stream = selector == WEIR_SELECT_STREAM;
            const struct pg_shape shape = {.selector = (enum weir_selector)selector,
                                           .is_backward = (bits & 1) != 0,
                                           .is_headers_only = (bits & 2) != 0,
                                           .is_measured = (bits & 6) == 4,
                                           .has_types = (bits & 8) != 0,
                                           .is_from_global = is_stream && (bits & 16) != 0,
                                           .has_correlation = !is_stream && (bits & 32) != 0,
                                           .has_group = !is_stream && (bits & 64) != 0};
            assert_plan(&shape);
        }
    }
}
END_TEST

/* ---- the counters ---- */

/* Returns the scans by this connection in its current transaction. */
static int64_t scans_of_counters(void)
{
    char text[TEXT_BYTES];
    int64_t scans = -1;
    (void)snprintf(text, sizeof text, "SELECT pg_stat_get_xact_numscans('%s.counters'::regclass)",
                   ns.schema);
    PGresult *result = must_query(text);
    ck_assert(weir_pg_int8(result, 0, 0, &scans));
    PQclear(result);
    return scans;
}

#define ONE_APPEND                                                                            \
    "append(500, 100, 0, 'epoch', '0', '{a-1}', '{1}', '{NULL}', '{1}', '{1}', '{a}', '{1}'," \
    " '{1}', '{0}', '{-1}', '{0}', '{1}', '{1}', '{1}', ARRAY[gen_random_uuid()], '{T}',"     \
    " '{NULL}', '{1}', '{NULL}')"

static void call_function(const char *call)
{
    char text[TEXT_BYTES];
    (void)snprintf(text, sizeof text, "SELECT FROM %s.%s", ns.schema, call);
    PQclear(must_query(text));
}

/* A sequential scan would visit every row version that a snapshot still needs. */
START_TEST(writes_find_the_counters_by_their_era)
{
    ck_assert_int_eq(weir_pg_script(conn, "BEGIN", &fx.err), WEIR_OK);
    const int64_t before = scans_of_counters();
    call_function(ONE_APPEND);
    call_function("import(500, 100, '{2}', '{1}', '{2000-01-01}', '{1}', ARRAY[gen_random_uuid()],"
                  " '{a-1}', '{T}', '{NULL}', '{1}', '{NULL}')");
    ck_assert_int_eq(scans_of_counters(), before);
    ck_assert_int_eq(weir_pg_script(conn, "ROLLBACK", &fx.err), WEIR_OK);
}
END_TEST

/* Returns the index entries and, by sequential scans, rows read for a table. */
static int64_t rows_read(const char *table)
{
    char text[TEXT_BYTES];
    int64_t entries = -1;
    (void)snprintf(text, sizeof text,
                   "SELECT (sum(pg_stat_get_xact_tuples_returned(indexrelid))"
                   " + pg_stat_get_xact_tuples_returned(indrelid))::int8 FROM pg_index"
                   " WHERE indrelid = '%s.%s'::regclass GROUP BY indrelid",
                   ns.schema, table);
    PGresult *result = must_query(text);
    ck_assert(weir_pg_int8(result, 0, 0, &entries));
    PQclear(result);
    return entries;
}

static void import_one(int64_t global_position)
{
    char text[TEXT_BYTES];
    (void)snprintf(text, sizeof text,
                   "SELECT FROM %s.import(500, 100, '{%lld}', '{0}', '{2000-01-01}', '{1}',"
                   " ARRAY[gen_random_uuid()], '{new-%lld}', '{T}', '{NULL}', '{1}', '{NULL}')",
                   ns.schema, (long long)global_position, (long long)global_position);
    PQclear(must_query(text));
}

/* The statement is planned on an empty table and the plan is kept. */
START_TEST(an_import_looks_at_its_own_streams)
{
    char text[TEXT_BYTES];
    import_one(30000);
    (void)snprintf(text, sizeof text,
                   "INSERT INTO %s.stored SELECT g, 0, now(), g, gen_random_uuid(), 's-' || g, 'T'"
                   " FROM generate_series(1, 5000) AS g",
                   ns.schema);
    ck_assert_msg(weir_pg_script(conn, text, &fx.err) == WEIR_OK, "%s", fx.report);
    const int64_t before = rows_read("stored");
    import_one(30001);
    ck_assert_int_lt(rows_read("stored") - before, 100);
}
END_TEST

static void prepare_by_ids(void)
{
    char text[TEXT_BYTES];
    char *select = weir_pg_expand(&ns, weir_pg_rows_layout.fixed[PG_FIXED_BY_IDS]);
    (void)snprintf(text, sizeof text, "PREPARE by_ids AS %s", select);
    free(select);
    ck_assert_msg(weir_pg_script(conn, text, &fx.err) == WEIR_OK, "%s", fx.report);
}

/* Runs the statements that look for messages by their ids: an append, and the look at messages
 * whose ids were met again. */
static void look_for_ids(void)
{
    call_function(ONE_APPEND);
    PQclear(must_query("EXECUTE by_ids('{00000000-0000-4000-8000-00000000aaaa}')"));
}

static void insert_messages(int64_t first, int64_t n)
{
    char text[TEXT_BYTES];
    (void)snprintf(text, sizeof text,
                   "INSERT INTO %s.stored SELECT g, g, now(), g, gen_random_uuid(), 's-1', 'T'"
                   " FROM generate_series(%lld::int8, %lld::int8) AS g",
                   ns.schema, (long long)first, (long long)(first + n - 1));
    ck_assert_msg(weir_pg_script(conn, text, &fx.err) == WEIR_OK, "%s", fx.report);
}

/* The table is analysed while it holds few messages, so that a look at all of them seems cheap, and
 * the plans that are made then are kept while it grows. */
START_TEST(ids_are_looked_for_one_by_one_whatever_the_statistics_say)
{
    static const int64_t few[] = {0, 3, 30};
    char text[TEXT_BYTES];
    ck_assert_int_eq(weir_pg_script(conn, "BEGIN", &fx.err), WEIR_OK);
    insert_messages(200001, few[_i]);
    (void)snprintf(text, sizeof text, "ANALYZE %s.stored", ns.schema);
    ck_assert_msg(weir_pg_script(conn, text, &fx.err) == WEIR_OK, "%s", fx.report);
    prepare_by_ids();
    look_for_ids();
    insert_messages(300001, 5000);
    const int64_t before = rows_read("stored");
    look_for_ids();
    ck_assert_int_lt(rows_read("stored") - before, 100);
    ck_assert_int_eq(weir_pg_script(conn, "ROLLBACK", &fx.err), WEIR_OK);
}
END_TEST

START_TEST(the_era_is_that_of_the_head)
{
    must_put(fx.ns, "a-1", 1000);
    ck_assert_int_eq(sql_int("SELECT era FROM %s.counters", ns.schema), 0);
    must_put(fx.ns, "a-1", 1000);
    ck_assert_int_eq(sql_int("SELECT era FROM %s.counters", ns.schema), 1);
    struct weir_import_record record = record_of(1, "b-1", 0, 10000);
    ck_assert_int_eq(import(fx.ns, &record, 1, NULL), WEIR_OK);
    ck_assert_int_eq(sql_int("SELECT era FROM %s.counters", ns.schema), 9);
    record = record_of(2, "b-1", 1, 9000);
    ck_assert_int_eq(import(fx.ns, &record, 1, NULL), WEIR_OK);
    ck_assert_int_eq(sql_int("SELECT era FROM %s.counters", ns.schema), 9);
    ck_assert_int_eq(must_head(fx.ns), 10000);
}
END_TEST

/* Each page of row versions that a snapshot still needs has an index entry. */
START_TEST(an_append_looks_at_the_last_era_of_a_category)
{
    PGconn *holder = sql_connect();
    sql_on(holder, "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1");
    for (int n = 0; n < 2100; n++) {
        must_put(fx.ns, "a-2", 1);
    }
    ck_assert_int_eq(weir_pg_script(conn, "BEGIN", &fx.err), WEIR_OK);
    const int64_t before = rows_read("categories");
    call_function(ONE_APPEND);
    const int64_t read = rows_read("categories") - before;
    ck_assert_int_eq(weir_pg_script(conn, "COMMIT", &fx.err), WEIR_OK);
    PQfinish(holder);
    ck_assert_int_lt(read, 5);
    ck_assert_str_eq(
        sql("SELECT era || ' ' || stream_count || ' ' || message_count FROM %s.categories",
            ns.schema),
        "2 2 2101");
}
END_TEST

/* Without these settings each write would examine all ids. */
START_TEST(what_a_role_says_of_planning_does_not_count)
{
    struct pg_conn *fresh = NULL;
    int64_t on = 0;
    sql("ALTER ROLE postgres SET enable_nestloop = off; ALTER ROLE postgres SET enable_indexscan ="
        " off; ALTER ROLE postgres SET enable_indexonlyscan = off; ALTER ROLE postgres SET"
        " enable_tidscan = off");
    const weir_status status = weir_pg_conn_open(backend, INT64_MAX, &fresh, &fx.err);
    sql("ALTER ROLE postgres RESET ALL");
    ck_assert_msg(status == WEIR_OK, "%s", fx.err.text);
    weir_pg_conn_limit(fresh, INT64_MAX);
    PGresult *result =
        query_on(fresh, "SELECT count(*) FROM pg_settings WHERE setting = 'on' AND name IN"
                        " ('enable_nestloop', 'enable_indexscan', 'enable_indexonlyscan',"
                        " 'enable_tidscan')");
    ck_assert(weir_pg_int8(result, 0, 0, &on));
    ck_assert_int_eq(on, 4);
    PQclear(result);
    weir_pg_conn_close(fresh);
}
END_TEST

START_TEST(there_are_no_chunks)
{
    const struct weir_chunk_query query = {.deadline_us = INT64_MAX};
    struct weir_chunk_list list;
    ck_assert_int_eq(weir_chunks(fx.ns, &query, &fx.arena, &list, &fx.err),
                     WEIR_FEATURE_UNSUPPORTED);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("pg_plans");
    TCase *tcase = tcase_create("plans");
    tcase_set_timeout(tcase, 120);
    tcase_add_checked_fixture(tcase, begin, end);
    tcase_add_loop_test(
        tcase, every_read_walks_its_index, 0,
        3);  // on an empty and on a full table, and on an empty one that was analysed
    tcase_add_test(tcase, writes_find_the_counters_by_their_era);
    tcase_add_test(tcase, an_import_looks_at_its_own_streams);
    tcase_add_loop_test(tcase, ids_are_looked_for_one_by_one_whatever_the_statistics_say, 0, 3);
    tcase_add_test(tcase, the_era_is_that_of_the_head);
    tcase_add_test(tcase, an_append_looks_at_the_last_era_of_a_category);
    tcase_add_test(tcase, what_a_role_says_of_planning_does_not_count);
    tcase_add_test(tcase, there_are_no_chunks);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return check_main(make_suite());
}
