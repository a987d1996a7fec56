/* The number of allocations of a read is the same for ten messages and for a thousand. */
#include "tests/lib/alloc_count.h"
#include "tests/lib/check_main.h"
#include "tests/store/store_fixture.h"

#include <stdlib.h>

enum { ALLOCATIONS_MAX = 0 };  // of a read on a warm session, including SQLite's

static uint64_t allocations_of(const struct weir_query *query, size_t expected)
{
    weir_arena_reset(&fx.arena);
    alloc_count_start(0);
    const weir_status status = weir_read(fx.ns, query, &fx.arena, &fx.rows, &fx.err);
    const uint64_t n = alloc_count_stop(NULL);
    ck_assert_int_eq(status, WEIR_OK);
    ck_assert_uint_eq(fx.rows.n, expected);
    return n;
}

/* Writes 1,500 messages of about 360 bytes in three streams of two categories, as in the
 * benchmark. */
static void put_many(void)
{
    char data[300];
    memset(data, '7', sizeof data - 1);
    data[sizeof data - 1] = '\0';
    static const char *const streams[] = {"a-1", "a-2", "b-1"};
    for (uint64_t i = 0; i < 1500; i += 50) {
        struct weir_new_message messages[50];
        struct weir_written written[50];
        for (uint64_t m = 0; m < 50; m++) {
            messages[m] = message_of(i + m + 1, data);
            messages[m].metadata = weir_slice_of("{\"correlationStreamName\":\"w-1\"}");
            messages[m].correlation = weir_slice_of("w");
        }
        ck_assert_int_eq(append(fx.ns, i < 1100 ? streams[0] : streams[1 + i % 100 / 50], ANY,
                                messages, 50, written),
                         WEIR_OK);
    }
}

static struct weir_query query_number(int number, struct weir_slice *type)
{
    struct weir_query query = number == 0 ? query_stream("a-1") : query_category("a");
    if (number == 2) {
        query = query_all();
    } else if (number == 3) {
        query.group_size = 1;
        query.types = type;
        query.types_n = 1;
    } else if (number == 4) {
        query.correlation = weir_slice_of("w");
    } else if (number == 5) {
        query.is_backward = true;
        query.is_from_newest = true;
    }
    return query;
}

START_TEST(a_read_of_a_thousand_allocates_as_often_as_one_of_ten)
{
    put_many();
    struct weir_slice type = weir_slice_of("Happened");
    struct weir_query query = query_number(_i, &type);
    query.max_messages = 1000;
    must_read(fx.ns, &query);  // prepares the statements and allocates the arena's block
    uint64_t counts[3];
    static const int64_t sizes[] = {10, 100, 1000};
    for (size_t s = 0; s < 3; s++) {
        query.max_messages = sizes[s];
        counts[s] = allocations_of(&query, (size_t)sizes[s]);
    }
    ck_assert_uint_eq(counts[0], counts[1]);
    ck_assert_uint_eq(counts[0], counts[2]);
    ck_assert_uint_eq(counts[0], ALLOCATIONS_MAX);
}
END_TEST

/* A write invalidates the reader's cached pages; reading them again must not allocate either. */
START_TEST(a_read_after_a_write_allocates_no_more)
{
    put_many();
    struct weir_query query = query_category("a");
    must_read(fx.ns, &query);
    must_put(fx.ns, "c-1", 1);
    ck_assert_uint_eq(allocations_of(&query, 1000), ALLOCATIONS_MAX);
}
END_TEST

START_TEST(the_arena_holds_little_more_than_the_messages)
{
    put_many();
    const struct weir_query query = query_stream("a-1");
    must_read(fx.ns, &query);
    size_t bytes = fx.rows.n * sizeof *fx.rows.rows;
    for (size_t i = 0; i < fx.rows.n; i++) {
        const struct weir_row *row = &fx.rows.rows[i];
        bytes += row->type.n + row->data.n + row->metadata.n;
    }
    ck_assert_uint_le(fx.arena.used_bytes, bytes + 64);
}
END_TEST

static Suite *sqlite_allocations_suite(void)
{
    Suite *suite = suite_create("sqlite_allocations");
    static const struct {
        const char *name;
        void (*setup)(void);
    } places[] = {{"on disk", fixture_on_disk}, {"in memory", fixture_in_memory}};
    for (size_t p = 0; p < WEIR_COUNTOF(places); p++) {
        TCase *tcase = tcase_create(places[p].name);
        tcase_add_checked_fixture(tcase, places[p].setup, fixture_end);
        tcase_add_loop_test(tcase, a_read_of_a_thousand_allocates_as_often_as_one_of_ten, 0, 6);
        tcase_add_test(tcase, a_read_after_a_write_allocates_no_more);
        tcase_add_test(tcase, the_arena_holds_little_more_than_the_messages);
        suite_add_tcase(suite, tcase);
    }
    return suite;
}

int main(void)
{
    return check_main(sqlite_allocations_suite());
}
