/* When task threads are woken (nng_tasks.c), with threads that have the name of nng's task threads
 * and wait as they do. */
#include "server/transport/nng_tasks.h"

#include "tests/lib/check_main.h"
#include "weir/base/monotonic.h"

#include <stdbool.h>
#include <time.h>

enum {
    THREADS = 4,
    QUIET_MS = 100,  // time for woken threads to arrive
    ATTEMPTS = 300,
    GIVERS = 3,
    TASKS_EACH = 20000
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static pthread_t threads[THREADS];

/* Guarded by `lock`. */
static int tasks;
static int done;
static int sleeping;
static int arrivals;  // woken threads that have arrived
static bool is_over;
static bool puts_off;  // tasks defer work where possible
static int put_off;
static int run;       // deferred work that was run
static int done_run;  // tasks done when deferred work was last run
static bool is_called_off;

static void run_later(void *context)
{
    (void)context;
    (void)pthread_mutex_lock(&lock);
    run++;
    done_run = done;
    (void)pthread_mutex_unlock(&lock);
}

/* Called by the thread that gives a task, which holds the lock. */
static void hand_on(void *context)
{
    (void)context;
    run++;
}

static bool put_something_off(void)
{
    const bool is_put_off = weir_nng_tasks_defer(run_later, hand_on, NULL);
    if (is_put_off && is_called_off) {
        (void)weir_nng_tasks_take_deferred();
    }
    return is_put_off;
}

static void *do_tasks(void *context)
{
    (void)context;
    (void)pthread_setname_np(pthread_self(), "nng:task");
    (void)pthread_mutex_lock(&lock);
    while (!is_over) {
        if (tasks > 0) {
            tasks--;
            (void)pthread_mutex_unlock(&lock);
            const bool is_put_off = puts_off && put_something_off();
            (void)pthread_mutex_lock(&lock);
            put_off += is_put_off;
            done++;
            continue;
        }
        sleeping++;
        (void)weir_nng_tasks_wait(&condition, &lock);
        sleeping--;
        arrivals++;
    }
    (void)pthread_mutex_unlock(&lock);
    return NULL;
}

static void quiet(void)
{
    const struct timespec nap = {.tv_nsec = QUIET_MS * 1000L * 1000};
    (void)nanosleep(&nap, NULL);
}

/* Waits until a number has the wanted value, and returns it. Takes the lock. */
static int await(const int *number, int wanted)
{
    int is = 0;
    for (int i = 0; i < ATTEMPTS; i++) {
        (void)pthread_mutex_lock(&lock);
        is = *number;
        (void)pthread_mutex_unlock(&lock);
        if (is == wanted) {
            break;
        }
        quiet();
    }
    return is;
}

static void start_threads(void)
{
    is_over = false;
    for (int i = 0; i < THREADS; i++) {
        ck_assert_int_eq(pthread_create(&threads[i], NULL, do_tasks, NULL), 0);
    }
    ck_assert_int_eq(await(&sleeping, THREADS), THREADS);
    arrivals = 0;
    done = 0;
    puts_off = false;
    put_off = 0;
    run = 0;
    done_run = 0;
    is_called_off = false;
}

static void end_threads(void)
{
    (void)pthread_mutex_lock(&lock);
    is_over = true;
    (void)pthread_cond_broadcast(&condition);
    (void)pthread_mutex_unlock(&lock);
    for (int i = 0; i < THREADS; i++) {
        (void)pthread_join(threads[i], NULL);
    }
}

static void give(int n)
{
    (void)pthread_mutex_lock(&lock);
    for (int i = 0; i < n; i++) {
        tasks++;
        ck_assert_int_eq(weir_nng_tasks_signal(&condition), 0);
    }
    (void)pthread_mutex_unlock(&lock);
}

START_TEST(a_task_wakes_one)
{
    give(1);
    ck_assert_int_eq(await(&done, 1), 1);
    quiet();
    ck_assert_int_eq(await(&arrivals, 1), 1);
}
END_TEST

/* Gives `n` tasks at once. Returns false if it took so long that no thread was still expected. */
static bool give_at_once(int n)
{
    const int64_t from_us = weir_monotonic_us();
    arrivals = 0;
    done = 0;
    give(n);
    const bool is_in_time = weir_monotonic_us() - from_us < WEIR_NNG_TASKS_COMING_US;
    ck_assert_int_eq(await(&done, n), n);
    ck_assert_int_eq(await(&sleeping, THREADS), THREADS);
    quiet();
    return is_in_time;
}

/* The thread that is on its way causes one more to be woken, and that one causes no third. */
START_TEST(tasks_that_come_together_wake_one_and_one_behind_it)
{
    bool is_in_time = false;
    for (int i = 0; !is_in_time && i < ATTEMPTS; i++) {
        is_in_time = give_at_once(THREADS);
    }
    ck_assert(is_in_time);
    ck_assert_int_eq(await(&arrivals, 2), 2);
}
END_TEST

/* As if the wake-up of the thread had been lost. */
START_TEST(one_that_does_not_come_is_not_relied_on)
{
    (void)pthread_mutex_lock(&lock);
    for (int i = 0; i < THREADS; i++) {
        ck_assert_int_eq(weir_nng_tasks_signal(&condition), 0);
        (void)nanosleep(&(struct timespec){.tv_nsec = 2 * WEIR_NNG_TASKS_COMING_US * 1000L}, NULL);
    }
    (void)pthread_mutex_unlock(&lock);
    ck_assert_int_eq(await(&arrivals, THREADS), THREADS);
}
END_TEST

static pthread_cond_t other = PTHREAD_COND_INITIALIZER;
static int waiting;  // threads that wait for `other`
static int woken;

static void *wait_for_other(void *context)
{
    (void)context;
    (void)pthread_mutex_lock(&lock);
    waiting++;
    (void)weir_nng_tasks_wait(&other, &lock);
    woken++;
    (void)pthread_mutex_unlock(&lock);
    return NULL;
}

START_TEST(who_waits_for_something_else_is_woken_by_each_signal)
{
    pthread_t others[THREADS];
    waiting = 0;
    woken = 0;
    for (int i = 0; i < THREADS; i++) {
        ck_assert_int_eq(pthread_create(&others[i], NULL, wait_for_other, NULL), 0);
    }
    ck_assert_int_eq(await(&waiting, THREADS), THREADS);
    (void)pthread_mutex_lock(&lock);
    for (int i = 0; i < THREADS; i++) {
        ck_assert_int_eq(weir_nng_tasks_signal(&other), 0);
    }
    (void)pthread_mutex_unlock(&lock);
    ck_assert_int_eq(await(&woken, THREADS), THREADS);
    for (int i = 0; i < THREADS; i++) {
        (void)pthread_join(others[i], NULL);
    }
}
END_TEST

START_TEST(what_is_put_off_comes_behind_the_tasks)
{
    puts_off = true;
    give(1);
    ck_assert_int_eq(await(&run, 1), 1);
    ck_assert_int_eq(await(&done_run, 1), 1);
    ck_assert_int_eq(await(&sleeping, THREADS), THREADS);
    ck_assert_int_eq(await(&put_off, 1), 1);
}
END_TEST

START_TEST(what_is_called_off_does_not_come)
{
    puts_off = true;
    is_called_off = true;
    give(1);
    ck_assert_int_eq(await(&put_off, 1), 1);
    ck_assert_int_eq(await(&sleeping, THREADS), THREADS);
    ck_assert_int_eq(await(&run, 0), 0);
}
END_TEST

START_TEST(who_does_no_tasks_puts_nothing_off)
{
    ck_assert(!weir_nng_tasks_defer(run_later, hand_on, NULL));
}
END_TEST

static void *give_many(void *context)
{
    (void)context;
    for (int i = 0; i < TASKS_EACH; i++) {
        give(1 + i % 3);
        if (i % 7 == 0) {
            (void)nanosleep(&(struct timespec){.tv_nsec = 1000}, NULL);
        }
    }
    return NULL;
}

START_TEST(no_task_is_forgotten_and_nothing_put_off)
{
    enum { ALL = GIVERS * (TASKS_EACH * 2 - 1) };
    puts_off = true;
    pthread_t givers[GIVERS];
    for (int i = 0; i < GIVERS; i++) {
        ck_assert_int_eq(pthread_create(&givers[i], NULL, give_many, NULL), 0);
    }
    for (int i = 0; i < GIVERS; i++) {
        (void)pthread_join(givers[i], NULL);
    }
    ck_assert_int_eq(await(&tasks, 0), 0);
    ck_assert_int_eq(await(&sleeping, THREADS), THREADS);
    ck_assert_int_eq(await(&done, ALL), ALL);
    ck_assert_int_gt(put_off, 0);
    ck_assert_int_eq(await(&run, put_off), put_off);
}
END_TEST

static Suite *nng_tasks_suite(void)
{
    Suite *suite = suite_create("nng_tasks");
    TCase *tcase = tcase_create("waking");
    tcase_add_checked_fixture(tcase, start_threads, end_threads);
    tcase_add_test(tcase, a_task_wakes_one);
    tcase_add_test(tcase, tasks_that_come_together_wake_one_and_one_behind_it);
    tcase_add_test(tcase, one_that_does_not_come_is_not_relied_on);
    tcase_add_test(tcase, who_waits_for_something_else_is_woken_by_each_signal);
    tcase_add_test(tcase, what_is_put_off_comes_behind_the_tasks);
    tcase_add_test(tcase, what_is_called_off_does_not_come);
    tcase_add_test(tcase, who_does_no_tasks_puts_nothing_off);
    tcase_add_test(tcase, no_task_is_forgotten_and_nothing_put_off);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return check_main(nng_tasks_suite());
}
