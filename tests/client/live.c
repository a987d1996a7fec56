#include "tests/client/live.h"

#include "tests/lib/open_client.h"

#include <stdio.h>

struct live live;

static struct weir_client *open_live_client(struct weir_client_options options)
{
    options.url = live.server.args[1];
    options.token = live.server.default_token;
    options.retry.max_delay_ms = 100;
    return open_client_with(&options);
}

struct weir_client *live_client(uint32_t max_in_flight, size_t max_request_bytes)
{
    return open_live_client((struct weir_client_options){.max_in_flight = max_in_flight,
                                                         .max_request_bytes = max_request_bytes});
}

void live_setup_with(const char *option, const char *value)
{
    weir_error_init(&live.err);
    server_directory(&live.server);
    server_on_socket(&live.server);
    live.server.args[2] = option;
    live.server.args[3] = value;
    server_start(&live.server);
    live.client = open_live_client((struct weir_client_options){.connections = 1});
}

void live_setup(void)
{
    live_setup_with(NULL, NULL);
}

void live_setup_tcp(void)
{
    weir_error_init(&live.err);
    server_directory(&live.server);
    static char url[SERVER_TEXT_MAX];
    server_start(&live.server);
    (void)snprintf(url, sizeof url, "%s", live.server.urls[0]);
    live.server.args[0] = "--listen";
    live.server.args[1] = url;
    live.client = open_live_client((struct weir_client_options){.connections = 4});
}

void live_teardown(void)
{
    weir_client_close(live.client);
    ck_assert_int_eq(server_stop(&live.server), 0);
    server_remove(&live.server);
}

void live_restart(bool is_kill)
{
    if (is_kill) {
        server_kill(&live.server);
    } else {
        ck_assert_int_eq(server_stop(&live.server), 0);
    }
    server_start(&live.server);
}

int64_t live_append(struct weir_client *client, const struct live_message *of)
{
    Weir__V1__NewMessage message = WEIR__V1__NEW_MESSAGE__INIT;
    Weir__V1__NewMessage *messages[] = {&message};
    Weir__V1__WriteMessagesRequest request = WEIR__V1__WRITE_MESSAGES_REQUEST__INIT;
    Weir__V1__WriteMessagesResponse *response = NULL;
    struct weir_error err;
    weir_error_init(&err);
    message.type = (char *)(uintptr_t)of->type;
    message.has_data = of->data != NULL;
    message.data.data = (uint8_t *)(uintptr_t)of->data;
    message.data.len = of->data == NULL ? 0 : strlen(of->data);
    message.has_metadata = of->metadata != NULL;
    message.metadata.data = (uint8_t *)(uintptr_t)of->metadata;
    message.metadata.len = of->metadata == NULL ? 0 : strlen(of->metadata);
    request.stream_name = (char *)(uintptr_t)of->stream;
    request.messages = messages;
    request.n_messages = 1;
    const weir_status st =
        weir_message_store_write_messages(client, &request, NULL, &response, &err);
    ck_assert_msg(st == WEIR_OK, "write: %s", err.text);
    const int64_t position = response->written[0]->position;
    weir_response_free(response);
    return position;
}

int64_t live_write_by(struct weir_client *client, const char *stream, int n)
{
    int64_t first = -1;
    for (int i = 0; i < n; i++) {
        char data[32];
        (void)snprintf(data, sizeof data, "{\"n\":%d}", i);
        const struct live_message message = {.stream = stream, .type = "T", .data = data};
        const int64_t position = live_append(client, &message);
        first = i == 0 ? position - 1 : first;
    }
    return first;
}

int64_t live_write(const char *stream, int n)
{
    return live_write_by(live.client, stream, n);
}

int64_t live_count(const char *stream)
{
    Weir__V1__GetStreamVersionRequest request = WEIR__V1__GET_STREAM_VERSION_REQUEST__INIT;
    request.stream_name = (char *)(uintptr_t)stream;
    Weir__V1__GetStreamVersionResponse *response = NULL;
    ck_assert_int_eq(
        weir_message_store_get_stream_version(live.client, &request, NULL, &response, &live.err),
        WEIR_OK);
    const int64_t n = response->version + 1;
    weir_response_free(response);
    return n;
}

struct weir_consumer_options live_consumer_options(const char *category)
{
    struct weir_consumer_options options = WEIR_CONSUMER_OPTIONS_INIT;
    options.name = "worker";
    options.subscription.category = category;
    options.subscription.wait_ms = 5000;
    options.first_delay_ms = 1;
    options.max_delay_ms = 5;
    return options;
}

struct weir_consumer *live_open_consumer(const struct weir_consumer_options *options)
{
    struct weir_consumer *consumer = NULL;
    ck_assert_msg(weir_consumer_open(live.client, options, &consumer, &live.err) == WEIR_OK, "%s",
                  live.err.text);
    return consumer;
}
