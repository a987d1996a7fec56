/* Any request gets exactly one reply with the right reason, and the connection remains usable. */
#include "tests/rpc/rpc_fixture.h"

#include "tests/lib/check_main.h"

#include <stdlib.h>

static struct rpc_reply reply;

static void set_up(void)
{
    rpc_start(NULL);
}

/* ---- the envelope ---- */

#define BYTES(text) text, sizeof text - 1

static const struct {
    const char *bytes;
    size_t n;
    weir_status status;
    const char *field;
} envelopes[] = {
    {BYTES(""), WEIR_INVALID_REQUEST, "method"},
    {BYTES("\xff\xff\xff\xff"), WEIR_INVALID_REQUEST, "request"},
    {BYTES("hello"), WEIR_INVALID_REQUEST, "request"},
    {BYTES("GET / HTTP/1.1\r\n\r\n"), WEIR_INVALID_REQUEST, "request"},
    {BYTES("\x0a\x7f"), WEIR_INVALID_REQUEST, "request"},
    {BYTES("\x0a\xff\xff\xff\xff\x0f"), WEIR_INVALID_REQUEST, "request"},
    {BYTES("\x0b\x0c"), WEIR_INVALID_REQUEST, "request"},
    {BYTES("\x0a\x02\xc3\x28"), WEIR_INVALID_REQUEST, "method"},
    {BYTES("\x0a\x02"
           "a\0"),
     WEIR_INVALID_REQUEST, "method"},
    {BYTES("\x0a\x01x\x12\x01\xff"), WEIR_INVALID_REQUEST, "token"},
    {BYTES("\x0a\x01x"), WEIR_METHOD_NOT_FOUND, NULL},
    {BYTES("\x0a\x00"), WEIR_INVALID_REQUEST, "method"},
    {BYTES("\x0a\x1cweir.v1.System/GetServerInfo"), WEIR_OK, NULL},
    /* An unknown field is ignored. */
    {BYTES("\x0a\x1cweir.v1.System/GetServerInfo\xa2\x06\x03zzz"), WEIR_OK, NULL},
    /* A payload of unknown fields is ignored too. */
    {BYTES("\x0a\x1cweir.v1.System/GetServerInfo\x2a\x02\x50\x01"), WEIR_OK, NULL},
    {BYTES("\x0a\x1cweir.v1.System/GetServerInfo\x2a\x02\x52\x7f"), WEIR_INVALID_REQUEST,
     "payload"},
    {BYTES("\x0a\x1cweir.v1.System/getserverinfo"), WEIR_METHOD_NOT_FOUND, NULL},
    {BYTES("\x0a\x1cweir.v1.System/GetServerInfo\x22\x06\x0a\x01"
           "a\x12\x01"
           "b\x22\x06\x0a\x01"
           "a\x12\x01"
           "c"),
     WEIR_INVALID_REQUEST, "metadata"},
};

START_TEST(an_envelope_gets_one_reply)
{
    rpc_exchange(weir_slice(envelopes[_i].bytes, envelopes[_i].n), &reply);
    rpc_assert_status(&reply, envelopes[_i].status);
    if (envelopes[_i].field != NULL) {
        const char *field = weir_error_get_detail(&reply.err, "field");
        ck_assert_msg(field != NULL &&
                          strncmp(field, envelopes[_i].field, strlen(envelopes[_i].field)) == 0,
                      "field %s: %s", field, reply.err.text);
    }
    rpc_free(&reply);
    rpc_assert_alive();
}
END_TEST

START_TEST(random_bytes_get_one_reply_each)
{
    srand(20250115);
    for (int i = 0; i < 2000; i++) {
        uint8_t bytes[64];
        const size_t n = (size_t)rand() % sizeof bytes;
        for (size_t k = 0; k < n; k++) {
            bytes[k] = (uint8_t)rand();
        }
        rpc_exchange(weir_slice(bytes, n), &reply);
        ck_assert_int_ne(reply.status, WEIR_BACKEND_ERROR);
        rpc_free(&reply);
    }
    rpc_assert_alive();
}
END_TEST

START_TEST(an_unknown_method_is_named)
{
    static const char *const names[] = {"weir.v1.System/Nothing", "weir.v1.Chunks/Nothing",
                                        "weir.v1.MessageStore", "/", "x"};
    for (size_t i = 0; i < WEIR_COUNTOF(names); i++) {
        const struct rpc_request request = {.method = names[i], .token = ADMIN_TOKEN};
        rpc_call(&request, &reply);
        rpc_assert_status(&reply, WEIR_METHOD_NOT_FOUND);
        ck_assert_str_eq(weir_error_get_detail(&reply.err, "method"), names[i]);
        rpc_free(&reply);
    }
}
END_TEST

/* Including methods that this store does not support. */
START_TEST(an_unsupported_method_is_named)
{
    const struct rpc_request request = {
        .method = "weir.v1.Chunks/ListChunks", .token = ADMIN_TOKEN, .namespace_id = "default"};
    rpc_call(&request, &reply);
    rpc_assert_status(&reply, WEIR_FEATURE_UNSUPPORTED);
    ck_assert_str_eq(weir_error_get_detail(&reply.err, "method"), request.method);
    rpc_free(&reply);
}
END_TEST

/* A name of any length is reported, cut to fit. */
START_TEST(a_long_unknown_method_is_named)
{
    static char name[10001];
    memset(name, 'x', sizeof name - 1);
    const struct rpc_request request = {.method = name, .token = ADMIN_TOKEN};
    rpc_call(&request, &reply);
    rpc_assert_status(&reply, WEIR_METHOD_NOT_FOUND);
    const char *named = weir_error_get_detail(&reply.err, "method");
    ck_assert(named != NULL && strspn(named, "x") > 1000);
    rpc_free(&reply);
}
END_TEST

/* ---- payloads ---- */

static void send_payload(const char *method, const char *bytes, size_t n)
{
    uint8_t room[512];
    const size_t method_n = strlen(method);
    const size_t token_n = strlen(DEFAULT_TOKEN);
    size_t at = 0;
    room[at++] = 0x0a;
    room[at++] = (uint8_t)method_n;
    memcpy(room + at, method, method_n);
    at += method_n;
    room[at++] = 0x12;
    room[at++] = (uint8_t)token_n;
    memcpy(room + at, DEFAULT_TOKEN, token_n);
    at += token_n;
    room[at++] = 0x2a;
    room[at++] = (uint8_t)n;
    memcpy(room + at, bytes, n);
    rpc_exchange(weir_slice(room, at + n), &reply);
}

static const struct {
    const char *method;
    const char *bytes;
    size_t n;
    const char *field;
} payloads[] = {
    {"weir.v1.MessageStore/WriteMessages", BYTES("\x0a\x02s\xff"), "stream_name"},
    {"weir.v1.MessageStore/WriteMessages", BYTES("\x0a\x02s\0"), "stream_name"},
    {"weir.v1.MessageStore/WriteMessages", BYTES("\x08\x01"), "stream_name"},
    {"weir.v1.MessageStore/WriteMessages", BYTES("\x0a\x7fs"), "payload"},
    {"weir.v1.MessageStore/WriteMessages",
     BYTES("\x0a\x01s\x12\x05\x12\x03"
           "a\xff"
           "b"),
     "messages[0].type"},
    {"weir.v1.MessageStore/WriteMessages",
     BYTES("\x0a\x01s\x12\x03\x12\x01T\x12\x03\x0a\x01"
           "x"),
     "messages[1].id"},
    {"weir.v1.MessageStore/GetStreamMessages", BYTES("\x0a\x01s\x28\x09"), "direction"},
    {"weir.v1.MessageStore/GetStreamMessages", BYTES(""), "stream_name"},
    {"weir.v1.MessageStore/GetStreamVersion", BYTES(""), "stream_name"},
    {"weir.v1.MessageStore/GetLastStreamMessage", BYTES(""), "stream_name"},
    {"weir.v1.MessageStore/WriteStreams", BYTES(""), "writes"},
    {"weir.v1.MessageStore/ImportMessages", BYTES(""), "messages"},
    {"weir.v1.Namespaces/GetNamespace", BYTES(""), "namespace"},
    {"weir.v1.Namespaces/ListStreams", BYTES("\x10\x00"), "limit"},
};

START_TEST(a_payload_that_is_wrong_is_refused_by_field)
{
    send_payload(payloads[_i].method, payloads[_i].bytes, payloads[_i].n);
    rpc_assert_status(&reply, WEIR_INVALID_REQUEST);
    const char *field = weir_error_get_detail(&reply.err, "field");
    ck_assert_msg(field != NULL && strcmp(field, payloads[_i].field) == 0, "field %s: %s", field,
                  reply.err.text);
    rpc_free(&reply);
    rpc_assert_alive();
}
END_TEST

/* The error names the record's number, whatever is wrong with it. */
START_TEST(a_record_that_cannot_be_decoded_is_named)
{
    send_payload("weir.v1.MessageStore/ImportMessages", BYTES("\x0a\x00\x0a\x05\x12\x03"
                                                              "a\0b"));
    rpc_assert_status(&reply, WEIR_INVALID_RECORD);
    ck_assert_str_eq(weir_error_get_detail(&reply.err, "record"), "2");
    const char *reason = weir_error_get_detail(&reply.err, "reason");
    ck_assert(reason != NULL && strncmp(reason, "stream_name", 11) == 0);
    rpc_free(&reply);
}
END_TEST

/* 2 MB of empty messages would take a hundred times that when decoded. */
START_TEST(many_empty_elements_are_refused_without_much_memory)
{
    enum { PAYLOAD = 2 * 1024 * 1024 };
    uint8_t *payload = malloc(PAYLOAD + 512);
    ck_assert_ptr_nonnull(payload);
    const char *method = "weir.v1.MessageStore/WriteMessages";
    size_t at = 0;
    payload[at++] = 0x0a;
    payload[at++] = (uint8_t)strlen(method);
    memcpy(payload + at, method, strlen(method));
    at += strlen(method);
    payload[at++] = 0x12;
    payload[at++] = (uint8_t)strlen(DEFAULT_TOKEN);
    memcpy(payload + at, DEFAULT_TOKEN, strlen(DEFAULT_TOKEN));
    at += strlen(DEFAULT_TOKEN);
    memcpy(payload + at, "\x2a\x80\x80\x80\x01", 5);
    at += 5;
    for (size_t i = 0; i < PAYLOAD; i += 2) {
        payload[at++] = 0x12;
        payload[at++] = 0x00;
    }
    rpc_exchange(weir_slice(payload, at), &reply);
    rpc_assert_status(&reply, WEIR_INVALID_REQUEST);
    ck_assert_str_eq(weir_error_get_detail(&reply.err, "field"), "messages[65536]");
    rpc_free(&reply);
    free(payload);
    rpc_assert_alive();
}
END_TEST

/* ---- ids ---- */

enum { ID_TEXT = 36, ID_VERSION_AT = 14, ID_VARIANT_AT = 19 };

/* Writes `n` messages without ids to stream ids-1. Stores the ids that the reply gives them. */
static void write_without_ids(size_t n, char (*ids)[ID_TEXT + 1])
{
    Weir__V1__WriteMessagesRequest write = WEIR__V1__WRITE_MESSAGES_REQUEST__INIT;
    Weir__V1__NewMessage message = WEIR__V1__NEW_MESSAGE__INIT;
    Weir__V1__NewMessage *const messages[] = {&message, &message};
    ck_assert_uint_le(n, WEIR_COUNTOF(messages));
    message.type = (char *)(uintptr_t) "T";
    write.stream_name = (char *)(uintptr_t) "ids-1";
    write.messages = (Weir__V1__NewMessage **)(uintptr_t)messages;
    write.n_messages = n;
    rpc_must_call(&reply, DEFAULT_TOKEN, "weir.v1.MessageStore/WriteMessages", &write.base);
    Weir__V1__WriteMessagesResponse *out =
        rpc_unpack(&reply, &weir__v1__write_messages_response__descriptor);
    ck_assert_uint_eq(out->n_written, n);
    for (size_t i = 0; i < n; i++) {
        ck_assert_uint_eq(strlen(out->written[i]->id), ID_TEXT);
        memcpy(ids[i], out->written[i]->id, ID_TEXT + 1);
    }
    rpc_free_message(out);
}

/* The ids are UUIDs of version 7 and rise in the order of the messages, across requests too. */
START_TEST(ids_that_the_server_makes_rise)
{
    enum { N = 3 };
    char ids[N][ID_TEXT + 1];
    Weir__V1__GetStreamMessagesRequest read = WEIR__V1__GET_STREAM_MESSAGES_REQUEST__INIT;
    write_without_ids(2, ids);
    write_without_ids(1, ids + 2);
    read.stream_name = (char *)(uintptr_t) "ids-1";
    rpc_must_call(&reply, DEFAULT_TOKEN, "weir.v1.MessageStore/GetStreamMessages", &read.base);
    Weir__V1__GetStreamMessagesResponse *out =
        rpc_unpack(&reply, &weir__v1__get_stream_messages_response__descriptor);
    ck_assert_uint_eq(out->n_messages, N);
    for (size_t i = 0; i < N; i++) {
        ck_assert_str_eq(out->messages[i]->id, ids[i]);
        ck_assert_int_eq(ids[i][ID_VERSION_AT], '7');
        ck_assert_ptr_nonnull(strchr("89ab", ids[i][ID_VARIANT_AT]));
        ck_assert(i == 0 || strcmp(ids[i - 1], ids[i]) < 0);
    }
    rpc_free_message(out);
}
END_TEST

/* ---- details ---- */

/* The details exceed the room inside weir_error. */
START_TEST(a_hundred_conflicts_are_all_told)
{
    static char names[100][1025];
    static Weir__V1__StreamWrite writes[100];
    static Weir__V1__StreamWrite *pointers[100];
    static Weir__V1__Expectation exact = WEIR__V1__EXPECTATION__INIT;
    Weir__V1__NewMessage message = WEIR__V1__NEW_MESSAGE__INIT;
    Weir__V1__NewMessage *messages[] = {&message};
    message.type = (char *)(uintptr_t) "T";
    exact.kind_case = WEIR__V1__EXPECTATION__KIND_EXACT;
    exact.exact = 7;
    for (size_t i = 0; i < 100; i++) {
        memset(names[i], 'n', 1024);
        names[i][0] = (char)('A' + i % 10);
        names[i][1] = (char)('A' + i / 10);
        weir__v1__stream_write__init(&writes[i]);
        writes[i].stream_name = names[i];
        writes[i].expectation = &exact;
        pointers[i] = &writes[i];
    }
    writes[0].messages = messages;
    writes[0].n_messages = 1;
    Weir__V1__WriteStreamsRequest write = WEIR__V1__WRITE_STREAMS_REQUEST__INIT;
    write.writes = pointers;
    write.n_writes = 100;
    const struct rpc_request request = {.method = "weir.v1.MessageStore/WriteStreams",
                                        .token = DEFAULT_TOKEN,
                                        .message = &write.base};
    rpc_call(&request, &reply);
    rpc_assert_status(&reply, WEIR_STREAM_VERSION_CONFLICT);
    const char *last = weir_error_get_detail(&reply.err, "stream.99");
    ck_assert_msg(last != NULL && strcmp(last, names[99]) == 0, "stream.99 is %s", last);
    ck_assert_str_eq(weir_error_get_detail(&reply.err, "expected.99"), "7");
    ck_assert_str_eq(weir_error_get_detail(&reply.err, "actual.99"), "-1");
    rpc_free(&reply);
}
END_TEST

/* ---- sizes ---- */

/* The transport closes the connection before it reads that much; the server continues. */
START_TEST(a_frame_above_the_limit_ends_its_connection_only)
{
    static const char *const arguments[] = {
        "--max-request-bytes", "65536", "--max-message-bytes", "1024", "--listen",
        "tcp://127.0.0.1:0",   NULL};
    rpc_start(arguments);
    const size_t n = 70000;
    uint8_t *bytes = calloc(1, n);
    ck_assert_ptr_nonnull(bytes);
    nng_socket other = rpc_connect(rpc.url);
    ck_assert_int_eq(nng_send(other, bytes, n, 0), 0);
    nng_msg *msg = NULL;
    ck_assert_int_eq(nng_socket_set_ms(other, NNG_OPT_RECVTIMEO, RPC_TIMEOUT_MS), 0);
    ck_assert_int_eq(nng_recvmsg(other, &msg, 0), NNG_ECONNRESET);
    (void)nng_close(other);
    free(bytes);
    rpc_assert_alive();
}
END_TEST

/* Sends a request of `n` bytes, nearly all of them in an unknown field. */
static void send_long_request(size_t n)
{
    static const char begin[] = "\x0A\x1Aweir.v1.System/CheckHealth\x7A";
    const size_t begin_n = sizeof begin - 1;
    const size_t rest = n - begin_n - 3;
    uint8_t *bytes = calloc(1, n);
    ck_assert_ptr_nonnull(bytes);
    memcpy(bytes, begin, begin_n);
    bytes[begin_n] = (uint8_t)(rest | 0x80);
    bytes[begin_n + 1] = (uint8_t)(rest >> 7 | 0x80);
    bytes[begin_n + 2] = (uint8_t)(rest >> 14);
    rpc_exchange(weir_slice(bytes, n), &reply);
    free(bytes);
}

/* The transport admits slightly more than the limit, to leave room for a header; the server counts
 * the excess. */
START_TEST(a_request_a_little_above_the_limit_is_refused_with_numbers)
{
    static const char *const arguments[] = {
        "--max-request-bytes", "65536", "--max-message-bytes", "1024", "--listen",
        "tcp://127.0.0.1:0",   NULL};
    rpc_start(arguments);
    send_long_request(65536);
    rpc_assert_status(&reply, WEIR_OK);
    rpc_free(&reply);
    send_long_request(65537);
    rpc_assert_status(&reply, WEIR_LIMIT_EXCEEDED);
    ck_assert_str_eq(weir_error_get_detail(&reply.err, "limit"), "65536");
    ck_assert_str_eq(weir_error_get_detail(&reply.err, "actual"), "65537");
    rpc_free(&reply);
}
END_TEST

START_TEST(data_above_the_limit_is_refused_with_numbers)
{
    Weir__V1__WriteMessagesRequest write = WEIR__V1__WRITE_MESSAGES_REQUEST__INIT;
    Weir__V1__NewMessage message = WEIR__V1__NEW_MESSAGE__INIT;
    Weir__V1__NewMessage *messages[] = {&message};
    message.has_data = true;
    message.data.len = 1048577;
    message.data.data = calloc(1, message.data.len);
    ck_assert_ptr_nonnull(message.data.data);
    write.messages = messages;
    write.n_messages = 1;
    const struct rpc_request request = {.method = "weir.v1.MessageStore/WriteMessages",
                                        .token = DEFAULT_TOKEN,
                                        .message = &write.base};
    rpc_call(&request, &reply);
    /* The size is checked before the missing name and type and the invalid JSON. */
    rpc_assert_status(&reply, WEIR_LIMIT_EXCEEDED);
    ck_assert_str_eq(weir_error_get_detail(&reply.err, "limit"), "1048576");
    ck_assert_str_eq(weir_error_get_detail(&reply.err, "actual"), "1048577");
    rpc_free(&reply);
    free(message.data.data);
}
END_TEST

static Suite *requests_suite(void)
{
    Suite *suite = suite_create("requests");
    TCase *tcase = tcase_create("requests");
    tcase_set_timeout(tcase, 120);
    tcase_add_checked_fixture(tcase, set_up, rpc_stop);
    tcase_add_loop_test(tcase, an_envelope_gets_one_reply, 0, (int)WEIR_COUNTOF(envelopes));
    tcase_add_test(tcase, random_bytes_get_one_reply_each);
    tcase_add_test(tcase, an_unsupported_method_is_named);
    tcase_add_test(tcase, a_long_unknown_method_is_named);
    tcase_add_test(tcase, a_record_that_cannot_be_decoded_is_named);
    tcase_add_test(tcase, an_unknown_method_is_named);
    tcase_add_loop_test(tcase, a_payload_that_is_wrong_is_refused_by_field, 0,
                        (int)WEIR_COUNTOF(payloads));
    tcase_add_test(tcase, many_empty_elements_are_refused_without_much_memory);
    tcase_add_test(tcase, ids_that_the_server_makes_rise);
    tcase_add_test(tcase, a_hundred_conflicts_are_all_told);
    tcase_add_test(tcase, data_above_the_limit_is_refused_with_numbers);
    suite_add_tcase(suite, tcase);
    tcase = tcase_create("sizes");
    tcase_set_timeout(tcase, 120);
    tcase_add_checked_fixture(tcase, NULL, rpc_stop);
    tcase_add_test(tcase, a_frame_above_the_limit_ends_its_connection_only);
    tcase_add_test(tcase, a_request_a_little_above_the_limit_is_refused_with_numbers);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return check_main(requests_suite());
}
