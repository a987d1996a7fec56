/* Which calls libweir sends again, and how a call ends when no reply arrives in time. */
#include "tests/client/scripted.h"
#include "tests/lib/check_main.h"
#include "weir/base/monotonic.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <nng/nng.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

static Weir__V1__CreateNamespaceResponse create_response =
    WEIR__V1__CREATE_NAMESPACE_RESPONSE__INIT;
static const struct fake_action answer_create = {FAKE_ANSWER, &create_response.base, NULL};
static const struct fake_action disconnect = {FAKE_DISCONNECT, NULL, NULL};

static void assert_same_payloads(size_t n)
{
    const struct fake_request *first = fake_server_request(scripted.server, 0);
    for (size_t i = 1; i < n; i++) {
        const struct fake_request *r = fake_server_request(scripted.server, i);
        ck_assert_uint_eq(r->payload_n, first->payload_n);
        ck_assert_mem_eq(r->payload, first->payload, first->payload_n);
    }
}

START_TEST(a_write_is_repeated_with_the_same_ids)
{
    const struct fake_action script[] = {fail_unavailable, disconnect, answer_write};
    scripted_start(script, 3);
    ck_assert_int_eq(scripted_write_two(), WEIR_OK);
    ck_assert_int_eq(scripted.err.status, WEIR_OK);
    ck_assert_uint_eq(fake_server_requests(scripted.server), 3);
    assert_same_payloads(3);
    const struct fake_request *r = fake_server_request(scripted.server, 0);
    Weir__V1__WriteMessagesRequest *sent =
        weir__v1__write_messages_request__unpack(NULL, r->payload_n, r->payload);
    struct weir_uuid id;
    ck_assert(weir_uuid_parse(weir_slice_of(sent->messages[0]->id), &id));
    ck_assert_int_eq(id.bytes[6] >> 4, 7);
    ck_assert_str_eq(sent->messages[1]->id, "00000000-0000-4000-8000-000000000001");
    weir__v1__write_messages_request__free_unpacked(sent, NULL);
}
END_TEST

START_TEST(a_namespace_is_created_with_the_same_token_again)
{
    const struct fake_action script[] = {disconnect, answer_create};
    scripted_start(script, 2);
    char name[] = "tenant";
    Weir__V1__CreateNamespaceRequest request = WEIR__V1__CREATE_NAMESPACE_REQUEST__INIT;
    request.namespace_ = name;
    Weir__V1__CreateNamespaceResponse *response = NULL;
    ck_assert_int_eq(
        weir_namespaces_create_namespace(scripted.client, &request, NULL, &response, &scripted.err),
        WEIR_OK);
    weir_response_free(response);
    assert_same_payloads(2);
    const struct fake_request *r = fake_server_request(scripted.server, 0);
    Weir__V1__CreateNamespaceRequest *sent =
        weir__v1__create_namespace_request__unpack(NULL, r->payload_n, r->payload);
    uint8_t id[WEIR_NAMESPACE_MAX_BYTES];
    size_t id_n = 0;
    ck_assert(weir_token_parse(weir_slice_of(sent->token), id, &id_n));
    ck_assert(weir_slice_is(weir_slice(id, id_n), "tenant"));
    weir__v1__create_namespace_request__free_unpacked(sent, NULL);
}
END_TEST

/* ---- refusals after an attempt of unknown outcome ---- */

static struct weir_error full;
static struct weir_error unauthorized;
static const struct fake_action fail_full = {FAKE_FAIL, NULL, &full};
static const struct fake_action fail_unauthorized = {FAKE_FAIL, NULL, &unauthorized};

static void prepare_refusals(void)
{
    weir_error_init(&full);
    weir_error_init(&unauthorized);
    (void)weir_fail_full(&full, "the queue", "--max-calls", 1, 2);
    (void)weir_fail(&unauthorized, WEIR_AUTH_UNAUTHORIZED, "the token is unknown");
}

static void start_refusing(const struct fake_action *script, size_t n)
{
    prepare_refusals();
    scripted_start(script, n);
}

static void assert_in_doubt(const char *refusal)
{
    ck_assert_int_eq(scripted.err.status, WEIR_BACKEND_UNAVAILABLE);
    ck_assert_ptr_nonnull(strstr(scripted.err.text, "may have been carried out"));
    ck_assert_ptr_nonnull(strstr(scripted.err.text, refusal));
    ck_assert_str_eq(weir_error_get_detail(&scripted.err, "url"), fake_server_url(scripted.server));
}

START_TEST(a_write_in_doubt_is_repeated_past_a_full_queue)
{
    const struct fake_action script[] = {disconnect, fail_full, fail_full, answer_write};
    start_refusing(script, 4);
    ck_assert_int_eq(scripted_write_two(), WEIR_OK);
    ck_assert_uint_eq(fake_server_requests(scripted.server), 4);
    assert_same_payloads(4);
}
END_TEST

static void open_client_of_attempts(uint32_t max_attempts)
{
    struct weir_client_options options = WEIR_CLIENT_OPTIONS_INIT;
    options.url = fake_server_url(scripted.server);
    options.retry.max_attempts = max_attempts;
    ck_assert_int_eq(weir_client_open(&options, &scripted.client, &scripted.err), WEIR_OK);
}

static const weir_status refusals[] = {WEIR_LIMIT_EXCEEDED, WEIR_AUTH_UNAUTHORIZED,
                                       WEIR_AUTH_REQUIRED, WEIR_AUTH_INVALID_TOKEN};

/* A refusal after an attempt of unknown outcome does not settle the outcome. A full queue is
 * retried up to the limit of attempts. */
START_TEST(a_write_in_doubt_does_not_end_as_one_that_was_refused)
{
    const weir_status refusal = refusals[(size_t)_i % WEIR_COUNTOF(refusals)];
    const bool is_full = refusal == WEIR_LIMIT_EXCEEDED;
    const struct fake_action script[] = {(size_t)_i < WEIR_COUNTOF(refusals) ? disconnect
                                                                             : fail_unavailable,
                                         is_full ? fail_full : fail_unauthorized};
    prepare_refusals();
    if (!is_full) {
        (void)weir_fail(&unauthorized, refusal, "the token is unknown");
    }
    scripted.server = fake_server_start(script, 2);
    open_client_of_attempts(4);
    ck_assert_int_eq(scripted_write_two(), WEIR_BACKEND_UNAVAILABLE);
    assert_in_doubt(is_full ? "LIMIT_EXCEEDED: the queue" : weir_status_name(refusal));
    ck_assert_uint_eq(fake_server_requests(scripted.server), is_full ? 4 : 2);
}
END_TEST

/* If the first attempt succeeded, the caller's own token is the old one and is refused. */
START_TEST(a_new_token_in_doubt_is_not_refused)
{
    const struct fake_action script[] = {disconnect, fail_unauthorized};
    start_refusing(script, 2);
    char name[] = "tenant";
    Weir__V1__RotateTokenRequest request = WEIR__V1__ROTATE_TOKEN_REQUEST__INIT;
    request.namespace_ = name;
    Weir__V1__RotateTokenResponse *response = NULL;
    ck_assert_int_eq(
        weir_namespaces_rotate_token(scripted.client, &request, NULL, &response, &scripted.err),
        WEIR_BACKEND_UNAVAILABLE);
    assert_in_doubt("AUTH_UNAUTHORIZED: the token is");
    assert_same_payloads(2);
}
END_TEST

START_TEST(what_the_server_says_of_a_write_in_doubt_is_believed)
{
    const struct fake_action script[] = {disconnect, fail_conflict};
    scripted_start(script, 2);
    ck_assert_int_eq(scripted_write_two(), WEIR_STREAM_VERSION_CONFLICT);
    ck_assert_str_eq(scripted.err.text, "stream is elsewhere");
}
END_TEST

START_TEST(without_doubt_a_refusal_stands)
{
    const struct fake_action script[] = {fail_full, disconnect, fail_full, fail_unauthorized};
    start_refusing(script, 4);
    ck_assert_int_eq(scripted_write_two(), WEIR_LIMIT_EXCEEDED);
    ck_assert_uint_eq(fake_server_requests(scripted.server), 1);
    /* A read has no uncertain outcome. */
    ck_assert_int_eq(scripted_get_version(NULL, NULL), WEIR_LIMIT_EXCEEDED);
    ck_assert_uint_eq(fake_server_requests(scripted.server), 3);
    ck_assert_int_eq(scripted_write_two(), WEIR_AUTH_UNAUTHORIZED);
    ck_assert_uint_eq(fake_server_requests(scripted.server), 4);
}
END_TEST

static weir_status write_once(size_t stream_n)
{
    static char stream[70000];
    memset(stream, 's', stream_n);
    stream[stream_n] = '\0';
    Weir__V1__WriteMessagesRequest request = WEIR__V1__WRITE_MESSAGES_REQUEST__INIT;
    request.stream_name = stream;
    struct weir_call_options options = WEIR_CALL_OPTIONS_INIT;
    options.max_attempts = 1;
    Weir__V1__WriteMessagesResponse *response = NULL;
    return weir_message_store_write_messages(scripted.client, &request, &options, &response,
                                             &scripted.err);
}

/* The server closes the connection on a request that is too large, without a reply. */
START_TEST(a_connection_lost_on_a_large_request_may_have_been_lost_by_it)
{
    scripted_start(&disconnect, 1);
    ck_assert_int_eq(write_once(60000), WEIR_BACKEND_UNAVAILABLE);
    ck_assert_ptr_null(strstr(scripted.err.text, "--max-request-bytes"));
    ck_assert_ptr_null(strstr(scripted.err.text, "max_reply_bytes"));
    const char *bytes = weir_error_get_detail(&scripted.err, "request_bytes");
    ck_assert(bytes != NULL && strncmp(bytes, "600", 3) == 0);
    ck_assert_int_eq(write_once(66000), WEIR_BACKEND_UNAVAILABLE);
    ck_assert_ptr_nonnull(strstr(scripted.err.text, "--max-request-bytes: this one has 660"));
    bytes = weir_error_get_detail(&scripted.err, "request_bytes");
    ck_assert(bytes != NULL && strncmp(bytes, "660", 3) == 0);
}
END_TEST

START_TEST(a_connection_lost_on_a_reply_may_have_been_lost_by_its_size)
{
    struct weir_error large;
    char value[1000];
    memset(value, 'v', sizeof value);
    weir_error_init(&large);
    (void)weir_fail(&large, WEIR_PRECONDITION, "a large reply");
    weir_error_detail_slice(&large, "value", weir_slice(value, sizeof value));
    const struct fake_action fail_large = {FAKE_FAIL, NULL, &large};
    scripted.server = fake_server_start(&fail_large, 1);
    struct weir_client_options options = WEIR_CLIENT_OPTIONS_INIT;
    options.url = fake_server_url(scripted.server);
    options.retry.max_attempts = 1;
    options.max_reply_bytes = 1000;
    ck_assert_int_eq(weir_client_open(&options, &scripted.client, &scripted.err), WEIR_OK);
    ck_assert_int_eq(write_once(60000), WEIR_BACKEND_UNAVAILABLE);
    ck_assert_ptr_nonnull(strstr(scripted.err.text, "larger than max_reply_bytes, 1000"));
    weir_client_close(scripted.client);
    options.max_reply_bytes = 0;
    ck_assert_int_eq(weir_client_open(&options, &scripted.client, &scripted.err), WEIR_OK);
    ck_assert_int_eq(write_once(60000), WEIR_PRECONDITION);
}
END_TEST

static weir_status delete_namespace(void)
{
    char name[] = "tenant";
    Weir__V1__DeleteNamespaceRequest request = WEIR__V1__DELETE_NAMESPACE_REQUEST__INIT;
    request.namespace_ = name;
    Weir__V1__DeleteNamespaceResponse *response = NULL;
    return weir_namespaces_delete_namespace(scripted.client, &request, NULL, &response,
                                            &scripted.err);
}

START_TEST(a_deletion_is_never_repeated)
{
    const struct fake_action script[] = {fail_unavailable, disconnect, answer_version};
    scripted_start(script, 3);
    ck_assert_int_eq(delete_namespace(), WEIR_BACKEND_UNAVAILABLE);
    ck_assert_str_eq(scripted.err.text, "busy");
    ck_assert_int_eq(delete_namespace(), WEIR_BACKEND_UNAVAILABLE);
    ck_assert_str_eq(weir_error_get_detail(&scripted.err, "url"), fake_server_url(scripted.server));
    ck_assert_uint_eq(fake_server_requests(scripted.server), 2);
}
END_TEST

START_TEST(the_number_of_attempts_can_be_limited)
{
    scripted_start(&fail_unavailable, 1);
    struct weir_call_options options = WEIR_CALL_OPTIONS_INIT;
    options.max_attempts = 3;
    ck_assert_int_eq(scripted_get_version(&options, NULL), WEIR_BACKEND_UNAVAILABLE);
    ck_assert_uint_eq(fake_server_requests(scripted.server), 3);
}
END_TEST

/* The error is that of the last answered attempt, unless the deadline falls within an attempt. */
START_TEST(attempts_end_at_the_deadline)
{
    scripted_start(&fail_unavailable, 1);
    struct weir_call_options options = WEIR_CALL_OPTIONS_INIT;
    options.timeout_ms = 300;
    const int64_t began = weir_monotonic_us();
    if (scripted_get_version(&options, NULL) == WEIR_BACKEND_UNAVAILABLE) {
        ck_assert_str_eq(scripted.err.text, "busy");
    } else {
        ck_assert_int_eq(scripted.err.status, WEIR_DEADLINE_EXCEEDED);
    }
    ck_assert_int_le(weir_monotonic_us() - began, 1000000);
    ck_assert_uint_gt(fake_server_requests(scripted.server), 2);
}
END_TEST

START_TEST(no_pause_is_made_that_ends_after_the_deadline)
{
    scripted.server = fake_server_start(&fail_unavailable, 1);
    struct weir_client_options options = WEIR_CLIENT_OPTIONS_INIT;
    options.url = fake_server_url(scripted.server);
    options.timeout_ms = 5000;
    options.retry.first_delay_ms = 60000;
    options.retry.max_delay_ms = 60000;
    ck_assert_int_eq(weir_client_open(&options, &scripted.client, &scripted.err), WEIR_OK);
    const int64_t began = weir_monotonic_us();
    ck_assert_int_eq(scripted_get_version(NULL, NULL), WEIR_BACKEND_UNAVAILABLE);
    ck_assert_str_eq(scripted.err.text, "busy");
    ck_assert_int_le(weir_monotonic_us() - began, 20000000);
    ck_assert_uint_eq(fake_server_requests(scripted.server), 1);
}
END_TEST

START_TEST(no_reply_is_deadline_exceeded_and_names_the_server)
{
    scripted_start(&keep_silent, 1);
    struct weir_call_options options = WEIR_CALL_OPTIONS_INIT;
    options.timeout_ms = 200;
    const int64_t began = weir_monotonic_us();
    ck_assert_int_eq(scripted_get_version(&options, NULL), WEIR_DEADLINE_EXCEEDED);
    ck_assert_int_ge(weir_monotonic_us() - began, 190000);
    ck_assert_int_le(weir_monotonic_us() - began, 2000000);
    ck_assert_ptr_nonnull(strstr(scripted.err.text, fake_server_url(scripted.server)));
    ck_assert_str_eq(weir_error_get_detail(&scripted.err, "url"), fake_server_url(scripted.server));
}
END_TEST

START_TEST(no_reply_to_a_repeated_call_is_deadline_exceeded)
{
    const struct fake_action script[] = {fail_unavailable, keep_silent};
    scripted_start(script, 2);
    struct weir_call_options options = WEIR_CALL_OPTIONS_INIT;
    options.timeout_ms = 300;
    ck_assert_int_eq(scripted_get_version(&options, NULL), WEIR_DEADLINE_EXCEEDED);
    ck_assert_uint_eq(fake_server_requests(scripted.server), 2);
}
END_TEST

START_TEST(no_connection_for_a_repeated_call_is_unavailable)
{
    const struct fake_action script[] = {fail_unavailable};
    scripted_start(script, 1);
    struct weir_call_options options = WEIR_CALL_OPTIONS_INIT;
    options.max_attempts = 2;
    ck_assert_int_eq(scripted_get_version(&options, NULL), WEIR_BACKEND_UNAVAILABLE);
    fake_server_stop(scripted.server);
    scripted.server = NULL;
    options.timeout_ms = 300;
    /* The first call may still be sent on the connection that is being lost. */
    do {
        ck_assert_int_eq(scripted_get_version(&options, NULL), WEIR_BACKEND_UNAVAILABLE);
        ck_assert_ptr_nonnull(weir_error_get_detail(&scripted.err, "url"));
    } while (strstr(scripted.err.text, " was lost before ") != NULL);
    ck_assert_ptr_nonnull(strstr(scripted.err.text, "no free connection to "));
}
END_TEST

/* Opens a TCP port that accepts connections but never sends, or refuses them if not listening. */
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
    scripted_open_client(url, 300);
    const int64_t began = weir_monotonic_us();
    ck_assert_int_eq(scripted_get_version(NULL, NULL), WEIR_BACKEND_UNAVAILABLE);
    ck_assert_int_ge(weir_monotonic_us() - began, 290000);
    ck_assert_int_le(weir_monotonic_us() - began, 2000000);
    ck_assert_ptr_nonnull(strstr(scripted.err.text, "no connection to "));
    ck_assert_ptr_nonnull(strstr(scripted.err.text, url));
    (void)close(fd);
}
END_TEST

/* Attempts used by a call do not count for the next call, which reuses its slot. */
START_TEST(each_call_has_attempts_of_its_own)
{
    const struct fake_action script[] = {fail_unavailable, fail_unavailable, answer_version,
                                         fail_unavailable, fail_unavailable, answer_version};
    scripted_start(script, WEIR_COUNTOF(script));
    struct weir_call_options options = WEIR_CALL_OPTIONS_INIT;
    options.max_attempts = 3;
    ck_assert_int_eq(scripted_get_version(&options, NULL), WEIR_OK);
    ck_assert_int_eq(scripted_get_version(&options, NULL), WEIR_OK);
    ck_assert_uint_eq(fake_server_requests(scripted.server), 6);
}
END_TEST

/* ---- polls of a subscription ---- */

/* Follows a category for half a second, in which nothing comes, and checks that all polls but the
 * first few were at least half the longest pause apart. */
static void assert_polls_at_intervals(uint32_t max_attempts, size_t first_n)
{
    enum { PAUSE_LEAST_US = 10 * 1000, GROWING = 5 };
    struct weir_subscription_options options = WEIR_SUBSCRIPTION_OPTIONS_INIT;
    struct weir_subscription *sub = NULL;
    const Weir__V1__Message *message = NULL;
    options.category = "account";
    options.call.max_attempts = max_attempts;
    const int64_t from_us = weir_monotonic_us();
    ck_assert_int_eq(weir_subscription_open(scripted.client, &options, &sub, &scripted.err),
                     WEIR_OK);
    ck_assert_msg(weir_subscription_next(sub, 500, &message, &scripted.err) == WEIR_OK, "%s",
                  scripted.err.text);
    ck_assert_ptr_null(message);
    const int64_t passed_us = weir_monotonic_us() - from_us;
    const size_t polls = fake_server_requests(scripted.server);
    ck_assert_uint_gt(polls, first_n);
    ck_assert_uint_le(polls, first_n + GROWING + (size_t)(passed_us / PAUSE_LEAST_US));
    weir_subscription_close(sub);
}

START_TEST(polls_that_fail_are_repeated_at_intervals)
{
    scripted_start(&fail_unavailable, 1);
    assert_polls_at_intervals(1, 1);
}
END_TEST

/* The server refuses every wait, so each poll is answered at once. */
START_TEST(polls_that_may_not_wait_are_made_at_intervals)
{
    enum { HALVES = 9 };
    struct weir_error refusal;
    (void)weir_fail_field(&refusal, "wait_ms", "out of range");
    Weir__V1__GetCategoryMessagesResponse nothing = WEIR__V1__GET_CATEGORY_MESSAGES_RESPONSE__INIT;
    nothing.has_next_position = true;
    nothing.next_position = 1;
    struct fake_action script[HALVES + 1];
    for (size_t i = 0; i < HALVES; i++) {
        script[i] = (struct fake_action){FAKE_FAIL, NULL, &refusal};
    }
    script[HALVES] = (struct fake_action){FAKE_ANSWER, &nothing.base, NULL};
    scripted_start(script, HALVES + 1);
    assert_polls_at_intervals(0, HALVES + 1);
}
END_TEST

/* ---- timeouts of another operation ---- */

void __real_nng_ctx_recv(nng_ctx ctx, nng_aio *aio);
void __wrap_nng_ctx_recv(nng_ctx ctx, nng_aio *aio);

static bool ends_next_receive;

void __wrap_nng_ctx_recv(nng_ctx ctx, nng_aio *aio)
{
    __real_nng_ctx_recv(ctx, aio);
    if (ends_next_receive) {
        ends_next_receive = false;
        nng_aio_abort(aio, NNG_ETIMEDOUT);
    }
}

START_TEST(a_time_out_that_comes_too_soon_is_no_deadline)
{
    const struct fake_action script[] = {keep_silent, keep_silent, answer_version};
    scripted_start(script, 3);
    struct weir_call_options options = WEIR_CALL_OPTIONS_INIT;
    options.max_attempts = 1;
    ends_next_receive = true;
    ck_assert_int_eq(scripted_get_version(&options, NULL), WEIR_BACKEND_UNAVAILABLE);
    ck_assert_ptr_null(strstr(scripted.err.text, "no reply"));
    ck_assert_str_eq(weir_error_get_detail(&scripted.err, "url"), fake_server_url(scripted.server));
    ends_next_receive = true;
    ck_assert_int_eq(scripted_get_version(NULL, NULL), WEIR_OK);
    ck_assert_uint_eq(fake_server_requests(scripted.server), 3);
}
END_TEST

static Suite *retries_suite(void)
{
    Suite *suite = suite_create("retries");
    TCase *retries = tcase_create("retries");
    tcase_set_timeout(retries, 60);
    tcase_add_checked_fixture(retries, scripted_setup, scripted_teardown);
    tcase_add_test(retries, a_write_is_repeated_with_the_same_ids);
    tcase_add_test(retries, a_namespace_is_created_with_the_same_token_again);
    tcase_add_test(retries, a_write_in_doubt_is_repeated_past_a_full_queue);
    tcase_add_loop_test(retries, a_write_in_doubt_does_not_end_as_one_that_was_refused, 0,
                        2 * WEIR_COUNTOF(refusals));
    tcase_add_test(retries, a_new_token_in_doubt_is_not_refused);
    tcase_add_test(retries, what_the_server_says_of_a_write_in_doubt_is_believed);
    tcase_add_test(retries, without_doubt_a_refusal_stands);
    tcase_add_test(retries, a_connection_lost_on_a_large_request_may_have_been_lost_by_it);
    tcase_add_test(retries, a_connection_lost_on_a_reply_may_have_been_lost_by_its_size);
    tcase_add_test(retries, a_deletion_is_never_repeated);
    tcase_add_test(retries, the_number_of_attempts_can_be_limited);
    tcase_add_test(retries, attempts_end_at_the_deadline);
    tcase_add_test(retries, no_pause_is_made_that_ends_after_the_deadline);
    tcase_add_test(retries, no_reply_is_deadline_exceeded_and_names_the_server);
    tcase_add_test(retries, no_reply_to_a_repeated_call_is_deadline_exceeded);
    tcase_add_test(retries, no_connection_for_a_repeated_call_is_unavailable);
    tcase_add_loop_test(retries, a_port_without_a_server_is_unavailable_in_time, 0, 2);
    tcase_add_test(retries, each_call_has_attempts_of_its_own);
    tcase_add_test(retries, polls_that_fail_are_repeated_at_intervals);
    tcase_add_test(retries, polls_that_may_not_wait_are_made_at_intervals);
    tcase_add_test(retries, a_time_out_that_comes_too_soon_is_no_deadline);
    suite_add_tcase(suite, retries);
    return suite;
}

int main(void)
{
    return check_main(retries_suite());
}
