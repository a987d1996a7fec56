/* Concurrent writes, conditional writes and reads are linearizable per stream while the server is
 * killed and restarted. Calls are not retried, so that a lost reply remains an unknown outcome. */
#include "client/weir.h"
#include "tests/lib/check_main.h"
#include "tests/lib/history.h"
#include "tests/lib/open_client.h"
#include "tests/lib/server_process.h"
#include "weir/base/monotonic.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

enum { THREADS = 8, STREAMS = 3, KILLS = 3, LOAD_MS = 700, CALL_MS = 3000, WRITES_MAX = 20000 };

static struct server_process server;
static struct weir_client *client;
static atomic_bool is_over;

/* A write that was sent; position -1 if no reply arrived. */
struct sent_write {
    char id[WEIR_UUID_TEXT + 1];
    int stream;
    int64_t position;
    int64_t began_us;
    int64_t answered_us;
};

struct actor {
    pthread_t thread;
    uint32_t random;
    int64_t seen[STREAMS];  // last known version of each stream
    struct history looks[STREAMS];
    struct sent_write *writes;
    size_t n;
    size_t conflicts;
    size_t unknown;
    char fault[WEIR_ERROR_TEXT_BYTES];
};

static void setup(void)
{
    server_directory(&server);
    server_on_socket(&server);
    server_start(&server);
    struct weir_client_options options = WEIR_CLIENT_OPTIONS_INIT;
    options.url = server.socket_url;
    options.token = server.default_token;
    options.timeout_ms = CALL_MS;
    options.retry.max_attempts = 1;
    client = open_client_with(&options);
}

static void teardown(void)
{
    weir_client_close(client);
    ck_assert_int_eq(server_stop(&server), 0);
    server_remove(&server);
}

static uint32_t draw(struct actor *actor, uint32_t below)
{
    actor->random = actor->random * 1664525u + 1013904223u;
    return (actor->random >> 8) % below;
}

static const char *stream_name(int stream, char name[16])
{
    (void)snprintf(name, 16, "lin-%d", stream);
    return name;
}

static void look(struct actor *actor, int stream, int64_t version, int64_t began_us)
{
    const struct history_operation seen = {false, version, began_us, weir_monotonic_us()};
    history_add(&actor->looks[stream], &seen);
    actor->seen[stream] = version;
}

static bool is_unknown(weir_status st)
{
    return weir_status_retryable(st) || st == WEIR_CANCELLED;
}

/* Writes with the last known version as the expectation, or with none. */
static void write_once(struct actor *actor, int stream)
{
    struct sent_write *w = &actor->writes[actor->n];
    struct weir_uuid id;
    if (!weir_uuid_make_v7(&id)) {
        return;
    }
    weir_uuid_format(&id, w->id);
    char name[16];
    Weir__V1__NewMessage message = WEIR__V1__NEW_MESSAGE__INIT;
    Weir__V1__NewMessage *messages[] = {&message};
    Weir__V1__Expectation expectation = WEIR__V1__EXPECTATION__INIT;
    Weir__V1__WriteMessagesRequest request = WEIR__V1__WRITE_MESSAGES_REQUEST__INIT;
    message.id = w->id;
    message.type = "Done";
    expectation.kind_case = WEIR__V1__EXPECTATION__KIND_EXACT;
    expectation.exact = actor->seen[stream];
    request.stream_name = (char *)(uintptr_t)stream_name(stream, name);
    request.messages = messages;
    request.n_messages = 1;
    request.expectation = draw(actor, 3) == 0 ? NULL : &expectation;

    struct weir_error err;
    weir_error_init(&err);
    Weir__V1__WriteMessagesResponse *response = NULL;
    w->stream = stream;
    w->began_us = weir_monotonic_us();
    const weir_status st =
        weir_message_store_write_messages(client, &request, NULL, &response, &err);
    w->answered_us = weir_monotonic_us();
    w->position = -1;
    if (st == WEIR_OK) {
        w->position = response->written[0]->position;
        actor->seen[stream] = w->position;
        actor->n++;
    } else if (st == WEIR_STREAM_VERSION_CONFLICT) {
        const char *actual = weir_error_get_detail(&err, "actual");
        look(actor, stream, actual == NULL ? INT64_MAX : strtoll(actual, NULL, 10), w->began_us);
        actor->conflicts++;
    } else if (is_unknown(st)) {
        w->answered_us = INT64_MAX;
        actor->n++;
        actor->unknown++;
    } else {
        memcpy(actor->fault, err.text, sizeof actor->fault);
    }
    weir_response_free(response);
}

static void look_once(struct actor *actor, int stream)
{
    char name[16];
    struct weir_error err;
    weir_error_init(&err);
    Weir__V1__GetStreamVersionRequest request = WEIR__V1__GET_STREAM_VERSION_REQUEST__INIT;
    request.stream_name = (char *)(uintptr_t)stream_name(stream, name);
    Weir__V1__GetStreamVersionResponse *response = NULL;
    const int64_t began_us = weir_monotonic_us();
    const weir_status st =
        weir_message_store_get_stream_version(client, &request, NULL, &response, &err);
    if (st == WEIR_OK) {
        look(actor, stream, response->version, began_us);
    } else if (!is_unknown(st)) {
        memcpy(actor->fault, err.text, sizeof actor->fault);
    }
    weir_response_free(response);
}

static void *act(void *context)
{
    struct actor *actor = context;
    while (!atomic_load(&is_over) && actor->fault[0] == '\0' && actor->n < WRITES_MAX) {
        const int stream = (int)draw(actor, STREAMS);
        if (draw(actor, 4) == 0) {
            look_once(actor, stream);
        } else {
            write_once(actor, stream);
        }
    }
    return NULL;
}

/* Returns the final position of the message with this id; -1 if it is not stored. */
static int64_t standing_position(Weir__V1__GetStreamMessagesResponse *const *pages, size_t n,
                                 const char *id)
{
    for (size_t p = 0; p < n; p++) {
        for (size_t i = 0; i < pages[p]->n_messages; i++) {
            if (strcmp(pages[p]->messages[i]->id, id) == 0) {
                return pages[p]->messages[i]->position;
            }
        }
    }
    return -1;
}

enum { PAGES_MAX = 64 };

static size_t read_pages(int stream, Weir__V1__GetStreamMessagesResponse **pages)
{
    char name[16];
    int64_t next = 0;
    for (size_t n = 0; n < PAGES_MAX; n++) {
        struct weir_error err;
        weir_error_init(&err);
        Weir__V1__GetStreamMessagesRequest query = WEIR__V1__GET_STREAM_MESSAGES_REQUEST__INIT;
        query.stream_name = (char *)(uintptr_t)stream_name(stream, name);
        query.has_position = true;
        query.position = next;
        query.has_batch_size = true;
        query.batch_size = 10000;
        ck_assert_int_eq(
            weir_message_store_get_stream_messages(client, &query, NULL, &pages[n], &err), WEIR_OK);
        for (size_t i = 0; i < pages[n]->n_messages; i++, next++) {
            ck_assert_int_eq(pages[n]->messages[i]->position, next);
        }
        if (pages[n]->n_messages == 0) {
            return n + 1;
        }
    }
    ck_abort_msg("stream %d is longer than the test foresees", stream);
}

static size_t check_stream(int stream, const struct actor *actors)
{
    Weir__V1__GetStreamMessagesResponse *pages[PAGES_MAX];
    const size_t pages_n = read_pages(stream, pages);
    struct history history = {.n = 0};
    for (int a = 0; a < THREADS; a++) {
        history_join(&history, &actors[a].looks[stream]);
        for (size_t i = 0; i < actors[a].n; i++) {
            const struct sent_write *w = &actors[a].writes[i];
            if (w->stream != stream) {
                continue;
            }
            const int64_t stands = standing_position(pages, pages_n, w->id);
            ck_assert_msg(w->position < 0 || w->position == stands,
                          "acknowledged at %lld, stands at %lld", (long long)w->position,
                          (long long)stands);
            if (stands >= 0) {
                const struct history_operation write = {true, stands, w->began_us, w->answered_us};
                history_add(&history, &write);
            }
        }
    }
    char fault[200] = "";
    ck_assert_msg(history_is_linearizable(&history, fault, sizeof fault), "stream %d: %s", stream,
                  fault);
    const size_t n = history.n;
    history_free(&history);
    for (size_t p = 0; p < pages_n; p++) {
        weir_response_free(pages[p]);
    }
    return n;
}

static void run_actors(struct actor *actors)
{
    for (int a = 0; a < THREADS; a++) {
        actors[a].random = 17u * (uint32_t)a + 1;
        actors[a].writes = calloc(WRITES_MAX + 1, sizeof *actors[a].writes);
        ck_assert_ptr_nonnull(actors[a].writes);
        memset(actors[a].seen, 0xff, sizeof actors[a].seen);
        ck_assert_int_eq(pthread_create(&actors[a].thread, NULL, act, &actors[a]), 0);
    }
    for (int kill = 0; kill < KILLS; kill++) {
        (void)poll(NULL, 0, LOAD_MS);  // load until the kill
        server_kill(&server);
        server_start(&server);
    }
    (void)poll(NULL, 0, LOAD_MS);
    atomic_store(&is_over, true);
    for (int a = 0; a < THREADS; a++) {
        ck_assert_int_eq(pthread_join(actors[a].thread, NULL), 0);
        ck_assert_msg(actors[a].fault[0] == '\0', "%s", actors[a].fault);
    }
}

START_TEST(each_stream_is_linearizable_over_kills)
{
    static struct actor actors[THREADS];
    run_actors(actors);
    size_t operations = 0;
    for (int s = 0; s < STREAMS; s++) {
        operations += check_stream(s, actors);
    }
    size_t conflicts = 0;
    size_t unknown = 0;
    for (int a = 0; a < THREADS; a++) {
        conflicts += actors[a].conflicts;
        unknown += actors[a].unknown;
        free(actors[a].writes);
        for (int s = 0; s < STREAMS; s++) {
            history_free(&actors[a].looks[s]);
        }
    }
    printf("%zu operations are linearizable over %d kills; %zu conflicts, %zu unknown outcomes\n",
           operations, KILLS, conflicts, unknown);
    ck_assert_uint_gt(operations, 100);
    ck_assert_uint_gt(conflicts, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("linearizable");
    TCase *tc = tcase_create("linearizable");
    tcase_set_timeout(tc, 300);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, each_stream_is_linearizable_over_kills);
    suite_add_tcase(suite, tc);
    return check_main(suite);
}
