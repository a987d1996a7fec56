/* Generated code: the method table, the server's dispatch and the client's stubs. This file
 * provides the two functions of the client library that the stubs call. */
#include "tests/lib/check_main.h"
#include "weir/base/fail.h"
#include "weir/v1/dispatch.h"
#include "weir/v1/methods.h"
#include "weir/v1/stubs.h"
#include "weir/wire/invoke.h"

#include <stdio.h>

static struct weir_error err;

static void set_up(void)
{
    weir_error_init(&err);
}

/* The complete list of methods. Which methods are retried automatically, and who may call them, is
 * checked nowhere else. */
static const struct {
    const char *name;
    size_t id;
    enum weir_access access;
    enum weir_retry retry;
    const char *token_field;
} expected[] = {
    {"weir.v1.MessageStore/WriteMessages", WEIR_METHOD_MESSAGE_STORE_WRITE_MESSAGES,
     WEIR_ACCESS_NAMESPACE, WEIR_RETRY_BY_MESSAGE_ID, NULL},
    {"weir.v1.MessageStore/GetStreamMessages", WEIR_METHOD_MESSAGE_STORE_GET_STREAM_MESSAGES,
     WEIR_ACCESS_NAMESPACE, WEIR_RETRY_SAFE, NULL},
    {"weir.v1.MessageStore/GetCategoryMessages", WEIR_METHOD_MESSAGE_STORE_GET_CATEGORY_MESSAGES,
     WEIR_ACCESS_NAMESPACE, WEIR_RETRY_SAFE, NULL},
    {"weir.v1.MessageStore/GetLastStreamMessage", WEIR_METHOD_MESSAGE_STORE_GET_LAST_STREAM_MESSAGE,
     WEIR_ACCESS_NAMESPACE, WEIR_RETRY_SAFE, NULL},
    {"weir.v1.MessageStore/GetStreamVersion", WEIR_METHOD_MESSAGE_STORE_GET_STREAM_VERSION,
     WEIR_ACCESS_NAMESPACE, WEIR_RETRY_SAFE, NULL},
    {"weir.v1.MessageStore/WriteStreams", WEIR_METHOD_MESSAGE_STORE_WRITE_STREAMS,
     WEIR_ACCESS_NAMESPACE, WEIR_RETRY_BY_MESSAGE_ID, NULL},
    {"weir.v1.MessageStore/ImportMessages", WEIR_METHOD_MESSAGE_STORE_IMPORT_MESSAGES,
     WEIR_ACCESS_NAMESPACE, WEIR_RETRY_SAFE, NULL},
    {"weir.v1.Namespaces/CreateNamespace", WEIR_METHOD_NAMESPACES_CREATE_NAMESPACE,
     WEIR_ACCESS_ADMIN, WEIR_RETRY_BY_TOKEN, "token"},
    {"weir.v1.Namespaces/DeleteNamespace", WEIR_METHOD_NAMESPACES_DELETE_NAMESPACE,
     WEIR_ACCESS_OWNER, WEIR_RETRY_NEVER, NULL},
    {"weir.v1.Namespaces/GetNamespace", WEIR_METHOD_NAMESPACES_GET_NAMESPACE, WEIR_ACCESS_OWNER,
     WEIR_RETRY_SAFE, NULL},
    {"weir.v1.Namespaces/ListNamespaces", WEIR_METHOD_NAMESPACES_LIST_NAMESPACES, WEIR_ACCESS_ADMIN,
     WEIR_RETRY_SAFE, NULL},
    {"weir.v1.Namespaces/RotateToken", WEIR_METHOD_NAMESPACES_ROTATE_TOKEN, WEIR_ACCESS_OWNER,
     WEIR_RETRY_BY_TOKEN, "new_token"},
    {"weir.v1.Namespaces/ClearNamespace", WEIR_METHOD_NAMESPACES_CLEAR_NAMESPACE, WEIR_ACCESS_OWNER,
     WEIR_RETRY_NEVER, NULL},
    {"weir.v1.Namespaces/ListStreams", WEIR_METHOD_NAMESPACES_LIST_STREAMS, WEIR_ACCESS_NAMESPACE,
     WEIR_RETRY_SAFE, NULL},
    {"weir.v1.Namespaces/ListCategories", WEIR_METHOD_NAMESPACES_LIST_CATEGORIES,
     WEIR_ACCESS_NAMESPACE, WEIR_RETRY_SAFE, NULL},
    {"weir.v1.System/GetServerInfo", WEIR_METHOD_SYSTEM_GET_SERVER_INFO, WEIR_ACCESS_PUBLIC,
     WEIR_RETRY_SAFE, NULL},
    {"weir.v1.System/CheckHealth", WEIR_METHOD_SYSTEM_CHECK_HEALTH, WEIR_ACCESS_PUBLIC,
     WEIR_RETRY_SAFE, NULL},
    {"weir.v1.System/GetStats", WEIR_METHOD_SYSTEM_GET_STATS, WEIR_ACCESS_ADMIN, WEIR_RETRY_SAFE,
     NULL},
    {"weir.v1.Chunks/ListChunks", WEIR_METHOD_CHUNKS_LIST_CHUNKS, WEIR_ACCESS_ADMIN,
     WEIR_RETRY_SAFE, NULL},
    {"weir.v1.Chunks/CompressChunks", WEIR_METHOD_CHUNKS_COMPRESS_CHUNKS, WEIR_ACCESS_ADMIN,
     WEIR_RETRY_SAFE, NULL},
    {"weir.v1.Chunks/DropChunks", WEIR_METHOD_CHUNKS_DROP_CHUNKS, WEIR_ACCESS_ADMIN,
     WEIR_RETRY_NEVER, NULL},
};

START_TEST(table_says_what_the_proto_says)
{
    const size_t id = weir_method_find(weir_slice_of(expected[_i].name));
    ck_assert_uint_eq(id, expected[_i].id);
    const struct weir_method *method = &weir_methods[id];
    ck_assert_str_eq(method->name, expected[_i].name);
    ck_assert_int_eq((int)method->access, (int)expected[_i].access);
    ck_assert_int_eq((int)method->retry, (int)expected[_i].retry);
    ck_assert_pstr_eq(method->token_field, expected[_i].token_field);
}
END_TEST

START_TEST(every_method_is_found_and_complete)
{
    ck_assert_uint_eq(weir_methods_n, WEIR_METHOD_COUNT);
    ck_assert_uint_eq(weir_methods_n, WEIR_COUNTOF(expected));
    for (size_t i = 0; i < weir_methods_n; i++) {
        const struct weir_method *method = &weir_methods[i];
        ck_assert_uint_eq(weir_method_find(weir_slice_of(method->name)), i);
        char name[256];
        (void)snprintf(name, sizeof name, "weir.v1.%s/%s", method->service, method->rpc);
        ck_assert_str_eq(method->name, name);
        ck_assert_str_eq(method->input->package_name, "weir.v1");
        ck_assert_str_eq(method->output->package_name, "weir.v1");
        ck_assert_msg(method->summary[0] != '\0', "%s has no comment", method->name);
        ck_assert_ptr_null(strchr(method->summary, '\n'));
    }
}
END_TEST

START_TEST(other_names_are_not_found)
{
    static const char *const names[] = {
        "", "weir.v1.MessageStore/WriteMessage", "weir.v1.MessageStore/WriteMessagesX",
        "WEIR.V1.MESSAGESTORE/WRITEMESSAGES", "/weir.v1.MessageStore/WriteMessages"};
    for (size_t i = 0; i < WEIR_COUNTOF(names); i++) {
        ck_assert_uint_eq(weir_method_find(weir_slice_of(names[i])), weir_methods_n);
    }
    ck_assert_uint_eq(weir_method_find(weir_slice(NULL, 0)), weir_methods_n);
}
END_TEST

START_TEST(summary_is_the_first_sentence)
{
    ck_assert_str_eq(weir_methods[WEIR_METHOD_NAMESPACES_LIST_CATEGORIES].summary,
                     "Lists all categories of the caller's namespace in bytewise order, including "
                     "\"\".");
}
END_TEST

/* ---- dispatch ---- */

struct weir_call {
    const char *stream_name;  // as the handler received it
};

static weir_status handle_get_stream_version(struct weir_call *call,
                                             const Weir__V1__GetStreamVersionRequest *request,
                                             struct weir_error *handler_err)
{
    call->stream_name = request->stream_name;
    return weir_fail(handler_err, WEIR_OUT_OF_POSITIONS, "from the handler");
}

static const struct weir_handlers handlers = {.message_store_get_stream_version =
                                                  handle_get_stream_version};

START_TEST(call_reaches_its_handler)
{
    struct weir_call call = {0};
    Weir__V1__GetStreamVersionRequest request = WEIR__V1__GET_STREAM_VERSION_REQUEST__INIT;
    request.stream_name = "account-1";
    const weir_status status = weir_dispatch_typed(
        &handlers, WEIR_METHOD_MESSAGE_STORE_GET_STREAM_VERSION, &call, &request.base, &err);
    ck_assert_int_eq(status, WEIR_OUT_OF_POSITIONS);
    ck_assert_str_eq(err.text, "from the handler");
    ck_assert_str_eq(call.stream_name, "account-1");
}
END_TEST

START_TEST(missing_handlers_are_told)
{
    struct weir_call call = {0};
    Weir__V1__GetStatsRequest request = WEIR__V1__GET_STATS_REQUEST__INIT;
    for (size_t i = 0; i <= weir_methods_n; i++) {
        ck_assert(weir_handlers_has(&handlers, i) ==
                  (i == WEIR_METHOD_MESSAGE_STORE_GET_STREAM_VERSION));
    }
    ck_assert(!weir_handlers_has(&handlers, SIZE_MAX));
    ck_assert_int_eq(
        weir_dispatch_typed(&handlers, WEIR_METHOD_SYSTEM_GET_STATS, &call, &request.base, &err),
        WEIR_METHOD_NOT_FOUND);
    ck_assert_int_eq(weir_dispatch_typed(&handlers, weir_methods_n, &call, &request.base, &err),
                     WEIR_METHOD_NOT_FOUND);
}
END_TEST

/* ---- stubs ---- */

struct weir_client {
    size_t method;
    const ProtobufCMessage *request;
    const struct weir_call_options *options;
    struct weir_client_completion completion;
    ProtobufCMessage *response;  // the reply; NULL: fail
};

weir_status weir_client_call(struct weir_client *client, size_t method,
                             const ProtobufCMessage *request,
                             const struct weir_call_options *options, ProtobufCMessage **response,
                             struct weir_error *call_err)
{
    client->method = method;
    client->request = request;
    client->options = options;
    *response = client->response;
    return client->response != NULL ? WEIR_OK : weir_fail(call_err, WEIR_BACKEND_ERROR, "no");
}

weir_status weir_client_start(struct weir_client *client, size_t method,
                              const ProtobufCMessage *request,
                              const struct weir_call_options *options,
                              const struct weir_client_completion *completion,
                              struct weir_error *call_err)
{
    client->method = method;
    client->request = request;
    client->options = options;
    client->completion = *completion;
    return client->response != NULL ? WEIR_OK : weir_fail(call_err, WEIR_BACKEND_ERROR, "no");
}

START_TEST(waiting_stub_passes_everything_on)
{
    Weir__V1__RotateTokenRequest request = WEIR__V1__ROTATE_TOKEN_REQUEST__INIT;
    Weir__V1__RotateTokenResponse answer = WEIR__V1__ROTATE_TOKEN_RESPONSE__INIT;
    struct weir_client client = {.response = &answer.base};
    int place = 0;
    const struct weir_call_options *options = (const struct weir_call_options *)(void *)&place;
    Weir__V1__RotateTokenResponse *response = NULL;
    ck_assert_int_eq(weir_namespaces_rotate_token(&client, &request, options, &response, &err),
                     WEIR_OK);
    ck_assert_uint_eq(client.method, WEIR_METHOD_NAMESPACES_ROTATE_TOKEN);
    ck_assert_ptr_eq(client.request, &request.base);
    ck_assert_ptr_eq(client.options, options);
    ck_assert_ptr_eq(response, &answer);

    client.response = NULL;
    ck_assert_int_eq(weir_namespaces_rotate_token(&client, &request, NULL, &response, &err),
                     WEIR_BACKEND_ERROR);
    ck_assert_ptr_null(response);
    ck_assert_str_eq(err.text, "no");
}
END_TEST

struct outcome {
    weir_status status;
    Weir__V1__CheckHealthResponse *response;
    const struct weir_error *err;
    int calls;
};

static void note_outcome(void *context, weir_status status, Weir__V1__CheckHealthResponse *response,
                         const struct weir_error *call_err)
{
    struct outcome *outcome = context;
    *outcome = (struct outcome){status, response, call_err, outcome->calls + 1};
}

START_TEST(starting_stub_calls_back_with_its_type)
{
    Weir__V1__CheckHealthRequest request = WEIR__V1__CHECK_HEALTH_REQUEST__INIT;
    Weir__V1__CheckHealthResponse answer = WEIR__V1__CHECK_HEALTH_RESPONSE__INIT;
    struct weir_client client = {.response = &answer.base};
    struct outcome outcome = {0};
    ck_assert_int_eq(
        weir_system_check_health_async(&client, &request, NULL, note_outcome, &outcome, &err),
        WEIR_OK);
    ck_assert_uint_eq(client.method, WEIR_METHOD_SYSTEM_CHECK_HEALTH);
    ck_assert_ptr_eq(client.request, &request.base);
    ck_assert_int_eq(outcome.calls, 0);
    client.completion.thunk(&client.completion, WEIR_CANCELLED, &answer.base, &err);
    ck_assert_int_eq(outcome.calls, 1);
    ck_assert_int_eq(outcome.status, WEIR_CANCELLED);
    ck_assert_ptr_eq(outcome.response, &answer);
    ck_assert_ptr_eq(outcome.err, &err);
}
END_TEST

static Suite *methods_suite(void)
{
    Suite *suite = suite_create("methods");
    TCase *table = tcase_create("table");
    tcase_add_checked_fixture(table, set_up, NULL);
    tcase_add_loop_test(table, table_says_what_the_proto_says, 0, WEIR_COUNTOF(expected));
    tcase_add_test(table, every_method_is_found_and_complete);
    tcase_add_test(table, other_names_are_not_found);
    tcase_add_test(table, summary_is_the_first_sentence);
    suite_add_tcase(suite, table);
    TCase *calls = tcase_create("calls");
    tcase_add_checked_fixture(calls, set_up, NULL);
    tcase_add_test(calls, call_reaches_its_handler);
    tcase_add_test(calls, missing_handlers_are_told);
    tcase_add_test(calls, waiting_stub_passes_everything_on);
    tcase_add_test(calls, starting_stub_calls_back_with_its_type);
    suite_add_tcase(suite, calls);
    return suite;
}

int main(void)
{
    return check_main(methods_suite());
}
