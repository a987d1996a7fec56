/* What closing a client waits for. Where threads are is arranged by the linker's --wrap. */
#include "client/weir.h"

#include <check.h>
#include <nng/nng.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>

void __real_nng_ctx_send(nng_ctx ctx, nng_aio *aio);
void __wrap_nng_ctx_send(nng_ctx ctx, nng_aio *aio);

/* ---- a call that ends before the function that starts it ---- */

static bool holds_sends;
static sem_t has_ended;   // the call, with its callback
static sem_t may_return;  // the send that has started it
static atomic_bool has_returned;

static void on_info(void *context, weir_status status, Weir__V1__GetServerInfoResponse *response,
                    const struct weir_error *err)
{
    (void)context;
    (void)err;
    ck_assert_int_eq(status, WEIR_BACKEND_UNAVAILABLE);
    ck_assert_ptr_null(response);
    (void)sem_post(&has_ended);
}

void __wrap_nng_ctx_send(nng_ctx ctx, nng_aio *aio)
{
    __real_nng_ctx_send(ctx, aio);
    if (holds_sends) {
        (void)sem_wait(&may_return);
        (void)poll(NULL, 0, 200);
        atomic_store(&has_returned, true);
    }
}

static void *start_call(void *client)
{
    const Weir__V1__GetServerInfoRequest request = WEIR__V1__GET_SERVER_INFO_REQUEST__INIT;
    struct weir_call_options options = WEIR_CALL_OPTIONS_INIT;
    struct weir_error err;
    weir_error_init(&err);
    options.timeout_ms = 1;
    ck_assert_int_eq(
        weir_system_get_server_info_async(client, &request, &options, on_info, NULL, &err),
        WEIR_OK);
    return NULL;
}

START_TEST(a_call_is_not_freed_under_the_thread_that_starts_it)
{
    struct weir_client_options options = WEIR_CLIENT_OPTIONS_INIT;
    struct weir_client *client = NULL;
    struct weir_error err;
    pthread_t starter;
    weir_error_init(&err);
    options.url = "inproc://weir-closing-nobody";
    ck_assert_int_eq(sem_init(&has_ended, 0, 0), 0);
    ck_assert_int_eq(sem_init(&may_return, 0, 0), 0);
    atomic_store(&has_returned, false);
    ck_assert_int_eq(weir_client_open(&options, &client, &err), WEIR_OK);
    holds_sends = true;
    ck_assert_int_eq(pthread_create(&starter, NULL, start_call, client), 0);
    (void)sem_wait(&has_ended);
    (void)sem_post(&may_return);
    weir_client_close(client);
    ck_assert(atomic_load(&has_returned));
    holds_sends = false;
    ck_assert_int_eq(pthread_join(starter, NULL), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("closing");
    TCase *closing = tcase_create("closing");
    tcase_set_timeout(closing, 60);
    tcase_add_test(closing, a_call_is_not_freed_under_the_thread_that_starts_it);
    suite_add_tcase(suite, closing);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
