/* Consumers stopped while their server is down. */
#include "tests/client/live.h"
#include "weir/base/monotonic.h"

#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>

static sem_t has_handled;

static enum weir_handled note_first(void *context, const Weir__V1__Message *message,
                                    uint32_t attempt)
{
    (void)message;
    (void)attempt;
    (void)sem_post(context);
    return WEIR_HANDLED;
}

/* Returns once the client has noticed: nng 1.5.2 leaks a message that it begins to send while it
 * closes the connection. */
static void lose_server(void)
{
    server_kill(&live.server);
    (void)poll(NULL, 0, 200);
}

struct running {
    struct weir_consumer *consumer;
    weir_status status;
    struct weir_error err;
};

static void *run_noting_first(void *arg)
{
    struct running *r = arg;
    weir_error_init(&r->err);
    r->status = weir_consumer_run(r->consumer, note_first, &has_handled, &r->err);
    return NULL;
}

START_TEST(a_consumer_is_stopped_soon_although_the_server_is_away)
{
    (void)live_write("account-1", 1);
    struct weir_consumer_options options = live_consumer_options("account");
    options.commit_ms = 3600000;
    struct running r = {.consumer = live_open_consumer(&options)};
    pthread_t thread;
    ck_assert_int_eq(sem_init(&has_handled, 0, 0), 0);
    ck_assert_int_eq(pthread_create(&thread, NULL, run_noting_first, &r), 0);
    (void)sem_wait(&has_handled);
    lose_server();
    const int64_t began_us = weir_monotonic_us();
    weir_consumer_stop(r.consumer);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    ck_assert_int_le(weir_monotonic_us() - began_us, 15000000);
    /* The result must report that the position was not stored. */
    ck_assert_int_eq(r.status, WEIR_BACKEND_UNAVAILABLE);
    weir_consumer_close(r.consumer);
    server_start(&live.server);
}
END_TEST

/* The handler's result when the consumer is stopped in it, and the interval for storing
 * positions. */
static const struct ending {
    enum weir_handled outcome;
    uint32_t commit_ms;
} endings[] = {{WEIR_STOP, 3600000}, {WEIR_STOP, 1000}, {WEIR_FAILED, 1000}, {WEIR_HANDLED, 1000}};

struct stopping {
    struct weir_consumer *consumer;
    enum weir_handled outcome;
};

static enum weir_handled stop_without_server(void *context, const Weir__V1__Message *message,
                                             uint32_t attempt)
{
    (void)attempt;
    const struct stopping *stopping = context;
    if (message->position == 0) {
        return WEIR_HANDLED;
    }
    (void)poll(NULL, 0, 1100);
    lose_server();
    weir_consumer_stop(stopping->consumer);
    return stopping->outcome;
}

START_TEST(a_handler_stops_soon_although_the_server_is_away)
{
    (void)live_write("account-1", 2);
    struct weir_consumer_options options = live_consumer_options("account");
    options.commit_ms = endings[_i].commit_ms;
    struct stopping stopping = {live_open_consumer(&options), endings[_i].outcome};
    const int64_t began_us = weir_monotonic_us();
    ck_assert_int_eq(
        weir_consumer_run(stopping.consumer, stop_without_server, &stopping, &live.err),
        WEIR_BACKEND_UNAVAILABLE);
    ck_assert_int_le(weir_monotonic_us() - began_us, 15000000);
    weir_consumer_close(stopping.consumer);
    server_start(&live.server);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("consumer_stop");
    TCase *tests = tcase_create("consumer_stop");
    tcase_set_timeout(tests, 120);
    tcase_add_checked_fixture(tests, live_setup, live_teardown);
    tcase_add_test(tests, a_consumer_is_stopped_soon_although_the_server_is_away);
    tcase_add_loop_test(tests, a_handler_stops_soon_although_the_server_is_away, 0,
                        (int)WEIR_COUNTOF(endings));
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
