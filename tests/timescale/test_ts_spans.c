/* A read from a position touches only the chunks that can hold it, none older, and misses no
 * message whatever times an import brings. The touched chunks come from the plan of the statement
 * that the store prepared for the read. */
#include "store/postgres/pg_value.h"
#include "store/store_int.h"

#include "tests/lib/check_main.h"
#include "tests/timescale/ts_fixture.h"

#include "weir/base/monotonic.h"
#include "weir/rules/time_text.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WEEK_US (INT64_C(7) * 86400 * 1000000)

enum { WEEKS = 53, TEXT_BYTES = 1024 };

static void statement_prepared_last(char text[TEXT_BYTES])
{
    PGresult *result =
        ts_run("SELECT format('EXPLAIN EXECUTE %I(%s)', name, (SELECT string_agg("
               "CASE WHEN t.type = 'bigint'::regtype THEN '1' WHEN statement LIKE '%$1::text IS "
               "NULL%' THEN 'NULL' ELSE '''a''' END, ',' ORDER BY t.at)"
               " FROM unnest(parameter_types) WITH ORDINALITY AS t (type, at)))"
               " FROM pg_prepared_statements WHERE statement LIKE '(SELECT % UNION ALL SELECT %'"
               " ORDER BY prepare_time DESC LIMIT 1");
    ck_assert_int_eq(PQntuples(result), 1);
    (void)snprintf(text, TEXT_BYTES, "%s", PQgetvalue(result, 0, 0));
    PQclear(result);
}

/* Returns the number of chunks in the plan of the last read that prepared a statement. */
static int chunks_touched(void)
{
    char text[TEXT_BYTES];
    statement_prepared_last(text);
    PGresult *result = ts_run(text);
    int n = 0;
    for (int r = 0; r < PQntuples(result); r++) {
        const char *line = PQgetvalue(result, r, 0);
        const char *chunk = strstr(line, " on _hyper_");
        n += chunk != NULL && strstr(line, "_chunk") != NULL;
    }
    PQclear(result);
    return n;
}

/* ---- messages ---- */

static void must_import(uint64_t id, int64_t position, int64_t global_position, int64_t time_us)
{
    struct weir_import_record record = record_of(id, "a-old", position, global_position);
    record.time_us = time_us;
    record.message.correlation = weir_slice_of("flow");
    ck_assert_msg(import(fx.ns, &record, 1, NULL) == WEIR_OK, "%s", fx.err.text);
}

static int64_t first_us;

static struct weir_import_record old_record(int64_t week)
{
    struct weir_import_record record = record_of((uint64_t)week + 1, "a-old", week, week + 1);
    record.time_us = first_us + week * WEEK_US;
    return record;
}

/* Writes one message a week for a year, compressed where available, and one of today. */
static void fill(void)
{
    first_us = weir_now_us() - (WEEKS + 1) * WEEK_US;
    struct weir_import_record records[WEEKS];
    for (int64_t w = 0; w < WEEKS; w++) {
        records[w] = old_record(w);
    }
    ck_assert_msg(import(fx.ns, records, WEEKS, NULL) == WEIR_OK, "%s", fx.err.text);
    const struct weir_chunk_query compress = {
        .action = WEIR_CHUNKS_COMPRESS, .before_us = weir_now_us(), .deadline_us = INT64_MAX};
    struct weir_chunk_list list;
    const weir_status status = weir_chunks(fx.ns, &compress, &fx.arena, &list, &fx.err);
    ck_assert(status == WEIR_FEATURE_UNSUPPORTED || (status == WEIR_OK && list.n == WEEKS));
    weir_error_init(&fx.err);
    must_put(fx.ns, "a-new", 1);
}

static size_t read_from(struct weir_query query, int64_t from)
{
    query.from = from;
    must_read(fx.ns, &query);
    return fx.rows.n;
}

/* ---- tests ---- */

START_TEST(a_tail_read_touches_the_newest_chunk_alone)
{
    fill();
    struct weir_query flow = query_category("a");
    flow.correlation = weir_slice_of("flow");
    ck_assert_uint_eq(read_from(query_category("a"), WEEKS + 1), 1);
    ck_assert_int_eq(chunks_touched(), 1);
    ck_assert_uint_eq(read_from(query_all(), WEEKS + 1), 1);
    ck_assert_int_eq(chunks_touched(), 1);
    ck_assert_uint_eq(read_from(flow, WEEKS + 1), 0);
    ck_assert_int_eq(chunks_touched(), 1);
    ck_assert_uint_eq(read_from(query_category("a"), WEEKS + 2), 0);
    ck_assert_int_eq(fx.rows.next_position, WEEKS + 2);
}
END_TEST

/* A compression replaces the chunk's row in the extension's list of chunks. A session that walks
 * through that list at the moment of the commit finds the row twice, or not at all; here it does
 * not find it because it stands under another hypertable. */
START_TEST(no_read_depends_on_the_list_of_chunks)
{
    fill();
    must_create(fx.store, "other");
    PQclear(ts_run_format("UPDATE _timescaledb_catalog.chunk SET hypertable_id = (SELECT max(id)"
                          " FROM _timescaledb_catalog.hypertable WHERE table_name = 'stored')"
                          " WHERE id = (SELECT min(c.id) FROM _timescaledb_catalog.chunk AS c"
                          " JOIN _timescaledb_catalog.hypertable AS h ON h.id = c.hypertable_id"
                          " WHERE h.schema_name = '%s')",
                          ts_schema()));
    struct weir_query back = query_all();
    back.is_backward = true;
    ck_assert_uint_eq(read_from(back, WEEKS + 1), WEEKS + 1);
    ck_assert_uint_eq(read_from(query_all(), 1), WEEKS + 1);
    ck_assert_uint_eq(read_from(query_category("a"), 1), WEEKS + 1);
    ck_assert_uint_eq(read_from(query_stream("a-old"), 0), WEEKS);
    ck_assert_int_eq(put_one(1), WEIR_MESSAGE_ID_CONFLICT);
    const struct weir_import_record again = old_record(0);
    ck_assert_msg(import(fx.ns, &again, 1, NULL) == WEIR_OK, "%s", fx.err.text);
}
END_TEST

START_TEST(a_read_from_an_old_position_touches_no_older_chunk)
{
    fill();
    ck_assert_uint_eq(read_from(query_all(), WEEKS - 9), 11);
    ck_assert_int_eq(chunks_touched(), 11);
    ck_assert_uint_eq(read_from(query_all(), 1), WEEKS + 1);
    ck_assert_int_eq(chunks_touched(), WEEKS + 1);
    for (size_t r = 0; r < fx.rows.n; r++) {
        ck_assert_int_eq(fx.rows.rows[r].global_position, (int64_t)r + 1);
    }
}
END_TEST

/* The reader has read before and has cached spans that have become invalid. */
START_TEST(an_import_of_old_times_is_not_missed)
{
    fill();
    ck_assert_uint_eq(read_from(query_all(), WEEKS + 2), 0);
    must_import(500, WEEKS, 1000, first_us + 1);
    ck_assert_uint_eq(read_from(query_all(), WEEKS + 2), 1);
    ck_assert_int_eq(fx.rows.rows[0].global_position, 1000);
    must_put(fx.ns, "a-new", 1);
    ck_assert_uint_eq(read_from(query_all(), WEEKS + 2), 2);
    ck_assert_uint_eq(read_from(query_all(), 1001), 1);
    must_import(501, WEEKS + 1, 900, INT64_C(0));
    ck_assert_uint_eq(read_from(query_all(), WEEKS + 2), 3);
    ck_assert_int_eq(fx.rows.rows[0].global_position, 900);
}
END_TEST

/* Re-creates the namespace without the store's handle, as another server would. */
static void make_anew(void)
{
    struct weir_backend *backend = fx.store->backend;
    int64_t deleted = 0;
    ck_assert_msg(backend->ops->namespace_delete(backend, weir_slice_of("test"), INT64_MAX,
                                                 &deleted, &fx.err) == WEIR_OK,
                  "%s", fx.err.text);
    must_create(fx.store, "test");
}

/* The new namespace's spans have the same version as those that the reader has cached. */
START_TEST(what_is_known_of_one_does_not_count_for_the_next)
{
    fill();
    ck_assert_uint_eq(read_from(query_all(), WEEKS + 1), 1);
    make_anew();
    must_put(fx.ns, "a-new", 1);
    must_import(500, WEEKS, WEEKS + 2, first_us);
    ck_assert_uint_eq(read_from(query_all(), WEEKS + 1), 1);
    ck_assert_int_eq(fx.rows.rows[0].global_position, WEEKS + 2);
}
END_TEST

/* Stream positions may exceed global positions, and say nothing about spans. */
START_TEST(a_stream_is_read_by_its_own_positions)
{
    fill();
    must_import(500, 2000, 200, first_us);
    struct weir_query stream = query_stream("a-old");
    ck_assert_uint_eq(read_from(query_all(), WEEKS + 2), 1);
    ck_assert_uint_eq(read_from(stream, 2000), 1);
    ck_assert_int_eq(fx.rows.rows[0].global_position, 200);
    ck_assert_uint_eq(read_from(stream, WEEKS), 1);
}
END_TEST

/* The spans have changed at every check, as under constant imports, unless the reader's session
 * keeps the writers out. A database in memory has one session, whose process has no number. */
START_TEST(a_read_whose_windows_do_not_hold_keeps_writers_out)
{
    fill();
    must_import(500, WEEKS, WEEKS + 2, first_us);
    PQclear(ts_run_format(
        "DO $$ BEGIN CREATE SEQUENCE %1$s.changes; ALTER TABLE %1$s.counters RENAME TO kept;"
        " CREATE FUNCTION %1$s.version() RETURNS int8 LANGUAGE sql AS 'SELECT CASE WHEN EXISTS ("
        "SELECT FROM pg_locks AS l WHERE l.locktype = ''advisory'' AND l.mode = ''ShareLock''"
        " AND l.pid IS NOT DISTINCT FROM nullif(pg_backend_pid(), 0)) THEN (SELECT s.last_value "
        "FROM %1$s.changes AS s)"
        " ELSE nextval(''%1$s.changes'') END';"
        " CREATE VIEW %1$s.counters AS SELECT head, last_write, message_count, stream_count,"
        " largest, clears, last_cleared, %1$s.version() AS spans_version, span_width, span_end, "
        "era,"
        " xmin FROM %1$s.kept; END $$",
        ts_schema()));
    ck_assert_uint_eq(read_from(query_all(), WEEKS + 1), 2);
    ck_assert_int_eq(fx.rows.rows[1].global_position, WEEKS + 2);
    ck_assert_uint_eq(read_from(query_category("a"), WEEKS + 1), 2);
    ck_assert_uint_eq(read_from(query_category("b"), 1), 0);
    ck_assert_int_eq(fx.rows.next_position, WEEKS + 3);
    PGresult *locks = ts_run("SELECT FROM pg_locks WHERE locktype = 'advisory'");
    ck_assert_int_eq(PQntuples(locks), 0);
    PQclear(locks);
}
END_TEST

/* Makes the database report the transaction that changed the spans as over only after `looks`
 * checks. */
static void have_changes_be_over_after(int looks)
{
    PQclear(ts_run_format("DO $$ BEGIN CREATE SEQUENCE %1$s.looks; CREATE OR REPLACE FUNCTION"
                          " %1$s.is_over(p_changed xid) RETURNS bool LANGUAGE sql AS"
                          " 'SELECT nextval(''%1$s.looks'') > %2$d'; END $$",
                          ts_schema(), looks));
}

static int64_t looks_taken(void)
{
    PGresult *result = ts_run_format("SELECT last_value::text FROM %s.looks", ts_schema());
    const int64_t n = strtoll(PQgetvalue(result, 0, 0), NULL, 10);
    PQclear(result);
    return n;
}

/* Other sessions may not know of a new chunk until the transaction that made it is over. */
START_TEST(a_read_waits_until_who_has_changed_the_spans_is_over)
{
    must_put(fx.ns, "a-new", 1);
    have_changes_be_over_after(3);
    for (int again = 0; again < 2; again++) {
        ck_assert_uint_eq(read_from(query_category("a"), 1), 1);
        ck_assert_int_eq(looks_taken(), 4);
    }
    must_import(1, 0, 5, 0);
    ck_assert_uint_eq(read_from(query_category("a"), 1), 2);
    ck_assert_int_eq(looks_taken(), 5);
}
END_TEST

START_TEST(a_read_waits_for_that_no_longer_than_it_may)
{
    must_put(fx.ns, "a-new", 1);
    have_changes_be_over_after(INT32_MAX);
    struct weir_query query = _i == 0 ? query_category("a") : query_stream("a-new");
    query.deadline_us = weir_monotonic_us() + 50 * 1000;
    ck_assert_int_eq(weir_read(fx.ns, &query, &fx.arena, &fx.rows, &fx.err),
                     WEIR_DEADLINE_EXCEEDED);
}
END_TEST

START_TEST(times_at_the_ends_are_not_missed)
{
    const int64_t latest_us = INT64_C(9223371331200000000) - 1;
    const int64_t earliest_us = -INT64_C(210866803200000000);
    must_import(1, 0, 1, latest_us);
    must_import(2, 1, 2, earliest_us);
    must_import(3, 2, 3, -1);
    must_import(4, 3, 4, 0);
    for (int64_t from = 1; from <= 4; from++) {
        ck_assert_uint_eq(read_from(query_all(), from), (size_t)(5 - from));
        ck_assert_int_eq(fx.rows.rows[0].global_position, from);
    }
    read_from(query_all(), 1);
    ck_assert_int_eq(fx.rows.rows[0].time_us, latest_us);
    ck_assert_int_eq(fx.rows.rows[1].time_us, earliest_us);
    must_put(fx.ns, "a-new", 1);
    ck_assert_uint_eq(read_from(query_all(), 5), 1);
}
END_TEST

START_TEST(a_time_that_the_database_has_not_is_refused_clearly)
{
    struct weir_import_record record = record_of(1, "a-old", 0, 1);
    record.time_us = -INT64_C(220000000000000000);
    ck_assert_int_ne(import(fx.ns, &record, 1, NULL), WEIR_OK);
    ck_assert_msg(strstr(fx.err.text, "4713 BC") != NULL, "%s", fx.err.text);
}
END_TEST

static void nothing(struct weir_read *read)
{
    (void)read;
}

/* Runs three reads as a group and returns the number of rows of each. */
static void read_together(const int64_t from[3], size_t found[3])
{
    struct weir_read reads[3];
    struct weir_error errors[3];
    for (size_t i = 0; i < 3; i++) {
        reads[i] = (struct weir_read){.query = i == 0 ? query_all() : query_category("a"),
                                      .arena = &fx.arena,
                                      .err = &errors[i],
                                      .done = nothing,
                                      .next = i < 2 ? &reads[i + 1] : NULL};
        reads[i].query.from = from[i];
        reads[i].query.max_messages = 20;
        weir_error_init(&errors[i]);
    }
    weir_read_group(fx.ns, &reads[0]);
    for (size_t i = 0; i < 3; i++) {
        ck_assert_msg(errors[i].status == WEIR_OK, "%s", errors[i].text);
        found[i] = reads[i].rows.n;
    }
}

/* First with separate spans, then twice with one shared span that is invalid the second time. */
START_TEST(reads_that_go_together_miss_nothing)
{
    static const int64_t apart[3] = {WEEKS - 9, 1, WEEKS + 2};
    static const int64_t near[3] = {WEEKS + 1, WEEKS + 2, WEEKS + 3};
    size_t found[3];
    fill();
    read_together(apart, found);
    ck_assert_uint_eq(found[0], 11);
    ck_assert_uint_eq(found[1], 20);
    ck_assert_uint_eq(found[2], 0);
    read_together(near, found);
    ck_assert_uint_eq(found[0], 1);
    ck_assert_uint_eq(found[1], 0);
    ck_assert_uint_eq(found[2], 0);
    must_import(500, WEEKS, 1000, first_us + 1);
    read_together(near, found);
    ck_assert_uint_eq(found[0], 2);
    ck_assert_uint_eq(found[1], 1);
    ck_assert_uint_eq(found[2], 1);
}
END_TEST

START_TEST(cleared_and_written_again)
{
    fill();
    ck_assert_uint_eq(read_from(query_all(), WEEKS + 1), 1);
    struct weir_write write = {.kind = WEIR_WRITE_CLEAR};
    ck_assert_int_eq(commit_write(fx.ns, &write), WEIR_OK);
    ck_assert_uint_eq(read_from(query_all(), 1), 0);
    must_put(fx.ns, "a-new", 2);
    must_import(900, 0, 5000, first_us);
    ck_assert_uint_eq(read_from(query_all(), WEEKS + 2), 3);
    ck_assert_uint_eq(read_from(query_all(), WEEKS + 4), 1);
}
END_TEST

START_TEST(spans_go_on_after_chunks_are_dropped)
{
    fill();
    struct weir_chunk_list list;
    const struct weir_chunk_query drop = {
        .action = WEIR_CHUNKS_DROP, .before_us = first_us + 20 * WEEK_US, .deadline_us = INT64_MAX};
    ck_assert_int_eq(weir_chunks(fx.ns, &drop, &fx.arena, &list, &fx.err), WEIR_OK);
    ck_assert_uint_gt(list.n, 0);
    ck_assert_uint_eq(read_from(query_all(), 1), WEEKS + 1 - list.n);
    ck_assert_uint_eq(read_from(query_all(), WEEKS), 2);
    ck_assert_int_eq(chunks_touched(), 2);
}
END_TEST

/* Restores a namespace with messages as the step before the spans left it. */
START_TEST(a_namespace_without_spans_gets_them)
{
    fill();
    PQclear(ts_run_format(
        "DO $$ BEGIN DROP TABLE %1$s.spans; DROP FUNCTION %1$s.span_of;"
        " DROP FUNCTION %1$s.enter_span; DROP FUNCTION %1$s.set_chunk_interval;"
        " DROP FUNCTION %1$s.is_over;"
        " ALTER TABLE %1$s.counters DROP COLUMN spans_version, DROP COLUMN span_width,"
        " DROP COLUMN span_end, DROP COLUMN era, DROP COLUMN born;"
        " ALTER TABLE %1$s.categories DROP COLUMN era;"
        " UPDATE weir_registry.namespaces SET schema_version = 2"
        " WHERE id = 'test'; END $$",
        ts_schema()));
    reopen();
    ck_assert_uint_eq(read_from(query_all(), WEEKS), 2);
    ck_assert_int_eq(chunks_touched(), 2);
    must_put(fx.ns, "a-new", 1);
    ck_assert_uint_eq(read_from(query_all(), WEEKS + 1), 2);
    ck_assert_uint_eq(read_from(query_all(), 1), WEEKS + 2);
}
END_TEST

/* The test cannot move the clock, but it can move the end of the open span. */
START_TEST(a_write_that_enters_a_span_closes_the_one_before)
{
    must_put(fx.ns, "a-new", 3);
    PQclear(
        ts_run_format("DO $$ BEGIN UPDATE %1$s.spans SET starts = starts - INTERVAL '7 days';"
                      " UPDATE %1$s.counters SET span_end = span_end - INTERVAL '7 days'; END $$",
                      ts_schema()));
    must_put(fx.ns, "a-new", 1);
    must_put(fx.ns, "a-new", 1);
    PGresult *result =
        ts_run_format("SELECT newest::text FROM %s.spans ORDER BY starts", ts_schema());
    ck_assert_int_eq(PQntuples(result), 2);
    ck_assert_str_eq(PQgetvalue(result, 0, 0), "3");
    ck_assert_str_eq(PQgetvalue(result, 1, 0), "9223372036854775807");
    PQclear(result);
}
END_TEST

static int64_t version_of_spans(void)
{
    int64_t version = 0;
    PGresult *result = ts_run_format("SELECT spans_version FROM %s.counters", ts_schema());
    ck_assert(weir_pg_int8(result, 0, 0, &version));
    PQclear(result);
    return version;
}

/* By that version readers learn of a chunk. The first write of a span may repeat an earlier one,
 * and the chunk of the open span may be dropped. */
START_TEST(the_write_that_makes_a_chunk_changes_the_version_of_the_spans)
{
    ck_assert_int_eq(put_one(7), WEIR_OK);
    if (_i == 0) {
        PQclear(ts_run_format("UPDATE %s.counters SET span_end = last_write", ts_schema()));
        ck_assert_int_eq(put_one(7), WEIR_OK);
    } else {
        struct weir_chunk_list list;
        const struct weir_chunk_query drop = {.action = WEIR_CHUNKS_DROP,
                                              .before_us = weir_now_us() + 2 * WEEK_US,
                                              .deadline_us = INT64_MAX};
        ck_assert_int_eq(weir_chunks(fx.ns, &drop, &fx.arena, &list, &fx.err), WEIR_OK);
        ck_assert_uint_eq(list.n, 1);
    }
    const int64_t before = version_of_spans();
    must_put(fx.ns, "a-new", 1);
    ck_assert_int_eq(version_of_spans(), before + 1);
}
END_TEST

/* ---- plans that were made while a chunk changed ---- */

static void run_on(PGconn *conn, const char *text)
{
    PGresult *result = PQexec(conn, text);
    ck_assert_msg(PQresultStatus(result) == PGRES_COMMAND_OK, "%s", PQerrorMessage(conn));
    PQclear(result);
}

/* Begins a transaction that keeps others from planning a read, once they have looked at all chunks
 * but the newest one. */
static PGconn *stop_planners(void)
{
    PGresult *index =
        ts_run("SELECT format('REINDEX INDEX %s', i.indexrelid::regclass) FROM pg_index AS i"
               " JOIN timescaledb_information.chunks AS c"
               "  ON i.indrelid = format('%I.%I', c.chunk_schema, c.chunk_name)::regclass"
               " ORDER BY c.range_start DESC LIMIT 1");
    PGconn *other = PQconnectdb(getenv("WEIR_TEST_SQL"));
    ck_assert_msg(PQstatus(other) == CONNECTION_OK, "%s", PQerrorMessage(other));
    run_on(other, "BEGIN");
    run_on(other, PQgetvalue(index, 0, 0));
    PQclear(index);
    return other;
}

static void wait_until_one_is_stopped(PGconn *other)
{
    bool is_stopped = false;
    while (!is_stopped) {
        PGresult *result = PQexec(other, "SELECT FROM pg_locks WHERE NOT granted"
                                         " AND pg_backend_pid() = ANY (pg_blocking_pids(pid))");
        ck_assert_int_eq(PQresultStatus(result), PGRES_TUPLES_OK);
        is_stopped = PQntuples(result) > 0;
        PQclear(result);
    }
}

struct reader {
    struct weir_query query;
    struct weir_arena arena;
    struct weir_rows rows;
    struct weir_error err;
};

static void *read_it(void *context)
{
    struct reader *reader = context;
    (void)weir_read(fx.ns, &reader->query, &reader->arena, &reader->rows, &reader->err);
    return NULL;
}

/* An import into a compressed chunk makes every plan wrong that reads the chunk only as compressed.
 * A session that is making such a plan at that moment does not hear of it, and keeps the plan. */
START_TEST(what_is_imported_while_a_read_is_planned_is_not_missed)
{
    if (getenv("WEIR_TEST_ONE_SERVER") != NULL) {
        return;
    }
    fill();
    struct reader reader = {.query = query_all()};
    reader.query.is_backward = _i == 1;
    reader.query.is_from_newest = _i == 1;
    weir_arena_init(&reader.arena, 64 << 20, 1 << 20);
    weir_error_init(&reader.err);
    pthread_t thread;
    PGconn *other = stop_planners();
    ck_assert_int_eq(pthread_create(&thread, NULL, read_it, &reader), 0);
    wait_until_one_is_stopped(other);
    must_import(500, WEEKS, WEEKS + 2, first_us + WEEK_US);
    run_on(other, "COMMIT");
    (void)pthread_join(thread, NULL);
    PQfinish(other);
    ck_assert_msg(reader.err.status == WEIR_OK, "%s", reader.err.text);
    ck_assert_uint_eq(reader.rows.n, WEEKS + 2);
    weir_arena_fini(&reader.arena);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("ts_spans");
    TCase *tcase = tcase_create("spans");
    tcase_set_timeout(tcase, 120);
    tcase_add_checked_fixture(tcase, ts_begin, fixture_end);
    tcase_add_test(tcase, a_tail_read_touches_the_newest_chunk_alone);
    tcase_add_test(tcase, a_read_from_an_old_position_touches_no_older_chunk);
    tcase_add_test(tcase, no_read_depends_on_the_list_of_chunks);
    tcase_add_test(tcase, an_import_of_old_times_is_not_missed);
    tcase_add_test(tcase, what_is_known_of_one_does_not_count_for_the_next);
    tcase_add_test(tcase, a_stream_is_read_by_its_own_positions);
    tcase_add_test(tcase, a_read_whose_windows_do_not_hold_keeps_writers_out);
    tcase_add_test(tcase, a_read_waits_until_who_has_changed_the_spans_is_over);
    tcase_add_loop_test(tcase, a_read_waits_for_that_no_longer_than_it_may, 0, 2);
    tcase_add_test(tcase, times_at_the_ends_are_not_missed);
    tcase_add_test(tcase, a_time_that_the_database_has_not_is_refused_clearly);
    tcase_add_test(tcase, reads_that_go_together_miss_nothing);
    tcase_add_test(tcase, cleared_and_written_again);
    tcase_add_test(tcase, spans_go_on_after_chunks_are_dropped);
    tcase_add_test(tcase, a_namespace_without_spans_gets_them);
    tcase_add_test(tcase, a_write_that_enters_a_span_closes_the_one_before);
    tcase_add_loop_test(tcase, the_write_that_makes_a_chunk_changes_the_version_of_the_spans, 0, 2);
    tcase_add_loop_test(tcase, what_is_imported_while_a_read_is_planned_is_not_missed, 0, 2);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return check_main(make_suite());
}
