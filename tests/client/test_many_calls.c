/* Many concurrent calls on one client: from several threads, and many in flight. */
#include "tests/client/scripted.h"
#include "tests/lib/check_main.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

enum { THREADS = 8, CALLS = 200, ASYNC_CALLS = 1000 };

static void *call_many(void *arg)
{
    (void)arg;
    struct weir_error own;
    weir_error_init(&own);
    char stream[] = "account-1";
    Weir__V1__GetStreamVersionRequest request = WEIR__V1__GET_STREAM_VERSION_REQUEST__INIT;
    request.stream_name = stream;
    size_t good = 0;
    for (int i = 0; i < CALLS; i++) {
        Weir__V1__GetStreamVersionResponse *response = NULL;
        if (weir_message_store_get_stream_version(scripted.client, &request, NULL, &response,
                                                  &own) == WEIR_OK &&
            response->version == 41) {
            good++;
        }
        weir_response_free(response);
    }
    return (void *)(uintptr_t)good;
}

START_TEST(many_threads_share_a_client)
{
    scripted_start(&answer_version, 1);
    pthread_t threads[THREADS];
    for (size_t t = 0; t < THREADS; t++) {
        ck_assert_int_eq(pthread_create(&threads[t], NULL, call_many, NULL), 0);
    }
    for (size_t t = 0; t < THREADS; t++) {
        void *good = NULL;
        ck_assert_int_eq(pthread_join(threads[t], &good), 0);
        ck_assert_uint_eq((uintptr_t)good, CALLS);
    }
    ck_assert_uint_eq(fake_server_requests(scripted.server), (size_t)THREADS * CALLS);
}
END_TEST

struct tally {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    size_t done;
    size_t good;
    weir_status last;
};

static struct tally tally = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, 0, WEIR_OK};

static void count(void *context, weir_status status, Weir__V1__GetStreamVersionResponse *response,
                  const struct weir_error *error)
{
    struct tally *to = context;
    (void)pthread_mutex_lock(&to->mutex);
    to->done++;
    to->good += status == WEIR_OK && response->version == 41 && error->status == WEIR_OK ? 1 : 0;
    to->last = status;
    (void)pthread_cond_broadcast(&to->changed);
    (void)pthread_mutex_unlock(&to->mutex);
    weir_response_free(response);
}

static void start_async(size_t n)
{
    tally.done = 0;
    tally.good = 0;
    for (size_t i = 0; i < n; i++) {
        /* The request is freed as soon as the function returns. */
        char *stream = strdup("account-1");
        Weir__V1__GetStreamVersionRequest request = WEIR__V1__GET_STREAM_VERSION_REQUEST__INIT;
        request.stream_name = stream;
        ck_assert_int_eq(weir_message_store_get_stream_version_async(
                             scripted.client, &request, NULL, count, &tally, &scripted.err),
                         WEIR_OK);
        memset(stream, 'x', strlen(stream));
        free(stream);
    }
}

static void await_tally(size_t n)
{
    (void)pthread_mutex_lock(&tally.mutex);
    while (tally.done < n) {
        (void)pthread_cond_wait(&tally.changed, &tally.mutex);
    }
    (void)pthread_mutex_unlock(&tally.mutex);
}

START_TEST(many_asynchronous_calls_are_in_flight)
{
    const struct fake_action script[] = {fail_unavailable, fail_unavailable, answer_version};
    scripted_start(script, 3);
    start_async(ASYNC_CALLS);
    await_tally(ASYNC_CALLS);
    ck_assert_msg(tally.good == ASYNC_CALLS, "%zu of %d good, last %s, %zu requests", tally.good,
                  ASYNC_CALLS, weir_status_name(tally.last), fake_server_requests(scripted.server));
}
END_TEST

START_TEST(closing_ends_what_is_in_flight)
{
    const struct fake_action scripts[] = {keep_silent, fail_unavailable};
    const size_t n = _i < 2 ? 20 : 1;
    scripted.server = fake_server_start(&scripts[_i % 2], 1);
    scripted_open_client(fake_server_url(scripted.server), 60000);
    start_async(n);
    fake_server_await(scripted.server, 1);
    weir_client_close(scripted.client);
    scripted.client = NULL;
    ck_assert_uint_eq(tally.done, n);
    ck_assert_uint_eq(tally.good, 0);
    ck_assert_int_eq(tally.last, WEIR_CANCELLED);
}
END_TEST

/* nng does not always survive that a connection is closed while a reply comes in. The client waits
 * for a quarter of a second, which may be too short on a busy machine. */
START_TEST(a_reply_that_is_under_way_is_taken_by_a_client_that_closes)
{
    enum { ATTEMPTS = 50 };
    const struct fake_action answer_late = {FAKE_ANSWER_LATE, &scripted.version_response.base,
                                            NULL};
    scripted.server = fake_server_start(&answer_late, 1);
    tally.good = 0;
    for (size_t i = 1; i <= ATTEMPTS && tally.good == 0; i++) {
        scripted_open_client(fake_server_url(scripted.server), 60000);
        start_async(1);
        fake_server_await(scripted.server, i);
        weir_client_close(scripted.client);
        scripted.client = NULL;
        ck_assert_uint_eq(tally.done, 1);
    }
    ck_assert_uint_eq(tally.good, 1);
}
END_TEST

static void start_another(void *started, weir_status status,
                          Weir__V1__GetStreamVersionResponse *response,
                          const struct weir_error *err)
{
    char stream[] = "account-1";
    Weir__V1__GetStreamVersionRequest request = WEIR__V1__GET_STREAM_VERSION_REQUEST__INIT;
    struct weir_error why;
    (void)status;
    (void)err;
    weir_response_free(response);
    weir_error_init(&why);
    request.stream_name = stream;
    atomic_store((atomic_int *)started,
                 (int)weir_message_store_get_stream_version_async(scripted.client, &request, NULL,
                                                                  start_another, started, &why));
}

START_TEST(no_call_begins_while_the_client_closes)
{
    atomic_int started = WEIR_OK;
    scripted_start(&keep_silent, 1);
    start_another(&started, WEIR_OK, NULL, NULL);
    ck_assert_int_eq(atomic_load(&started), WEIR_OK);
    fake_server_await(scripted.server, 1);
    weir_client_close(scripted.client);
    scripted.client = NULL;
    ck_assert_int_eq(atomic_load(&started), WEIR_CANCELLED);
}
END_TEST

START_TEST(calls_in_flight_are_bounded)
{
    scripted.server = fake_server_start(&keep_silent, 1);
    struct weir_client_options options = WEIR_CLIENT_OPTIONS_INIT;
    options.url = fake_server_url(scripted.server);
    options.max_in_flight = 2;
    ck_assert_int_eq(weir_client_open(&options, &scripted.client, &scripted.err), WEIR_OK);
    start_async(2);
    ck_assert_int_eq(scripted_get_version(NULL, NULL), WEIR_LIMIT_EXCEEDED);
}
END_TEST

static void start_next(void *left);

/* Fails the test from a library thread, where a Check assertion cannot be used. */
static void require_ok(weir_status status, const struct weir_error *err)
{
    if (status != WEIR_OK) {
        (void)fprintf(stderr, "%s: %s\n", weir_status_name(status), err->text);
        abort();
    }
}

static void on_next(void *left, weir_status status, Weir__V1__GetStreamVersionResponse *response,
                    const struct weir_error *err)
{
    atomic_int *n = left;
    require_ok(status, err);
    weir_response_free(response);
    if (atomic_fetch_sub(n, 1) > 1) {
        start_next(left);
    }
}

static void start_next(void *left)
{
    char stream[] = "account-1";
    Weir__V1__GetStreamVersionRequest request = WEIR__V1__GET_STREAM_VERSION_REQUEST__INIT;
    struct weir_error err;
    weir_error_init(&err);
    request.stream_name = stream;
    require_ok(weir_message_store_get_stream_version_async(scripted.client, &request, NULL, on_next,
                                                           left, &err),
               &err);
}

START_TEST(a_callback_may_start_a_call_in_the_place_of_its_own)
{
    atomic_int left = 20;
    scripted.server = fake_server_start(&answer_version, 1);
    struct weir_client_options options = WEIR_CLIENT_OPTIONS_INIT;
    options.url = fake_server_url(scripted.server);
    options.max_in_flight = 1;
    ck_assert_int_eq(weir_client_open(&options, &scripted.client, &scripted.err), WEIR_OK);
    start_next(&left);
    while (atomic_load(&left) > 0) {
        (void)poll(NULL, 0, 1);
    }
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(scripted_get_version(NULL, NULL), WEIR_OK);
    }
    weir_client_close(scripted.client);
    scripted.client = NULL;
}
END_TEST

static Suite *many_calls_suite(void)
{
    Suite *suite = suite_create("many calls");
    TCase *calls = tcase_create("many calls");
    tcase_set_timeout(calls, 60);
    tcase_add_checked_fixture(calls, scripted_setup, scripted_teardown);
    tcase_add_test(calls, many_threads_share_a_client);
    tcase_add_test(calls, many_asynchronous_calls_are_in_flight);
    tcase_add_loop_test(calls, closing_ends_what_is_in_flight, 0, 4);
    tcase_add_test(calls, a_reply_that_is_under_way_is_taken_by_a_client_that_closes);
    tcase_add_test(calls, no_call_begins_while_the_client_closes);
    tcase_add_test(calls, calls_in_flight_are_bounded);
    tcase_add_test(calls, a_callback_may_start_a_call_in_the_place_of_its_own);
    suite_add_tcase(suite, calls);
    return suite;
}

int main(void)
{
    return check_main(many_calls_suite());
}
