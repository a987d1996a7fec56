/* The load engine, with work that does nothing, fails, or takes time. */
#include "bench/lib/clock.h"
#include "bench/lib/end_signals.h"
#include "bench/lib/load.h"
#include "bench/lib/usage.h"

#include "tests/lib/check_main.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

/* A simulated server: ends operations on its own thread, as nng does. */
struct server {
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    struct load_slot *waiting;
    bool is_ended;
    int64_t stall_from_ns;  // answers nothing between these two times
    int64_t stall_to_ns;
    atomic_int fails_left;
    struct load_outcome failure;
};

static void wait_out_stall(const struct server *server)
{
    if (clock_ns() >= server->stall_from_ns && clock_ns() < server->stall_to_ns) {
        const struct timespec until = clock_timespec(server->stall_to_ns);
        (void)clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
    }
}

static void answer(struct server *server, struct load_slot *slot)
{
    const struct load_outcome well = {.op = LOAD_WRITE, .messages = 2};
    wait_out_stall(server);
    if (atomic_load(&server->fails_left) > 0) {
        (void)atomic_fetch_sub(&server->fails_left, 1);
        load_finish(slot, &server->failure);
    } else {
        load_finish(slot, &well);
    }
}

static void *serve(void *context)
{
    struct server *server = context;
    (void)pthread_mutex_lock(&server->mutex);
    while (!server->is_ended || server->waiting != NULL) {
        struct load_slot *slot = server->waiting;
        if (slot == NULL) {
            (void)pthread_cond_wait(&server->changed, &server->mutex);
            continue;
        }
        server->waiting = slot->next;
        (void)pthread_mutex_unlock(&server->mutex);
        answer(server, slot);
        (void)pthread_mutex_lock(&server->mutex);
    }
    (void)pthread_mutex_unlock(&server->mutex);
    return NULL;
}

static void start(void *context, struct load_slot *slot)
{
    struct server *server = context;
    (void)pthread_mutex_lock(&server->mutex);
    slot->next = server->waiting;
    server->waiting = slot;
    (void)pthread_cond_signal(&server->changed);
    (void)pthread_mutex_unlock(&server->mutex);
}

static struct server server;
static struct load load;
static struct load_settings settings;
static struct load_work work;

static void setup(void)
{
    server =
        (struct server){.mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    settings = (struct load_settings){.slots = 4, .seconds = 0.3, .drain_s = 2, .seed = 1};
    work = (struct load_work){.context = &server, .start = start};
    ck_assert_int_eq(pthread_create(&server.thread, NULL, serve, &server), 0);
}

static void run(void)
{
    struct weir_error err;
    weir_error_init(&err);
    ck_assert_int_eq(load_init(&load, &settings, &work, &err), WEIR_OK);
    load_run(&load, NULL);
    ck_assert_uint_eq(atomic_load(&load.in_flight), 0);
}

static void teardown(void)
{
    (void)pthread_mutex_lock(&server.mutex);
    server.is_ended = true;
    (void)pthread_cond_signal(&server.changed);
    (void)pthread_mutex_unlock(&server.mutex);
    (void)pthread_join(server.thread, NULL);
    load_fini(&load);
}

/* Returns the measured operations plus those due but never started, which a busy machine may
 * have. */
static uint64_t due(void)
{
    uint64_t n = histogram_count(load.total);
    for (size_t e = 0; e < load.errors_n; e++) {
        n += strcmp(load.errors[e].reason, "NOT_STARTED") == 0 ? load.errors[e].n : 0;
    }
    return n;
}

START_TEST(a_closed_loop_counts_every_operation)
{
    run();
    const uint64_t n = histogram_count(load.total);
    ck_assert_uint_gt(n, 10);
    ck_assert_uint_eq(histogram_count(load.counts[LOAD_WRITE].latency), n);
    ck_assert_uint_eq(atomic_load(&load.counts[LOAD_WRITE].messages), 2 * n);
    ck_assert_uint_eq(load.errors_n, 0);
    ck_assert(load_measured_s(&load) > 0.299 && load_measured_s(&load) < 0.301);
}
END_TEST

START_TEST(an_open_loop_keeps_its_rate)
{
    settings.rate = 1000;
    run();
    ck_assert_uint_ge(due(), 298);
    ck_assert_uint_le(due(), 300);
}
END_TEST

/* The load also ends on time if the next arrival is due long after its end. */
START_TEST(an_open_loop_ends_when_its_time_is_over)
{
    settings.rate = 0.05;
    const int64_t began_ns = clock_ns();
    run();
    ck_assert_int_lt(clock_ns() - began_ns, INT64_C(5000000000));
    ck_assert_uint_eq(due(), 0);
}
END_TEST

START_TEST(arrivals_by_chance_have_the_same_mean)
{
    settings.rate = 2000;
    settings.is_random = true;
    run();
    ck_assert_uint_ge(due(), 480);
    ck_assert_uint_le(due(), 720);
}
END_TEST

/* A server that stalls for 100 ms delays the 100 of 300 operations that should have started
 * meanwhile, by 50 ms on average. A loop that waits for its slots would see the delay only four
 * times. */
START_TEST(a_stall_is_seen_by_all_that_should_have_started)
{
    settings.rate = 1000;
    server.stall_from_ns = clock_ns() + 100000000;
    server.stall_to_ns = server.stall_from_ns + 100000000;
    run();
    ck_assert_uint_ge(due(), 298);
    ck_assert_uint_gt(histogram_percentile(load.total, 75), 20000000);
    ck_assert_uint_gt(histogram_max(load.total), 80000000);
}
END_TEST

/* Operations that the stall keeps from ever starting are counted as errors. */
START_TEST(what_was_never_started_is_counted)
{
    settings.rate = 1000;
    server.stall_from_ns = clock_ns() + 200000000;
    server.stall_to_ns = server.stall_from_ns + 400000000;
    run();
    ck_assert_uint_eq(load.errors_n, 1);
    ck_assert_str_eq(load.errors[0].reason, "NOT_STARTED");
    ck_assert_uint_ge(due(), 298);
    ck_assert_uint_gt(load.errors[0].n, 50);
}
END_TEST

/* The server stands still from the warm-up until after the end. */
START_TEST(what_the_warm_up_never_started_is_not_counted)
{
    settings.warmup_s = 0.2;
    settings.seconds = 0.1;
    settings.rate = 1000;
    server.stall_from_ns = clock_ns() + 20000000;
    server.stall_to_ns = server.stall_from_ns + 500000000;
    run();
    ck_assert_uint_eq(load.errors_n, 1);
    ck_assert_str_eq(load.errors[0].reason, "NOT_STARTED");
    ck_assert_uint_ge(due(), 98);
    ck_assert_uint_le(due(), 100);
}
END_TEST

START_TEST(errors_are_counted_by_reason_and_the_load_goes_on)
{
    server.failure = (struct load_outcome){.reason = "BROKEN", .text = "it is broken"};
    server.fails_left = 3;
    run();
    ck_assert_uint_eq(load.errors_n, 1);
    ck_assert_str_eq(load.errors[0].reason, "BROKEN");
    ck_assert_str_eq(load.errors[0].text, "it is broken");
    ck_assert_uint_eq(load.errors[0].n, 3);
    ck_assert_uint_gt(histogram_count(load.total), 10);
    ck_assert_uint_eq(load.outages_n, 0);
}
END_TEST

START_TEST(an_error_ends_the_load_where_that_is_wanted)
{
    settings.seconds = 30;
    settings.stops_on_error = true;
    server.failure = (struct load_outcome){.reason = "BROKEN", .text = "it is broken"};
    server.fails_left = 1;
    const int64_t began_ns = clock_ns();
    run();
    ck_assert_int_lt(clock_ns() - began_ns, INT64_C(5000000000));
    ck_assert_uint_ge(load.errors[0].n, 1);
    ck_assert(load_measured_s(&load) < 5);
}
END_TEST

START_TEST(an_outage_has_a_beginning_and_an_end)
{
    server.failure =
        (struct load_outcome){.reason = "GONE", .text = "it is gone", .is_unreachable = true};
    server.fails_left = 8;
    run();
    ck_assert_uint_eq(load.outages_n, 1);
    ck_assert(load.outages[0].from_s >= 0);
    ck_assert(load.outages[0].to_s > load.outages[0].from_s);
}
END_TEST

START_TEST(the_warm_up_is_not_measured)
{
    settings.warmup_s = 0.2;
    settings.rate = 1000;
    run();
    ck_assert_uint_le(due(), 300);
    ck_assert_uint_ge(due(), 298);
    /* The sum over warm-up and measured time. */
    ck_assert_uint_ge(load.each_second[0] + due() - histogram_count(load.total), 490);
}
END_TEST

static void ignore(void *context)
{
    (void)context;
}

static void interrupt(void *context)
{
    (void)context;
    (void)raise(SIGINT);
}

/* The signal ends the wait for operations in flight. */
START_TEST(one_signal_ends_the_wait_at_the_end)
{
    const struct load_window window = {NULL, ignore, interrupt};
    struct weir_error err;
    weir_error_init(&err);
    end_signals_block();
    settings.drain_s = 30;
    server.stall_from_ns = clock_ns() + 100000000;
    server.stall_to_ns = server.stall_from_ns + INT64_C(3000000000);
    ck_assert_int_eq(load_init(&load, &settings, &work, &err), WEIR_OK);
    load_run(&load, &window);
    ck_assert_int_lt(clock_ns(), server.stall_to_ns);
    ck_assert(load.is_interrupted);
}
END_TEST

static struct load_outcome do_it_here(void *context, struct load_slot *slot)
{
    (void)context;
    (void)slot;
    return (struct load_outcome){.op = LOAD_READ, .messages = 1};
}

START_TEST(operations_that_block_have_threads)
{
    work.run = do_it_here;
    run();
    ck_assert_uint_gt(histogram_count(load.counts[LOAD_READ].latency), 100);
}
END_TEST

/* The server's CPU time is seen as finely as that of this program, which plays the server here. */
START_TEST(a_millisecond_of_cpu_is_seen)
{
    struct usage before;
    struct usage after;
    double own_s = 0;
    usage_now(&before, getpid(), NULL);
    while (own_s < 0.002) {
        usage_now(&after, getpid(), NULL);
        own_s = after.own_cpu_s - before.own_cpu_s;
    }
    ck_assert(before.has_server && after.has_server);
    const double server_s = after.server_cpu_s - before.server_cpu_s;
    ck_assert_msg(server_s > own_s - 0.001 && server_s < own_s + 0.001, "%f of %f s", server_s,
                  own_s);
    usage_now(&after, INT32_MAX, NULL);
    ck_assert(!after.has_server);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("load");
    TCase *tests = tcase_create("load");
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, a_closed_loop_counts_every_operation);
    tcase_add_test(tests, an_open_loop_keeps_its_rate);
    tcase_add_test(tests, an_open_loop_ends_when_its_time_is_over);
    tcase_add_test(tests, arrivals_by_chance_have_the_same_mean);
    tcase_add_test(tests, a_stall_is_seen_by_all_that_should_have_started);
    tcase_add_test(tests, what_was_never_started_is_counted);
    tcase_add_test(tests, what_the_warm_up_never_started_is_not_counted);
    tcase_add_test(tests, errors_are_counted_by_reason_and_the_load_goes_on);
    tcase_add_test(tests, an_error_ends_the_load_where_that_is_wanted);
    tcase_add_test(tests, an_outage_has_a_beginning_and_an_end);
    tcase_add_test(tests, the_warm_up_is_not_measured);
    tcase_add_test(tests, one_signal_ends_the_wait_at_the_end);
    tcase_add_test(tests, operations_that_block_have_threads);
    tcase_add_test(tests, a_millisecond_of_cpu_is_seen);
    suite_add_tcase(suite, tests);
    return check_main(suite);
}
