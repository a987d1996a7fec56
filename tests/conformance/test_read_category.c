/* GetCategoryMessages: selection, order, batches, correlation, types. */
#include "tests/conformance/fixture.h"

#include <string.h>

static CategoryQuery from(const char *category, int64_t position, int64_t batch)
{
    CategoryQuery query = query_category(category);
    query.has_position = true;
    query.position = position;
    query.has_batch_size = true;
    query.batch_size = batch;
    return query;
}

START_TEST(a_category_holds_its_streams_and_no_others)
{
    put("account-1", "1");
    put("account", "2");
    put("account-2+3", "3");
    put("accountLog-1", "4");
    put("account:command-1", "5");
    put("Account-1", "6");
    put("-account", "7");
    put("account-", "8");
    const CategoryReply *r = read_category("account");
    ck_assert_uint_eq(r->n_messages, 4);
    assert_ascending(r->messages, 4);
    assert_data(r->messages[0], "1");
    assert_data(r->messages[1], "2");
    assert_data(r->messages[2], "3");
    assert_data(r->messages[3], "8");
    ck_assert_uint_eq(read_category("account:command")->n_messages, 1);
    ck_assert_uint_eq(read_category("none")->n_messages, 0);
}
END_TEST

START_TEST(the_empty_category_is_the_whole_namespace)
{
    put("a-1", "1");
    put("-x", "2");
    put("b", "3");
    const CategoryReply *r = read_category("");
    ck_assert_uint_eq(r->n_messages, 3);
    assert_ascending(r->messages, 3);
    const CategoryQuery absent = WEIR__V1__GET_CATEGORY_MESSAGES_REQUEST__INIT;
    ck_assert_uint_eq(must_read_category(&absent)->n_messages, 3);
}
END_TEST

/* Writes global positions 1..10 alternately to a-1 (odd) and b-1 (even). */
static void put_alternating(void)
{
    for (int i = 0; i < 5; i++) {
        put("a-1", "{}");
        put("b-1", "{}");
    }
}

static const struct {
    const char *category;
    int64_t position;
    int64_t batch;
    size_t n;
    int64_t first;
    int64_t next;
} forward_rows[] = {
    {"a", 1, 2, 2, 1, 4},
    {"a", 4, 2, 2, 5, 8},
    {"a", 8, 2, 1, 9, 11},
    {"a", 11, 2, 0, 0, 11},
    {"a", 500, 2, 0, 0, 500},
    {"a", -7, 1, 1, 1, 2},
    {"a", 0, -1, 5, 1, 11},
    {"a", 3, 0, 0, 0, 3},
    {"", 1, 3, 3, 1, 4},
    {"", 9, 5, 2, 9, 11},
    {"", 1, -1, 10, 1, 11},
    {"none", 1, 5, 0, 0, 11},
    {"", INT64_MAX, 5, 0, 0, INT64_MAX},
    {"a", INT64_MAX, 5, 0, 0, INT64_MAX},
    {"", INT64_MIN, 2, 2, 1, 3},
    {"a", INT64_MIN, 2, 2, 1, 4},
};

START_TEST(forward_reads_start_at_the_position_and_stop_at_the_batch)
{
    put_alternating();
    for (conf.row = 0; conf.row < WEIR_COUNTOF(forward_rows); conf.row++) {
        const CategoryQuery query =
            from(forward_rows[conf.row].category, forward_rows[conf.row].position,
                 forward_rows[conf.row].batch);
        const CategoryReply *r = must_read_category(&query);
        assert_in_row((int64_t)r->n_messages, (int64_t)forward_rows[conf.row].n);
        assert_ascending(r->messages, r->n_messages);
        if (r->n_messages > 0) {
            assert_in_row(r->messages[0]->global_position, forward_rows[conf.row].first);
        }
        assert_in_row(r->next_position, forward_rows[conf.row].next);
    }
}
END_TEST

START_TEST(backward_reads_go_down)
{
    put_alternating();
    CategoryQuery query = from("a", 0, 2);
    query.has_position = false;
    query.has_direction = true;
    query.direction = WEIR__V1__DIRECTION__BACKWARD;
    const CategoryReply *r = must_read_category(&query);
    ck_assert_uint_eq(r->n_messages, 2);
    ck_assert_int_eq(r->messages[0]->global_position, 9);
    ck_assert_int_eq(r->messages[1]->global_position, 7);
    ck_assert_int_eq(r->next_position, 6);
    query.has_position = true;
    query.position = 2;
    r = must_read_category(&query);
    ck_assert_uint_eq(r->n_messages, 1);
    ck_assert_int_eq(r->messages[0]->global_position, 1);
    ck_assert_int_eq(r->next_position, 0);
    query.has_position = false;
    query.batch_size = 0;
    r = must_read_category(&query);
    ck_assert_uint_eq(r->n_messages, 0);
    ck_assert_int_eq(r->next_position, 9);
}
END_TEST

static const struct {
    const char *category;
    int64_t position;
    size_t n;
    int64_t next;
} backward_ends[] = {
    {"a", INT64_MAX, 2, 6}, {"a", INT64_MIN, 0, INT64_MIN}, {"a", 0, 0, 0},
    {"", INT64_MAX, 2, 8},  {"", INT64_MIN, 0, INT64_MIN},  {"", 0, 0, 0},
};

START_TEST(backward_reads_may_start_outside_of_what_is_there)
{
    put_alternating();
    for (conf.row = 0; conf.row < WEIR_COUNTOF(backward_ends); conf.row++) {
        CategoryQuery query =
            from(backward_ends[conf.row].category, backward_ends[conf.row].position, 2);
        query.has_direction = true;
        query.direction = WEIR__V1__DIRECTION__BACKWARD;
        const CategoryReply *r = must_read_category(&query);
        assert_in_row((int64_t)r->n_messages, (int64_t)backward_ends[conf.row].n);
        assert_in_row(r->next_position, backward_ends[conf.row].next);
    }
}
END_TEST

START_TEST(pages_join_without_gap_or_overlap)
{
    for (int i = 0; i < 30; i++) {
        put_many("a-1", 7);
        put_many("b-1", 3);
        put_many("a-2", 5);
    }
    size_t n = 0;
    int64_t next = 1;
    int64_t last = 0;
    for (;;) {
        const CategoryQuery query = from("a", next, 17);
        const CategoryReply *r = must_read_category(&query);
        for (size_t i = 0; i < r->n_messages; i++) {
            ck_assert_int_gt(r->messages[i]->global_position, last);
            last = r->messages[i]->global_position;
        }
        n += r->n_messages;
        next = r->next_position;
        if (r->n_messages < 17) {
            break;
        }
    }
    ck_assert_uint_eq(n, 30 * 12);
}
END_TEST

/* A correlation matches the category of the whole stream name, byte by byte. */
static const struct {
    const char *correlation;
    size_t n;
} correlation_rows[] = {{"wf", 2}, {"wfx", 1}, {"WF", 1},  {"w_", 1},
                        {"w%", 0}, {"", 2},    {"none", 0}};

START_TEST(a_correlation_selects_by_category)
{
    put_correlated("a-1", "wf-1");
    put_correlated("a-2", "wf");
    put_correlated("a-3", "wfx-1");
    put_correlated("a-4", "WF-1");
    put_correlated("a-5", "w_-1");
    put_correlated("a-6", "");
    put_correlated("a-7", "-5");
    put_correlated("b-1", "wf-1");
    put("a-8", "{}");
    const struct msg other = {.metadata = "{\"correlationStreamName\":null}"};
    must_write("a-9", EXPECT_ANY, &other, 1);
    CategoryQuery query = from("a", 1, -1);
    for (conf.row = 0; conf.row < WEIR_COUNTOF(correlation_rows); conf.row++) {
        query.correlation = (char *)(uintptr_t)correlation_rows[conf.row].correlation;
        const CategoryReply *r = must_read_category(&query);
        assert_in_row((int64_t)r->n_messages, (int64_t)correlation_rows[conf.row].n);
        assert_in_row(r->next_position, 11);
    }
}
END_TEST

START_TEST(a_correlation_selects_in_the_whole_namespace)
{
    put_correlated("a-1", "wf-1");
    put_correlated("b-1", "wf-2");
    put("c-1", "{}");
    CategoryQuery query = from("", 1, -1);
    query.correlation = "wf";
    ck_assert_uint_eq(must_read_category(&query)->n_messages, 2);
}
END_TEST

START_TEST(an_escaped_correlation_is_unescaped_and_the_last_one_counts)
{
    const struct msg message = {.metadata = "{\"correlationStreamName\":\"no-1\","
                                            "\"correlation\\u0053treamName\":\"\\u0077f-\\\"1\"}"};
    must_write("a-1", EXPECT_ANY, &message, 1);
    CategoryQuery query = from("a", 1, -1);
    query.correlation = "wf";
    ck_assert_uint_eq(must_read_category(&query)->n_messages, 1);
}
END_TEST

START_TEST(filters_combine_and_come_before_the_batch)
{
    for (int i = 0; i < 50; i++) {
        put_typed("a-1", "Noise");
    }
    const struct msg wanted = {.type = "Wanted",
                               .metadata = "{\"correlationStreamName\":\"wf-1\"}"};
    const struct msg other = {.type = "Wanted", .metadata = "{\"correlationStreamName\":\"xx-1\"}"};
    must_write("a-2", EXPECT_ANY, &other, 1);
    must_write("a-2", EXPECT_ANY, &wanted, 1);
    char *types[] = {"Wanted"};
    CategoryQuery query = from("a", 1, 1);
    query.correlation = "wf";
    query.types = types;
    query.n_types = 1;
    const CategoryReply *r = must_read_category(&query);
    ck_assert_uint_eq(r->n_messages, 1);
    ck_assert_int_eq(r->messages[0]->global_position, 52);
    ck_assert_int_eq(r->next_position, 53);
}
END_TEST

START_TEST(headers_only_leaves_out_data_and_metadata)
{
    const struct msg message = {.data = "{\"a\":1}", .metadata = "{}"};
    must_write("a-1", EXPECT_ANY, &message, 1);
    CategoryQuery query = from("a", 1, 10);
    query.has_headers_only = true;
    query.headers_only = true;
    const CategoryReply *r = must_read_category(&query);
    ck_assert(!r->messages[0]->has_data && !r->messages[0]->has_metadata);
}
END_TEST

TCase *conf_read_category_case(void)
{
    TCase *tc = conf_case("read_category");
    tcase_add_test(tc, a_category_holds_its_streams_and_no_others);
    tcase_add_test(tc, the_empty_category_is_the_whole_namespace);
    tcase_add_test(tc, forward_reads_start_at_the_position_and_stop_at_the_batch);
    tcase_add_test(tc, backward_reads_go_down);
    tcase_add_test(tc, backward_reads_may_start_outside_of_what_is_there);
    tcase_add_test(tc, pages_join_without_gap_or_overlap);
    tcase_add_test(tc, a_correlation_selects_by_category);
    tcase_add_test(tc, a_correlation_selects_in_the_whole_namespace);
    tcase_add_test(tc, an_escaped_correlation_is_unescaped_and_the_last_one_counts);
    tcase_add_test(tc, filters_combine_and_come_before_the_batch);
    tcase_add_test(tc, headers_only_leaves_out_data_and_metadata);
    return tc;
}
