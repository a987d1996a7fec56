/* Broken connections and servers that do not answer: every outcome must be true.
 *
 * The store reaches PostgreSQL through a proxy (tests/lib/pg_proxy.h) that drops requests or
 * answers; a second store reaches it directly. */
#include "tests/lib/check_main.h"
#include "tests/postgres/pg_fixture.h"

#include "weir/base/monotonic.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Uses one connection, so that the test knows which one is cut. */
static void begin(void)
{
    fixture_through_proxy(1);
    must_put(fx.ns, "warm-1", 1);  // prepares the statements
}

/* ---- lost answers ---- */

static const enum pg_proxy_mode losses[] = {PROXY_LOSES_REPLY, PROXY_LOSES_REQUEST};

/* Whether the request or the answer is lost, the write is stored once and reported as done. */
START_TEST(a_write_over_a_broken_connection_is_done_once)
{
    struct weir_new_message message = message_of(7, "{\"a\":1}");
    message.is_id_given = _i % 2 == 0;
    struct weir_written written;
    struct weir_stream_append part;
    struct weir_write write = write_of(&part, "a-1", NO_STREAM, &message, &written);
    const size_t before = pg_proxy_connections(proxy);
    pg_proxy_set(proxy, losses[_i / 2], 0);
    ck_assert_msg(commit_write(fx.ns, &write) == WEIR_OK, "%s", fx.err.text);
    ck_assert_uint_eq(pg_proxy_connections(proxy), before + 1);
    ck_assert_int_eq(written.position, 0);
    ck_assert_int_eq(written.global_position, 2);
    ck_assert(!write.of.append.is_duplicate);
    ck_assert_int_eq(stored("a-1"), 1);
    ck_assert_int_eq(must_head(fx.ns), 2);
}
END_TEST

/* Of several writes, each a group of its own, the answer to the last is the one that is lost. */
START_TEST(a_write_is_one_exchange)
{
    enum { WHOLE = 4 };
    const size_t before = pg_proxy_connections(proxy);
    pg_proxy_set(proxy, PROXY_LOSES_REPLY, WHOLE);
    for (uint64_t w = 0; w <= WHOLE; w++) {
        struct weir_new_message message = message_of(10 + w, "1");
        message.is_id_given = w % 2 == 0;
        struct weir_written written;
        ck_assert_uint_eq(pg_proxy_connections(proxy), before);
        ck_assert_int_eq(append(fx.ns, w < 2 ? "warm-1" : "a-1", ANY, &message, 1, &written),
                         WEIR_OK);
        ck_assert_int_eq(written.global_position, (int64_t)w + 2);
    }
    ck_assert_uint_eq(pg_proxy_connections(proxy), before + 1);
}
END_TEST

/* A message acknowledged before is still recognised as a duplicate. */
START_TEST(a_repetition_over_a_broken_connection_is_a_duplicate)
{
    const struct weir_new_message message = message_of(7, "1");
    struct weir_written first;
    ck_assert_int_eq(append(fx.ns, "a-1", ANY, &message, 1, &first), WEIR_OK);
    struct weir_written written;
    struct weir_stream_append part;
    struct weir_write write = write_of(&part, "a-1", ANY, &message, &written);
    pg_proxy_set(proxy, losses[_i], 0);
    ck_assert_msg(commit_write(fx.ns, &write) == WEIR_OK, "%s", fx.err.text);
    ck_assert(write.of.append.is_duplicate);
    ck_assert_int_eq(written.global_position, first.global_position);
    ck_assert_int_eq(stored("a-1"), 1);
}
END_TEST

/* The look at the stored message is another exchange, after the commit. Where it is lost, writes of
 * the group that were stored before it are no duplicates. */
START_TEST(a_repetition_is_judged_over_a_connection_that_breaks_meanwhile)
{
    struct weir_new_message messages[2] = {message_of(7, "1"), message_of(8, "1")};
    struct weir_written written[2];
    ck_assert_int_eq(append(fx.ns, "a-1", ANY, &messages[0], 1, &written[0]), WEIR_OK);
    ck_assert_int_eq(append(fx.ns, "a-1", ANY, &messages[0], 1, &written[0]), WEIR_OK);
    struct weir_stream_append parts[2];
    struct weir_write writes[2];
    struct weir_error errors[2];
    for (size_t w = 0; w < 2; w++) {
        writes[w] = write_of(&parts[w], "a-1", ANY, &messages[w], &written[w]);
        weir_error_init(&errors[w]);
    }
    pg_proxy_set(proxy, losses[_i], 1);
    commit_group(fx.ns, writes, errors, 2);
    for (size_t w = 0; w < 2; w++) {
        ck_assert_msg(errors[w].status == WEIR_OK, "%s", errors[w].text);
        ck_assert_int_eq(written[w].position, (int64_t)w);
        ck_assert_int_eq(written[w].global_position, (int64_t)w + 2);
        ck_assert_int_eq(writes[w].of.append.is_duplicate, w == 0);
    }
    ck_assert_int_eq(stored("a-1"), 2);
}
END_TEST

/* This also holds if the session has not written since: here another server has. */
START_TEST(what_another_server_stored_is_a_duplicate_over_a_broken_connection)
{
    const struct weir_new_message message = message_of(7, "1");
    struct weir_written written;
    struct weir_store *other = open_store(getenv("WEIR_TEST_STORE"), 1);
    struct weir_namespace *ns = must_open(other, "test");
    ck_assert_int_eq(append(ns, "a-1", ANY, &message, 1, &written), WEIR_OK);
    weir_namespace_release(ns);
    weir_store_close(other);
    sql("UPDATE %s.stored SET time = time - INTERVAL '1 minute'", schema_of("test"));
    struct weir_stream_append part;
    struct weir_write write = write_of(&part, "a-1", ANY, &message, &written);
    pg_proxy_set(proxy, losses[_i], 0);
    ck_assert_msg(commit_write(fx.ns, &write) == WEIR_OK, "%s", fx.err.text);
    ck_assert(write.of.append.is_duplicate);
    ck_assert_int_eq(stored("a-1"), 1);
}
END_TEST

START_TEST(a_group_over_a_broken_connection_is_told_the_truth)
{
    struct weir_new_message messages[4];
    struct weir_written written[4];
    struct weir_stream_append parts[4];
    struct weir_write writes[4];
    struct weir_error errors[4];
    static const char *const streams[4] = {"a-1", "b-1", "a-1", "c-1"};
    for (size_t w = 0; w < 4; w++) {
        messages[w] = message_of(10 + w, "1");
        writes[w] = write_of(&parts[w], streams[w], ANY, &messages[w], &written[w]);
        weir_error_init(&errors[w]);
    }
    parts[1].expectation = EXACT(5);  // refused in any case
    pg_proxy_set(proxy, losses[_i], 0);
    commit_group(fx.ns, writes, errors, 4);
    ck_assert_int_eq(errors[1].status, WEIR_STREAM_VERSION_CONFLICT);
    static const int64_t globals[4] = {2, 0, 3, 4};
    for (size_t w = 0; w < 4; w++) {
        ck_assert(w == 1 || errors[w].status == WEIR_OK);
        ck_assert(w == 1 || written[w].global_position == globals[w]);
    }
    ck_assert_int_eq(stored("a-1"), 2);
    ck_assert_int_eq(stored("b-1"), 0);
    ck_assert_int_eq(must_head(fx.ns), 4);
}
END_TEST

START_TEST(an_import_over_a_broken_connection_is_done_once)
{
    const struct weir_import_record records[] = {record_of(1, "a-1", 0, 10),
                                                 record_of(2, "a-1", 1, 11)};
    struct weir_import outcome;
    ck_assert_int_eq(import(fx.ns, records, 1, &outcome), WEIR_OK);  // prepares the statement
    pg_proxy_set(proxy, losses[_i], 0);
    ck_assert_msg(import(fx.ns, records, 2, &outcome) == WEIR_OK, "%s", fx.err.text);
    ck_assert_int_eq(outcome.imported + outcome.skipped_identical, 2);
    ck_assert_int_eq(stored("a-1"), 2);
}
END_TEST

/* A blind repetition would remove what another server has written since. */
START_TEST(a_clear_over_a_broken_connection_is_not_repeated)
{
    must_put(fx.ns, "a-1", 4);
    struct weir_write clear = {.kind = WEIR_WRITE_CLEAR};
    ck_assert_int_eq(commit_write(fx.ns, &clear), WEIR_OK);  // prepares the statement
    must_put(fx.ns, "a-1", 5);
    const int64_t head = must_head(fx.ns);
    pg_proxy_set(proxy, losses[_i], 1);  // lets the query before it pass
    clear = (struct weir_write){.kind = WEIR_WRITE_CLEAR};
    ck_assert_msg(commit_write(fx.ns, &clear) == WEIR_OK, "%s", fx.err.text);
    ck_assert_int_eq(clear.of.clear.messages_deleted, 5);
    const char *schema = schema_of("test");
    ck_assert_int_eq(sql_int("SELECT clears FROM %s.counters", schema), 2);
    ck_assert_int_eq(must_head(fx.ns), head);
}
END_TEST

static void *clear_when_held(void *context)
{
    (void)context;
    pg_proxy_wait_until_holding(proxy);
    sql("SELECT %s.clear(500)", schema_of("test"));
    pg_proxy_set(proxy, PROXY_PASSES, 0);
    return NULL;
}

/* A repetition finds its id, and another server clears before the stored message is looked at. It
 * can be tried again then, and is stored. */
START_TEST(a_repetition_beside_a_clear_is_told_to_come_again)
{
    pthread_t thread;
    const struct weir_new_message message = message_of(7, "1");
    struct weir_written written;
    for (int n = 0; n < 2; n++) {  // the repetition prepares the statement that looks
        ck_assert_int_eq(append(fx.ns, "a-1", ANY, &message, 1, &written), WEIR_OK);
    }
    pg_proxy_set(proxy, PROXY_HOLDS_REQUEST, 1);
    ck_assert_int_eq(pthread_create(&thread, NULL, clear_when_held, NULL), 0);
    struct weir_stream_append part;
    struct weir_write write = write_of(&part, "a-1", ANY, &message, &written);
    ck_assert_int_eq(commit_write(fx.ns, &write), WEIR_BACKEND_UNAVAILABLE);
    (void)pthread_join(thread, NULL);
    ck_assert_int_eq(stored("a-1"), 0);
    weir_error_init(&fx.err);
    ck_assert_msg(commit_write(fx.ns, &write) == WEIR_OK, "%s", fx.err.text);
    ck_assert(!write.of.append.is_duplicate);
    ck_assert_int_eq(stored("a-1"), 1);
}
END_TEST

START_TEST(a_read_over_a_broken_connection_is_done_again)
{
    const struct weir_query query = query_all();
    must_read(fx.ns, &query);
    pg_proxy_set(proxy, losses[_i], 0);
    must_read(fx.ns, &query);
    ck_assert_uint_eq(fx.rows.n, 1);
}
END_TEST

START_TEST(a_broken_connection_is_no_reason_to_call_the_database_gone)
{
    pg_proxy_set(proxy, losses[_i], 0);
    ck_assert_msg(weir_store_ping(fx.store, weir_monotonic_us() + 5000000, &fx.err) == WEIR_OK,
                  "%s", fx.err.text);
}
END_TEST

/* Each of the requests is lost once, the last one being the COMMIT. */
START_TEST(a_namespace_is_created_over_a_broken_connection)
{
    struct weir_namespace_record record = {.id = weir_slice_of("new"), .token_hash = {{1}}};
    bool is_same = false;
    pg_proxy_set(proxy, losses[_i % 2], (size_t)_i / 2);
    ck_assert_msg(weir_namespace_create(fx.store, &record, INT64_MAX, &is_same, &fx.err) == WEIR_OK,
                  "%s", fx.err.text);
    pg_proxy_set(proxy, PROXY_PASSES, 0);
    struct weir_namespace *ns = must_open(fx.store, "new");
    must_put(ns, "a-1", 1);
    weir_namespace_release(ns);
}
END_TEST

START_TEST(a_namespace_is_deleted_over_a_broken_connection)
{
    must_create(fx.store, "old");
    struct weir_namespace *ns = must_open(fx.store, "old");
    must_put(ns, "a-1", 3);
    weir_namespace_release(ns);
    int64_t deleted = 0;
    pg_proxy_set(proxy, losses[_i % 2], (size_t)_i / 2);
    ck_assert_msg(weir_namespace_delete(fx.store, weir_slice_of("old"), INT64_MAX, &deleted,
                                        &fx.err) == WEIR_OK,
                  "%s", fx.err.text);
    pg_proxy_set(proxy, PROXY_PASSES, 0);
    ck_assert_int_eq(deleted, 3);
    ck_assert_int_eq(sql_int("SELECT count(*) FROM weir_registry.namespaces WHERE id = 'old'"), 0);
}
END_TEST

START_TEST(a_write_that_cannot_be_resolved_is_in_doubt_at_its_deadline)
{
    const struct weir_new_message message = message_of(7, "1");
    struct weir_written written;
    struct weir_stream_append part;
    struct weir_write write = write_of(&part, "a-1", ANY, &message, &written);
    const int64_t start_us = weir_monotonic_us();
    write.deadline_us = start_us + 700000;
    pg_proxy_set(proxy, PROXY_LOSES_REPLY, 0);
    pg_proxy_refuse_after_loss(proxy);
    ck_assert_int_eq(commit_write(fx.ns, &write), WEIR_DEADLINE_EXCEEDED);
    ck_assert_msg(strstr(fx.err.text, "not known") != NULL, "%s", fx.err.text);
    ck_assert_int_lt(weir_monotonic_us() - start_us, 3000000);
    /* The client retries with the same id. */
    pg_proxy_set(proxy, PROXY_PASSES, 0);
    write = write_of(&part, "a-1", ANY, &message, &written);
    ck_assert_msg(commit_write(fx.ns, &write) == WEIR_OK, "%s", fx.err.text);
    ck_assert(write.of.append.is_duplicate);
    ck_assert_int_eq(stored("a-1"), 1);
}
END_TEST

static void *let_pass_later(void *context)
{
    (void)context;
    const struct timespec pause = {.tv_nsec = 300 * 1000 * 1000};
    (void)nanosleep(&pause, NULL);
    pg_proxy_set(proxy, PROXY_PASSES, 0);
    return NULL;
}

/* Attempts that find no connection do not end the doubt, and what was stored is no duplicate. */
START_TEST(a_write_in_doubt_waits_for_the_database_to_come_back)
{
    pthread_t thread;
    const struct weir_new_message message = message_of(7, "1");
    struct weir_written written;
    struct weir_stream_append part;
    struct weir_write write = write_of(&part, "a-1", ANY, &message, &written);
    pg_proxy_set(proxy, PROXY_LOSES_REPLY, 0);
    pg_proxy_refuse_after_loss(proxy);
    ck_assert_int_eq(pthread_create(&thread, NULL, let_pass_later, NULL), 0);
    ck_assert_msg(commit_write(fx.ns, &write) == WEIR_OK, "%s", fx.err.text);
    (void)pthread_join(thread, NULL);
    ck_assert(!write.of.append.is_duplicate);
    ck_assert_int_eq(written.position, 0);
    ck_assert_int_eq(stored("a-1"), 1);
}
END_TEST

START_TEST(nothing_is_waited_for_while_the_database_is_gone)
{
    pg_proxy_set(proxy, PROXY_REFUSES, 0);
    const struct weir_new_message message = message_of(7, "1");
    struct weir_written written;
    (void)append(fx.ns, "a-1", ANY, &message, 1, &written);  // on the connection that was cut
    const int64_t start_us = weir_monotonic_us();
    ck_assert_int_eq(append(fx.ns, "a-1", ANY, &message, 1, &written), WEIR_BACKEND_UNAVAILABLE);
    const struct weir_query query = query_all();
    weir_error_init(&fx.err);
    ck_assert_int_eq(weir_read(fx.ns, &query, &fx.arena, &fx.rows, &fx.err),
                     WEIR_BACKEND_UNAVAILABLE);
    ck_assert_int_lt(weir_monotonic_us() - start_us, 2000000);
    pg_proxy_set(proxy, PROXY_PASSES, 0);
    weir_error_init(&fx.err);
    ck_assert_int_eq(append(fx.ns, "a-1", ANY, &message, 1, &written), WEIR_OK);
}
END_TEST

/* The URL admits a read-only database. The store must limit its attempts until the database accepts
 * writes again. */
START_TEST(a_database_that_only_reads_is_asked_now_and_then)
{
    char url[320];
    PGconn *other = sql_connect();
    sql_on(other, "ALTER ROLE postgres SET default_transaction_read_only = on");
    (void)snprintf(url, sizeof url, "%s&target_session_attrs=any", proxy_url);
    struct weir_store *reading = open_store(url, 1);
    struct weir_namespace *ns = must_open(reading, "test");
    const struct weir_new_message message = message_of(7, "1");
    struct weir_written written;
    struct weir_stream_append part;
    struct weir_write write = write_of(&part, "a-1", ANY, &message, &written);
    write.deadline_us = weir_monotonic_us() + 1000000;
    const size_t before = pg_proxy_connections(proxy);
    const weir_status status = commit_write(ns, &write);
    const size_t made = pg_proxy_connections(proxy) - before;
    const bool is_in_doubt = strstr(fx.err.text, "not known") != NULL;
    weir_namespace_release(ns);
    weir_store_close(reading);
    sql_on(other, "ALTER ROLE postgres RESET default_transaction_read_only");
    PQfinish(other);
    ck_assert_int_eq(status, WEIR_DEADLINE_EXCEEDED);
    ck_assert_msg(!is_in_doubt, "%s", fx.err.text);  // nothing can have been written
    ck_assert_uint_le(made, 12);
    ck_assert_int_eq(stored("a-1"), 0);
}
END_TEST

/* ---- no answer at all ---- */

START_TEST(calls_end_at_their_deadline_though_nothing_comes)
{
    pg_proxy_set(proxy, PROXY_HOLDS, 0);
    const int64_t start_us = weir_monotonic_us();
    struct weir_query query = query_all();
    query.deadline_us = start_us + 100000;
    ck_assert_int_eq(weir_read(fx.ns, &query, &fx.arena, &fx.rows, &fx.err),
                     WEIR_DEADLINE_EXCEEDED);
    struct weir_error err;
    weir_error_init(&err);
    ck_assert_int_ne(weir_store_ping(fx.store, weir_monotonic_us() + 100000, &err), WEIR_OK);
    const struct weir_new_message message = message_of(7, "1");
    struct weir_written written;
    struct weir_stream_append part;
    struct weir_write write = write_of(&part, "a-1", ANY, &message, &written);
    write.deadline_us = weir_monotonic_us() + 100000;
    ck_assert_int_ne(commit_write(fx.ns, &write), WEIR_OK);
    ck_assert_int_lt(weir_monotonic_us() - start_us, 5000000);
    pg_proxy_set(proxy, PROXY_PASSES, 0);
    weir_error_init(&fx.err);
    query.deadline_us = INT64_MAX;
    must_read(fx.ns, &query);
}
END_TEST

/* ---- statements that arrive late ---- */

enum { BIG_BYTES = 200000 };

static void wait_until_nobody_else(const char *condition)
{
    const struct timespec pause = {.tv_nsec = 10 * 1000 * 1000};
    while (sql_int("SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'"
                   " AND pid <> pg_backend_pid() AND %s",
                   condition) > 0) {
        (void)nanosleep(&pause, NULL);
    }
}

/* Most of the write has not been sent when it is given up. */
START_TEST(a_write_that_is_given_up_is_not_sent_on)
{
    static char data[BIG_BYTES + 1] = "\"";
    char url[256];
    int port = 0;
    struct pg_proxy *network = pg_proxy_start_on_port(server_dir(), &port);
    (void)snprintf(url, sizeof url, "postgresql://postgres@127.0.0.1:%d/weir?sslmode=disable",
                   port);
    close_all();
    struct weir_store *store = open_store(url, 1);
    struct weir_namespace *ns = must_open(store, "test");
    must_put(ns, "warm-1", 1);
    memset(data + 1, 'x', BIG_BYTES - 2);
    data[BIG_BYTES - 1] = '"';
    const struct weir_new_message message = message_of(7, data);
    struct weir_written written;
    struct weir_stream_append part;
    struct weir_write write = write_of(&part, "a-1", ANY, &message, &written);
    write.deadline_us = weir_monotonic_us() + 100000;
    pg_proxy_set(network, PROXY_HOLDS, 0);
    ck_assert_int_eq(commit_write(ns, &write), WEIR_DEADLINE_EXCEEDED);
    pg_proxy_set(network, PROXY_PASSES, 0);
    wait_until_nobody_else("true");
    ck_assert_int_eq(stored("a-1"), 0);
    weir_namespace_release(ns);
    weir_store_close(store);
    pg_proxy_stop(network);
}
END_TEST

static void *hold_when_waited_for(void *context)
{
    const struct timespec pause = {.tv_nsec = 10 * 1000 * 1000};
    (void)context;
    while (sql_int("SELECT count(*) FROM pg_locks WHERE NOT granted") == 0) {
        (void)nanosleep(&pause, NULL);
    }
    pg_proxy_set(proxy, PROXY_HOLDS, 0);
    return NULL;
}

/* The clear is given up while it waits for a lock. The holder of the lock clears in its place and
 * writes. */
START_TEST(a_clear_that_was_given_up_does_nothing_later)
{
    char text[512];
    pthread_t thread;
    PGconn *other = sql_connect();
    const char *schema = schema_of("test");
    (void)snprintf(text, sizeof text, "BEGIN; SELECT %s.lock(5000, NULL)", schema);
    sql_on(other, text);
    ck_assert_int_eq(pthread_create(&thread, NULL, hold_when_waited_for, NULL), 0);
    struct weir_write clear = {.kind = WEIR_WRITE_CLEAR,
                               .deadline_us = weir_monotonic_us() + 100000};
    ck_assert_int_eq(commit_write(fx.ns, &clear), WEIR_DEADLINE_EXCEEDED);
    (void)pthread_join(thread, NULL);
    (void)snprintf(text, sizeof text,
                   "SELECT %1$s.clear(500); SELECT %1$s.append(500, 300, '{a-1}', '{1}', '{1}',"
                   " '{1}', '{0}', '{-1}', '{1}', '{1}',"
                   " '{00000000-0000-0000-0000-00000000aaaa}', '{T}', '{NULL}', '{NULL}',"
                   " '{NULL}'); COMMIT",
                   schema);
    sql_on(other, text);
    PQfinish(other);
    wait_until_nobody_else("state = 'active'");
    ck_assert_int_eq(stored("a-1"), 1);
}
END_TEST

/* Connecting takes longer than the call may: the call gets its deadline error, no outage is
 * reported, and the next call finds the connection. */
START_TEST(a_connection_that_comes_too_late_for_one_serves_the_next)
{
    struct weir_query query = query_all();
    pthread_t thread;
    pg_proxy_set(proxy, PROXY_REFUSES, 0);
    (void)weir_read(fx.ns, &query, &fx.arena, &fx.rows, &fx.err);  // drops the open connection
    pg_proxy_set(proxy, PROXY_HOLDS, 0);
    fx.report[0] = '\0';
    ck_assert_int_eq(pthread_create(&thread, NULL, let_pass_later, NULL), 0);
    query.deadline_us = weir_monotonic_us() + 50000;
    weir_error_init(&fx.err);
    ck_assert_int_eq(weir_read(fx.ns, &query, &fx.arena, &fx.rows, &fx.err),
                     WEIR_DEADLINE_EXCEEDED);
    (void)pthread_join(thread, NULL);
    ck_assert_str_eq(fx.report, "");
    const size_t connections = pg_proxy_connections(proxy);
    query.deadline_us = weir_monotonic_us() + 5000000;
    weir_error_init(&fx.err);
    must_read(fx.ns, &query);
    ck_assert_uint_eq(fx.rows.n, 1);
    ck_assert_uint_eq(pg_proxy_connections(proxy), connections);
}
END_TEST

/* Connecting takes longer than the first write of a group may wait; the second one waits on. */
START_TEST(a_group_waits_for_a_connection_beyond_its_first_deadline)
{
    pthread_t thread;
    struct weir_new_message messages[2];
    struct weir_written written[2];
    struct weir_stream_append parts[2];
    struct weir_write writes[2];
    struct weir_error errors[2];
    const struct weir_query query = query_all();
    pg_proxy_set(proxy, PROXY_REFUSES, 0);
    (void)weir_read(fx.ns, &query, &fx.arena, &fx.rows, &fx.err);  // drops the open connection
    pg_proxy_set(proxy, PROXY_HOLDS, 0);
    for (size_t w = 0; w < 2; w++) {
        messages[w] = message_of(10 + w, "1");
        writes[w] = write_of(&parts[w], "a-1", ANY, &messages[w], &written[w]);
        weir_error_init(&errors[w]);
    }
    ck_assert_int_eq(pthread_create(&thread, NULL, let_pass_later, NULL), 0);
    writes[0].deadline_us = weir_monotonic_us() + 50000;
    commit_group(fx.ns, writes, errors, 2);
    (void)pthread_join(thread, NULL);
    ck_assert_int_eq(errors[0].status, WEIR_DEADLINE_EXCEEDED);
    ck_assert_msg(errors[1].status == WEIR_OK, "%s", errors[1].text);
    ck_assert_int_eq(written[1].position, 0);
    ck_assert_int_eq(stored("a-1"), 1);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("pg_faults");
    TCase *tcase = tcase_create("one connection");
    tcase_set_timeout(tcase, 120);
    tcase_add_checked_fixture(tcase, begin, fixture_through_proxy_end);
    tcase_add_loop_test(tcase, a_write_over_a_broken_connection_is_done_once, 0, 4);
    tcase_add_test(tcase, a_write_is_one_exchange);
    tcase_add_loop_test(tcase, a_repetition_over_a_broken_connection_is_a_duplicate, 0, 2);
    tcase_add_loop_test(tcase, a_repetition_is_judged_over_a_connection_that_breaks_meanwhile, 0,
                        2);
    tcase_add_loop_test(tcase, what_another_server_stored_is_a_duplicate_over_a_broken_connection,
                        0, 2);
    tcase_add_loop_test(tcase, a_group_over_a_broken_connection_is_told_the_truth, 0, 2);
    tcase_add_loop_test(tcase, an_import_over_a_broken_connection_is_done_once, 0, 2);
    tcase_add_loop_test(tcase, a_clear_over_a_broken_connection_is_not_repeated, 0, 2);
    tcase_add_test(tcase, a_repetition_beside_a_clear_is_told_to_come_again);
    tcase_add_loop_test(tcase, a_read_over_a_broken_connection_is_done_again, 0, 2);
    tcase_add_loop_test(tcase, a_broken_connection_is_no_reason_to_call_the_database_gone, 0, 2);
    tcase_add_loop_test(tcase, a_namespace_is_created_over_a_broken_connection, 0, 14);
    tcase_add_loop_test(tcase, a_namespace_is_deleted_over_a_broken_connection, 0, 14);
    tcase_add_test(tcase, a_write_that_cannot_be_resolved_is_in_doubt_at_its_deadline);
    tcase_add_test(tcase, a_write_in_doubt_waits_for_the_database_to_come_back);
    tcase_add_test(tcase, nothing_is_waited_for_while_the_database_is_gone);
    tcase_add_test(tcase, a_database_that_only_reads_is_asked_now_and_then);
    tcase_add_test(tcase, calls_end_at_their_deadline_though_nothing_comes);
    tcase_add_test(tcase, a_write_that_is_given_up_is_not_sent_on);
    tcase_add_test(tcase, a_clear_that_was_given_up_does_nothing_later);
    tcase_add_test(tcase, a_connection_that_comes_too_late_for_one_serves_the_next);
    tcase_add_test(tcase, a_group_waits_for_a_connection_beyond_its_first_deadline);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return check_main(make_suite());
}
