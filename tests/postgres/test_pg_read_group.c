/* Grouped reads: each read has its own rows, deadline and failure, whatever happens to the other
 * reads and to the connection. */
#include "tests/lib/check_main.h"
#include "tests/postgres/pg_fixture.h"

#include "weir/base/monotonic.h"

#include <stdio.h>

enum { READS = 8, ARENA_BYTES = 16 * 1024 * 1024 };

static struct weir_read reads[READS];
static struct weir_arena arenas[READS];
static struct weir_error errors[READS];
static size_t dones[READS];

static void done(struct weir_read *read)
{
    dones[(struct weir_read *)read->context - reads]++;
}

static struct weir_query limited(struct weir_query query, int64_t from, int64_t max_messages)
{
    query.from = from;
    query.max_messages = max_messages;
    return query;
}

/* Prepares reads of all kinds, all of them small. */
static void set_up_reads(void)
{
    reads[0].query = limited(query_stream("a-1"), 0, 10);
    reads[1].query = limited(query_category("a"), 1, 50);
    reads[2].query = limited(query_category("b"), 1, 10);
    reads[3].query = limited(query_all(), 5, 10);
    reads[4].query = limited(query_stream("a-2"), 3, 2);
    reads[5].query = limited(query_category("a"), 0, 3);
    reads[5].query.is_backward = true;
    reads[5].query.is_from_newest = true;
    reads[6].query = limited(query_stream("none-1"), 0, 10);
    reads[7].query = limited(query_category("a"), 4, 5);
    reads[7].query.is_headers_only = true;
    for (size_t i = 0; i < READS; i++) {
        weir_arena_init(&arenas[i], ARENA_BYTES, ARENA_BYTES);
        weir_error_init(&errors[i]);
        dones[i] = 0;
        reads[i].arena = &arenas[i];
        reads[i].err = &errors[i];
        reads[i].done = done;
        reads[i].context = &reads[i];
        ck_assert(weir_query_is_small(&reads[i].query));
    }
}

/* Uses one connection, so that the test knows which one is cut. */
static void begin(void)
{
    fixture_through_proxy(1);
    must_put(fx.ns, "a-1", 15);
    must_put(fx.ns, "b-1", 5);
    must_put(fx.ns, "a-2", 7);
    set_up_reads();
}

static void end(void)
{
    for (size_t i = 0; i < READS; i++) {
        weir_arena_fini(&arenas[i]);
    }
    fixture_through_proxy_end();
}

static void read_group(void)
{
    for (size_t i = 0; i < READS; i++) {
        weir_arena_reset(&arenas[i]);
        weir_error_init(&errors[i]);
        dones[i] = 0;
        reads[i].next = i + 1 < READS ? &reads[i + 1] : NULL;
    }
    weir_read_group(fx.ns, &reads[0]);
    for (size_t i = 0; i < READS; i++) {
        ck_assert_uint_eq(dones[i], 1);
    }
}

static void assert_same_row(const struct weir_row *row, const struct weir_row *want)
{
    ck_assert_mem_eq(&row->id, &want->id, sizeof row->id);
    ck_assert(weir_slice_equal(row->stream, want->stream));
    ck_assert(weir_slice_equal(row->type, want->type));
    ck_assert(weir_slice_equal(row->data, want->data));
    ck_assert(weir_slice_equal(row->metadata, want->metadata));
    ck_assert((row->data.p == NULL) == (want->data.p == NULL));
    ck_assert_int_eq(row->position, want->position);
    ck_assert_int_eq(row->global_position, want->global_position);
    ck_assert_int_eq(row->time_us, want->time_us);
}

/* Checks that the read returned what it returns alone. */
static void assert_answered(size_t i)
{
    ck_assert_msg(errors[i].status == WEIR_OK, "read %zu: %s", i, errors[i].text);
    struct weir_query query = reads[i].query;
    query.deadline_us = INT64_MAX;
    must_read(fx.ns, &query);
    ck_assert_uint_eq(reads[i].rows.n, fx.rows.n);
    ck_assert_int_eq(reads[i].rows.next_position, fx.rows.next_position);
    ck_assert_int_eq(reads[i].rows.is_truncated, fx.rows.is_truncated);
    for (size_t r = 0; r < fx.rows.n; r++) {
        assert_same_row(&reads[i].rows.rows[r], &fx.rows.rows[r]);
    }
}

static void assert_answered_but(size_t but)
{
    for (size_t i = 0; i < READS; i++) {
        if (i != but) {
            assert_answered(i);
        }
    }
}

/* The test runs twice, because the first group finds no prepared statements. */
START_TEST(each_read_has_its_own_rows)
{
    for (int again = 0; again < 2; again++) {
        read_group();
        assert_answered_but(READS);
    }
    ck_assert_uint_eq(reads[0].rows.n, 10);
    ck_assert_uint_eq(reads[1].rows.n, 22);
    ck_assert_uint_eq(reads[4].rows.n, 2);
    ck_assert_uint_eq(reads[5].rows.n, 3);
    ck_assert_uint_eq(reads[6].rows.n, 0);
}
END_TEST

/* The group is a single exchange: the lost answer is that to the second request. */
START_TEST(a_group_is_one_exchange)
{
    read_group();
    const size_t before = pg_proxy_connections(proxy);
    pg_proxy_set(proxy, PROXY_LOSES_REPLY, 1);
    read_group();
    ck_assert_uint_eq(pg_proxy_connections(proxy), before);
    read_group();
    ck_assert_uint_eq(pg_proxy_connections(proxy), before + 1);
    assert_answered_but(READS);
}
END_TEST

static const enum pg_proxy_mode losses[] = {PROXY_LOSES_REPLY, PROXY_LOSES_REQUEST};

START_TEST(a_group_over_a_broken_connection_is_read_again)
{
    if (_i / 2 == 1) {
        read_group();  // so that the cut does not hit the preparation
    }
    const size_t before = pg_proxy_connections(proxy);
    pg_proxy_set(proxy, losses[_i % 2], 0);
    read_group();
    ck_assert_uint_eq(pg_proxy_connections(proxy), before + 1);
    assert_answered_but(READS);
}
END_TEST

START_TEST(a_refused_statement_leaves_the_others_alone)
{
    static const size_t bad[] = {0, 4, 6};
    const size_t at = bad[_i];
    const struct weir_query good = reads[at].query;
    reads[at].query.name = weir_slice("\xff-1", 3);  // invalid UTF-8
    read_group();
    ck_assert_int_eq(errors[at].status, WEIR_INVALID_REQUEST);
    assert_answered_but(at);
    reads[at].query = good;
    read_group();
    assert_answered_but(READS);
}
END_TEST

START_TEST(a_read_without_room_leaves_the_others_alone)
{
    weir_arena_fini(&arenas[1]);
    weir_arena_init(&arenas[1], 256, 256);
    read_group();
    ck_assert_int_eq(errors[1].status, WEIR_LIMIT_EXCEEDED);
    assert_answered_but(1);
}
END_TEST

START_TEST(a_damaged_message_concerns_its_reader_alone)
{
    (void)sql("UPDATE %s.stored SET time = 'infinity' WHERE stream_name = 'b-1'",
              schema_of("test"));
    reads[3].query = limited(query_all(), 1, 10);
    read_group();
    ck_assert_int_eq(errors[2].status, WEIR_DATA_CORRUPT);
    assert_answered_but(2);
}
END_TEST

START_TEST(a_late_read_is_refused_alone)
{
    reads[3].query.deadline_us = weir_monotonic_us() - 1;
    reads[0].query.deadline_us = weir_monotonic_us() + 5 * 1000 * 1000;
    read_group();
    ck_assert_int_eq(errors[3].status, WEIR_DEADLINE_EXCEEDED);
    assert_answered_but(3);
}
END_TEST

/* The nearest deadline ends the wait of all reads, and the others try again. */
START_TEST(they_end_though_nothing_comes)
{
    read_group();
    const int64_t start_us = weir_monotonic_us();
    for (size_t i = 0; i < READS; i++) {
        reads[i].query.deadline_us = start_us + (i == 5 ? 50 * 1000 : 2500 * 1000);
    }
    pg_proxy_set(proxy, PROXY_HOLDS, 0);
    read_group();
    ck_assert_int_lt(weir_monotonic_us() - start_us, 5000 * 1000);
    for (size_t i = 0; i < READS; i++) {
        ck_assert_int_eq(errors[i].status, WEIR_DEADLINE_EXCEEDED);
        reads[i].query.deadline_us = INT64_MAX;
    }
    pg_proxy_set(proxy, PROXY_PASSES, 0);
    read_group();
    assert_answered_but(READS);
}
END_TEST

START_TEST(nobody_waits_for_a_database_that_is_gone)
{
    read_group();
    pg_proxy_set(proxy, PROXY_REFUSES, 0);
    const int64_t start_us = weir_monotonic_us();
    read_group();
    for (size_t i = 0; i < READS; i++) {
        ck_assert_int_eq(errors[i].status, WEIR_BACKEND_UNAVAILABLE);
    }
    ck_assert_int_lt(weir_monotonic_us() - start_us, 2000 * 1000);
    pg_proxy_set(proxy, PROXY_PASSES, 0);
    read_group();
    assert_answered_but(READS);
}
END_TEST

START_TEST(each_is_told_that_the_namespace_has_gone)
{
    read_group();
    (void)sql("DROP SCHEMA %s CASCADE", schema_of("test"));
    (void)sql("DELETE FROM weir_registry.namespaces WHERE id = 'test'");
    read_group();
    for (size_t i = 0; i < READS; i++) {
        ck_assert_int_eq(errors[i].status, WEIR_NAMESPACE_NOT_FOUND);
    }
}
END_TEST

/* If messages may be large, a page holds only a few; a read that needs a second page gets it. */
START_TEST(a_read_of_several_pages_is_whole)
{
    (void)sql("UPDATE %s.counters SET largest = 16 * 1024 * 1024", schema_of("test"));
    for (int again = 0; again < 2; again++) {
        read_group();
        assert_answered_but(READS);
        ck_assert_uint_eq(reads[1].rows.n, 22);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pg_read_group");
    TCase *tcase = tcase_create("one connection");
    tcase_set_timeout(tcase, 120);
    tcase_add_checked_fixture(tcase, begin, end);
    tcase_add_test(tcase, each_read_has_its_own_rows);
    tcase_add_test(tcase, a_group_is_one_exchange);
    tcase_add_loop_test(tcase, a_group_over_a_broken_connection_is_read_again, 0, 4);
    tcase_add_loop_test(tcase, a_refused_statement_leaves_the_others_alone, 0, 3);
    tcase_add_test(tcase, a_read_without_room_leaves_the_others_alone);
    tcase_add_test(tcase, a_damaged_message_concerns_its_reader_alone);
    tcase_add_test(tcase, a_late_read_is_refused_alone);
    tcase_add_test(tcase, they_end_though_nothing_comes);
    tcase_add_test(tcase, nobody_waits_for_a_database_that_is_gone);
    tcase_add_test(tcase, each_is_told_that_the_namespace_has_gone);
    tcase_add_test(tcase, a_read_of_several_pages_is_whole);
    suite_add_tcase(suite, tcase);
    return check_main(suite);
}
