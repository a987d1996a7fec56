/* Deferred work, on a thread that has the name of nng's task threads and waits as they do. */
#include "server/transport/deferred.h"

#include "server/transport/nng_tasks.h"
#include "tests/lib/check_main.h"
#include "tests/lib/task_thread.h"
#include "weir/base/monotonic.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

static atomic_int run;
static atomic_int handed_on;

static void do_it(void *context)
{
    atomic_fetch_add(&run, *(const int *)context);
}

static void hand_on(void *context)
{
    atomic_fetch_add(&handed_on, *(const int *)context);
}

static void *put_off(void *context)
{
    static int one = 1;
    static int ten = 10;
    (void)context;
    task_thread_become();

    const int64_t before_us = weir_monotonic_us();
    ck_assert(weir_defer(do_it, hand_on, &one));
    ck_assert(!weir_defer(do_it, hand_on, &ten));
    weir_deferred_run_late(before_us);
    ck_assert_int_eq(atomic_load(&run), 0);
    task_thread_find_none();
    ck_assert_int_eq(atomic_load(&run), 1);

    ck_assert(weir_defer(do_it, hand_on, &ten));
    weir_deferred_run_late(weir_monotonic_us() + WEIR_DEFER_MAX_US + 1);
    ck_assert_int_eq(atomic_load(&run), 11);
    weir_deferred_run();
    ck_assert_int_eq(atomic_load(&run), 11);

    ck_assert(weir_defer(do_it, hand_on, &ten));
    weir_deferred_run();
    ck_assert_int_eq(atomic_load(&run), 21);
    task_thread_wait();
    ck_assert_int_eq(atomic_load(&run), 21);

    ck_assert(weir_defer(do_it, hand_on, &one));
    weir_deferred_hand_on();
    weir_deferred_hand_on();
    weir_deferred_run();
    ck_assert_int_eq(atomic_load(&run), 21);
    ck_assert_int_eq(atomic_load(&handed_on), 1);
    return NULL;
}

START_TEST(it_is_done_once_when_there_is_no_task_or_when_it_must)
{
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, put_off, NULL), 0);
    (void)pthread_join(thread, NULL);
    ck_assert_int_eq(atomic_load(&run), 21);
}
END_TEST

/* The thread always finds another task. */
static void *put_off_and_go_on(void *context)
{
    static int one = 1;
    static int ten = 10;
    const struct timespec long_time = {.tv_nsec = 2 * WEIR_NNG_TASKS_LATE_US * 1000L};
    (void)context;
    task_thread_become();

    ck_assert(weir_defer(do_it, hand_on, &one));
    (void)nanosleep(&long_time, NULL);
    task_thread_wake();
    ck_assert_int_eq(atomic_load(&handed_on), 1);

    weir_deferred_run();
    task_thread_wait();
    ck_assert_int_eq(atomic_load(&run), 0);

    ck_assert(weir_defer(do_it, hand_on, &ten));
    task_thread_find_none();
    (void)nanosleep(&long_time, NULL);
    task_thread_wake();
    ck_assert_int_eq(atomic_load(&run), 10);
    ck_assert_int_eq(atomic_load(&handed_on), 1);
    return NULL;
}

START_TEST(it_is_handed_on_where_there_is_always_a_task)
{
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, put_off_and_go_on, NULL), 0);
    (void)pthread_join(thread, NULL);
    ck_assert_int_eq(atomic_load(&run), 10);
}
END_TEST

START_TEST(no_other_thread_puts_anything_off)
{
    static int one = 1;
    ck_assert(!weir_defer(do_it, hand_on, &one));
    weir_deferred_run();
}
END_TEST

static void setup(void)
{
    atomic_store(&run, 0);
    atomic_store(&handed_on, 0);
}

static Suite *put_off_suite(void)
{
    Suite *suite = suite_create("put_off");
    TCase *tcase = tcase_create("put_off");
    tcase_add_checked_fixture(tcase, setup, NULL);
    tcase_add_test(tcase, it_is_done_once_when_there_is_no_task_or_when_it_must);
    tcase_add_test(tcase, it_is_handed_on_where_there_is_always_a_task);
    tcase_add_test(tcase, no_other_thread_puts_anything_off);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return check_main(put_off_suite());
}
