/* Chunks of a TimescaleDB store: list, compress and drop; uniqueness, and what survives a drop. */
#include "tests/lib/check_main.h"
#include "tests/lib/pg_proxy.h"
#include "tests/timescale/ts_fixture.h"

#include "store/postgres/pg_value.h"
#include "weir/base/monotonic.h"
#include "weir/rules/time_text.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DAY_US (INT64_C(86400) * 1000000)

/* Three weeks of imported messages, one a day: three or four chunks, depending on the day. */
enum { DAYS = 21 };

static int64_t first_day_us;

static void begin(void)
{
    ts_begin();
    first_day_us = weir_now_us() - (DAYS + 20) * DAY_US;
    struct weir_import_record records[DAYS];
    for (int64_t d = 0; d < DAYS; d++) {
        records[d] = record_of((uint64_t)d + 1, d % 2 == 0 ? "a-even" : "a-odd", d / 2, d + 1);
        records[d].time_us = first_day_us + d * DAY_US;
    }
    ck_assert_msg(import(fx.ns, records, DAYS, NULL) == WEIR_OK, "%s", fx.err.text);
}

static struct weir_chunk_list listed;

static void must_do(enum weir_chunk_action action, int64_t before_us)
{
    const struct weir_chunk_query query = {
        .action = action, .before_us = before_us, .deadline_us = INT64_MAX};
    ck_assert_msg(weir_chunks(fx.ns, &query, &fx.arena, &listed, &fx.err) == WEIR_OK, "%s",
                  fx.err.text);
}

static int64_t rows_listed(void)
{
    must_do(WEIR_CHUNKS_LIST, 0);
    int64_t rows = 0;
    for (size_t c = 0; c < listed.n; c++) {
        rows += listed.chunks[c].row_count;
    }
    return rows;
}

static size_t messages(void)
{
    const struct weir_query query = query_category("a");
    must_read(fx.ns, &query);
    return fx.rows.n;
}

START_TEST(chunks_are_listed_by_time)
{
    ck_assert_int_eq(rows_listed(), DAYS);
    ck_assert_uint_ge(listed.n, 3);
    for (size_t c = 0; c < listed.n; c++) {
        ck_assert_int_eq(listed.chunks[c].range_end_us - listed.chunks[c].range_start_us,
                         7 * DAY_US);
        ck_assert(c == 0 || listed.chunks[c].range_start_us >= listed.chunks[c - 1].range_end_us);
        ck_assert_int_gt(listed.chunks[c].size_bytes, 0);
        ck_assert(!listed.chunks[c].is_compressed);
        ck_assert_uint_gt(listed.chunks[c].name.n, 0);
    }
    ck_assert_int_le(listed.chunks[0].range_start_us, first_day_us);
}
END_TEST

/* chunks_detailed_size measures all chunks: with a call for each chunk the listing of some hundred
 * took minutes. */
START_TEST(a_listing_measures_the_chunks_once)
{
    PQclear(ts_run_format("DO $$ BEGIN PERFORM set_config('track_functions', 'all', true);"
                          " PERFORM %1$s.list_chunks();"
                          " CREATE TABLE %1$s.calls AS SELECT"
                          "  pg_stat_get_xact_function_calls('chunks_detailed_size'::regproc) AS n;"
                          " END $$",
                          ts_schema()));
    int64_t calls = -1;
    PGresult *result = ts_run_format("SELECT n FROM %s.calls", ts_schema());
    ck_assert(weir_pg_int8(result, 0, 0, &calls));
    PQclear(result);
    ck_assert_int_eq(calls, 1);
}
END_TEST

START_TEST(compressed_chunks_read_the_same)
{
    (void)rows_listed();
    const int64_t before_us = listed.chunks[1].range_end_us;
    must_do(WEIR_CHUNKS_COMPRESS, before_us);
    ck_assert_uint_eq(listed.n, 2);
    must_do(WEIR_CHUNKS_COMPRESS, before_us);  // compressed already
    ck_assert_uint_eq(listed.n, 0);
    ck_assert_int_eq(rows_listed(), DAYS);
    ck_assert(listed.chunks[0].is_compressed && listed.chunks[1].is_compressed &&
              !listed.chunks[2].is_compressed);
    ck_assert_uint_eq(messages(), DAYS);
    for (size_t r = 0; r < DAYS; r++) {
        ck_assert_int_eq(fx.rows.rows[r].global_position, (int64_t)r + 1);
        ck_assert_int_eq(fx.rows.rows[r].time_us, first_day_us + (int64_t)r * DAY_US);
        ck_assert(weir_slice_is(fx.rows.rows[r].data, "{\"a\":1}"));
    }
    const struct weir_query query = query_stream("a-odd");
    must_read(fx.ns, &query);
    ck_assert_uint_eq(fx.rows.n, DAYS / 2);
    /* Ids of compressed messages are recognised, and writes continue. */
    const struct weir_new_message same = message_of(1, "{\"a\":1}");
    struct weir_written written;
    ck_assert_int_eq(append(fx.ns, "a-even", ANY, &same, 1, &written), WEIR_OK);
    ck_assert_int_eq(written.global_position, 1);
    must_put(fx.ns, "a-even", 1);
    ck_assert_uint_eq(messages(), DAYS + 1);
}
END_TEST

START_TEST(the_chunk_that_is_written_to_is_not_compressed)
{
    must_put(fx.ns, "b-1", 1);
    must_do(WEIR_CHUNKS_COMPRESS, weir_now_us() + 20 * DAY_US);
    const size_t compressed = listed.n;
    (void)rows_listed();
    ck_assert_uint_eq(compressed, listed.n - 1);
    ck_assert(!listed.chunks[listed.n - 1].is_compressed);
}
END_TEST

static void run_on(PGconn *conn, const char *text)
{
    PGresult *result = PQexec(conn, text);
    ck_assert_msg(PQresultStatus(result) == PGRES_TUPLES_OK ||
                      PQresultStatus(result) == PGRES_COMMAND_OK,
                  "%s: %s", text, PQerrorMessage(conn));
    PQclear(result);
}

static atomic_bool has_passed;

/* Commits as soon as another session waits for the transaction's locks. None waits if the policy's
 * job was faster than `first`. */
static void *commit_when_waited_for(void *context)
{
    PGconn *conn = context;
    bool is_waited_for = false;
    while (!is_waited_for && !atomic_load(&has_passed)) {
        PGresult *result = PQexec(conn, "SELECT FROM pg_locks WHERE NOT granted"
                                        " AND pg_backend_pid() = ANY (pg_blocking_pids(pid))");
        ck_assert_int_eq(PQresultStatus(result), PGRES_TUPLES_OK);
        is_waited_for = PQntuples(result) > 0;
        PQclear(result);
    }
    run_on(conn, "COMMIT");
    return NULL;
}

/* Executes the chunk action while another transaction has executed `first` and is open; the
 * transaction ends once it is waited for. */
static void do_behind(const char *first, enum weir_chunk_action action, int64_t before_us)
{
    PGconn *other = PQconnectdb(getenv("WEIR_TEST_SQL"));
    ck_assert_msg(PQstatus(other) == CONNECTION_OK, "%s", PQerrorMessage(other));
    run_on(other, "BEGIN");
    run_on(other, first);
    pthread_t thread;
    atomic_store(&has_passed, false);
    ck_assert_int_eq(pthread_create(&thread, NULL, commit_when_waited_for, other), 0);
    const struct weir_chunk_query query = {
        .action = action, .before_us = before_us, .deadline_us = INT64_MAX};
    weir_status status = WEIR_BACKEND_UNAVAILABLE;
    while (status == WEIR_BACKEND_UNAVAILABLE) {  // the commit comes late
        status = weir_chunks(fx.ns, &query, &fx.arena, &listed, &fx.err);
    }
    atomic_store(&has_passed, true);
    (void)pthread_join(thread, NULL);
    PQfinish(other);
    ck_assert_msg(status == WEIR_OK, "%s", fx.err.text);
}

/* The policy's job may do so at any time. */
START_TEST(a_chunk_that_another_compresses_meanwhile_is_no_failure)
{
    if (getenv("WEIR_TEST_ONE_SERVER") != NULL) {
        return;
    }
    (void)rows_listed();
    do_behind("SELECT compress_chunk(c.c) FROM (SELECT format('%I.%I', chunk_schema,"
              " chunk_name)::regclass AS c FROM timescaledb_information.chunks"
              " ORDER BY range_start LIMIT 1) AS c",
              WEIR_CHUNKS_COMPRESS, listed.chunks[1].range_end_us);
    ck_assert_uint_eq(listed.n, 1);
    ck_assert_int_eq(rows_listed(), DAYS);
    ck_assert(listed.chunks[0].is_compressed && listed.chunks[1].is_compressed);
    ck_assert_uint_eq(messages(), DAYS);
}
END_TEST

/* The second chunk is being written to; the first one is compressed and stays compressed. */
START_TEST(what_is_compressed_before_the_time_is_over_stays_so)
{
    if (getenv("WEIR_TEST_ONE_SERVER") != NULL) {
        return;
    }
    char text[256];
    (void)rows_listed();
    const int64_t before_us = listed.chunks[1].range_end_us;
    (void)snprintf(text, sizeof text, "LOCK TABLE _timescaledb_internal.%.*s IN ROW EXCLUSIVE MODE",
                   WEIR_SLICE_ARG(listed.chunks[1].name));
    PGconn *other = PQconnectdb(getenv("WEIR_TEST_SQL"));
    run_on(other, "BEGIN");
    run_on(other, text);
    const struct weir_chunk_query query = {.action = WEIR_CHUNKS_COMPRESS,
                                           .before_us = before_us,
                                           .deadline_us = weir_monotonic_us() + 5000000};
    ck_assert_int_ne(weir_chunks(fx.ns, &query, &fx.arena, &listed, &fx.err), WEIR_OK);
    PQfinish(other);
    (void)rows_listed();
    ck_assert(listed.chunks[0].is_compressed && !listed.chunks[1].is_compressed);
    must_do(WEIR_CHUNKS_COMPRESS, before_us);
    ck_assert_uint_eq(listed.n, 1);
    ck_assert_int_eq(rows_listed(), DAYS);
    ck_assert(listed.chunks[0].is_compressed && listed.chunks[1].is_compressed);
}
END_TEST

START_TEST(a_chunk_that_another_drops_meanwhile_is_not_listed)
{
    if (getenv("WEIR_TEST_ONE_SERVER") != NULL) {
        return;
    }
    (void)rows_listed();
    const size_t n = listed.n;
    do_behind("SELECT drop_chunks(c.of, older_than => c.ends) FROM (SELECT format('%I.%I',"
              " hypertable_schema, hypertable_name)::regclass AS of,"
              " range_end AT TIME ZONE 'UTC' AS ends FROM timescaledb_information.chunks"
              " ORDER BY range_start LIMIT 1) AS c",
              WEIR_CHUNKS_LIST, 0);
    ck_assert_uint_eq(listed.n, n - 1);
}
END_TEST

/* Imports land in the chunks of their times, compressed or not. */
START_TEST(imports_into_compressed_chunks_are_found)
{
    (void)rows_listed();
    must_do(WEIR_CHUNKS_COMPRESS, listed.chunks[0].range_end_us);
    struct weir_import_record record = record_of(1000, "a-late", 0, 500);
    record.time_us = first_day_us + 1000;
    ck_assert_msg(import(fx.ns, &record, 1, NULL) == WEIR_OK, "%s", fx.err.text);
    struct weir_import outcome;
    ck_assert_int_eq(import(fx.ns, &record, 1, &outcome), WEIR_OK);
    ck_assert_int_eq(outcome.skipped_identical, 1);
    ck_assert_uint_eq(messages(), DAYS + 1);
}
END_TEST

START_TEST(dropped_chunks_leave_versions_and_counts_right)
{
    (void)rows_listed();
    const int64_t dropped = listed.chunks[0].row_count + listed.chunks[1].row_count;
    const int64_t before_us = listed.chunks[1].range_end_us;
    must_do(WEIR_CHUNKS_DROP, before_us);
    ck_assert_uint_eq(listed.n, 2);
    ck_assert_uint_eq(messages(), (size_t)(DAYS - dropped));
    ck_assert_int_eq(fx.rows.rows[0].global_position, dropped + 1);
    struct weir_namespace_totals totals;
    ck_assert_int_eq(weir_namespace_totals(fx.ns, INT64_MAX, &totals, &fx.err), WEIR_OK);
    ck_assert_int_eq(totals.message_count, DAYS - dropped);
    ck_assert_int_eq(must_version(fx.ns, "a-even"), DAYS / 2);
    must_do(WEIR_CHUNKS_DROP, before_us);
    ck_assert_uint_eq(listed.n, 0);
}
END_TEST

START_TEST(a_stream_that_is_dropped_whole_goes_on_where_it_was)
{
    must_do(WEIR_CHUNKS_DROP, weir_now_us());
    ck_assert_uint_eq(messages(), 0);
    ck_assert_int_eq(must_version(fx.ns, "a-even"), DAYS / 2);
    ck_assert_int_eq(must_version(fx.ns, "none"), -1);
    struct weir_stream_page streams = {.n = 1};
    struct weir_category_list categories = {.n = 1};
    const struct weir_page_query query = {.limit = 10, .deadline_us = INT64_MAX};
    ck_assert_int_eq(weir_list_streams(fx.ns, &query, &fx.arena, &streams, &fx.err), WEIR_OK);
    ck_assert_uint_eq(streams.n, 0);
    ck_assert_int_eq(weir_list_categories(fx.ns, INT64_MAX, &fx.arena, &categories, &fx.err),
                     WEIR_OK);
    ck_assert_uint_eq(categories.n, 0);
    const struct weir_new_message message = message_of(900, "1");
    struct weir_written written;
    ck_assert_int_eq(append(fx.ns, "a-even", NO_STREAM, &message, 1, &written),
                     WEIR_STREAM_VERSION_CONFLICT);
    weir_error_init(&fx.err);
    ck_assert_int_eq(append(fx.ns, "a-even", EXACT(DAYS / 2), &message, 1, &written), WEIR_OK);
    ck_assert_int_eq(written.position, DAYS / 2 + 1);
    ck_assert_int_eq(written.global_position, DAYS + 1);
    /* The id of a dropped message may be used again. */
    const struct weir_new_message again = message_of(1, "2");
    ck_assert_int_eq(append(fx.ns, "b-1", ANY, &again, 1, &written), WEIR_OK);
    ck_assert_int_eq(written.position, 0);
}
END_TEST

static void assert_totals(int64_t streams, int64_t n)
{
    struct weir_namespace_totals totals;
    struct weir_category_list categories = {.n = 0};
    int64_t in_categories = 0;
    ck_assert_int_eq(weir_namespace_totals(fx.ns, INT64_MAX, &totals, &fx.err), WEIR_OK);
    ck_assert_int_eq(totals.stream_count, streams);
    ck_assert_int_eq(totals.message_count, n);
    ck_assert_int_eq(weir_list_categories(fx.ns, INT64_MAX, &fx.arena, &categories, &fx.err),
                     WEIR_OK);
    for (size_t c = 0; c < categories.n; c++) {
        in_categories += categories.categories[c].stream_count;
    }
    ck_assert_int_eq(in_categories, streams);
}

/* The limit is far enough ahead to drop the current chunk too. */
static void drop_all(void)
{
    must_do(WEIR_CHUNKS_DROP, weir_now_us() + 20 * DAY_US);
}

START_TEST(a_stream_that_comes_back_counts_again)
{
    must_put(fx.ns, "b-1", 2);
    assert_totals(3, DAYS + 2);
    drop_all();
    assert_totals(0, 0);
    must_put(fx.ns, "b-1", 1);
    assert_totals(1, 1);
    must_put(fx.ns, "b-1", 1);
    must_put(fx.ns, "a-odd", 1);
    assert_totals(2, 3);
    struct weir_import_record record = record_of(1000, "a-even", 100, 500);
    ck_assert_int_eq(import(fx.ns, &record, 1, NULL), WEIR_OK);
    must_put(fx.ns, "a-even", 1);
    assert_totals(3, 5);
    drop_all();
    assert_totals(0, 0);
}
END_TEST

/* A write that is refused, or only checks the stream, reveals the stream's version and adds no
 * messages. Another write next to it keeps the session's cache valid. */
START_TEST(a_stream_that_comes_back_counts_again_where_its_version_was_told)
{
    must_put(fx.ns, "b-1", 2);
    drop_all();
    const struct weir_new_message messages[2] = {message_of(900, "1"), message_of(901, "1")};
    struct weir_stream_append parts[2];
    struct weir_written written[2];
    struct weir_error errors[2];
    struct weir_write writes[2] = {write_of(&parts[0], "b-1", NO_STREAM, &messages[0], &written[0]),
                                   write_of(&parts[1], "c-1", ANY, &messages[1], &written[1])};
    if (_i == 0) {
        commit_group(fx.ns, writes, errors, 2);
        ck_assert_int_eq(errors[0].status, WEIR_STREAM_VERSION_CONFLICT);
        ck_assert_int_eq(errors[1].status, WEIR_OK);
    } else {
        parts[0].expectation = EXACT(1);
        parts[0].n = 0;
        writes[0].of.append.n = 2;
        ck_assert_int_eq(commit_write(fx.ns, &writes[0]), WEIR_OK);
    }
    must_put(fx.ns, "b-1", 1);
    ck_assert_int_eq(must_version(fx.ns, "b-1"), 2);
    assert_totals(2, 2);
    must_put(fx.ns, "b-1", 1);
    assert_totals(2, 3);
}
END_TEST

/* Appends a message as a server of the first version does. */
static void append_as_older(const char *stream)
{
    PQclear(
        ts_run_format("SELECT head FROM %s.append(500, 300, '{%s}', '{1}', '{1}', '{1}', '{0}', "
                      "'{-1}', '{1}', '{1}', '{00000000-0000-0000-0000-00000000aaaa}', '{T}', "
                      "'{NULL}', '{NULL}', '{NULL}')",
                      ts_schema(), stream));
}

START_TEST(a_stream_that_an_older_server_brings_back_counts_again)
{
    must_put(fx.ns, "b-1", 2);
    drop_all();
    append_as_older("b-1");
    ck_assert_int_eq(must_version(fx.ns, "b-1"), 2);
    assert_totals(1, 1);
}
END_TEST

static int64_t listed_version(const char *prefix)
{
    struct weir_stream_page page = {.n = 0};
    const struct weir_page_query query = {
        .prefix = weir_slice_of(prefix), .limit = 1, .deadline_us = INT64_MAX};
    ck_assert_int_eq(weir_list_streams(fx.ns, &query, &fx.arena, &page, &fx.err), WEIR_OK);
    ck_assert_uint_eq(page.n, 1);
    return page.streams[0].version;
}

/* An import may give a later position an earlier time: that message is dropped, the other one
 * remains. */
START_TEST(a_version_is_not_rewound_where_older_messages_are_left)
{
    struct weir_import_record records[2] = {record_of(800, "s-1", 0, 500),
                                            record_of(801, "s-1", 1, 501)};
    records[0].time_us = weir_now_us();
    records[1].time_us = first_day_us;
    ck_assert_int_eq(import(fx.ns, records, 2, NULL), WEIR_OK);
    must_do(WEIR_CHUNKS_DROP, first_day_us + 8 * DAY_US);
    ck_assert_int_eq(must_version(fx.ns, "s-1"), 1);
    ck_assert_int_eq(listed_version("s-"), 1);
    const struct weir_new_message message = message_of(900, "1");
    struct weir_written written;
    ck_assert_int_eq(append(fx.ns, "s-1", EXACT(0), &message, 1, &written),
                     WEIR_STREAM_VERSION_CONFLICT);
    assert_detail("actual", "1");
    weir_error_init(&fx.err);
    ck_assert_int_eq(append(fx.ns, "s-1", EXACT(1), &message, 1, &written), WEIR_OK);
    ck_assert_int_eq(written.position, 2);
    ck_assert_int_eq(listed_version("s-"), 2);
}
END_TEST

/* Restores the counts as the previous step left them. The migration examines all keys, so readers
 * must not be locked out meanwhile. */
START_TEST(counts_of_an_older_version_are_put_right)
{
    must_do(WEIR_CHUNKS_DROP, first_day_us + 8 * DAY_US);
    const int64_t left = (int64_t)messages();
    PQclear(
        ts_run_format("DO $$ BEGIN ALTER TABLE %1$s.counters DROP COLUMN born;"
                      " UPDATE %1$s.counters SET stream_count = -1;"
                      " UPDATE %1$s.categories SET stream_count = -1;"
                      " CREATE TABLE %1$s.locks (n int8);"
                      " CREATE FUNCTION %1$s.look() RETURNS trigger LANGUAGE plpgsql AS"
                      " 'BEGIN INSERT INTO %1$s.locks SELECT count(*) FROM pg_locks WHERE mode ="
                      "  ''AccessExclusiveLock'' AND relation = ''%1$s.counters''::regclass;"
                      "  RETURN NEW; END';"
                      " CREATE TRIGGER look BEFORE UPDATE ON %1$s.categories"
                      " FOR EACH ROW EXECUTE FUNCTION %1$s.look();"
                      " UPDATE weir_registry.namespaces SET schema_version = 11"
                      " WHERE id = 'test'; END $$",
                      ts_schema()));
    reopen();
    assert_totals(2, left);
    int64_t locks = -1;
    PGresult *result = ts_run_format("SELECT max(n) FROM %s.locks", ts_schema());
    ck_assert(weir_pg_int8(result, 0, 0, &locks));
    PQclear(result);
    ck_assert_int_eq(locks, 0);
}
END_TEST

/* Each answer is lost once, including that of the commit. */
START_TEST(what_is_done_over_a_broken_connection_is_listed)
{
    static const enum weir_chunk_action actions[] = {WEIR_CHUNKS_COMPRESS, WEIR_CHUNKS_DROP};
    const char *server_dir = getenv("WEIR_TEST_PG_DIR");
    if (server_dir == NULL) {
        return;
    }
    char dir[] = "/tmp/weir-ts-test-XXXXXX";
    char url[256];
    ck_assert_ptr_nonnull(mkdtemp(dir));
    (void)rows_listed();
    const int64_t before_us = listed.chunks[1].range_end_us;
    const int64_t left = DAYS - listed.chunks[0].row_count - listed.chunks[1].row_count;
    struct pg_proxy *proxy = pg_proxy_start(server_dir, dir);
    (void)snprintf(url, sizeof url, "timescaledb://postgres@/weir?host=%s", dir);
    close_all();
    fx.store = open_store(url, 1);
    fx.ns = must_open(fx.store, "test");
    must_do(actions[_i % 2],
            first_day_us - 100 * DAY_US);  // does nothing but prepare the statement
    pg_proxy_set(proxy, PROXY_LOSES_REPLY, (size_t)_i / 2);
    must_do(actions[_i % 2], before_us);
    pg_proxy_set(proxy, PROXY_PASSES, 0);
    ck_assert_uint_eq(listed.n, 2);
    ck_assert(!weir_slice_equal(listed.chunks[0].name, listed.chunks[1].name));
    ck_assert_int_eq(rows_listed(), _i % 2 == 0 ? DAYS : left);
    close_all();
    pg_proxy_stop(proxy);
    ck_assert_int_eq(rmdir(dir), 0);
}
END_TEST

/* ---- numbers at the ends of their range ---- */

/* The highest number is never a position, so that each message has a next position. */
START_TEST(global_positions_run_out_cleanly)
{
    PQclear(ts_run_format("UPDATE %s.counters SET head = 9223372036854775805", ts_schema()));
    const struct weir_new_message messages[] = {message_of(801, "1"), message_of(802, "2")};
    struct weir_written written[2];
    ck_assert_int_eq(append(fx.ns, "a-1", ANY, messages, 2, written), WEIR_OUT_OF_POSITIONS);
    ck_assert_int_eq(append(fx.ns, "a-1", ANY, messages, 1, written), WEIR_OK);
    ck_assert_int_eq(written[0].global_position, INT64_MAX - 1);
    ck_assert_int_eq(append(fx.ns, "a-2", ANY, messages + 1, 1, written), WEIR_OUT_OF_POSITIONS);
    const struct weir_query query = query_all();
    must_read(fx.ns, &query);
    ck_assert_uint_eq(fx.rows.n, DAYS + 1);
    ck_assert_int_eq(fx.rows.next_position, INT64_MAX);
}
END_TEST

START_TEST(positions_of_a_stream_run_out_cleanly)
{
    must_put(fx.ns, "b-1", 1);
    PQclear(ts_run_format(
        "DO $$ BEGIN"
        " UPDATE %1$s.stored SET position = 9223372036854775805 WHERE stream_name = 'b-1';"
        " UPDATE %1$s.keys SET position = 9223372036854775805 WHERE stream_name = 'b-1';"
        " UPDATE %1$s.counters SET head = head; END $$",  // no version is known any more
        ts_schema()));
    const struct weir_new_message messages[] = {message_of(801, "1"), message_of(802, "2")};
    struct weir_written written[2];
    ck_assert_int_eq(append(fx.ns, "b-1", ANY, messages, 2, written), WEIR_OUT_OF_POSITIONS);
    ck_assert_int_eq(append(fx.ns, "b-1", ANY, messages, 1, written), WEIR_OK);
    ck_assert_int_eq(written[0].position, INT64_MAX - 1);
    ck_assert_int_eq(append(fx.ns, "b-1", ANY, messages + 1, 1, written), WEIR_OUT_OF_POSITIONS);
    ck_assert_int_eq(append(fx.ns, "c-1", ANY, messages + 1, 1, written), WEIR_OK);
    const struct weir_query query = query_stream("b-1");
    must_read(fx.ns, &query);
    ck_assert_uint_eq(fx.rows.n, 2);
    ck_assert_int_eq(fx.rows.next_position, INT64_MAX);
}
END_TEST

/* PostgreSQL refuses updates in tables that are published and have no replica identity. */
START_TEST(it_is_written_though_all_is_published)
{
    struct weir_import_record record = record_of(700, "b-1", 0, 50000);
    record.time_us = first_day_us;
    PQclear(ts_run("CREATE PUBLICATION everything FOR ALL TABLES"));
    must_put(fx.ns, "a-1", 1);
    ck_assert_msg(import(fx.ns, &record, 1, NULL) == WEIR_OK, "%s", fx.report);
    must_do(WEIR_CHUNKS_DROP, first_day_us + 8 * DAY_US);
    PQclear(ts_run("DROP PUBLICATION everything"));
}
END_TEST

/* No name is known that has this hash. */
START_TEST(the_lowest_hash_has_a_member_too)
{
    must_put(fx.ns, "b-1", 1);
    PQclear(ts_run_format(
        "UPDATE %s.stored SET cardinal_hash = -9223372036854775808 WHERE stream_name = 'b-1'",
        ts_schema()));
    struct weir_query query = query_category("b");
    query.group_size = 3;
    for (query.group_member = 0; query.group_member < 3; query.group_member++) {
        must_read(fx.ns, &query);
        ck_assert_uint_eq(fx.rows.n, query.group_member == 2);
    }
}
END_TEST

/* ---- the schema of the extension ---- */

START_TEST(an_open_schema_of_the_extension_is_reported)
{
    PQclear(ts_run("GRANT CREATE ON SCHEMA public TO PUBLIC"));
    fx.report[0] = '\0';
    reopen();
    ck_assert_msg(strstr(fx.report, "REVOKE CREATE ON SCHEMA public FROM PUBLIC") != NULL, "%s",
                  fx.report);
    PQclear(ts_run("REVOKE CREATE ON SCHEMA public FROM PUBLIC"));
    fx.report[0] = '\0';
    reopen();
    ck_assert_str_eq(fx.report, "");
}
END_TEST

/* ---- width of chunks ---- */

static weir_status create_with(const char *id, const char *metadata)
{
    struct weir_namespace_record record = {.id = weir_slice_of(id),
                                           .metadata = weir_slice_of(metadata)};
    bool is_same = false;
    weir_error_init(&fx.err);
    return weir_namespace_create(fx.store, &record, INT64_MAX, &is_same, &fx.err);
}

START_TEST(a_namespace_has_chunks_of_its_interval)
{
    ck_assert_msg(create_with("daily", "{\"chunk_interval\":\"1d\",\"other\":1}") == WEIR_OK, "%s",
                  fx.err.text);
    struct weir_namespace *of_test = fx.ns;
    fx.ns = must_open(fx.store, "daily");
    struct weir_import_record records[DAYS];
    for (int64_t d = 0; d < DAYS; d++) {
        records[d] = record_of((uint64_t)d + 1, "a-1", d, d + 1);
        records[d].time_us = first_day_us + d * DAY_US;
    }
    ck_assert_msg(import(fx.ns, records, DAYS, NULL) == WEIR_OK, "%s", fx.err.text);
    ck_assert_int_eq(rows_listed(), DAYS);
    ck_assert_uint_eq(listed.n, DAYS);
    for (size_t c = 0; c < listed.n; c++) {
        ck_assert_int_eq(listed.chunks[c].range_end_us - listed.chunks[c].range_start_us, DAY_US);
        ck_assert_int_eq(listed.chunks[c].row_count, 1);
    }
    ck_assert_uint_eq(messages(), DAYS);
    weir_namespace_release(fx.ns);
    fx.ns = of_test;
}
END_TEST

START_TEST(an_interval_that_is_none_is_refused)
{
    static const char *const bad[] = {
        "1",        "\"\"", "\"7 days\"", "\"0d\"",        "\"59m\"",
        "\"367d\"", "null", "{}",         "\"1d'; DROP\"", "\"99999999999999999999d\""};
    char metadata[96];
    for (size_t b = 0; b < WEIR_COUNTOF(bad); b++) {
        (void)snprintf(metadata, sizeof metadata, "{\"chunk_interval\":%s}", bad[b]);
        ck_assert_int_eq(create_with("odd", metadata), WEIR_INVALID_REQUEST);
        ck_assert_msg(strstr(fx.err.text, "chunk_interval") != NULL, "%s", fx.err.text);
        assert_detail("field", "metadata");
    }
    ck_assert_int_eq(create_with("odd", "{\"adopt\":\"message_store\",\"chunk_interval\":\"1d\"}"),
                     WEIR_INVALID_REQUEST);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("ts_chunks");
    TCase *tcase = tcase_create("chunks");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, begin, fixture_end);
    tcase_add_test(tcase, chunks_are_listed_by_time);
    tcase_add_test(tcase, a_listing_measures_the_chunks_once);
    tcase_add_test(tcase, compressed_chunks_read_the_same);
    tcase_add_test(tcase, the_chunk_that_is_written_to_is_not_compressed);
    tcase_add_test(tcase, a_chunk_that_another_compresses_meanwhile_is_no_failure);
    tcase_add_test(tcase, what_is_compressed_before_the_time_is_over_stays_so);
    tcase_add_test(tcase, a_chunk_that_another_drops_meanwhile_is_not_listed);
    tcase_add_test(tcase, imports_into_compressed_chunks_are_found);
    tcase_add_test(tcase, dropped_chunks_leave_versions_and_counts_right);
    tcase_add_test(tcase, a_stream_that_is_dropped_whole_goes_on_where_it_was);
    tcase_add_test(tcase, a_stream_that_comes_back_counts_again);
    tcase_add_test(tcase, a_stream_that_an_older_server_brings_back_counts_again);
    tcase_add_loop_test(tcase, a_stream_that_comes_back_counts_again_where_its_version_was_told, 0,
                        2);
    tcase_add_test(tcase, a_version_is_not_rewound_where_older_messages_are_left);
    tcase_add_test(tcase, counts_of_an_older_version_are_put_right);
    tcase_add_loop_test(tcase, what_is_done_over_a_broken_connection_is_listed, 0, 20);
    tcase_add_test(tcase, global_positions_run_out_cleanly);
    tcase_add_test(tcase, positions_of_a_stream_run_out_cleanly);
    tcase_add_test(tcase, it_is_written_though_all_is_published);
    tcase_add_test(tcase, the_lowest_hash_has_a_member_too);
    tcase_add_test(tcase, an_open_schema_of_the_extension_is_reported);
    tcase_add_test(tcase, a_namespace_has_chunks_of_its_interval);
    tcase_add_test(tcase, an_interval_that_is_none_is_refused);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return check_main(make_suite());
}
