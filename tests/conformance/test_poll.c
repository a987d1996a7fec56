/* Long polls: a read that finds nothing waits for messages of its selection, and only for those. */
#include "tests/conformance/fixture.h"

#include "tests/lib/open_client.h"

#include "weir/base/monotonic.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

/* BUSY_MS is the allowance for delays on a busy machine. */
enum { LONG_MS = 30000, SHORT_MS = 300, BUSY_MS = 2000 };

/* A poll in flight, which ends on a thread of the client library. */
struct poll_call {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool is_over;
    weir_status status;
    CategoryReply *reply;
    int64_t began_us;
    int64_t ended_us;
};

static void poll_done(void *context, weir_status status, CategoryReply *reply,
                      const struct weir_error *err)
{
    struct poll_call *call = context;
    (void)err;
    (void)pthread_mutex_lock(&call->mutex);
    call->is_over = true;
    call->status = status;
    call->reply = reply;
    call->ended_us = weir_monotonic_us();
    (void)pthread_cond_signal(&call->changed);
    (void)pthread_mutex_unlock(&call->mutex);
}

static void start_poll(struct poll_call *call, struct weir_client *client,
                       const CategoryQuery *query)
{
    struct weir_call_options once = WEIR_CALL_OPTIONS_INIT;
    once.max_attempts = 1;
    memset(call, 0, sizeof *call);
    ck_assert_int_eq(pthread_mutex_init(&call->mutex, NULL), 0);
    ck_assert_int_eq(pthread_cond_init(&call->changed, NULL), 0);
    call->began_us = weir_monotonic_us();
    weir_error_init(&conf.err);
    assert_failed(weir_message_store_get_category_messages_async(client, query, &once, poll_done,
                                                                 call, &conf.err),
                  WEIR_OK);
}

static bool is_over(struct poll_call *call)
{
    (void)pthread_mutex_lock(&call->mutex);
    const bool is = call->is_over;
    (void)pthread_mutex_unlock(&call->mutex);
    return is;
}

static void await(struct poll_call *call)
{
    (void)pthread_mutex_lock(&call->mutex);
    while (!call->is_over) {
        (void)pthread_cond_wait(&call->changed, &call->mutex);
    }
    (void)pthread_mutex_unlock(&call->mutex);
}

static void finish(struct poll_call *call)
{
    weir_response_free(call->reply);
    (void)pthread_cond_destroy(&call->changed);
    (void)pthread_mutex_destroy(&call->mutex);
}

static CategoryQuery waiting(const char *category, int64_t position, uint32_t wait_ms)
{
    CategoryQuery query = query_category(category);
    query.has_position = query.has_wait_ms = true;
    query.position = position;
    query.wait_ms = wait_ms;
    return query;
}

START_TEST(what_is_there_is_answered_at_once)
{
    put("a-1", "{}");
    const CategoryQuery query = waiting("a", 1, LONG_MS);
    ck_assert_uint_eq(must_read_category(&query)->n_messages, 1);
    StreamQuery stream = query_stream("a-1");
    stream.has_wait_ms = true;
    stream.wait_ms = LONG_MS;
    ck_assert_uint_eq(must_read_stream(&stream)->n_messages, 1);
}
END_TEST

START_TEST(a_wait_for_nothing_ends_and_tells_where_to_go_on)
{
    put("b-1", "{}");
    const int64_t began_us = weir_monotonic_us();
    const CategoryQuery query = waiting("a", 1, SHORT_MS);
    const CategoryReply *r = must_read_category(&query);
    ck_assert_uint_eq(r->n_messages, 0);
    ck_assert_int_eq(r->next_position, 2);
    ck_assert_int_ge(weir_monotonic_us() - began_us, SHORT_MS * 1000);
    StreamQuery stream = query_stream("b-1");
    stream.has_position = stream.has_wait_ms = true;
    stream.position = 1;
    stream.wait_ms = SHORT_MS;
    ck_assert_int_eq(must_read_stream(&stream)->next_position, 1);
}
END_TEST

/* A selection and the write that ends the wait. A write outside the selection comes first and must
 * not end it. */
static const struct wake_row {
    const char *category;
    const char *correlation;
    const char *type;
    int64_t group_size;  // member is that of stream "a-2"
} wakes[] = {{"a", NULL, NULL, 0},    {"", NULL, NULL, 0},      {"a", "wf", NULL, 0},
             {"", "wf", NULL, 0},     {"a", NULL, "Wanted", 0}, {"a", NULL, NULL, 3},
             {"a", "wf", "Wanted", 3}};

START_TEST(a_waiting_read_is_woken_by_what_it_selects)
{
    const struct wake_row *row = &wakes[_i];
    char *types[] = {(char *)(uintptr_t)row->type};
    Weir__V1__ConsumerGroup group = WEIR__V1__CONSUMER_GROUP__INIT;
    group.has_member = group.has_size = true;
    group.size = row->group_size;
    group.member =
        row->group_size == 0 ? 0 : weir_name_member(weir_slice_of("a-2"), row->group_size);
    CategoryQuery query = waiting(row->category, 1, LONG_MS);
    query.correlation = (char *)(uintptr_t)row->correlation;
    query.types = types;
    query.n_types = row->type == NULL ? 0 : 1;
    query.consumer_group = row->group_size == 0 ? NULL : &group;

    struct poll_call call;
    start_poll(&call, conf.client, &query);
    const bool is_everything = row->category[0] == '\0' && row->correlation == NULL;
    if (!is_everything) {
        put("b-1", "{}");
        ck_assert(!is_over(&call));
    }
    const struct msg wanted = {.type = "Wanted",
                               .metadata = "{\"correlationStreamName\":\"wf-1\"}"};
    const Written *w = must_write("a-2", EXPECT_ANY, &wanted, 1);
    await(&call);
    ck_assert_int_eq(call.status, WEIR_OK);
    ck_assert_uint_eq(call.reply->n_messages, 1);
    ck_assert_int_eq(call.reply->messages[0]->global_position, w->written[0]->global_position);
    ck_assert_int_lt(call.ended_us - call.began_us, (int64_t)LONG_MS * 1000);
    finish(&call);
}
END_TEST

START_TEST(an_import_wakes)
{
    struct poll_call call;
    const CategoryQuery query = waiting("a", 1, LONG_MS);
    start_poll(&call, conf.client, &query);
    Weir__V1__ImportedMessage record = WEIR__V1__IMPORTED_MESSAGE__INIT;
    Weir__V1__ImportedMessage *records[] = {&record};
    Weir__V1__ImportMessagesRequest request = WEIR__V1__IMPORT_MESSAGES_REQUEST__INIT;
    record.id = "00000000-0000-4000-8000-000000000001";
    record.stream_name = "a-1";
    record.type = "T";
    record.has_position = record.has_global_position = record.has_time_us = true;
    record.global_position = 50;
    request.messages = records;
    request.n_messages = 1;
    Weir__V1__ImportMessagesResponse *response = NULL;
    assert_failed(
        weir_message_store_import_messages(conf.client, &request, NULL, &response, &conf.err),
        WEIR_OK);
    weir_response_free(response);
    await(&call);
    ck_assert_uint_eq(call.reply->n_messages, 1);
    finish(&call);
}
END_TEST

START_TEST(many_waits_are_all_woken)
{
    enum { WAITS = 200 };
    static struct poll_call calls[WAITS];
    const CategoryQuery query = waiting("a", 1, LONG_MS);
    for (size_t i = 0; i < WAITS; i++) {
        start_poll(&calls[i], conf.client, &query);
    }
    put("a-1", "{}");
    for (size_t i = 0; i < WAITS; i++) {
        await(&calls[i]);
        ck_assert_int_eq(calls[i].status, WEIR_OK);
        ck_assert_uint_eq(calls[i].reply->n_messages, 1);
        finish(&calls[i]);
    }
}
END_TEST

START_TEST(a_deadline_ends_a_wait)
{
    struct weir_call_options options = WEIR_CALL_OPTIONS_INIT;
    options.timeout_ms = SHORT_MS;
    options.max_attempts = 1;
    const CategoryQuery query = waiting("a", 1, LONG_MS);
    CategoryReply *reply = NULL;
    const int64_t began_us = weir_monotonic_us();
    const weir_status st =
        weir_message_store_get_category_messages(conf.client, &query, &options, &reply, &conf.err);
    ck_assert(st == WEIR_OK || st == WEIR_DEADLINE_EXCEEDED);
    ck_assert_int_lt(weir_monotonic_us() - began_us, (int64_t)(SHORT_MS + BUSY_MS) * 1000);
    weir_response_free(reply);
}
END_TEST

/* Deleting a namespace or rotating its token ends the waits in the namespace. */
static void delete_it(void)
{
    Weir__V1__DeleteNamespaceRequest request = WEIR__V1__DELETE_NAMESPACE_REQUEST__INIT;
    request.namespace_ = conf.namespace_id;
    Weir__V1__DeleteNamespaceResponse *response = NULL;
    assert_failed(
        weir_namespaces_delete_namespace(conf.admin, &request, NULL, &response, &conf.err),
        WEIR_OK);
    weir_response_free(response);
}

static void rotate_it(void)
{
    Weir__V1__RotateTokenRequest request = WEIR__V1__ROTATE_TOKEN_REQUEST__INIT;
    request.namespace_ = conf.namespace_id;
    Weir__V1__RotateTokenResponse *response = NULL;
    assert_failed(weir_namespaces_rotate_token(conf.admin, &request, NULL, &response, &conf.err),
                  WEIR_OK);
    weir_response_free(response);
}

START_TEST(deletion_and_rotation_end_a_wait_with_an_error)
{
    struct poll_call call;
    const CategoryQuery query = waiting("a", 1, LONG_MS);
    start_poll(&call, conf.client, &query);
    if (_i == 0) {
        delete_it();
    } else {
        rotate_it();
    }
    await(&call);
    /* BACKEND_UNAVAILABLE: the poll ended while the deletion was in progress and could still
     * fail. */
    ck_assert(call.status == WEIR_AUTH_UNAUTHORIZED || call.status == WEIR_NAMESPACE_NOT_FOUND ||
              (_i == 0 && call.status == WEIR_BACKEND_UNAVAILABLE));
    ck_assert_ptr_null(call.reply);
    finish(&call);
}
END_TEST

START_TEST(a_stopping_server_ends_a_wait)
{
    struct poll_call call;
    const CategoryQuery query = waiting("a", 1, LONG_MS);
    put("b-1", "{}");
    start_poll(&call, conf.client, &query);
    put("b-1", "{}");
    ck_assert_int_eq(server_stop(&conf.server), 0);
    await(&call);
    ck_assert_int_eq(call.status, WEIR_SHUTTING_DOWN);
    finish(&call);
    server_start(&conf.server);
}
END_TEST

/* ---- a second server on the same store ---- */

static struct server_process other;
static char other_url[SERVER_TEXT_MAX + 16];

static void start_other(void)
{
    other = conf.server;
    (void)snprintf(other_url, sizeof other_url, "ipc://%s/other", conf.server.directory);
    other.pid = 0;
    other.args[1] = other_url;
    server_start(&other);
}

static void write_there(void)
{
    struct weir_client *client = open_client(other_url, conf_token());
    const struct msg message = {.data = "{}"};
    const struct write write = {"a-1", EXPECT_ANY, &message, 1};
    Written *written = NULL;
    assert_failed(try_write_as(client, &write, &written, &conf.err), WEIR_OK);
    weir_response_free(written);
    weir_client_close(client);
}

static void as_admin_there(void (*act)(void))
{
    struct weir_client *mine = conf.admin;
    conf.admin = open_client(other_url, SERVER_ADMIN_TOKEN);
    act();
    weir_client_close(conf.admin);
    conf.admin = mine;
}

static void rotate_there(void)
{
    as_admin_there(rotate_it);
}

static void delete_there(void)
{
    as_admin_there(delete_it);
}

static const struct {
    void (*act)(void);
    weir_status outcome;  // of a poll at the first server
} elsewhere[] = {{write_there, WEIR_OK},
                 {rotate_there, WEIR_AUTH_UNAUTHORIZED},
                 {delete_there, WEIR_AUTH_UNAUTHORIZED}};

START_TEST(what_another_server_does_ends_a_wait_within_a_second)
{
    enum { WITHIN_MS = 1000 };
    struct poll_call call;
    const CategoryQuery query = waiting("a", 1, LONG_MS);
    put("b-1", "{}");
    start_other();
    start_poll(&call, conf.client, &query);
    elsewhere[_i].act();
    const int64_t acted_us = weir_monotonic_us();
    await(&call);
    ck_assert_int_eq(call.status, elsewhere[_i].outcome);
    ck_assert_int_lt(call.ended_us - acted_us, (int64_t)(WITHIN_MS + BUSY_MS) * 1000);
    finish(&call);
    ck_assert_int_eq(server_stop(&other), 0);
}
END_TEST

TCase *conf_poll_case(void)
{
    TCase *tc = conf_case("poll");
    tcase_add_test(tc, what_is_there_is_answered_at_once);
    tcase_add_test(tc, a_wait_for_nothing_ends_and_tells_where_to_go_on);
    tcase_add_loop_test(tc, a_waiting_read_is_woken_by_what_it_selects, 0,
                        (int)WEIR_COUNTOF(wakes));
    tcase_add_test(tc, an_import_wakes);
    tcase_add_test(tc, many_waits_are_all_woken);
    tcase_add_test(tc, a_deadline_ends_a_wait);
    tcase_add_loop_test(tc, deletion_and_rotation_end_a_wait_with_an_error, 0, 2);
    tcase_add_test(tc, a_stopping_server_ends_a_wait);
    if (conf_is_store_volatile() || conf_is_store_of_one_server()) {
        conf_tell_skipped("what another server does");
    } else {
        tcase_add_loop_test(tc, what_another_server_does_ends_a_wait_within_a_second, 0,
                            (int)WEIR_COUNTOF(elsewhere));
    }
    return tc;
}
