/* GetStreamMessages, GetLastStreamMessage, GetStreamVersion. */
#include "tests/conformance/fixture.h"

#include <string.h>

static StreamQuery from(int64_t position, int64_t batch)
{
    StreamQuery query = query_stream("s-1");
    query.has_position = true;
    query.position = position;
    query.has_batch_size = true;
    query.batch_size = batch;
    return query;
}

START_TEST(a_missing_stream_is_empty_and_no_error)
{
    const StreamReply *r = read_stream("nothing-1");
    ck_assert_uint_eq(r->n_messages, 0);
    ck_assert_int_eq(r->next_position, 0);
    ck_assert(!r->truncated);
}
END_TEST

/* The result of reads at `position` with `batch` from ten messages at 0..9. */
static const struct {
    int64_t position;
    int64_t batch;
    size_t n;
    int64_t first;
    int64_t next;
} forward_rows[] = {
    {0, 3, 3, 0, 3},
    {3, 3, 3, 3, 6},
    {8, 3, 2, 8, 10},
    {9, 1, 1, 9, 10},
    {10, 3, 0, 0, 10},
    {99, 3, 0, 0, 99},
    {-5, 3, 3, 0, 3},
    {0, -1, 10, 0, 10},
    {4, -1, 6, 4, 10},
    {0, 0, 0, 0, 0},
    {4, 0, 0, 0, 4},
    {0, 10000, 10, 0, 10},
    {INT64_MAX, 3, 0, 0, INT64_MAX},
    {INT64_MIN, 2, 2, 0, 2},
};

START_TEST(forward_reads_start_at_the_position_and_stop_at_the_batch)
{
    put_many("s-1", 10);
    for (conf.row = 0; conf.row < WEIR_COUNTOF(forward_rows); conf.row++) {
        const StreamQuery query =
            from(forward_rows[conf.row].position, forward_rows[conf.row].batch);
        const StreamReply *r = must_read_stream(&query);
        assert_in_row((int64_t)r->n_messages, (int64_t)forward_rows[conf.row].n);
        assert_positions(r->messages, r->n_messages, forward_rows[conf.row].first);
        assert_in_row(r->next_position, forward_rows[conf.row].next);
        ck_assert(!r->truncated);
    }
}
END_TEST

static const struct {
    bool has_position;
    int64_t position;
    int64_t batch;
    size_t n;
    int64_t first;
    int64_t next;
} backward_rows[] = {
    {false, 0, 3, 3, 9, 6},        {true, 9, 3, 3, 9, 6},
    {true, 99, 3, 3, 9, 6},        {true, 4, 3, 3, 4, 1},
    {true, 1, 3, 2, 1, -1},        {true, 0, 1, 1, 0, -1},
    {true, -1, 3, 0, 0, -1},       {true, INT64_MIN, 3, 0, 0, INT64_MIN},
    {true, INT64_MAX, 3, 3, 9, 6}, {false, 0, -1, 10, 9, -1},
};

START_TEST(backward_reads_go_down_from_the_newest_or_the_position)
{
    put_many("s-1", 10);
    for (conf.row = 0; conf.row < WEIR_COUNTOF(backward_rows); conf.row++) {
        StreamQuery query = from(backward_rows[conf.row].position, backward_rows[conf.row].batch);
        query.has_position = backward_rows[conf.row].has_position;
        query.has_direction = true;
        query.direction = WEIR__V1__DIRECTION__BACKWARD;
        const StreamReply *r = must_read_stream(&query);
        assert_in_row((int64_t)r->n_messages, (int64_t)backward_rows[conf.row].n);
        for (size_t i = 0; i < r->n_messages; i++) {
            assert_in_row(r->messages[i]->position, backward_rows[conf.row].first - (int64_t)i);
        }
        assert_in_row(r->next_position, backward_rows[conf.row].next);
    }
}
END_TEST

START_TEST(a_thousand_come_where_no_batch_size_is_given)
{
    put_many("s-1", 1100);
    const StreamQuery query = query_stream("s-1");
    const StreamReply *r = must_read_stream(&query);
    ck_assert_uint_eq(r->n_messages, 1000);
    ck_assert_int_eq(r->next_position, 1000);
}
END_TEST

START_TEST(a_read_may_start_at_a_global_position)
{
    put_many("s-1", 3);
    put_many("other-1", 4);
    put_many("s-1", 3);
    const int64_t global = read_stream("s-1")->messages[3]->global_position;
    StreamQuery query = query_stream("s-1");
    query.has_global_position = true;
    query.global_position = global - 1;
    const StreamReply *r = must_read_stream(&query);
    ck_assert_uint_eq(r->n_messages, 3);
    assert_positions(r->messages, 3, 3);
    ck_assert_int_eq(r->next_position, 6);
    query.global_position = -4;
    ck_assert_uint_eq(must_read_stream(&query)->n_messages, 6);
}
END_TEST

/* The stream's positions 0..5 have the global positions 1, 2, 3 and 8, 9, 10. The next_position of
 * a read from a global position must never skip a message. */
static const struct {
    bool is_backward;
    bool has_global;
    int64_t global;
    int64_t batch;
    size_t n;
    int64_t next;
} global_rows[] = {
    {false, true, 1, 0, 0, 0},         {false, true, 4, 0, 0, 3},
    {false, true, 9, 0, 0, 4},         {false, true, 11, 0, 0, 6},
    {false, true, INT64_MAX, 0, 0, 6}, {false, true, INT64_MIN, 0, 0, 0},
    {true, true, 9, 0, 0, 4},          {true, true, 7, 0, 0, 2},
    {true, true, 0, 0, 0, -1},         {true, true, 0, 2, 0, -1},
    {true, true, -3, 2, 0, -1},        {true, true, 7, 2, 2, 0},
    {true, true, INT64_MAX, 2, 2, 3},  {true, false, 0, 0, 0, 5},
    {false, true, INT64_MAX, 2, 0, 6}, {false, true, INT64_MIN, 2, 2, 2},
    {true, true, INT64_MIN, 2, 0, -1}, {true, true, INT64_MIN, 0, 0, -1},
};

START_TEST(a_read_from_a_global_position_goes_on_at_a_position)
{
    put_many("s-1", 3);
    put_many("other-1", 4);
    put_many("s-1", 3);
    StreamQuery query = query_stream("s-1");
    query.has_batch_size = true;
    query.direction = WEIR__V1__DIRECTION__BACKWARD;
    for (conf.row = 0; conf.row < WEIR_COUNTOF(global_rows); conf.row++) {
        query.has_global_position = global_rows[conf.row].has_global;
        query.global_position = global_rows[conf.row].global;
        query.batch_size = global_rows[conf.row].batch;
        query.has_direction = global_rows[conf.row].is_backward;
        const StreamReply *r = must_read_stream(&query);
        assert_in_row((int64_t)r->n_messages, (int64_t)global_rows[conf.row].n);
        assert_in_row(r->next_position, global_rows[conf.row].next);
        ck_assert(!r->truncated);
    }
}
END_TEST

START_TEST(types_filter_before_the_batch)
{
    for (int i = 0; i < 6; i++) {
        put_typed("s-1", i % 2 == 0 ? "Even" : "Odd");
    }
    char *types[] = {"Odd", "Absent"};
    StreamQuery query = from(0, 2);
    query.types = types;
    query.n_types = 2;
    const StreamReply *r = must_read_stream(&query);
    ck_assert_uint_eq(r->n_messages, 2);
    ck_assert_int_eq(r->messages[0]->position, 1);
    ck_assert_int_eq(r->messages[1]->position, 3);
    ck_assert_int_eq(r->next_position, 4);
    query.position = r->next_position;
    const StreamReply *rest = must_read_stream(&query);
    ck_assert_uint_eq(rest->n_messages, 1);
    ck_assert_int_eq(rest->next_position, 6);
}
END_TEST

START_TEST(types_are_compared_byte_by_byte)
{
    put_typed("s-1", "Opened");
    put_typed("s-1", "opened");
    put_typed("s-1", "Opened ");
    char *types[] = {"Opened"};
    StreamQuery query = from(0, -1);
    query.types = types;
    query.n_types = 1;
    ck_assert_uint_eq(must_read_stream(&query)->n_messages, 1);
}
END_TEST

START_TEST(headers_only_leaves_out_data_and_metadata)
{
    const struct msg message = {.data = "{\"a\":1}", .metadata = "{}"};
    must_write("s-1", EXPECT_ANY, &message, 1);
    StreamQuery query = from(0, 10);
    query.has_headers_only = true;
    query.headers_only = true;
    const StreamReply *r = must_read_stream(&query);
    ck_assert_uint_eq(r->n_messages, 1);
    ck_assert(!r->messages[0]->has_data && !r->messages[0]->has_metadata);
    ck_assert_str_eq(r->messages[0]->stream_name, "s-1");
}
END_TEST

START_TEST(a_stream_is_not_its_neighbours)
{
    put("account-1", "1");
    put("account-10", "2");
    put("account-1+2", "3");
    put("Account-1", "4");
    const StreamReply *r = read_stream("account-1");
    ck_assert_uint_eq(r->n_messages, 1);
    assert_data(r->messages[0], "1");
}
END_TEST

/* 40 messages of half a megabyte exceed the reply limit of 16 MiB. */
START_TEST(a_reply_too_large_is_truncated_and_can_be_continued)
{
    static char data[512 * 1024];
    memset(data, 'x', sizeof data - 1);
    data[0] = data[sizeof data - 2] = '"';
    for (int i = 0; i < 40; i++) {
        put("s-1", data);
    }
    int64_t next = 0;
    size_t replies = 0;
    for (bool truncated = true; truncated; replies++) {
        const StreamQuery query = from(next, -1);
        const StreamReply *r = must_read_stream(&query);
        ck_assert_uint_gt(r->n_messages, 0);
        assert_positions(r->messages, r->n_messages, next);
        next = r->next_position;
        truncated = r->truncated;
    }
    ck_assert_int_eq(next, 40);
    ck_assert_uint_ge(replies, 2);
}
END_TEST

static Weir__V1__Message *last_of(const char *stream, const char *type,
                                  Weir__V1__GetLastStreamMessageResponse **response)
{
    Weir__V1__GetLastStreamMessageRequest request = WEIR__V1__GET_LAST_STREAM_MESSAGE_REQUEST__INIT;
    request.stream_name = (char *)(uintptr_t)stream;
    request.type = (char *)(uintptr_t)type;
    weir_error_init(&conf.err);
    const weir_status st = weir_message_store_get_last_stream_message(conf.client, &request, NULL,
                                                                      response, &conf.err);
    ck_assert_msg(st == WEIR_OK, "%s", conf.err.text);
    return (*response)->message;
}

START_TEST(the_last_message_is_found_and_the_last_of_a_type)
{
    put_typed("s-1", "A");
    put_typed("s-1", "B");
    put_typed("s-1", "A");
    put_typed("s-1", "C");
    put_typed("account", "A");
    const struct {
        const char *stream;
        const char *type;
        int64_t position;
    } rows[] = {{"s-1", NULL, 3}, {"s-1", "", 3},    {"s-1", "A", 2},     {"s-1", "B", 1},
                {"s-1", "D", -1}, {"s-2", NULL, -1}, {"account", NULL, 0}};
    for (size_t i = 0; i < WEIR_COUNTOF(rows); i++) {
        Weir__V1__GetLastStreamMessageResponse *response = NULL;
        const Weir__V1__Message *m = last_of(rows[i].stream, rows[i].type, &response);
        ck_assert_int_eq(m == NULL ? -1 : m->position, rows[i].position);
        weir_response_free(response);
    }
}
END_TEST

TCase *conf_read_stream_case(void)
{
    TCase *tc = conf_case("read_stream");
    tcase_add_test(tc, a_missing_stream_is_empty_and_no_error);
    tcase_add_test(tc, forward_reads_start_at_the_position_and_stop_at_the_batch);
    tcase_add_test(tc, backward_reads_go_down_from_the_newest_or_the_position);
    tcase_add_test(tc, a_thousand_come_where_no_batch_size_is_given);
    tcase_add_test(tc, a_read_may_start_at_a_global_position);
    tcase_add_test(tc, a_read_from_a_global_position_goes_on_at_a_position);
    tcase_add_test(tc, types_filter_before_the_batch);
    tcase_add_test(tc, types_are_compared_byte_by_byte);
    tcase_add_test(tc, headers_only_leaves_out_data_and_metadata);
    tcase_add_test(tc, a_stream_is_not_its_neighbours);
    tcase_add_test(tc, a_reply_too_large_is_truncated_and_can_be_continued);
    tcase_add_test(tc, the_last_message_is_found_and_the_last_of_a_type);
    return tc;
}
