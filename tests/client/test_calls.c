/* libweir's calls against a server that does as it is told: what is sent, what is sent again, and
 * how a call ends when the server does not play along. */
#include "client/weir.h"
#include "tests/client/fake_server.h"
#include "weir/rules/time_text.h"
#include "weir/v1/envelope.pb-c.h"

#include <arpa/inet.h>
#include <check.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static struct weir_error err;
static struct weir_client *client;
static struct fake_server *server;

static Weir__V1__GetStreamVersionResponse version_response =
    WEIR__V1__GET_STREAM_VERSION_RESPONSE__INIT;
static Weir__V1__WrittenMessage written_message = WEIR__V1__WRITTEN_MESSAGE__INIT;
static Weir__V1__WrittenMessage *written[] = {&written_message, &written_message, &written_message};
static Weir__V1__WriteMessagesResponse write_response = WEIR__V1__WRITE_MESSAGES_RESPONSE__INIT;
static Weir__V1__CreateNamespaceResponse create_response =
    WEIR__V1__CREATE_NAMESPACE_RESPONSE__INIT;
static struct weir_error unavailable;
static struct weir_error conflict;

static const struct fake_action answer_version = {FAKE_ANSWER, &version_response.base, NULL};
static const struct fake_action answer_write = {FAKE_ANSWER, &write_response.base, NULL};
static const struct fake_action answer_create = {FAKE_ANSWER, &create_response.base, NULL};
static const struct fake_action fail_unavailable = {FAKE_FAIL, NULL, &unavailable};
static const struct fake_action fail_conflict = {FAKE_FAIL, NULL, &conflict};
static const struct fake_action keep_silent = {FAKE_SILENCE, NULL, NULL};
static const struct fake_action disconnect = {FAKE_DISCONNECT, NULL, NULL};

static void setup(void)
{
    weir_error_init(&err);
    version_response.has_exists = true;
    version_response.exists = true;
    version_response.has_version = true;
    version_response.version = 41;
    write_response.n_written = 2;
    write_response.written = written;
    weir_error_init(&unavailable);
    (void)weir_fail(&unavailable, WEIR_BACKEND_UNAVAILABLE, "busy");
    weir_error_init(&conflict);
    (void)weir_fail(&conflict, WEIR_STREAM_VERSION_CONFLICT, "stream is elsewhere");
    weir_error_detail(&conflict, "stream", "account-1");
    weir_error_detail(&conflict, "actual", "7");
}

static void teardown(void)
{
    weir_client_close(client);
    client = NULL;
    if (server != NULL) {
        fake_server_stop(server);
        server = NULL;
    }
}

static void open_client(const char *url, uint32_t timeout_ms)
{
    struct weir_client_options options = WEIR_CLIENT_OPTIONS_INIT;
    options.url = url;
    options.token = "the token";
    options.timeout_ms = timeout_ms;
    options.retry.first_delay_ms = 5;
    options.retry.max_delay_ms = 20;
    ck_assert_msg(weir_client_open(&options, &client, &err) == WEIR_OK, "%s", err.text);
}

static void start(const struct fake_action *script, size_t n)
{
    server = fake_server_start(script, n);
    open_client(fake_server_url(server), 10000);
}

static weir_status get_version(const struct weir_call_options *options, int64_t *version)
{
    Weir__V1__GetStreamVersionRequest request = WEIR__V1__GET_STREAM_VERSION_REQUEST__INIT;
    char stream[] = "account-1";
    request.stream_name = stream;
    Weir__V1__GetStreamVersionResponse *response = NULL;
    const weir_status st =
        weir_message_store_get_stream_version(client, &request, options, &response, &err);
    ck_assert((st == WEIR_OK) == (response != NULL));
    if (response != NULL && version != NULL) {
        *version = response->version;
    }
    weir_response_free(response);
    return st;
}

/* Two messages, the second with an id of its own. */
static weir_status write_two(void)
{
    char stream[] = "account-1";
    char type[] = "Opened";
    char id[] = "00000000-0000-4000-8000-000000000001";
    Weir__V1__NewMessage messages[2] = {WEIR__V1__NEW_MESSAGE__INIT, WEIR__V1__NEW_MESSAGE__INIT};
    Weir__V1__NewMessage *pointers[2] = {&messages[0], &messages[1]};
    messages[0].type = type;
    messages[1].type = type;
    messages[1].id = id;
    Weir__V1__WriteMessagesRequest request = WEIR__V1__WRITE_MESSAGES_REQUEST__INIT;
    request.stream_name = stream;
    request.n_messages = 2;
    request.messages = pointers;
    Weir__V1__WriteMessagesResponse *response = NULL;
    const weir_status st =
        weir_message_store_write_messages(client, &request, NULL, &response, &err);
    ck_assert_ptr_null(messages[0].id);
    weir_response_free(response);
    return st;
}

START_TEST(a_call_carries_method_token_time_and_namespace)
{
    start(&answer_version, 1);
    struct weir_call_options options = WEIR_CALL_OPTIONS_INIT;
    options.timeout_ms = 4000;
    options.namespace_id = "tenant";
    int64_t version = 0;
    ck_assert_int_eq(get_version(&options, &version), WEIR_OK);
    ck_assert_int_eq(version, 41);
    const struct fake_request *request = fake_server_request(server, 0);
    ck_assert_str_eq(request->method, "weir.v1.MessageStore/GetStreamVersion");
    ck_assert_str_eq(request->token, "the token");
    ck_assert_str_eq(request->namespace_id, "tenant");
    ck_assert_uint_le(request->timeout_ms, 4000);
    ck_assert_uint_gt(request->timeout_ms, 3000);
}
END_TEST

START_TEST(a_failure_keeps_reason_text_and_details)
{
    start(&fail_conflict, 1);
    ck_assert_int_eq(write_two(), WEIR_STREAM_VERSION_CONFLICT);
    ck_assert_int_eq(err.status, WEIR_STREAM_VERSION_CONFLICT);
    ck_assert_str_eq(err.text, "stream is elsewhere");
    ck_assert_str_eq(weir_error_get_detail(&err, "stream"), "account-1");
    ck_assert_str_eq(weir_error_get_detail(&err, "actual"), "7");
    ck_assert_ptr_null(weir_error_get_detail(&err, "url"));
    ck_assert_uint_eq(fake_server_requests(server), 1);
}
END_TEST

START_TEST(more_details_than_an_error_holds_fit_into_an_enlarged_one)
{
    static char server_area[64 << 10];
    static char area[64 << 10];
    weir_error_enlarge(&conflict, server_area, sizeof server_area);
    char key[32];
    for (int i = 1; i < 500; i++) {
        (void)snprintf(key, sizeof key, "stream.%d", i);
        weir_error_detail(&conflict, key, "a stream with a rather long name-%d", i);
    }
    start(&fail_conflict, 1);
    weir_error_enlarge(&err, area, sizeof area);
    ck_assert_int_eq(write_two(), WEIR_STREAM_VERSION_CONFLICT);
    ck_assert_str_eq(weir_error_get_detail(&err, "stream"), "account-1");
    ck_assert_str_eq(weir_error_get_detail(&err, "stream.499"),
                     "a stream with a rather long name-499");
}
END_TEST

static void assert_same_payloads(size_t n)
{
    const struct fake_request *first = fake_server_request(server, 0);
    for (size_t i = 1; i < n; i++) {
        const struct fake_request *r = fake_server_request(server, i);
        ck_assert_uint_eq(r->payload_n, first->payload_n);
        ck_assert_mem_eq(r->payload, first->payload, first->payload_n);
    }
}

START_TEST(a_write_is_repeated_with_the_same_ids)
{
    const struct fake_action script[] = {fail_unavailable, disconnect, answer_write};
    start(script, 3);
    ck_assert_int_eq(write_two(), WEIR_OK);
    ck_assert_int_eq(err.status, WEIR_OK);
    ck_assert_uint_eq(fake_server_requests(server), 3);
    assert_same_payloads(3);
    const struct fake_request *r = fake_server_request(server, 0);
    Weir__V1__WriteMessagesRequest *sent =
        weir__v1__write_messages_request__unpack(NULL, r->payload_n, r->payload);
    struct weir_uuid id;
    ck_assert(weir_uuid_parse(weir_slice_of(sent->messages[0]->id), &id));
    ck_assert_int_eq(id.bytes[6] >> 4, 7);
    ck_assert_str_eq(sent->messages[1]->id, "00000000-0000-4000-8000-000000000001");
    weir__v1__write_messages_request__free_unpacked(sent, NULL);
}
END_TEST

/* Nothing to one stream and a message to another. */
static weir_status write_to_streams(void)
{
    Weir__V1__NewMessage message = WEIR__V1__NEW_MESSAGE__INIT;
    Weir__V1__NewMessage *messages[] = {&message};
    Weir__V1__StreamWrite writes[2] = {WEIR__V1__STREAM_WRITE__INIT, WEIR__V1__STREAM_WRITE__INIT};
    Weir__V1__StreamWrite *pointers[] = {&writes[0], &writes[1]};
    writes[1].n_messages = 1;
    writes[1].messages = messages;
    Weir__V1__WriteStreamsRequest request = WEIR__V1__WRITE_STREAMS_REQUEST__INIT;
    request.n_writes = 2;
    request.writes = pointers;
    Weir__V1__WriteStreamsResponse *got = NULL;
    const weir_status st = weir_message_store_write_streams(client, &request, NULL, &got, &err);
    ck_assert((st == WEIR_OK) == (got != NULL));
    ck_assert_ptr_null(message.id);
    weir_response_free(got);
    return st;
}

START_TEST(ids_are_filled_in_every_stream_of_a_request)
{
    Weir__V1__StreamWritten results[2] = {WEIR__V1__STREAM_WRITTEN__INIT,
                                          WEIR__V1__STREAM_WRITTEN__INIT};
    Weir__V1__StreamWritten *pointers[] = {&results[0], &results[1]};
    results[1].n_written = 1;
    results[1].written = written;
    Weir__V1__WriteStreamsResponse response = WEIR__V1__WRITE_STREAMS_RESPONSE__INIT;
    response.n_results = 2;
    response.results = pointers;
    const struct fake_action answer = {FAKE_ANSWER, &response.base, NULL};
    start(&answer, 1);
    ck_assert_int_eq(write_to_streams(), WEIR_OK);
    const struct fake_request *r = fake_server_request(server, 0);
    Weir__V1__WriteStreamsRequest *sent =
        weir__v1__write_streams_request__unpack(NULL, r->payload_n, r->payload);
    ck_assert_ptr_nonnull(sent->writes[1]->messages[0]->id);
    weir__v1__write_streams_request__free_unpacked(sent, NULL);
}
END_TEST

START_TEST(a_namespace_is_created_with_the_same_token_again)
{
    const struct fake_action script[] = {disconnect, answer_create};
    start(script, 2);
    char name[] = "tenant";
    Weir__V1__CreateNamespaceRequest request = WEIR__V1__CREATE_NAMESPACE_REQUEST__INIT;
    request.namespace_ = name;
    Weir__V1__CreateNamespaceResponse *response = NULL;
    ck_assert_int_eq(weir_namespaces_create_namespace(client, &request, NULL, &response, &err),
                     WEIR_OK);
    weir_response_free(response);
    assert_same_payloads(2);
    const struct fake_request *r = fake_server_request(server, 0);
    Weir__V1__CreateNamespaceRequest *sent =
        weir__v1__create_namespace_request__unpack(NULL, r->payload_n, r->payload);
    uint8_t id[WEIR_NAMESPACE_MAX_BYTES];
    size_t id_n = 0;
    ck_assert(weir_token_parse(weir_slice_of(sent->token), id, &id_n));
    ck_assert(weir_slice_is(weir_slice(id, id_n), "tenant"));
    weir__v1__create_namespace_request__free_unpacked(sent, NULL);
}
END_TEST

static weir_status delete_namespace(void)
{
    char name[] = "tenant";
    Weir__V1__DeleteNamespaceRequest request = WEIR__V1__DELETE_NAMESPACE_REQUEST__INIT;
    request.namespace_ = name;
    Weir__V1__DeleteNamespaceResponse *response = NULL;
    return weir_namespaces_delete_namespace(client, &request, NULL, &response, &err);
}

START_TEST(a_deletion_is_never_repeated)
{
    const struct fake_action script[] = {fail_unavailable, disconnect, answer_version};
    start(script, 3);
    ck_assert_int_eq(delete_namespace(), WEIR_BACKEND_UNAVAILABLE);
    ck_assert_str_eq(err.text, "busy");
    ck_assert_int_eq(delete_namespace(), WEIR_BACKEND_UNAVAILABLE);
    ck_assert_str_eq(weir_error_get_detail(&err, "url"), fake_server_url(server));
    ck_assert_uint_eq(fake_server_requests(server), 2);
}
END_TEST

START_TEST(the_number_of_attempts_can_be_limited)
{
    start(&fail_unavailable, 1);
    struct weir_call_options options = WEIR_CALL_OPTIONS_INIT;
    options.max_attempts = 3;
    ck_assert_int_eq(get_version(&options, NULL), WEIR_BACKEND_UNAVAILABLE);
    ck_assert_uint_eq(fake_server_requests(server), 3);
}
END_TEST

START_TEST(attempts_end_at_the_deadline)
{
    start(&fail_unavailable, 1);
    struct weir_call_options options = WEIR_CALL_OPTIONS_INIT;
    options.timeout_ms = 300;
    const int64_t began = weir_monotonic_us();
    ck_assert_int_eq(get_version(&options, NULL), WEIR_BACKEND_UNAVAILABLE);
    ck_assert_str_eq(err.text, "busy");
    ck_assert_int_le(weir_monotonic_us() - began, 1000000);
    ck_assert_uint_gt(fake_server_requests(server), 2);
}
END_TEST

START_TEST(no_pause_is_made_that_ends_after_the_deadline)
{
    server = fake_server_start(&fail_unavailable, 1);
    struct weir_client_options options = WEIR_CLIENT_OPTIONS_INIT;
    options.url = fake_server_url(server);
    options.timeout_ms = 5000;
    options.retry.first_delay_ms = 60000;
    options.retry.max_delay_ms = 60000;
    ck_assert_int_eq(weir_client_open(&options, &client, &err), WEIR_OK);
    const int64_t began = weir_monotonic_us();
    ck_assert_int_eq(get_version(NULL, NULL), WEIR_BACKEND_UNAVAILABLE);
    ck_assert_str_eq(err.text, "busy");
    ck_assert_int_le(weir_monotonic_us() - began, 20000000);
    ck_assert_uint_eq(fake_server_requests(server), 1);
}
END_TEST

START_TEST(no_reply_is_deadline_exceeded_and_names_the_server)
{
    start(&keep_silent, 1);
    struct weir_call_options options = WEIR_CALL_OPTIONS_INIT;
    options.timeout_ms = 200;
    const int64_t began = weir_monotonic_us();
    ck_assert_int_eq(get_version(&options, NULL), WEIR_DEADLINE_EXCEEDED);
    ck_assert_int_ge(weir_monotonic_us() - began, 190000);
    ck_assert_int_le(weir_monotonic_us() - began, 2000000);
    ck_assert_ptr_nonnull(strstr(err.text, fake_server_url(server)));
    ck_assert_str_eq(weir_error_get_detail(&err, "url"), fake_server_url(server));
}
END_TEST

START_TEST(no_reply_to_a_repeated_call_is_deadline_exceeded)
{
    const struct fake_action script[] = {fail_unavailable, keep_silent};
    start(script, 2);
    struct weir_call_options options = WEIR_CALL_OPTIONS_INIT;
    options.timeout_ms = 300;
    ck_assert_int_eq(get_version(&options, NULL), WEIR_DEADLINE_EXCEEDED);
    ck_assert_uint_eq(fake_server_requests(server), 2);
}
END_TEST

START_TEST(no_connection_for_a_repeated_call_is_unavailable)
{
    const struct fake_action script[] = {fail_unavailable};
    start(script, 1);
    struct weir_call_options options = WEIR_CALL_OPTIONS_INIT;
    options.timeout_ms = 300;
    ck_assert_int_eq(get_version(&options, NULL), WEIR_BACKEND_UNAVAILABLE);
    fake_server_stop(server);
    server = NULL;
    ck_assert_int_eq(get_version(&options, NULL), WEIR_BACKEND_UNAVAILABLE);
    ck_assert_ptr_nonnull(weir_error_get_detail(&err, "url"));
}
END_TEST

/* A TCP port that accepts connections and never says a word, or, not listening, refuses them. */
static int open_port(bool is_listening, char *url, size_t size)
{
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t n = sizeof address;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, n), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&address, &n), 0);
    if (is_listening) {
        ck_assert_int_eq(listen(fd, 8), 0);
    }
    (void)snprintf(url, size, "tcp://127.0.0.1:%d", ntohs(address.sin_port));
    return fd;
}

START_TEST(a_port_without_a_server_is_unavailable_in_time)
{
    char url[64];
    const int fd = open_port(_i == 1, url, sizeof url);
    open_client(url, 300);
    const int64_t began = weir_monotonic_us();
    ck_assert_int_eq(get_version(NULL, NULL), WEIR_BACKEND_UNAVAILABLE);
    ck_assert_int_ge(weir_monotonic_us() - began, 290000);
    ck_assert_int_le(weir_monotonic_us() - began, 2000000);
    ck_assert_ptr_nonnull(strstr(err.text, url));
    (void)close(fd);
}
END_TEST

START_TEST(a_request_that_is_too_large_is_not_sent)
{
    server = fake_server_start(&answer_write, 1);
    struct weir_client_options options = WEIR_CLIENT_OPTIONS_INIT;
    options.url = fake_server_url(server);
    options.max_request_bytes = 1000;
    ck_assert_int_eq(weir_client_open(&options, &client, &err), WEIR_OK);
    static char stream[2000];
    memset(stream, 's', sizeof stream - 1);
    Weir__V1__WriteMessagesRequest request = WEIR__V1__WRITE_MESSAGES_REQUEST__INIT;
    request.stream_name = stream;
    Weir__V1__WriteMessagesResponse *response = NULL;
    ck_assert_int_eq(weir_message_store_write_messages(client, &request, NULL, &response, &err),
                     WEIR_LIMIT_EXCEEDED);
    ck_assert_str_eq(weir_error_get_detail(&err, "limit"), "1000");
    ck_assert_int_eq(write_two(), WEIR_OK);
    ck_assert_uint_eq(fake_server_requests(server), 1);
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
    const weir_status st =
        weir_message_store_write_messages(client, &request, NULL, &response, &err);
    weir_response_free(response);
    return st;
}

/* With the longest form that the time it is given can have. */
START_TEST(a_request_may_be_as_large_as_the_limit)
{
    const Weir__V1__WriteMessagesResponse nothing = WEIR__V1__WRITE_MESSAGES_RESPONSE__INIT;
    const struct fake_action answer = {FAKE_ANSWER, &nothing.base, NULL};
    server = fake_server_start(&answer, 1);
    struct weir_client_options options = WEIR_CLIENT_OPTIONS_INIT;
    options.url = fake_server_url(server);
    options.max_request_bytes = 1000;
    ck_assert_int_eq(weir_client_open(&options, &client, &err), WEIR_OK);
    size_t n = 800;
    while (write_to(n) == WEIR_OK) {
        n++;
    }
    ck_assert_int_eq(err.status, WEIR_LIMIT_EXCEEDED);
    ck_assert_str_eq(weir_error_get_detail(&err, "actual"), "1001");
    const struct fake_request *last = fake_server_request(server, n - 801);
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
    start(&answer_version, 1);
    struct weir_call_options options = WEIR_CALL_OPTIONS_INIT;
    options.timeout_ms = UINT32_MAX;
    ck_assert_int_eq(get_version(&options, NULL), WEIR_OK);
    ck_assert_uint_le(fake_server_request(server, 0)->timeout_ms, INT32_MAX);
}
END_TEST

/* What a call used up does not count for the next one, which takes its place. */
START_TEST(each_call_has_attempts_of_its_own)
{
    const struct fake_action script[] = {fail_unavailable, fail_unavailable, answer_version,
                                         fail_unavailable, fail_unavailable, answer_version};
    start(script, WEIR_COUNTOF(script));
    struct weir_call_options options = WEIR_CALL_OPTIONS_INIT;
    options.max_attempts = 3;
    ck_assert_int_eq(get_version(&options, NULL), WEIR_OK);
    ck_assert_int_eq(get_version(&options, NULL), WEIR_OK);
    ck_assert_uint_eq(fake_server_requests(server), 6);
}
END_TEST

START_TEST(a_long_poll_may_take_its_wait_and_the_usual_time)
{
    Weir__V1__GetStreamMessagesResponse response = WEIR__V1__GET_STREAM_MESSAGES_RESPONSE__INIT;
    const struct fake_action answer = {FAKE_ANSWER, &response.base, NULL};
    start(&answer, 1);
    char stream[] = "account-1";
    Weir__V1__GetStreamMessagesRequest request = WEIR__V1__GET_STREAM_MESSAGES_REQUEST__INIT;
    request.stream_name = stream;
    request.has_wait_ms = true;
    request.wait_ms = 50000;
    Weir__V1__GetStreamMessagesResponse *got = NULL;
    ck_assert_int_eq(weir_message_store_get_stream_messages(client, &request, NULL, &got, &err),
                     WEIR_OK);
    weir_response_free(got);
    ck_assert_uint_gt(fake_server_request(server, 0)->timeout_ms, 59000);
    ck_assert_uint_le(fake_server_request(server, 0)->timeout_ms, 60000);
}
END_TEST

START_TEST(a_reply_that_is_no_reply_is_an_error)
{
    Weir__V1__Request other = WEIR__V1__REQUEST__INIT;
    other.has_timeout_ms = true;
    char text[] = "\xff";
    other.method = text;
    const struct fake_action answer = {FAKE_ANSWER, &other.base, NULL};
    start(&answer, 1);
    ck_assert_int_eq(get_version(NULL, NULL), WEIR_BACKEND_ERROR);
    ck_assert_uint_eq(fake_server_requests(server), 1);
}
END_TEST

/* ---- replies that are not what they should be ---- */

static const size_t wrong_counts[] = {0, 1, 3};

START_TEST(a_write_whose_reply_does_not_tell_of_each_message_is_an_error)
{
    write_response.n_written = wrong_counts[_i];
    start(&answer_write, 1);
    ck_assert_int_eq(write_two(), WEIR_BACKEND_ERROR);
    ck_assert_uint_eq(fake_server_requests(server), 1);
}
END_TEST

/* How many results, and how many messages the second tells of, instead of two and one. */
static const size_t wrong_results[][2] = {{0, 0}, {1, 0}, {2, 0}, {2, 2}, {3, 1}};

START_TEST(so_is_one_to_several_streams)
{
    Weir__V1__StreamWritten results[3] = {WEIR__V1__STREAM_WRITTEN__INIT,
                                          WEIR__V1__STREAM_WRITTEN__INIT,
                                          WEIR__V1__STREAM_WRITTEN__INIT};
    Weir__V1__StreamWritten *pointers[] = {&results[0], &results[1], &results[2]};
    results[1].n_written = wrong_results[_i][1];
    results[1].written = written;
    Weir__V1__WriteStreamsResponse response = WEIR__V1__WRITE_STREAMS_RESPONSE__INIT;
    response.n_results = wrong_results[_i][0];
    response.results = pointers;
    const struct fake_action answer = {FAKE_ANSWER, &response.base, NULL};
    start(&answer, 1);
    ck_assert_int_eq(write_to_streams(), WEIR_BACKEND_ERROR);
}
END_TEST

/* Forward and backward; two pages that lead on, then one that does not. */
START_TEST(a_read_whose_replies_lead_nowhere_ends)
{
    Weir__V1__GetCategoryMessagesResponse pages[3];
    struct fake_action script[3];
    static const int64_t next[2][3] = {{5, 9, 9}, {9, 5, 5}};
    for (size_t i = 0; i < 3; i++) {
        weir__v1__get_category_messages_response__init(&pages[i]);
        pages[i].has_truncated = true;
        pages[i].truncated = true;
        pages[i].has_next_position = true;
        pages[i].next_position = next[_i][i];
        script[i] = (struct fake_action){FAKE_ANSWER, &pages[i].base, NULL};
    }
    start(script, 3);
    Weir__V1__GetCategoryMessagesRequest request = WEIR__V1__GET_CATEGORY_MESSAGES_REQUEST__INIT;
    request.has_direction = true;
    request.direction = _i == 0 ? WEIR__V1__DIRECTION__FORWARD : WEIR__V1__DIRECTION__BACKWARD;
    struct weir_reader *reader = NULL;
    ck_assert_int_eq(weir_reader_open_category(client, &request, NULL, &reader, &err), WEIR_OK);
    for (size_t n = 3; n < 5; n++) {
        const Weir__V1__Message *message = NULL;
        ck_assert_int_eq(weir_reader_next(reader, &message, &err), WEIR_BACKEND_ERROR);
        ck_assert_ptr_null(message);
        ck_assert_uint_eq(fake_server_requests(server), n);
    }
    weir_reader_close(reader);
}
END_TEST

/* With and without messages; a page that leads on, one that stays where it is because there is
 * nothing, and one that does not lead on. */
START_TEST(a_subscription_whose_replies_lead_nowhere_ends)
{
    static Weir__V1__Message message = WEIR__V1__MESSAGE__INIT;
    static Weir__V1__Message *messages[] = {&message};
    Weir__V1__GetCategoryMessagesResponse pages[3];
    struct fake_action script[3];
    const int64_t next[3] = {9, 9, _i == 0 ? 9 : 8};
    for (size_t i = 0; i < 3; i++) {
        weir__v1__get_category_messages_response__init(&pages[i]);
        pages[i].has_next_position = true;
        pages[i].next_position = next[i];
        pages[i].n_messages = _i == 0 && i != 1 ? 1 : 0;
        pages[i].messages = messages;
        script[i] = (struct fake_action){FAKE_ANSWER, &pages[i].base, NULL};
    }
    start(script, 3);
    struct weir_subscription_options options = WEIR_SUBSCRIPTION_OPTIONS_INIT;
    options.category = "account";
    struct weir_subscription *sub = NULL;
    ck_assert_int_eq(weir_subscription_open(client, &options, &sub, &err), WEIR_OK);
    const Weir__V1__Message *given = NULL;
    if (_i == 0) {
        ck_assert_int_eq(weir_subscription_next(sub, UINT32_MAX, &given, &err), WEIR_OK);
        ck_assert_ptr_nonnull(given);
    }
    for (size_t n = 0; n < 2; n++) {
        ck_assert_int_eq(weir_subscription_next(sub, UINT32_MAX, &given, &err), WEIR_BACKEND_ERROR);
        ck_assert_int_eq(weir_subscription_position(sub), 9);
        ck_assert_uint_eq(fake_server_requests(server), 3);
    }
    weir_subscription_close(sub);
}
END_TEST

/* What a page says of two messages and of where to go on. */
struct order {
    bool is_backward;
    int64_t at[2];
    int64_t next;
    weir_status status;
};

static const struct order orders[] = {
    {false, {5, 8}, 9, WEIR_OK},
    {false, {5, 5}, 9, WEIR_BACKEND_ERROR},
    {false, {6, 5}, 9, WEIR_BACKEND_ERROR},
    {false, {5, 9}, 9, WEIR_BACKEND_ERROR},
    {false, {5, INT64_MAX}, INT64_MAX, WEIR_BACKEND_ERROR},
    {false, {5, INT64_MAX}, INT64_MIN, WEIR_BACKEND_ERROR},
    {true, {8, 5}, 4, WEIR_OK},
    {true, {5, 5}, 1, WEIR_BACKEND_ERROR},
    {true, {5, 6}, 1, WEIR_BACKEND_ERROR},
    {true, {5, 1}, 1, WEIR_BACKEND_ERROR},
    {true, {5, INT64_MIN}, INT64_MIN, WEIR_BACKEND_ERROR},
};

/* Starts a server that answers a read with such a page. */
static void start_page(const struct order *order)
{
    static Weir__V1__Message message[2] = {WEIR__V1__MESSAGE__INIT, WEIR__V1__MESSAGE__INIT};
    static Weir__V1__Message *messages[2] = {&message[0], &message[1]};
    static Weir__V1__GetCategoryMessagesResponse page;
    static struct fake_action script;
    weir__v1__get_category_messages_response__init(&page);
    for (size_t i = 0; i < 2; i++) {
        message[i].has_global_position = true;
        message[i].global_position = order->at[i];
    }
    page.n_messages = 2;
    page.messages = messages;
    page.has_next_position = true;
    page.next_position = order->next;
    script = (struct fake_action){FAKE_ANSWER, &page.base, NULL};
    start(&script, 1);
}

START_TEST(messages_of_a_read_that_are_not_in_order_are_an_error)
{
    const struct order *order = &orders[_i];
    start_page(order);
    Weir__V1__GetCategoryMessagesRequest request = WEIR__V1__GET_CATEGORY_MESSAGES_REQUEST__INIT;
    request.has_direction = true;
    request.direction =
        order->is_backward ? WEIR__V1__DIRECTION__BACKWARD : WEIR__V1__DIRECTION__FORWARD;
    struct weir_reader *reader = NULL;
    const Weir__V1__Message *message = NULL;
    ck_assert_int_eq(weir_reader_open_category(client, &request, NULL, &reader, &err), WEIR_OK);
    ck_assert_int_eq(weir_reader_next(reader, &message, &err), order->status);
    ck_assert_int_eq(message != NULL, order->status == WEIR_OK);
    weir_reader_close(reader);
}
END_TEST

START_TEST(so_are_those_of_a_subscription)
{
    const struct order *order = &orders[_i];
    if (order->is_backward) {
        return;
    }
    start_page(order);
    struct weir_subscription_options options = WEIR_SUBSCRIPTION_OPTIONS_INIT;
    options.category = "account";
    struct weir_subscription *sub = NULL;
    const Weir__V1__Message *message = NULL;
    ck_assert_int_eq(weir_subscription_open(client, &options, &sub, &err), WEIR_OK);
    ck_assert_int_eq(weir_subscription_next(sub, UINT32_MAX, &message, &err), order->status);
    ck_assert_int_eq(message != NULL, order->status == WEIR_OK);
    weir_subscription_close(sub);
}
END_TEST

/* Of a stream and of everything. */
START_TEST(an_end_without_a_position_behind_it_is_an_error)
{
    static const struct order last = {false, {INT64_MAX, INT64_MAX}, 0, WEIR_OK};
    struct weir_subscription_options options = WEIR_SUBSCRIPTION_OPTIONS_INIT;
    options.start = WEIR_START_END;
    options.all = _i == 1;
    if (_i == 0) {
        options.stream_name = "account-1";
        version_response.version = INT64_MAX;
        start(&answer_version, 1);
    } else {
        start_page(&last);
    }
    struct weir_subscription *sub = NULL;
    ck_assert_int_eq(weir_subscription_open(client, &options, &sub, &err), WEIR_BACKEND_ERROR);
    ck_assert_ptr_null(sub);
}
END_TEST

START_TEST(options_that_cannot_be_used_are_refused)
{
    static const char *const urls[] = {"nonsense", "tcp://127.0.0.1", "tcp://127.0.0.1:0",
                                       "gopher://127.0.0.1:70", "tls+tcp://localhost"};
    for (size_t i = 0; i < WEIR_COUNTOF(urls); i++) {
        struct weir_client_options options = WEIR_CLIENT_OPTIONS_INIT;
        options.url = urls[i];
        ck_assert_msg(weir_client_open(&options, &client, &err) == WEIR_INVALID_REQUEST, "%s",
                      urls[i]);
        ck_assert_ptr_nonnull(strstr(err.text, urls[i]));
        ck_assert_ptr_null(client);
    }
    struct weir_client_options options = WEIR_CLIENT_OPTIONS_INIT;
    options.connections = 65;
    ck_assert_int_eq(weir_client_open(&options, &client, &err), WEIR_INVALID_REQUEST);
    options.connections = 1;
    options.url = "tls+tcp://localhost:7117";
    options.tls_ca_file = "/nonexistent";
    ck_assert_int_eq(weir_client_open(&options, &client, &err), WEIR_INVALID_REQUEST);
    ck_assert_ptr_nonnull(strstr(err.text, "/nonexistent"));
}
END_TEST

/* ---- many calls at once ---- */

enum { THREADS = 8, CALLS = 200, ASYNC_CALLS = 1000 };

static void *call_many(void *arg)
{
    (void)arg;
    struct weir_error own;
    weir_error_init(&own);
    char stream[] = "account-1";
    Weir__V1__GetStreamVersionRequest request = WEIR__V1__GET_STREAM_VERSION_REQUEST__INIT;
    request.stream_name = stream;
    size_t good = 0;
    for (int i = 0; i < CALLS; i++) {
        Weir__V1__GetStreamVersionResponse *response = NULL;
        if (weir_message_store_get_stream_version(client, &request, NULL, &response, &own) ==
                WEIR_OK &&
            response->version == 41) {
            good++;
        }
        weir_response_free(response);
    }
    return (void *)(uintptr_t)good;
}

START_TEST(many_threads_share_a_client)
{
    start(&answer_version, 1);
    pthread_t threads[THREADS];
    for (size_t t = 0; t < THREADS; t++) {
        ck_assert_int_eq(pthread_create(&threads[t], NULL, call_many, NULL), 0);
    }
    for (size_t t = 0; t < THREADS; t++) {
        void *good = NULL;
        ck_assert_int_eq(pthread_join(threads[t], &good), 0);
        ck_assert_uint_eq((uintptr_t)good, CALLS);
    }
    ck_assert_uint_eq(fake_server_requests(server), (size_t)THREADS * CALLS);
}
END_TEST

struct tally {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    size_t done;
    size_t good;
    weir_status last;
};

static struct tally tally = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, 0, WEIR_OK};

static void count(void *context, weir_status status, Weir__V1__GetStreamVersionResponse *response,
                  const struct weir_error *error)
{
    struct tally *to = context;
    (void)pthread_mutex_lock(&to->mutex);
    to->done++;
    to->good += status == WEIR_OK && response->version == 41 && error->status == WEIR_OK ? 1 : 0;
    to->last = status;
    (void)pthread_cond_broadcast(&to->changed);
    (void)pthread_mutex_unlock(&to->mutex);
    weir_response_free(response);
}

static void start_async(size_t n)
{
    tally.done = 0;
    tally.good = 0;
    for (size_t i = 0; i < n; i++) {
        /* The request is gone as soon as the function returns. */
        char *stream = strdup("account-1");
        Weir__V1__GetStreamVersionRequest request = WEIR__V1__GET_STREAM_VERSION_REQUEST__INIT;
        request.stream_name = stream;
        ck_assert_int_eq(weir_message_store_get_stream_version_async(client, &request, NULL, count,
                                                                     &tally, &err),
                         WEIR_OK);
        memset(stream, 'x', strlen(stream));
        free(stream);
    }
}

static void await_tally(size_t n)
{
    (void)pthread_mutex_lock(&tally.mutex);
    while (tally.done < n) {
        (void)pthread_cond_wait(&tally.changed, &tally.mutex);
    }
    (void)pthread_mutex_unlock(&tally.mutex);
}

START_TEST(many_asynchronous_calls_are_in_flight)
{
    const struct fake_action script[] = {fail_unavailable, fail_unavailable, answer_version};
    start(script, 3);
    start_async(ASYNC_CALLS);
    await_tally(ASYNC_CALLS);
    ck_assert_msg(tally.good == ASYNC_CALLS, "%zu of %d good, last %s, %zu requests", tally.good,
                  ASYNC_CALLS, weir_status_name(tally.last), fake_server_requests(server));
}
END_TEST

START_TEST(closing_ends_what_is_in_flight)
{
    const struct fake_action scripts[] = {keep_silent, fail_unavailable};
    server = fake_server_start(&scripts[_i], 1);
    open_client(fake_server_url(server), 60000);
    start_async(20);
    fake_server_await(server, 1);
    weir_client_close(client);
    client = NULL;
    ck_assert_uint_eq(tally.done, 20);
    ck_assert_uint_eq(tally.good, 0);
    ck_assert_int_eq(tally.last, WEIR_CANCELLED);
}
END_TEST

START_TEST(calls_in_flight_are_bounded)
{
    server = fake_server_start(&keep_silent, 1);
    struct weir_client_options options = WEIR_CLIENT_OPTIONS_INIT;
    options.url = fake_server_url(server);
    options.max_in_flight = 2;
    ck_assert_int_eq(weir_client_open(&options, &client, &err), WEIR_OK);
    start_async(2);
    ck_assert_int_eq(get_version(NULL, NULL), WEIR_LIMIT_EXCEEDED);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("calls");
    TCase *calls = tcase_create("calls");
    tcase_set_timeout(calls, 60);
    tcase_add_checked_fixture(calls, setup, teardown);
    tcase_add_test(calls, a_call_carries_method_token_time_and_namespace);
    tcase_add_test(calls, a_failure_keeps_reason_text_and_details);
    tcase_add_test(calls, more_details_than_an_error_holds_fit_into_an_enlarged_one);
    tcase_add_test(calls, a_write_is_repeated_with_the_same_ids);
    tcase_add_test(calls, ids_are_filled_in_every_stream_of_a_request);
    tcase_add_test(calls, a_namespace_is_created_with_the_same_token_again);
    tcase_add_test(calls, a_deletion_is_never_repeated);
    tcase_add_test(calls, the_number_of_attempts_can_be_limited);
    tcase_add_test(calls, attempts_end_at_the_deadline);
    tcase_add_test(calls, no_pause_is_made_that_ends_after_the_deadline);
    tcase_add_test(calls, no_reply_is_deadline_exceeded_and_names_the_server);
    tcase_add_test(calls, no_reply_to_a_repeated_call_is_deadline_exceeded);
    tcase_add_test(calls, no_connection_for_a_repeated_call_is_unavailable);
    tcase_add_loop_test(calls, a_port_without_a_server_is_unavailable_in_time, 0, 2);
    tcase_add_test(calls, a_request_that_is_too_large_is_not_sent);
    tcase_add_test(calls, a_request_may_be_as_large_as_the_limit);
    tcase_add_test(calls, the_longest_time_is_bounded);
    tcase_add_test(calls, each_call_has_attempts_of_its_own);
    tcase_add_test(calls, a_long_poll_may_take_its_wait_and_the_usual_time);
    tcase_add_test(calls, a_reply_that_is_no_reply_is_an_error);
    tcase_add_loop_test(calls, a_write_whose_reply_does_not_tell_of_each_message_is_an_error, 0,
                        WEIR_COUNTOF(wrong_counts));
    tcase_add_loop_test(calls, so_is_one_to_several_streams, 0, WEIR_COUNTOF(wrong_results));
    tcase_add_loop_test(calls, a_read_whose_replies_lead_nowhere_ends, 0, 2);
    tcase_add_loop_test(calls, a_subscription_whose_replies_lead_nowhere_ends, 0, 2);
    tcase_add_loop_test(calls, messages_of_a_read_that_are_not_in_order_are_an_error, 0,
                        WEIR_COUNTOF(orders));
    tcase_add_loop_test(calls, so_are_those_of_a_subscription, 0, WEIR_COUNTOF(orders));
    tcase_add_loop_test(calls, an_end_without_a_position_behind_it_is_an_error, 0, 2);
    tcase_add_test(calls, options_that_cannot_be_used_are_refused);
    tcase_add_test(calls, many_threads_share_a_client);
    tcase_add_test(calls, many_asynchronous_calls_are_in_flight);
    tcase_add_loop_test(calls, closing_ends_what_is_in_flight, 0, 2);
    tcase_add_test(calls, calls_in_flight_are_bounded);
    suite_add_tcase(suite, calls);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
