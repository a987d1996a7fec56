/* Reads of an adopted namespace while Message DB's functions write: what they wait for, where they
 * end, and the head that waiting reads watch. */
#include "store/postgres/pg_namespace.h"
#include "store/postgres/pg_select.h"

#include "tests/lib/check_main.h"
#include "tests/postgres/adopt_fixture.h"
#include "tests/postgres/pg_fixture.h"

#include "weir/base/monotonic.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { WRITERS = 4, WRITES = 60 };

/* One writer has a position and has not committed; another has the next position and has. A reader
 * of both categories must see neither message until the first transaction ends. */
START_TEST(what_is_in_flight_is_waited_for)
{
    PGconn *slow = sql_connect();
    sql_on(slow, "BEGIN");
    sql_on(slow, MESSAGE_DB "SELECT write_message(gen_random_uuid()::text, 'slow-1', 'T', '{}')");
    sql(MESSAGE_DB "SELECT write_message(gen_random_uuid()::text, 'fast-1', 'T', '{}')");
    struct weir_query query = query_all();
    query.from = 3;
    query.deadline_us = weir_monotonic_us() + 200000;
    ck_assert_int_ne(weir_read(fx.ns, &query, &fx.arena, &fx.rows, &fx.err), WEIR_OK);
    struct weir_query category = query_category("fast");  // a single category needs no wait
    must_read(fx.ns, &category);
    ck_assert_uint_eq(fx.rows.n, 1);
    ck_assert_int_eq(must_head(fx.ns), 4);
    sql_on(slow, "COMMIT");
    PQfinish(slow);
    query.deadline_us = INT64_MAX;
    weir_error_init(&fx.err);
    must_read(fx.ns, &query);
    ck_assert_uint_eq(fx.rows.n, 2);
    ck_assert(weir_slice_is(fx.rows.rows[0].stream, "slow-1"));
}
END_TEST

static void wait_until_asleep(const PGconn *conn)
{
    const struct timespec pause = {.tv_nsec = 5 * 1000 * 1000};
    while (
        sql_int("SELECT count(*) FROM pg_stat_activity WHERE pid = %d AND wait_event = 'PgSleep'",
                PQbackendPID(conn)) == 0) {
        (void)nanosleep(&pause, NULL);
    }
}

/* The lock of a prepared transaction keeps the name of its session, though not in all releases of
 * PostgreSQL. */
START_TEST(what_is_prepared_meanwhile_is_waited_for)
{
    const struct timespec pause = {.tv_nsec = 200 * 1000 * 1000};
    char text[128];
    PGconn *slow = sql_connect();
    PGconn *reader = sql_connect();
    sql_on(slow, "BEGIN");
    sql_on(slow, MESSAGE_DB "SELECT write_message(gen_random_uuid()::text, 'slow-1', 'T', '{}')");
    (void)snprintf(text, sizeof text, "SELECT %s.settle(20000)", schema_of("adopted"));
    ck_assert_int_eq(PQsendQuery(reader, text), 1);
    wait_until_asleep(reader);
    sql_on(slow, "PREPARE TRANSACTION 'slow'");
    (void)nanosleep(&pause, NULL);
    const bool is_waiting = PQconsumeInput(reader) == 1 && PQisBusy(reader) == 1;
    sql_on(slow, "COMMIT PREPARED 'slow'");
    PGresult *result = PQgetResult(reader);
    ck_assert_msg(PQresultStatus(result) == PGRES_TUPLES_OK, "%s", PQerrorMessage(reader));
    ck_assert_str_eq(PQgetvalue(result, 0, 0), "3");
    PQclear(result);
    PQfinish(reader);
    PQfinish(slow);
    ck_assert(is_waiting);
}
END_TEST

/* Messages committed during the read are returned by the next read. */
START_TEST(a_read_that_finds_nothing_ends_where_all_is_settled)
{
    const struct weir_slice type = weir_slice_of("None");
    sql("CREATE OR REPLACE FUNCTION %s.settle(p_lock_ms int4) RETURNS int8 LANGUAGE sql AS"
        " 'SELECT 1::int8'",
        schema_of("adopted"));
    struct weir_query query = query_all();
    query.types = &type;
    query.types_n = 1;
    must_read(fx.ns, &query);
    ck_assert_uint_eq(fx.rows.n, 0);
    ck_assert_int_eq(fx.rows.next_position, 2);
}
END_TEST

/* A sequential scan would visit every row version that a snapshot still needs. */
START_TEST(a_reader_of_everything_finds_the_counters_by_their_era)
{
    char text[256];
    PGconn *conn = sql_connect();
    sql_on(conn, "SET enable_seqscan = off; BEGIN");
    (void)snprintf(text, sizeof text,
                   "SELECT s.settled, pg_stat_get_xact_numscans('%s.counters'::regclass)"
                   " FROM %s.settle(500) AS s (settled)",
                   schema_of("adopted"), schema_of("adopted"));
    PGresult *result = PQexec(conn, text);
    ck_assert_msg(PQntuples(result) == 1, "%s", PQerrorMessage(conn));
    ck_assert_str_eq(PQgetvalue(result, 0, 0), "2");
    ck_assert_str_eq(PQgetvalue(result, 0, 1), "0");
    PQclear(result);
    PQfinish(conn);
}
END_TEST

static void *commit_later(void *context)
{
    const struct timespec pause = {.tv_sec = 2, .tv_nsec = 500 * 1000 * 1000};
    (void)nanosleep(&pause, NULL);
    sql_on(context, "COMMIT");
    return NULL;
}

/* The reader waits until its deadline, however long the transaction takes. */
START_TEST(what_is_in_flight_for_long_is_waited_for)
{
    pthread_t thread;
    PGconn *slow = sql_connect();
    sql_on(slow, "BEGIN");
    sql_on(slow, MESSAGE_DB "SELECT write_message(gen_random_uuid()::text, 'slow-1', 'T', '{}')");
    ck_assert_int_eq(pthread_create(&thread, NULL, commit_later, slow), 0);
    struct weir_query query = query_all();
    query.deadline_us = weir_monotonic_us() + 30000000;
    const weir_status status = weir_read(fx.ns, &query, &fx.arena, &fx.rows, &fx.err);
    (void)pthread_join(thread, NULL);
    PQfinish(slow);
    ck_assert_msg(status == WEIR_OK, "%s", fx.err.text);
    ck_assert_uint_eq(fx.rows.n, 3);
}
END_TEST

/* ---- vacuums ---- */

/* A vacuum started by an operator holds this lock and gives way to nobody. */
START_TEST(a_reader_of_everything_does_not_wait_for_a_vacuum)
{
    PGconn *vacuum = sql_connect();
    sql_on(vacuum, "BEGIN; LOCK TABLE message_store.messages IN SHARE UPDATE EXCLUSIVE MODE");
    const struct weir_query query = query_all();
    must_read(fx.ns, &query);
    ck_assert_uint_eq(fx.rows.n, 2);
    PQfinish(vacuum);
}
END_TEST

START_TEST(a_vacuum_gives_way_to_a_writer)
{
    const struct weir_new_message message = message_of(11, "1");
    struct weir_written written;
    sql("INSERT INTO message_store.messages (stream_name, type, position, data)"
        " SELECT 'c-' || g, 'T', 0, '{}' FROM generate_series(1, 20000) AS g");
    begin_vacuum("message_store.messages");
    const weir_status status = append(fx.ns, "a-1", ANY, &message, 1, &written);
    end_vacuum("message_store.messages");
    ck_assert_msg(status == WEIR_OK, "%s", fx.err.text);
}
END_TEST

/* ---- the head, which waiting readers watch ---- */

static struct weir_head look(void)
{
    struct weir_head head;
    ck_assert_msg(weir_head(fx.ns, INT64_MAX, &head, &fx.err) == WEIR_OK, "%s", fx.err.text);
    return head;
}

/* The server's own writes add their number to both counts, on top of other writers' messages and of
 * positions left free. */
START_TEST(the_head_moves_with_every_write)
{
    const struct weir_new_message messages[2] = {message_of(11, "1"), message_of(12, "2")};
    struct weir_written written[2];
    sql("SELECT nextval('message_store.messages_global_position_seq')");  // leaves a gap
    const struct weir_head first = look();
    sql(MESSAGE_DB "SELECT write_message(gen_random_uuid()::text, 'b-1', 'T', '{}')");
    const struct weir_head by_other = look();
    ck_assert_int_eq(by_other.position, first.position + 2);
    ck_assert_int_eq(append(fx.ns, "a-1", ANY, messages, 2, written), WEIR_OK);
    struct weir_head head = look();
    ck_assert_int_eq(head.position, by_other.position + 2);
    ck_assert_int_eq(head.messages, by_other.messages + 2);
}
END_TEST

START_TEST(the_head_tells_of_a_writer_who_is_overtaken)
{
    PGconn *slow = sql_connect();
    sql_on(slow, "BEGIN");
    sql_on(slow, MESSAGE_DB "SELECT write_message(gen_random_uuid()::text, 'slow-1', 'T', '{}')");
    sql(MESSAGE_DB "SELECT write_message(gen_random_uuid()::text, 'fast-1', 'T', '{}')");
    const struct weir_head before = look();
    sql_on(slow, "COMMIT");
    PQfinish(slow);
    const struct weir_head after = look();
    ck_assert_int_eq(after.position, before.position);
    ck_assert_int_eq(after.messages, before.messages + 1);
    ck_assert(!before.is_in_order && !after.is_in_order);
}
END_TEST

/* Checks each number that follows `label` in a plan. */
static void assert_at_most(const PGresult *plan, const char *label, int most)
{
    for (const char *at = PQgetvalue(plan, 0, 0); (at = strstr(at, label)) != NULL; at++) {
        ck_assert_int_le(atoi(at + strlen(label)), most);
    }
}

/* The rows that plan nodes emit show how much they have read. */
START_TEST(the_head_costs_the_same_however_many_there_are)
{
    char *text = NULL;
    struct pg_namespace ns;
    weir_pg_namespace_name(weir_slice_of("adopted"), &ns);
    ns.layout = &weir_pg_adopted_layout;
    sql("INSERT INTO message_store.messages (stream_name, type, position, data)"
        " SELECT 'c-' || g, 'T', 0, '{}' FROM generate_series(1, 5000) AS g");
    ck_assert_int_eq(look().position, 5002);
    PGconn *conn = sql_connect();
    sql_on(conn, "SET enable_seqscan = off");
    char *head = weir_pg_expand(&ns, ns.layout->fixed[PG_FIXED_HEAD]);
    ck_assert_int_gt(asprintf(&text, "EXPLAIN (ANALYZE, FORMAT JSON) %s", head), 0);
    PGresult *result = PQexec(conn, text);
    ck_assert_msg(PQntuples(result) == 1, "%s", PQerrorMessage(conn));
    assert_at_most(result, "\"Actual Rows\": ", 1000);
    PQclear(result);
    PQfinish(conn);
    free(head);
    free(text);
}
END_TEST

/* Otherwise the next read would examine the same messages again. */
START_TEST(a_reader_of_few_of_a_category_moves_on_while_others_write)
{
    const struct weir_slice type = weir_slice_of("None");
    must_put(fx.ns, "a-1", 1);
    sql(MESSAGE_DB "SELECT write_message(gen_random_uuid()::text, 'a-' || g, 'T', '{}')"
                   " FROM generate_series(1, 100) AS g");
    sql(MESSAGE_DB "SELECT write_message(gen_random_uuid()::text, 'b-1', 'T', '{}')");
    struct weir_query query = query_category("a");
    query.types = &type;
    query.types_n = 1;
    must_read(fx.ns, &query);
    ck_assert_uint_eq(fx.rows.n, 0);
    ck_assert_int_eq(fx.rows.next_position, 104);
    query = query_category("a");
    query.group_size = 2;
    must_read(fx.ns, &query);
    ck_assert_int_eq(fx.rows.next_position, 104);
    must_put(fx.ns, "a-1", 1);
    must_read(fx.ns, &query);
    ck_assert_int_eq(fx.rows.next_position, 106);
    query = query_category("none");
    query.group_size = 2;
    must_read(fx.ns, &query);
    ck_assert_int_eq(fx.rows.next_position, 106);
}
END_TEST

/* The plan uses the index of categories, whatever other messages exist. */
START_TEST(the_end_of_a_category_costs_the_same_however_many_there_are)
{
    char pattern[WEIR_PG_SELECT_BYTES];
    char *text = NULL;
    struct pg_namespace ns;
    const struct pg_shape shape = {.selector = WEIR_SELECT_CATEGORY, .has_types = true};
    weir_pg_namespace_name(weir_slice_of("adopted"), &ns);
    ns.layout = &weir_pg_adopted_layout;
    sql("INSERT INTO message_store.messages (stream_name, type, position, data)"
        " SELECT 'c-' || g, 'T', 0, '{}' FROM generate_series(1, 5000) AS g; ANALYZE");
    weir_pg_select_text(&weir_pg_adopted_layout, &shape, pattern);
    char *select = weir_pg_expand(&ns, pattern);
    PGconn *conn = sql_connect();
    sql_on(conn, "SET enable_seqscan = off; SET enable_bitmapscan = off; SET enable_sort = off;"
                 " SET plan_cache_mode = force_generic_plan");
    ck_assert_int_gt(asprintf(&text, "PREPARE p AS %s", select), 0);
    sql_on(conn, text);
    PGresult *result =
        PQexec(conn, "EXPLAIN (ANALYZE, FORMAT JSON) EXECUTE p('a', 1, 100, 1000000, '{T}')");
    ck_assert_msg(PQntuples(result) == 1, "%s", PQerrorMessage(conn));
    assert_at_most(result, "Actual Rows\": ", 2);
    assert_at_most(result, "Removed by Filter\": ", 2);
    PQclear(result);
    PQfinish(conn);
    free(select);
    free(text);
}
END_TEST

/* ---- writers of both kinds, and a reader of everything ---- */

static void *write_by_functions(void *context)
{
    PGconn *conn = sql_connect();
    const int number = *(const int *)context;
    for (int w = 0; w < WRITES; w++) {
        char text[256];
        (void)snprintf(text, sizeof text,
                       MESSAGE_DB "SELECT write_message(gen_random_uuid()::text, 'cat%d-1', 'T',"
                                  " '{}')",
                       number);
        sql_on(conn, text);
    }
    PQfinish(conn);
    return NULL;
}

START_TEST(a_reader_of_everything_misses_nothing)
{
    pthread_t threads[WRITERS];
    int numbers[WRITERS];
    for (int w = 0; w < WRITERS; w++) {
        numbers[w] = w;
        ck_assert_int_eq(pthread_create(&threads[w], NULL, write_by_functions, &numbers[w]), 0);
    }
    struct weir_query query = query_all();
    query.from = 3;
    size_t seen = 0;
    uint64_t own = 0;
    while (seen < WRITERS * WRITES + own || own < WRITES) {
        if (own < WRITES) {
            const struct weir_new_message message = message_of(1000 + own, "1");
            struct weir_written written;
            ck_assert_msg(append(fx.ns, "cat0-1", ANY, &message, 1, &written) == WEIR_OK, "%s",
                          fx.err.text);
            own++;
        }
        must_read(fx.ns, &query);
        seen += fx.rows.n;
        query.from = fx.rows.next_position;
    }
    for (int w = 0; w < WRITERS; w++) {
        (void)pthread_join(threads[w], NULL);
    }
    ck_assert_int_eq(sql_int("SELECT count(*) FROM message_store.messages"), (int64_t)seen + 2);
    ck_assert_int_eq(must_version(fx.ns, "cat0-1"), 2 * WRITES - 1);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("pg_adopt_reads");
    TCase *tcase = tcase_create("reads");
    tcase_set_timeout(tcase, 120);
    tcase_add_checked_fixture(tcase, begin_adopted, fixture_end);
    tcase_add_test(tcase, what_is_in_flight_is_waited_for);
    tcase_add_test(tcase, what_is_in_flight_for_long_is_waited_for);
    tcase_add_test(tcase, what_is_prepared_meanwhile_is_waited_for);
    tcase_add_test(tcase, a_read_that_finds_nothing_ends_where_all_is_settled);
    tcase_add_test(tcase, a_reader_of_everything_finds_the_counters_by_their_era);
    tcase_add_test(tcase, a_reader_of_everything_does_not_wait_for_a_vacuum);
    tcase_add_test(tcase, a_vacuum_gives_way_to_a_writer);
    tcase_add_test(tcase, the_head_moves_with_every_write);
    tcase_add_test(tcase, the_head_tells_of_a_writer_who_is_overtaken);
    tcase_add_test(tcase, the_head_costs_the_same_however_many_there_are);
    tcase_add_test(tcase, a_reader_of_few_of_a_category_moves_on_while_others_write);
    tcase_add_test(tcase, the_end_of_a_category_costs_the_same_however_many_there_are);
    tcase_add_test(tcase, a_reader_of_everything_misses_nothing);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return check_main(make_suite());
}
