/* Many calls in flight while the server is killed and restarted: every call ends correctly. Since
 * nng 1.5.2 can stop connecting forever when it loses a connection under load (client/lib/link.h),
 * the test also shows that the library recovers from that. */
#include "tests/client/live.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { ROUNDS = 20, IN_FLIGHT = 64, CALLS_PER_ROUND = 2000, ROUND_S = 30 };

struct load {
    pthread_mutex_t mutex;  // guards the members below
    pthread_cond_t changed;
    size_t done_n;
    size_t failed_n;
    size_t running_n;  // chains of calls, in which each call starts the next
    bool is_ending;
};

static struct load load = {.mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static void start_call(void);

static void on_done(void *context, weir_status status, Weir__V1__GetStreamVersionResponse *response,
                    const struct weir_error *err)
{
    (void)context;
    (void)pthread_mutex_lock(&load.mutex);
    load.done_n++;
    if (status != WEIR_OK) {
        load.failed_n++;
        (void)fprintf(stderr, "%s: %s\n", weir_status_name(status), err->text);
    }
    const bool goes_on = !load.is_ending;
    load.running_n -= goes_on ? 0 : 1;
    (void)pthread_cond_broadcast(&load.changed);
    (void)pthread_mutex_unlock(&load.mutex);
    weir_response_free(response);
    if (goes_on) {
        start_call();
    }
}

static void start_call(void)
{
    char stream[] = "account-1";
    struct weir_error err;
    weir_error_init(&err);
    Weir__V1__GetStreamVersionRequest request = WEIR__V1__GET_STREAM_VERSION_REQUEST__INIT;
    request.stream_name = stream;
    if (weir_message_store_get_stream_version_async(live.client, &request, NULL, on_done, NULL,
                                                    &err) != WEIR_OK) {
        (void)fprintf(stderr, "%s\n", err.text);
        abort();
    }
}

/* Waits until `n` calls have ended in all. */
static void await_calls(size_t n)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += ROUND_S;
    (void)pthread_mutex_lock(&load.mutex);
    int rv = 0;
    while (load.done_n < n && rv == 0) {
        rv = pthread_cond_timedwait(&load.changed, &load.mutex, &until);
    }
    const size_t done_n = load.done_n;
    (void)pthread_mutex_unlock(&load.mutex);
    ck_assert_msg(rv == 0, "only %zu of %zu calls have ended", done_n, n);
}

static void end_load(void)
{
    (void)pthread_mutex_lock(&load.mutex);
    load.is_ending = true;
    while (load.running_n > 0) {
        (void)pthread_cond_wait(&load.changed, &load.mutex);
    }
    (void)pthread_mutex_unlock(&load.mutex);
}

START_TEST(calls_go_on_after_each_restart)
{
    load.running_n = IN_FLIGHT;
    for (int i = 0; i < IN_FLIGHT; i++) {
        start_call();
    }
    size_t done_n = 0;
    for (int round = 0; round < ROUNDS; round++) {
        await_calls(done_n + CALLS_PER_ROUND);
        live_restart(true);
        (void)pthread_mutex_lock(&load.mutex);
        done_n = load.done_n;
        (void)pthread_mutex_unlock(&load.mutex);
    }
    await_calls(done_n + CALLS_PER_ROUND);
    end_load();
    ck_assert_uint_eq(load.failed_n, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("restart");
    TCase *tests = tcase_create("restart");
    tcase_set_timeout(tests, 600);
    tcase_add_checked_fixture(tests, live_setup_tcp, live_teardown);
    tcase_add_test(tests, calls_go_on_after_each_restart);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
