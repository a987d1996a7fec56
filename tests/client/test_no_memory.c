/* Errors without memory: the error must say so, and not blame a value or a stored message. The
 * linker's --wrap replaces malloc and some functions of nng. */
#include "client/lib/consumer_entry.h"
#include "client/lib/request.h"
#include "client/weir.h"
#include "weir/base/arena.h"

#include <check.h>
#include <nng/nng.h>
#include <nng/supplemental/tls/tls.h>
#include <stdlib.h>

void *__real_malloc(size_t n);
void *__wrap_malloc(size_t n);
int __real_nng_url_parse(nng_url **url, const char *text);
int __wrap_nng_url_parse(nng_url **url, const char *text);
int __wrap_nng_tls_config_ca_file(nng_tls_config *config, const char *path);

static size_t allocations;  // since `failing` was set
static size_t failing;      // number of the allocation to fail; 0: none
static size_t large_bytes;  // larger allocations fail; 0: none
static int url_rv;
static int ca_rv;

void *__wrap_malloc(size_t n)
{
    allocations++;
    return allocations == failing || (large_bytes > 0 && n > large_bytes) ? NULL : __real_malloc(n);
}

int __wrap_nng_url_parse(nng_url **url, const char *text)
{
    return url_rv != 0 ? url_rv : __real_nng_url_parse(url, text);
}

int __wrap_nng_tls_config_ca_file(nng_tls_config *config, const char *path)
{
    (void)config;
    (void)path;
    return ca_rv;
}

static void setup(void)
{
    failing = 0;
    large_bytes = 0;
    url_rv = 0;
    ca_rv = 0;
}

/* Completes a request while its n-th allocation fails. */
static weir_status complete(size_t n, size_t method, const ProtobufCMessage *request)
{
    struct weir_arena arena;
    struct weir_error err;
    const ProtobufCMessage *complete = NULL;
    weir_arena_init(&arena, SIZE_MAX, 0);
    weir_error_init(&err);
    allocations = 0;
    failing = n;
    const weir_status st =
        request_complete(&weir_methods[method], request, &arena, &complete, &err);
    failing = 0;
    weir_arena_fini(&arena);
    return st;
}

START_TEST(a_request_that_cannot_be_completed_is_not_too_large)
{
    char name[] = "tenant";
    Weir__V1__NewMessage message = WEIR__V1__NEW_MESSAGE__INIT;
    Weir__V1__NewMessage *messages[] = {&message};
    Weir__V1__WriteMessagesRequest write = WEIR__V1__WRITE_MESSAGES_REQUEST__INIT;
    Weir__V1__CreateNamespaceRequest create = WEIR__V1__CREATE_NAMESPACE_REQUEST__INIT;
    write.messages = messages;
    write.n_messages = 1;
    create.namespace_ = name;
    const ProtobufCMessage *request = _i == 0 ? &write.base : &create.base;
    const size_t method = weir_method_find(weir_slice_of(
        _i == 0 ? "weir.v1.MessageStore/WriteMessages" : "weir.v1.Namespaces/CreateNamespace"));
    size_t n = 1;
    for (weir_status st = complete(n, method, request); st != WEIR_OK;
         st = complete(n, method, request)) {
        ck_assert_int_eq(st, WEIR_BACKEND_UNAVAILABLE);
        n++;
    }
    ck_assert_uint_gt(n, 1);
}
END_TEST

START_TEST(a_position_that_cannot_be_read_is_not_corrupt)
{
    char data[] = "{\"position\":[{\"a\":1},{\"a\":2}]}";
    char stream[] = "weirConsumer:position-worker";
    Weir__V1__Message message = WEIR__V1__MESSAGE__INIT;
    struct weir_slice json;
    struct weir_error err;
    weir_error_init(&err);
    message.stream_name = stream;
    message.has_data = true;
    message.data.data = (uint8_t *)data;
    message.data.len = strlen(data);
    allocations = 0;
    failing = 1;
    ck_assert_int_eq(consumer_take_data(&message, &json, &err), WEIR_BACKEND_UNAVAILABLE);
    ck_assert_int_eq(consumer_take_data(&message, &json, &err), WEIR_OK);
    message.data.len--;
    ck_assert_int_eq(consumer_take_data(&message, &json, &err), WEIR_DATA_CORRUPT);
    message.has_data = false;
    ck_assert_int_eq(consumer_take_data(&message, &json, &err), WEIR_DATA_CORRUPT);
}
END_TEST

static weir_status open_client(const struct weir_client_options *options)
{
    struct weir_client *client = NULL;
    struct weir_error err;
    weir_error_init(&err);
    const weir_status st = weir_client_open(options, &client, &err);
    ck_assert_int_eq(st, err.status);
    weir_client_close(client);
    return st;
}

START_TEST(options_that_cannot_be_looked_at_are_not_wrong)
{
    struct weir_client_options options = WEIR_CLIENT_OPTIONS_INIT;
    options.url = "tls+tcp://localhost:1";
    options.tls_ca_file = "any";
    options.tls_cert_file = __FILE__;
    options.tls_key_file = __FILE__;
    url_rv = NNG_ENOMEM;
    ck_assert_int_eq(open_client(&options), WEIR_BACKEND_UNAVAILABLE);
    url_rv = NNG_EADDRINVAL;
    ck_assert_int_eq(open_client(&options), WEIR_INVALID_REQUEST);
    url_rv = 0;
    ca_rv = NNG_ENOMEM;
    ck_assert_int_eq(open_client(&options), WEIR_BACKEND_UNAVAILABLE);
    ca_rv = 0;
    large_bytes = 1 << 19;
    ck_assert_int_eq(open_client(&options), WEIR_BACKEND_UNAVAILABLE);
    large_bytes = 0;
    ck_assert_int_eq(open_client(&options), WEIR_INVALID_REQUEST);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("no memory");
    TCase *tests = tcase_create("no memory");
    tcase_add_checked_fixture(tests, setup, NULL);
    tcase_add_loop_test(tests, a_request_that_cannot_be_completed_is_not_too_large, 0, 2);
    tcase_add_test(tests, a_position_that_cannot_be_read_is_not_corrupt);
    tcase_add_test(tests, options_that_cannot_be_looked_at_are_not_wrong);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
