#include "tests/conformance/fixture.h"

#include "tests/lib/open_client.h"

#include "weir/rules/json_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CASE_TIMEOUT_S = 120, RESPONSES_MAX = 4096 };

struct conf conf;

static char token[256];
static const void *responses[RESPONSES_MAX];
static size_t responses_n;

static void *keep(void *response)
{
    ck_assert_msg(responses_n < RESPONSES_MAX, "a test holds more than %d responses",
                  RESPONSES_MAX);
    responses[responses_n++] = response;
    return response;
}

const char *conf_token(void)
{
    return token;
}

struct weir_client *conf_client(const char *with_token)
{
    return open_client(conf.server.urls[0], with_token);
}

/* Every test has its own namespace, so that many tests may share a store. */
static void make_namespace(void)
{
    (void)snprintf(conf.namespace_id, sizeof conf.namespace_id, "test-%ld-%lld", (long)getpid(),
                   (long long)weir_now_us());
    Weir__V1__CreateNamespaceRequest request = WEIR__V1__CREATE_NAMESPACE_REQUEST__INIT;
    request.namespace_ = conf.namespace_id;
    Weir__V1__CreateNamespaceResponse *response = NULL;
    struct weir_error err;
    weir_error_init(&err);
    const weir_status st =
        weir_namespaces_create_namespace(conf.admin, &request, NULL, &response, &err);
    ck_assert_msg(st == WEIR_OK, "namespace: %s: %s", weir_status_name(st), err.text);
    (void)snprintf(token, sizeof token, "%s", response->token);
    weir_response_free(response);
}

static void set_up(void)
{
    conf.row = 0;
    server_directory(&conf.server);
    server_on_socket(&conf.server);
    server_start(&conf.server);
    weir_error_init(&conf.err);
    conf.admin = conf_client(SERVER_ADMIN_TOKEN);
    make_namespace();
    conf.client = conf_client(token);
}

static void tear_down(void)
{
    while (responses_n > 0) {
        weir_response_free(responses[--responses_n]);
    }
    weir_client_close(conf.client);
    weir_client_close(conf.admin);
    ck_assert_int_eq(server_stop(&conf.server), 0);
    server_remove(&conf.server);
}

bool conf_is_store_of_one_server(void)
{
    return getenv("WEIR_TEST_ONE_SERVER") != NULL;
}

bool conf_is_store_volatile(void)
{
    const char *store = getenv("WEIR_TEST_STORE");
    return store != NULL && strcmp(store, "sqlite::memory:") == 0;
}

void conf_tell_skipped(const char *tests)
{
    const char *why = conf_is_store_volatile() ? "the store is in memory and ends with its server"
                                               : "the database takes one connection at a time";
    (void)fprintf(stderr, "skipped: %s: %s\n", tests, why);
}

void conf_restart(void)
{
    ck_assert_int_eq(server_stop(&conf.server), 0);
    server_start(&conf.server);
}

void conf_kill_and_restart(void)
{
    server_kill(&conf.server);
    server_start(&conf.server);
}

/* ---- writing ---- */

static void fill_message(Weir__V1__NewMessage *to, const struct msg *from)
{
    weir__v1__new_message__init(to);
    to->id = (char *)(uintptr_t)from->id;
    to->type = (char *)(uintptr_t)(from->type == NULL ? "Happened" : from->type);
    if (from->data != NULL) {
        to->has_data = true;
        to->data.data = (uint8_t *)(uintptr_t)from->data;
        to->data.len = strlen(from->data);
    }
    if (from->metadata != NULL) {
        to->has_metadata = true;
        to->metadata.data = (uint8_t *)(uintptr_t)from->metadata;
        to->metadata.len = strlen(from->metadata);
    }
}

void fill_expectation(Weir__V1__Expectation *to, struct expect expect)
{
    weir__v1__expectation__init(to);
    if (expect.kind == EXACT) {
        to->kind_case = WEIR__V1__EXPECTATION__KIND_EXACT;
        to->exact = expect.version;
    } else if (expect.kind == NO_STREAM) {
        to->kind_case = WEIR__V1__EXPECTATION__KIND_NO_STREAM;
        to->no_stream = true;
    } else if (expect.kind == STREAM_EXISTS) {
        to->kind_case = WEIR__V1__EXPECTATION__KIND_STREAM_EXISTS;
        to->stream_exists = true;
    }
}

Weir__V1__NewMessage **fill_messages(const struct msg *messages, size_t n)
{
    Weir__V1__NewMessage *all = calloc(n + 1, sizeof *all);
    Weir__V1__NewMessage **pointers = calloc(n + 1, sizeof *pointers);
    ck_assert(all != NULL && pointers != NULL);
    pointers[0] = all;  // set even if n is 0, for free_messages
    for (size_t i = 0; i < n; i++) {
        fill_message(&all[i], &messages[i]);
        pointers[i] = &all[i];
    }
    return pointers;
}

void free_messages(Weir__V1__NewMessage **pointers)
{
    free(pointers[0]);
    free(pointers);
}

weir_status try_write_as(struct weir_client *client, const struct write *write, Written **written,
                         struct weir_error *err)
{
    Weir__V1__WriteMessagesRequest request = WEIR__V1__WRITE_MESSAGES_REQUEST__INIT;
    Weir__V1__Expectation expectation;
    fill_expectation(&expectation, write->expect);
    Weir__V1__NewMessage **pointers = fill_messages(write->messages, write->n);
    request.stream_name = (char *)(uintptr_t)write->stream;
    request.messages = pointers;
    request.n_messages = write->n;
    request.expectation = write->expect.kind == ANY ? NULL : &expectation;
    weir_error_init(err);
    const weir_status st = weir_message_store_write_messages(client, &request, NULL, written, err);
    free_messages(pointers);
    return st;
}

weir_status try_write(const char *stream, struct expect expect, const struct msg *messages,
                      size_t n, Written **written)
{
    const struct write write = {stream, expect, messages, n};
    Written *response = NULL;
    const weir_status st = try_write_as(conf.client, &write, &response, &conf.err);
    if (st == WEIR_OK) {
        keep(response);
    }
    if (written != NULL) {
        *written = response;
    }
    return st;
}

const Written *must_write(const char *stream, struct expect expect, const struct msg *messages,
                          size_t n)
{
    Written *written = NULL;
    const weir_status st = try_write(stream, expect, messages, n, &written);
    ck_assert_msg(st == WEIR_OK, "write to %s: %s: %s", stream, weir_status_name(st),
                  conf.err.text);
    ck_assert_uint_eq(written->n_written, n);
    return written;
}

int64_t put(const char *stream, const char *data)
{
    const struct msg message = {.data = data};
    return must_write(stream, EXPECT_ANY, &message, 1)->written[0]->position;
}

int64_t put_typed(const char *stream, const char *type)
{
    const struct msg message = {.type = type, .data = "{}"};
    return must_write(stream, EXPECT_ANY, &message, 1)->written[0]->position;
}

int64_t put_correlated(const char *stream, const char *correlation_stream)
{
    char metadata[256];
    (void)snprintf(metadata, sizeof metadata, "{\"correlationStreamName\":\"%s\"}",
                   correlation_stream);
    const struct msg message = {.data = "{}", .metadata = metadata};
    return must_write(stream, EXPECT_ANY, &message, 1)->written[0]->position;
}

void put_many(const char *stream, int n)
{
    for (int done = 0; done < n;) {
        struct msg messages[100];
        char data[100][32];
        size_t k = 0;
        for (; k < 100 && done < n; k++, done++) {
            (void)snprintf(data[k], sizeof data[k], "{\"n\":%d}", done);
            messages[k] = (struct msg){.data = data[k]};
        }
        (void)must_write(stream, EXPECT_ANY, messages, k);
    }
}

/* ---- reading ---- */

StreamQuery query_stream(const char *stream)
{
    StreamQuery query = WEIR__V1__GET_STREAM_MESSAGES_REQUEST__INIT;
    query.stream_name = (char *)(uintptr_t)stream;
    return query;
}

CategoryQuery query_category(const char *category)
{
    CategoryQuery query = WEIR__V1__GET_CATEGORY_MESSAGES_REQUEST__INIT;
    query.category = (char *)(uintptr_t)category;
    return query;
}

weir_status try_read_stream(const StreamQuery *query, StreamReply **reply)
{
    weir_error_init(&conf.err);
    return weir_message_store_get_stream_messages(conf.client, query, NULL, reply, &conf.err);
}

weir_status try_read_category(const CategoryQuery *query, CategoryReply **reply)
{
    weir_error_init(&conf.err);
    return weir_message_store_get_category_messages(conf.client, query, NULL, reply, &conf.err);
}

const StreamReply *must_read_stream(const StreamQuery *query)
{
    StreamReply *reply = NULL;
    const weir_status st = try_read_stream(query, &reply);
    ck_assert_msg(st == WEIR_OK, "read: %s: %s", weir_status_name(st), conf.err.text);
    return keep(reply);
}

const CategoryReply *must_read_category(const CategoryQuery *query)
{
    CategoryReply *reply = NULL;
    const weir_status st = try_read_category(query, &reply);
    ck_assert_msg(st == WEIR_OK, "read: %s: %s", weir_status_name(st), conf.err.text);
    return keep(reply);
}

const StreamReply *read_stream(const char *stream)
{
    StreamQuery query = query_stream(stream);
    query.has_batch_size = true;
    query.batch_size = 10000;
    return must_read_stream(&query);
}

const CategoryReply *read_category(const char *category)
{
    CategoryQuery query = query_category(category);
    query.has_batch_size = true;
    query.batch_size = 10000;
    return must_read_category(&query);
}

int64_t version_of(const char *stream)
{
    Weir__V1__GetStreamVersionRequest request = WEIR__V1__GET_STREAM_VERSION_REQUEST__INIT;
    request.stream_name = (char *)(uintptr_t)stream;
    Weir__V1__GetStreamVersionResponse *response = NULL;
    weir_error_init(&conf.err);
    const weir_status st =
        weir_message_store_get_stream_version(conf.client, &request, NULL, &response, &conf.err);
    ck_assert_msg(st == WEIR_OK, "version: %s: %s", weir_status_name(st), conf.err.text);
    ck_assert_int_eq(response->exists, response->version >= 0);
    const int64_t version = response->version;
    weir_response_free(response);
    return version;
}

/* ---- expectations ---- */

void assert_failed(weir_status got, weir_status want)
{
    ck_assert_msg(got == want, "outcome %s (%s), want %s, in row %zu", weir_status_name(got),
                  conf.err.text, weir_status_name(want), conf.row);
}

void assert_detail(const char *key, const char *value)
{
    const char *got = weir_error_get_detail(&conf.err, key);
    ck_assert_msg(got != NULL && strcmp(got, value) == 0,
                  "detail %s is %s, want %s (%s), in row %zu", key, got == NULL ? "absent" : got,
                  value, conf.err.text, conf.row);
}

void assert_invalid(weir_status got, const char *field)
{
    assert_failed(got, WEIR_INVALID_REQUEST);
    assert_detail("field", field);
    ck_assert_ptr_nonnull(weir_error_get_detail(&conf.err, "reason"));
}

void assert_in_row(int64_t got, int64_t want)
{
    ck_assert_msg(got == want, "%lld, want %lld, in row %zu", (long long)got, (long long)want,
                  conf.row);
}

void assert_data(const Message *message, const char *data)
{
    ck_assert(message->has_data);
    bool equal = false;
    struct weir_slice got = {message->data.data, message->data.len};
    ck_assert_int_eq(weir_json_equal(got, weir_slice_of(data), &equal, &conf.err), WEIR_OK);
    ck_assert_msg(equal, "data is %.*s, want %s", (int)got.n, (const char *)got.p, data);
}

void assert_positions(Message *const *messages, size_t n, int64_t first)
{
    for (size_t i = 0; i < n; i++) {
        ck_assert_int_eq(messages[i]->position, first + (int64_t)i);
    }
}

void assert_ascending(Message *const *messages, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        ck_assert_int_gt(messages[i]->global_position, messages[i - 1]->global_position);
    }
}

TCase *conf_case(const char *name)
{
    TCase *tc = tcase_create(name);
    tcase_set_timeout(tc, CASE_TIMEOUT_S);
    tcase_add_checked_fixture(tc, set_up, tear_down);
    return tc;
}
