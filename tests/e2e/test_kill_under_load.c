/* Kills the server with SIGKILL under write load, repeatedly: no acknowledged message is lost,
 * positions have no gaps, batches are atomic, and a retry across a kill is the same write. */
#include "client/weir.h"
#include "tests/lib/check_main.h"
#include "tests/lib/open_client.h"
#include "tests/lib/server_process.h"

#include <check.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    WRITERS = 8,
    KILLS = 6,
    BATCH = 3,
    LOAD_MS = 300,
    ACKNOWLEDGED_MAX = 200000,
    CALL_MS = 60000
};

static struct server_process server;
static struct weir_client *client;
static atomic_bool is_over;

struct writer {
    pthread_t thread;
    int number;
    int64_t *acknowledged;  // position of the first message of each acknowledged batch
    size_t n;
    weir_status failed;
    char text[WEIR_ERROR_TEXT_BYTES];
};

static void setup(void)
{
    server_directory(&server);
    server_on_socket(&server);
    server_start(&server);
    client = open_client(server.socket_url, server.default_token);
}

static void teardown(void)
{
    weir_client_close(client);
    ck_assert_int_eq(server_stop(&server), 0);
    server_remove(&server);
}

static weir_status write_batch(struct writer *w, struct weir_error *err)
{
    char stream[32];
    char data[48];
    (void)snprintf(stream, sizeof stream, "load-%d", w->number);
    (void)snprintf(data, sizeof data, "{\"writer\":%d,\"batch\":%zu}", w->number, w->n);
    Weir__V1__NewMessage messages[BATCH];
    Weir__V1__NewMessage *pointers[BATCH];
    for (size_t i = 0; i < BATCH; i++) {
        weir__v1__new_message__init(&messages[i]);
        messages[i].type = "Loaded";
        messages[i].has_data = true;
        messages[i].data.data = (uint8_t *)data;
        messages[i].data.len = strlen(data);
        pointers[i] = &messages[i];
    }
    Weir__V1__WriteMessagesRequest request = WEIR__V1__WRITE_MESSAGES_REQUEST__INIT;
    request.stream_name = stream;
    request.messages = pointers;
    request.n_messages = BATCH;
    struct weir_call_options options = WEIR_CALL_OPTIONS_INIT;
    options.timeout_ms = CALL_MS;
    Weir__V1__WriteMessagesResponse *response = NULL;
    const weir_status st =
        weir_message_store_write_messages(client, &request, &options, &response, err);
    if (st == WEIR_OK) {
        w->acknowledged[w->n++] = response->written[0]->position;
        weir_response_free(response);
    }
    return st;
}

static void *write_until_over(void *context)
{
    struct writer *w = context;
    while (!atomic_load(&is_over) && w->n < ACKNOWLEDGED_MAX) {
        struct weir_error err;
        weir_error_init(&err);
        const weir_status st = write_batch(w, &err);
        if (st != WEIR_OK) {
            w->failed = st;
            memcpy(w->text, err.text, sizeof w->text);
            return NULL;
        }
    }
    return NULL;
}

/* Each writer has its own stream and retries across kills, so batch k is at positions 3k, 3k + 1
 * and 3k + 2. */
static void check_stream(const struct writer *w)
{
    char stream[32];
    (void)snprintf(stream, sizeof stream, "load-%d", w->number);
    ck_assert_msg(w->failed == WEIR_OK, "writer %d: %s: %s", w->number, weir_status_name(w->failed),
                  w->text);
    for (size_t i = 0; i < w->n; i++) {
        ck_assert_int_eq(w->acknowledged[i], (int64_t)i * BATCH);
    }
    int64_t next = 0;
    for (bool is_more = true; is_more;) {
        Weir__V1__GetStreamMessagesRequest query = WEIR__V1__GET_STREAM_MESSAGES_REQUEST__INIT;
        query.stream_name = stream;
        query.has_position = true;
        query.position = next;
        Weir__V1__GetStreamMessagesResponse *reply = NULL;
        struct weir_error err;
        weir_error_init(&err);
        ck_assert_int_eq(weir_message_store_get_stream_messages(client, &query, NULL, &reply, &err),
                         WEIR_OK);
        for (size_t i = 0; i < reply->n_messages; i++, next++) {
            char data[48];
            (void)snprintf(data, sizeof data, "{\"writer\":%d,\"batch\":%lld}", w->number,
                           (long long)next / BATCH);
            ck_assert_int_eq(reply->messages[i]->position, next);
            ck_assert_uint_eq(reply->messages[i]->data.len, strlen(data));
            ck_assert_mem_eq(reply->messages[i]->data.data, data, strlen(data));
        }
        is_more = reply->n_messages > 0;
        weir_response_free(reply);
    }
    ck_assert_int_eq(next, (int64_t)w->n * BATCH);
}

START_TEST(nothing_acknowledged_is_lost)
{
    struct writer writers[WRITERS] = {{0}};
    for (int i = 0; i < WRITERS; i++) {
        writers[i].number = i;
        writers[i].acknowledged = calloc(ACKNOWLEDGED_MAX, sizeof(int64_t));
        ck_assert_ptr_nonnull(writers[i].acknowledged);
        ck_assert_int_eq(pthread_create(&writers[i].thread, NULL, write_until_over, &writers[i]),
                         0);
    }
    for (int kill = 0; kill < KILLS; kill++) {
        (void)poll(NULL, 0, LOAD_MS + 37 * kill);  // load until a different moment each time
        server_kill(&server);
        server_start(&server);
    }
    atomic_store(&is_over, true);
    size_t acknowledged = 0;
    for (int i = 0; i < WRITERS; i++) {
        ck_assert_int_eq(pthread_join(writers[i].thread, NULL), 0);
        check_stream(&writers[i]);
        acknowledged += writers[i].n;
        free(writers[i].acknowledged);
    }
    printf("%d kills under load, %zu batches of %d acknowledged, none lost, halved or doubled\n",
           KILLS, acknowledged, BATCH);
    ck_assert_uint_gt(acknowledged, KILLS);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("kill_under_load");
    TCase *tc = tcase_create("kill_under_load");
    tcase_set_timeout(tc, 240);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, nothing_acknowledged_is_lost);
    suite_add_tcase(suite, tc);
    return check_main(suite);
}
