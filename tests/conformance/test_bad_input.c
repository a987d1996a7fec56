/* Malformed and out-of-range fields: the error names the field, nothing is written, and the
 * connection stays usable. */
#include "tests/conformance/fixture.h"

#include <string.h>

static void assert_nothing_happened(void)
{
    ck_assert_uint_eq(read_category("")->n_messages, 0);
    const struct msg message = {.data = "{}"};
    const Written *w = must_write("s-1", EXPECT_NO_STREAM, &message, 1);
    ck_assert_int_eq(w->written[0]->global_position, 1);
}

static char long_name[1026];
static char long_type[514];

static void make_long(void)
{
    memset(long_name, 'n', sizeof long_name - 1);
    memset(long_type, 't', sizeof long_type - 1);
}

/* A write of one message with one fault. */
static const struct {
    const char *stream;
    struct msg message;
    const char *field;
} writes[] = {
    {"", {.data = "{}"}, "stream_name"},
    {long_name, {.data = "{}"}, "stream_name"},
    {"bad\xff", {.data = "{}"}, "stream_name"},
    {"bad\xed\xa0\x80", {.data = "{}"}, "stream_name"},
    {"s-1", {.type = "", .data = "{}"}, "messages[0].type"},
    {"s-1", {.type = long_type, .data = "{}"}, "messages[0].type"},
    {"s-1", {.type = "\xc3(", .data = "{}"}, "messages[0].type"},
    {"s-1", {.id = "", .data = "{}"}, "messages[0].id"},
    {"s-1", {.id = "urn:uuid:11111111-1111-4111-8111-111111111111"}, "messages[0].id"},
    {"s-1", {.id = "11111111-1111-4111-8111-11111111111"}, "messages[0].id"},
    {"s-1", {.id = "11111111-1111-4111-8111-11111111111g"}, "messages[0].id"},
    {"s-1", {.id = "{11111111-1111-4111-8111-111111111111"}, "messages[0].id"},
    {"s-1", {.data = ""}, "messages[0].data"},
    {"s-1", {.metadata = "{"}, "messages[0].metadata"},
};

START_TEST(a_faulty_write_is_named)
{
    make_long();
    for (conf.row = 0; conf.row < WEIR_COUNTOF(writes); conf.row++) {
        assert_invalid(
            try_write(writes[conf.row].stream, EXPECT_ANY, &writes[conf.row].message, 1, NULL),
            writes[conf.row].field);
    }
    assert_nothing_happened();
}
END_TEST

START_TEST(a_write_of_nothing_or_too_much_is_invalid)
{
    static struct msg many[1001];
    assert_invalid(try_write("s-1", EXPECT_ANY, NULL, 0, NULL), "messages");
    assert_invalid(try_write("s-1", EXPECT_ANY, many, 1001, NULL), "messages");
    assert_nothing_happened();
}
END_TEST

START_TEST(a_write_without_its_fields_is_invalid)
{
    Weir__V1__WriteMessagesRequest request = WEIR__V1__WRITE_MESSAGES_REQUEST__INIT;
    Weir__V1__NewMessage message = WEIR__V1__NEW_MESSAGE__INIT;
    Weir__V1__NewMessage *messages[] = {&message};
    Written *response = NULL;
    request.messages = messages;
    request.n_messages = 1;
    weir_error_init(&conf.err);
    assert_invalid(
        weir_message_store_write_messages(conf.client, &request, NULL, &response, &conf.err),
        "stream_name");
    request.stream_name = "s-1";
    assert_invalid(
        weir_message_store_write_messages(conf.client, &request, NULL, &response, &conf.err),
        "messages[0].type");
    assert_nothing_happened();
}
END_TEST

START_TEST(an_expectation_of_false_is_invalid)
{
    Weir__V1__WriteMessagesRequest request = WEIR__V1__WRITE_MESSAGES_REQUEST__INIT;
    Weir__V1__Expectation expectation = WEIR__V1__EXPECTATION__INIT;
    const struct msg one = {.data = "{}"};
    request.stream_name = "s-1";
    request.messages = fill_messages(&one, 1);
    request.n_messages = 1;
    request.expectation = &expectation;
    expectation.kind_case = WEIR__V1__EXPECTATION__KIND_NO_STREAM;
    Written *response = NULL;
    weir_error_init(&conf.err);
    assert_invalid(
        weir_message_store_write_messages(conf.client, &request, NULL, &response, &conf.err),
        "expectation.no_stream");
    expectation.kind_case = WEIR__V1__EXPECTATION__KIND_STREAM_EXISTS;
    assert_invalid(
        weir_message_store_write_messages(conf.client, &request, NULL, &response, &conf.err),
        "expectation.stream_exists");
    free_messages(request.messages);
    assert_nothing_happened();
}
END_TEST

START_TEST(faulty_stream_reads_are_named)
{
    make_long();
    StreamReply *reply = NULL;
    StreamQuery query = query_stream("");
    assert_invalid(try_read_stream(&query, &reply), "stream_name");
    query.stream_name = long_name;
    assert_invalid(try_read_stream(&query, &reply), "stream_name");
    query = query_stream("s-1");
    query.has_batch_size = true;
    query.batch_size = -2;
    assert_invalid(try_read_stream(&query, &reply), "batch_size");
    query.batch_size = 10001;
    assert_invalid(try_read_stream(&query, &reply), "batch_size");
    query = query_stream("s-1");
    query.has_position = query.has_global_position = true;
    assert_invalid(try_read_stream(&query, &reply), "global_position");
    query = query_stream("s-1");
    query.has_direction = true;
    query.direction = (Weir__V1__Direction)7;
    assert_invalid(try_read_stream(&query, &reply), "direction");
}
END_TEST

START_TEST(faulty_types_are_named)
{
    make_long();
    static char *many[33];
    for (size_t i = 0; i < 33; i++) {
        many[i] = "T";
    }
    StreamReply *reply = NULL;
    StreamQuery query = query_stream("s-1");
    query.types = many;
    query.n_types = 33;
    assert_invalid(try_read_stream(&query, &reply), "types");
    query.n_types = 32;
    assert_failed(try_read_stream(&query, &reply), WEIR_OK);
    weir_response_free(reply);
    many[3] = "";
    assert_invalid(try_read_stream(&query, &reply), "types[3]");
    many[3] = long_type;
    assert_invalid(try_read_stream(&query, &reply), "types[3]");
}
END_TEST

START_TEST(faulty_category_reads_are_named)
{
    make_long();
    CategoryReply *reply = NULL;
    CategoryQuery query = query_category("a-1");
    assert_invalid(try_read_category(&query, &reply), "category");
    query.category = long_name;
    assert_invalid(try_read_category(&query, &reply), "category");
    query = query_category("a");
    query.correlation = "wf-1";
    assert_invalid(try_read_category(&query, &reply), "correlation");
    query.correlation = long_name;
    assert_invalid(try_read_category(&query, &reply), "correlation");
    query = query_category("a");
    query.has_batch_size = true;
    query.batch_size = INT64_MIN;
    assert_invalid(try_read_category(&query, &reply), "batch_size");
}
END_TEST

START_TEST(waiting_makes_no_sense_backward_or_too_long)
{
    StreamReply *reply = NULL;
    StreamQuery query = query_stream("s-1");
    query.has_wait_ms = true;
    query.wait_ms = 60001;
    assert_invalid(try_read_stream(&query, &reply), "wait_ms");
    query.wait_ms = 10;
    query.has_direction = true;
    query.direction = WEIR__V1__DIRECTION__BACKWARD;
    assert_invalid(try_read_stream(&query, &reply), "wait_ms");
}
END_TEST

TCase *conf_bad_input_case(void)
{
    TCase *tc = conf_case("bad_input");
    tcase_add_test(tc, a_faulty_write_is_named);
    tcase_add_test(tc, a_write_of_nothing_or_too_much_is_invalid);
    tcase_add_test(tc, a_write_without_its_fields_is_invalid);
    tcase_add_test(tc, an_expectation_of_false_is_invalid);
    tcase_add_test(tc, faulty_stream_reads_are_named);
    tcase_add_test(tc, faulty_types_are_named);
    tcase_add_test(tc, faulty_category_reads_are_named);
    tcase_add_test(tc, waiting_makes_no_sense_backward_or_too_long);
    return tc;
}
