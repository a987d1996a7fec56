/* Requests that libweir sends, requests that it refuses to send, and how failures are reported. */
#include "tests/client/scripted.h"
#include "tests/lib/check_main.h"
#include "weir/v1/envelope.pb-c.h"

#include <stdio.h>
#include <stdlib.h>

START_TEST(a_call_carries_method_token_time_and_namespace)
{
    scripted_start(&answer_version, 1);
    struct weir_call_options options = WEIR_CALL_OPTIONS_INIT;
    options.timeout_ms = 4000;
    options.namespace_id = "tenant";
    int64_t version = 0;
    ck_assert_int_eq(scripted_get_version(&options, &version), WEIR_OK);
    ck_assert_int_eq(version, 41);
    const struct fake_request *request = fake_server_request(scripted.server, 0);
    ck_assert_str_eq(request->method, "weir.v1.MessageStore/GetStreamVersion");
    ck_assert_str_eq(request->token, "the token");
    ck_assert_str_eq(request->namespace_id, "tenant");
    ck_assert_uint_le(request->timeout_ms, 4000);
    ck_assert_uint_gt(request->timeout_ms, 3000);
}
END_TEST

static void on_nothing(void *context, weir_status status,
                       Weir__V1__GetStreamVersionResponse *response, const struct weir_error *err)
{
    (void)context;
    (void)status;
    (void)response;
    (void)err;
    abort();
}

/* A call that cannot be started says why, and calls nothing back. */
static void refuse_async(const struct weir_call_options *options)
{
    Weir__V1__GetStreamVersionRequest request = WEIR__V1__GET_STREAM_VERSION_REQUEST__INIT;
    struct weir_error err;
    weir_error_init(&err);
    request.stream_name = (char *)(uintptr_t) "account-1";
    ck_assert_int_eq(weir_message_store_get_stream_version_async(scripted.client, &request, options,
                                                                 on_nothing, NULL, &err),
                     WEIR_INVALID_REQUEST);
    ck_assert_int_eq(err.status, WEIR_INVALID_REQUEST);
    ck_assert_str_eq(weir_error_get_detail(&err, "field"), "metadata");
}

START_TEST(a_call_carries_metadata_up_to_a_limit)
{
    static struct weir_call_metadata many[65];
    scripted_start(&answer_version, 1);
    for (size_t i = 0; i < WEIR_COUNTOF(many); i++) {
        static char keys[WEIR_COUNTOF(many)][8];
        (void)snprintf(keys[i], sizeof keys[i], "k%zu", i);
        many[i] = (struct weir_call_metadata){keys[i], "v"};
    }
    many[62] = (struct weir_call_metadata){"traceparent", "00-a-b-01"};
    struct weir_call_options options = WEIR_CALL_OPTIONS_INIT;
    options.namespace_id = "tenant";
    options.metadata = many;
    options.metadata_n = 64;
    ck_assert_int_eq(scripted_get_version(&options, NULL), WEIR_INVALID_REQUEST);
    ck_assert_str_eq(weir_error_get_detail(&scripted.err, "field"), "metadata");
    refuse_async(&options);
    options.metadata_n = 63;
    ck_assert_int_eq(scripted_get_version(&options, NULL), WEIR_OK);
    ck_assert_uint_eq(fake_server_requests(scripted.server), 1);
    ck_assert_str_eq(fake_server_request(scripted.server, 0)->trace, "00-a-b-01");
    ck_assert_str_eq(fake_server_request(scripted.server, 0)->namespace_id, "tenant");
}
END_TEST

START_TEST(a_reader_keeps_its_request_and_the_options_of_its_calls)
{
    Weir__V1__GetStreamMessagesResponse nothing = WEIR__V1__GET_STREAM_MESSAGES_RESPONSE__INIT;
    const struct fake_action answer = {FAKE_ANSWER, &nothing.base, NULL};
    scripted_start(&answer, 1);
    char token[] = "another";
    char name[] = "tenant";
    char key[] = "traceparent";
    char value[] = "00-a-b-01";
    char stream[] = "account-1";
    char type[] = "T";
    char *types[] = {type};
    const struct weir_call_metadata entry = {key, value};
    struct weir_call_options options = WEIR_CALL_OPTIONS_INIT;
    options.token = token;
    options.namespace_id = name;
    options.metadata = &entry;
    options.metadata_n = 1;
    Weir__V1__GetStreamMessagesRequest request = WEIR__V1__GET_STREAM_MESSAGES_REQUEST__INIT;
    request.stream_name = stream;
    request.types = types;
    request.n_types = 1;
    struct weir_reader *reader = NULL;
    ck_assert_int_eq(
        weir_reader_open_stream(scripted.client, &request, &options, &reader, &scripted.err),
        WEIR_OK);
    token[0] = name[0] = key[0] = value[0] = stream[0] = type[0] = '?';
    types[0] = stream;
    const Weir__V1__Message *message = NULL;
    ck_assert_int_eq(weir_reader_next(reader, &message, &scripted.err), WEIR_OK);
    weir_reader_close(reader);
    const struct fake_request *sent = fake_server_request(scripted.server, 0);
    ck_assert_str_eq(sent->token, "another");
    ck_assert_str_eq(sent->namespace_id, "tenant");
    ck_assert_str_eq(sent->trace, "00-a-b-01");
    Weir__V1__GetStreamMessagesRequest *asked =
        weir__v1__get_stream_messages_request__unpack(NULL, sent->payload_n, sent->payload);
    ck_assert_ptr_nonnull(asked);
    ck_assert_str_eq(asked->stream_name, "account-1");
    ck_assert_uint_eq(asked->n_types, 1);
    ck_assert_str_eq(asked->types[0], "T");
    weir__v1__get_stream_messages_request__free_unpacked(asked, NULL);
}
END_TEST

START_TEST(a_failure_keeps_reason_text_and_details)
{
    scripted_start(&fail_conflict, 1);
    ck_assert_int_eq(scripted_write_two(), WEIR_STREAM_VERSION_CONFLICT);
    ck_assert_int_eq(scripted.err.status, WEIR_STREAM_VERSION_CONFLICT);
    ck_assert_str_eq(scripted.err.text, "stream is elsewhere");
    ck_assert_str_eq(weir_error_get_detail(&scripted.err, "stream"), "account-1");
    ck_assert_str_eq(weir_error_get_detail(&scripted.err, "actual"), "7");
    ck_assert_ptr_null(weir_error_get_detail(&scripted.err, "url"));
    ck_assert_uint_eq(fake_server_requests(scripted.server), 1);
}
END_TEST

START_TEST(more_details_than_an_error_holds_fit_into_an_enlarged_one)
{
    static char server_area[64 << 10];
    static char area[64 << 10];
    weir_error_enlarge(&scripted.conflict, server_area, sizeof server_area);
    char key[32];
    for (int i = 1; i < 500; i++) {
        (void)snprintf(key, sizeof key, "stream.%d", i);
        weir_error_detail(&scripted.conflict, key, "a stream with a rather long name-%d", i);
    }
    scripted_start(&fail_conflict, 1);
    weir_error_enlarge(&scripted.err, area, sizeof area);
    ck_assert_int_eq(scripted_write_two(), WEIR_STREAM_VERSION_CONFLICT);
    ck_assert_str_eq(weir_error_get_detail(&scripted.err, "stream"), "account-1");
    ck_assert_str_eq(weir_error_get_detail(&scripted.err, "stream.499"),
                     "a stream with a rather long name-499");
}
END_TEST

START_TEST(ids_are_filled_in_every_stream_of_a_request)
{
    Weir__V1__StreamWritten results[2] = {WEIR__V1__STREAM_WRITTEN__INIT,
                                          WEIR__V1__STREAM_WRITTEN__INIT};
    Weir__V1__StreamWritten *pointers[] = {&results[0], &results[1]};
    results[1].n_written = 1;
    results[1].written = scripted.write_response.written;
    Weir__V1__WriteStreamsResponse response = WEIR__V1__WRITE_STREAMS_RESPONSE__INIT;
    response.n_results = 2;
    response.results = pointers;
    const struct fake_action answer = {FAKE_ANSWER, &response.base, NULL};
    scripted_start(&answer, 1);
    ck_assert_int_eq(scripted_write_to_streams(), WEIR_OK);
    const struct fake_request *r = fake_server_request(scripted.server, 0);
    Weir__V1__WriteStreamsRequest *sent =
        weir__v1__write_streams_request__unpack(NULL, r->payload_n, r->payload);
    ck_assert_ptr_nonnull(sent->writes[1]->messages[0]->id);
    weir__v1__write_streams_request__free_unpacked(sent, NULL);
}
END_TEST

START_TEST(a_request_that_is_too_large_is_not_sent)
{
    scripted.server = fake_server_start(&answer_write, 1);
    struct weir_client_options options = WEIR_CLIENT_OPTIONS_INIT;
    options.url = fake_server_url(scripted.server);
    options.max_request_bytes = 1000;
    ck_assert_int_eq(weir_client_open(&options, &scripted.client, &scripted.err), WEIR_OK);
    static char stream[2000];
    memset(stream, 's', sizeof stream - 1);
    Weir__V1__WriteMessagesRequest request = WEIR__V1__WRITE_MESSAGES_REQUEST__INIT;
    request.stream_name = stream;
    Weir__V1__WriteMessagesResponse *response = NULL;
    ck_assert_int_eq(weir_message_store_write_messages(scripted.client, &request, NULL, &response,
                                                       &scripted.err),
                     WEIR_LIMIT_EXCEEDED);
    ck_assert_str_eq(weir_error_get_detail(&scripted.err, "limit"), "1000");
    ck_assert_int_eq(scripted_write_two(), WEIR_OK);
    ck_assert_uint_eq(fake_server_requests(scripted.server), 1);
}
END_TEST

static weir_status write_to(size_t name_n)
{
    static char stream[2000];
    memset(stream, 's', name_n);
    stream[name_n] = '\0';
    Weir__V1__WriteMessagesRequest request = WEIR__V1__WRITE_MESSAGES_REQUEST__INIT;
    request.stream_name = stream;
    Weir__V1__WriteMessagesResponse *response = NULL;
    const weir_status st = weir_message_store_write_messages(scripted.client, &request, NULL,
                                                             &response, &scripted.err);
    weir_response_free(response);
    return st;
}

/* The size limit assumes the longest encoding of the timeout. */
START_TEST(a_request_may_be_as_large_as_the_limit)
{
    const Weir__V1__WriteMessagesResponse nothing = WEIR__V1__WRITE_MESSAGES_RESPONSE__INIT;
    const struct fake_action answer = {FAKE_ANSWER, &nothing.base, NULL};
    scripted.server = fake_server_start(&answer, 1);
    struct weir_client_options options = WEIR_CLIENT_OPTIONS_INIT;
    options.url = fake_server_url(scripted.server);
    options.max_request_bytes = 1000;
    ck_assert_int_eq(weir_client_open(&options, &scripted.client, &scripted.err), WEIR_OK);
    size_t n = 800;
    while (write_to(n) == WEIR_OK) {
        n++;
    }
    ck_assert_int_eq(scripted.err.status, WEIR_LIMIT_EXCEEDED);
    ck_assert_str_eq(weir_error_get_detail(&scripted.err, "actual"), "1001");
    const struct fake_request *last = fake_server_request(scripted.server, n - 801);
    Weir__V1__Request frame = WEIR__V1__REQUEST__INIT;
    frame.method = (char *)(uintptr_t)last->method;
    frame.has_timeout_ms = true;
    frame.timeout_ms = UINT32_MAX;
    frame.has_payload = true;
    frame.payload.data = last->payload;
    frame.payload.len = last->payload_n;
    ck_assert_uint_eq(protobuf_c_message_get_packed_size(&frame.base), 1000);
}
END_TEST

/* The transport counts milliseconds in 31 bits. */
START_TEST(the_longest_time_is_bounded)
{
    scripted_start(&answer_version, 1);
    struct weir_call_options options = WEIR_CALL_OPTIONS_INIT;
    options.timeout_ms = UINT32_MAX;
    ck_assert_int_eq(scripted_get_version(&options, NULL), WEIR_OK);
    ck_assert_uint_le(fake_server_request(scripted.server, 0)->timeout_ms, INT32_MAX);
}
END_TEST

START_TEST(a_long_poll_may_take_its_wait_and_the_usual_time)
{
    Weir__V1__GetStreamMessagesResponse response = WEIR__V1__GET_STREAM_MESSAGES_RESPONSE__INIT;
    const struct fake_action answer = {FAKE_ANSWER, &response.base, NULL};
    scripted_start(&answer, 1);
    char stream[] = "account-1";
    Weir__V1__GetStreamMessagesRequest request = WEIR__V1__GET_STREAM_MESSAGES_REQUEST__INIT;
    request.stream_name = stream;
    request.has_wait_ms = true;
    request.wait_ms = 50000;
    Weir__V1__GetStreamMessagesResponse *got = NULL;
    ck_assert_int_eq(weir_message_store_get_stream_messages(scripted.client, &request, NULL, &got,
                                                            &scripted.err),
                     WEIR_OK);
    weir_response_free(got);
    ck_assert_uint_gt(fake_server_request(scripted.server, 0)->timeout_ms, 59000);
    ck_assert_uint_le(fake_server_request(scripted.server, 0)->timeout_ms, 60000);
}

/* A server may be configured for replies above the default limit. */
START_TEST(a_large_reply_is_taken)
{
    enum { N = 65 << 20 };
    Weir__V1__Message message = WEIR__V1__MESSAGE__INIT;
    Weir__V1__Message *messages[] = {&message};
    Weir__V1__GetStreamMessagesResponse response = WEIR__V1__GET_STREAM_MESSAGES_RESPONSE__INIT;
    const struct fake_action answer = {FAKE_ANSWER, &response.base, NULL};
    message.has_data = true;
    message.data = (ProtobufCBinaryData){.data = calloc(1, N), .len = N};
    response.n_messages = 1;
    response.messages = messages;
    scripted_start(&answer, 1);
    Weir__V1__GetStreamMessagesRequest request = WEIR__V1__GET_STREAM_MESSAGES_REQUEST__INIT;
    Weir__V1__GetStreamMessagesResponse *got = NULL;
    ck_assert_int_eq(weir_message_store_get_stream_messages(scripted.client, &request, NULL, &got,
                                                            &scripted.err),
                     WEIR_OK);
    ck_assert_uint_eq(got->messages[0]->data.len, N);
    weir_response_free(got);
    free(message.data.data);
}
END_TEST

START_TEST(options_that_cannot_be_used_are_refused)
{
    static const char *const urls[] = {"nonsense",
                                       "tcp://127.0.0.1",
                                       "tcp://127.0.0.1:0",
                                       "tcp://127.0.0.1:65536",
                                       "ws://localhost:184467440737",
                                       "gopher://127.0.0.1:70",
                                       "tls+tcp://localhost"};
    for (size_t i = 0; i < WEIR_COUNTOF(urls); i++) {
        struct weir_client_options options = WEIR_CLIENT_OPTIONS_INIT;
        options.url = urls[i];
        ck_assert_msg(weir_client_open(&options, &scripted.client, &scripted.err) ==
                          WEIR_INVALID_REQUEST,
                      "%s", urls[i]);
        ck_assert_ptr_nonnull(strstr(scripted.err.text, urls[i]));
        ck_assert_ptr_null(scripted.client);
    }
    struct weir_client_options options = WEIR_CLIENT_OPTIONS_INIT;
    options.connections = 65;
    ck_assert_int_eq(weir_client_open(&options, &scripted.client, &scripted.err),
                     WEIR_INVALID_REQUEST);
    options.connections = 1;
    options.max_reply_bytes = (size_t)UINT32_MAX - 3;
    ck_assert_int_eq(weir_client_open(&options, &scripted.client, &scripted.err),
                     WEIR_INVALID_REQUEST);
    ck_assert_str_eq(weir_error_get_detail(&scripted.err, "field"), "max_reply_bytes");
    options.max_reply_bytes--;
    ck_assert_msg(weir_client_open(&options, &scripted.client, &scripted.err) == WEIR_OK, "%s",
                  scripted.err.text);
    weir_client_close(scripted.client);
    scripted.client = NULL;
    options.url = "tls+tcp://localhost:7117";
    options.tls_ca_file = "/nonexistent";
    ck_assert_int_eq(weir_client_open(&options, &scripted.client, &scripted.err),
                     WEIR_INVALID_REQUEST);
    ck_assert_ptr_nonnull(strstr(scripted.err.text, "/nonexistent"));
}
END_TEST

START_TEST(a_client_tells_its_url)
{
    struct weir_client_options options = WEIR_CLIENT_OPTIONS_INIT;
    ck_assert_int_eq(weir_client_open(&options, &scripted.client, &scripted.err), WEIR_OK);
    ck_assert_str_eq(weir_client_url(scripted.client), WEIR_DEFAULT_URL);
    weir_client_close(scripted.client);
    char url[] = "ipc:///nonexistent/weir";
    options.url = url;
    ck_assert_int_eq(weir_client_open(&options, &scripted.client, &scripted.err), WEIR_OK);
    url[0] = 'x';
    ck_assert_str_eq(weir_client_url(scripted.client), "ipc:///nonexistent/weir");
}
END_TEST

static Suite *calls_suite(void)
{
    Suite *suite = suite_create("calls");
    TCase *calls = tcase_create("calls");
    tcase_set_timeout(calls, 60);
    tcase_add_checked_fixture(calls, scripted_setup, scripted_teardown);
    tcase_add_test(calls, a_call_carries_method_token_time_and_namespace);
    tcase_add_test(calls, a_call_carries_metadata_up_to_a_limit);
    tcase_add_test(calls, a_reader_keeps_its_request_and_the_options_of_its_calls);
    tcase_add_test(calls, a_failure_keeps_reason_text_and_details);
    tcase_add_test(calls, more_details_than_an_error_holds_fit_into_an_enlarged_one);
    tcase_add_test(calls, ids_are_filled_in_every_stream_of_a_request);
    tcase_add_test(calls, a_request_that_is_too_large_is_not_sent);
    tcase_add_test(calls, a_request_may_be_as_large_as_the_limit);
    tcase_add_test(calls, the_longest_time_is_bounded);
    tcase_add_test(calls, a_long_poll_may_take_its_wait_and_the_usual_time);
    tcase_add_test(calls, a_large_reply_is_taken);
    tcase_add_test(calls, options_that_cannot_be_used_are_refused);
    tcase_add_test(calls, a_client_tells_its_url);
    suite_add_tcase(suite, calls);
    return suite;
}

int main(void)
{
    return check_main(calls_suite());
}
