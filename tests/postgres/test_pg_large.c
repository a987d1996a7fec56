/* Messages that are large, or may be: reads are complete and bounded, and continue after such
 * messages. */
#include "tests/lib/check_main.h"
#include "tests/postgres/pg_fixture.h"

#include <stdlib.h>

/* Uses one connection, so that the test knows which one is cut. */
static void begin(void)
{
    fixture_through_proxy(1);
    must_put(fx.ns, "warm-1", 1);  // prepares the statements
}

/* Checks that a first message larger than the reply limit is returned alone and does not end the
 * read. */
static void assert_goes_on_behind_a_large_one(struct weir_query query)
{
    query.max_bytes = 1000;
    must_read(fx.ns, &query);
    ck_assert_uint_eq(fx.rows.n, 1);
    ck_assert(fx.rows.is_truncated);
    const int64_t first = fx.rows.rows[0].global_position;
    ck_assert_int_eq(fx.rows.next_position, first + 1);
    query.is_backward = true;
    query.is_from_newest = true;
    must_read(fx.ns, &query);
    ck_assert_uint_eq(fx.rows.n, 1);
    ck_assert(fx.rows.is_truncated);
    query.is_from_newest = false;
    query.from = first;
    must_read(fx.ns, &query);
    ck_assert_uint_eq(fx.rows.n, 1);
    ck_assert(!fx.rows.is_truncated);
}

/* One message is so large that a batch might not fit in memory, so reads are split into pages. */
START_TEST(large_messages_do_not_hide_small_ones)
{
    enum { LARGE = 3 * 1024 * 1024 };
    char *text = malloc(LARGE);
    ck_assert_ptr_nonnull(text);
    memset(text, 'x', LARGE);
    text[0] = '"';
    text[LARGE - 1] = '"';
    struct weir_new_message message = message_of(1, "1");
    message.data = weir_slice(text, LARGE);
    struct weir_written written;
    ck_assert_int_eq(append(fx.ns, "a-1", ANY, &message, 1, &written), WEIR_OK);
    must_put(fx.ns, "a-1", 900);
    message.id = id_of(2);
    ck_assert_int_eq(append(fx.ns, "a-1", ANY, &message, 1, &written), WEIR_OK);
    struct weir_query query = query_category("a");
    for (int again = 0; again < 2; again++) {
        must_read(fx.ns, &query);
        ck_assert_uint_eq(fx.rows.n, 902);
        ck_assert_uint_eq(fx.rows.rows[901].data.n, LARGE);
        for (size_t r = 0; r < 902; r++) {
            ck_assert_int_eq(fx.rows.rows[r].position, (int64_t)r);
        }
    }
    query.max_bytes = LARGE + 100000;  // the last message does not fit
    must_read(fx.ns, &query);
    ck_assert_uint_gt(fx.rows.n, 300);
    ck_assert_uint_lt(fx.rows.n, 902);
    ck_assert(fx.rows.is_truncated);
    query.max_messages = 500;
    for (int unlimited = 0; unlimited < 2; unlimited++) {
        query.is_unlimited = unlimited == 1;  // an extra row is requested and dropped
        must_read(fx.ns, &query);
        ck_assert_uint_eq(fx.rows.n, 500);
        ck_assert(fx.rows.is_truncated == query.is_unlimited);
    }
    query.max_messages = 10000;
    assert_goes_on_behind_a_large_one(query);
    free(text);
}
END_TEST

/* Messages are read one at a time until their sizes are known. */
START_TEST(messages_that_may_be_larger_than_a_page_are_read)
{
    must_put(fx.ns, "a-1", 3);
    sql("UPDATE %s.counters SET largest = 2147483647", schema_of("test"));
    struct weir_query query = query_category("none");
    must_read(fx.ns, &query);
    ck_assert_uint_eq(fx.rows.n, 0);
    query = query_category("a");
    query.is_headers_only = _i == 1;
    must_read(fx.ns, &query);
    ck_assert_uint_eq(fx.rows.n, 3);
    ck_assert(!fx.rows.is_truncated);
}
END_TEST

/* The connection breaks after the first page, and the memory of the call is limited. */
START_TEST(a_large_read_that_is_repeated_needs_no_more_memory)
{
    enum { LARGE = 12 * 1024 * 1024 };
    char *text = malloc(LARGE);
    ck_assert_ptr_nonnull(text);
    memset(text, '1', LARGE);
    struct weir_new_message message = message_of(1, "1");
    message.data = weir_slice(text, LARGE);
    struct weir_written written;
    ck_assert_int_eq(append(fx.ns, "a-1", ANY, &message, 1, &written), WEIR_OK);
    free(text);
    must_put(fx.ns, "a-1", 3);
    const struct weir_query query = query_stream("a-1");
    struct weir_arena arena;
    weir_arena_init(&arena, LARGE / 2 * 3, 0);
    pg_proxy_set(proxy, PROXY_LOSES_REQUEST, 3);  // after two statements to prepare and a page
    const size_t before = pg_proxy_connections(proxy);
    ck_assert_msg(weir_read(fx.ns, &query, &arena, &fx.rows, &fx.err) == WEIR_OK, "%s",
                  fx.err.text);
    ck_assert_uint_eq(pg_proxy_connections(proxy), before + 1);
    ck_assert_uint_eq(fx.rows.n, 4);
    ck_assert_uint_eq(fx.rows.rows[0].data.n, LARGE);
    weir_arena_fini(&arena);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("pg_large");
    TCase *tcase = tcase_create("one connection");
    tcase_set_timeout(tcase, 120);
    tcase_add_checked_fixture(tcase, begin, fixture_through_proxy_end);
    tcase_add_test(tcase, large_messages_do_not_hide_small_ones);
    tcase_add_loop_test(tcase, messages_that_may_be_larger_than_a_page_are_read, 0, 2);
    tcase_add_test(tcase, a_large_read_that_is_repeated_needs_no_more_memory);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return check_main(make_suite());
}
