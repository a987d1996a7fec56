#include "tests/client/scripted.h"

struct scripted scripted;

static struct weir_error unavailable;

const struct fake_action answer_version = {FAKE_ANSWER, &scripted.version_response.base, NULL};
const struct fake_action answer_write = {FAKE_ANSWER, &scripted.write_response.base, NULL};
const struct fake_action fail_unavailable = {FAKE_FAIL, NULL, &unavailable};
const struct fake_action fail_conflict = {FAKE_FAIL, NULL, &scripted.conflict};
const struct fake_action keep_silent = {FAKE_SILENCE, NULL, NULL};

static void prepare_answers(void)
{
    static Weir__V1__WrittenMessage message = WEIR__V1__WRITTEN_MESSAGE__INIT;
    static Weir__V1__WrittenMessage *written[] = {&message, &message, &message};
    weir__v1__get_stream_version_response__init(&scripted.version_response);
    scripted.version_response.has_exists = true;
    scripted.version_response.exists = true;
    scripted.version_response.has_version = true;
    scripted.version_response.version = 41;
    weir__v1__write_messages_response__init(&scripted.write_response);
    scripted.write_response.n_written = 2;
    scripted.write_response.written = written;
}

static void prepare_failures(void)
{
    weir_error_init(&unavailable);
    (void)weir_fail(&unavailable, WEIR_BACKEND_UNAVAILABLE, "busy");
    weir_error_init(&scripted.conflict);
    (void)weir_fail(&scripted.conflict, WEIR_STREAM_VERSION_CONFLICT, "stream is elsewhere");
    weir_error_detail(&scripted.conflict, "stream", "account-1");
    weir_error_detail(&scripted.conflict, "actual", "7");
}

void scripted_setup(void)
{
    weir_error_init(&scripted.err);
    prepare_answers();
    prepare_failures();
}

/* The server is stopped first, because nng 1.5.2 leaks a connection whose handshake completes while
 * its socket is being closed (tcptran_ep_close does not free connections that wait for a user). A
 * lost connection is redialled at once, so closing the client first could hit this. */
void scripted_teardown(void)
{
    if (scripted.server != NULL) {
        fake_server_stop(scripted.server);
        scripted.server = NULL;
    }
    weir_client_close(scripted.client);
    scripted.client = NULL;
}

void scripted_open_client(const char *url, uint32_t timeout_ms)
{
    struct weir_client_options options = WEIR_CLIENT_OPTIONS_INIT;
    options.url = url;
    options.token = "the token";
    options.timeout_ms = timeout_ms;
    options.retry.first_delay_ms = 5;
    options.retry.max_delay_ms = 20;
    ck_assert_msg(weir_client_open(&options, &scripted.client, &scripted.err) == WEIR_OK, "%s",
                  scripted.err.text);
}

void scripted_start(const struct fake_action *script, size_t n)
{
    scripted.server = fake_server_start(script, n);
    scripted_open_client(fake_server_url(scripted.server), 10000);
}

weir_status scripted_get_version(const struct weir_call_options *options, int64_t *version)
{
    Weir__V1__GetStreamVersionRequest request = WEIR__V1__GET_STREAM_VERSION_REQUEST__INIT;
    char stream[] = "account-1";
    request.stream_name = stream;
    Weir__V1__GetStreamVersionResponse *response = NULL;
    const weir_status st = weir_message_store_get_stream_version(scripted.client, &request, options,
                                                                 &response, &scripted.err);
    ck_assert((st == WEIR_OK) == (response != NULL));
    if (response != NULL && version != NULL) {
        *version = response->version;
    }
    weir_response_free(response);
    return st;
}

weir_status scripted_write_two(void)
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
    const weir_status st = weir_message_store_write_messages(scripted.client, &request, NULL,
                                                             &response, &scripted.err);
    ck_assert_ptr_null(messages[0].id);
    weir_response_free(response);
    return st;
}

weir_status scripted_write_to_streams(void)
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
    const weir_status st =
        weir_message_store_write_streams(scripted.client, &request, NULL, &got, &scripted.err);
    ck_assert((st == WEIR_OK) == (got != NULL));
    ck_assert_ptr_null(message.id);
    weir_response_free(got);
    return st;
}
