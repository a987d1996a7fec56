/* What a thread puts off, by a thread that has nng's name for those for tasks and waits as they do.
 */
#include "server/put_off.h"

#include "server/nng_tasks.h"
#include "tests/lib/check_main.h"
#include "weir/rules/time_text.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
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

/* For somebody to wake the thread, once. */
static void *wake(void *context)
{
    (void)context;
    (void)pthread_mutex_lock(&lock);
    (void)weir_nng_tasks_signal(&condition);
    (void)pthread_mutex_unlock(&lock);
    return NULL;
}

static void wake_others(void)
{
    pthread_t waker;
    ck_assert_int_eq(pthread_create(&waker, NULL, wake, NULL), 0);
    (void)pthread_join(waker, NULL);
}

/* The lock is held from here on by the one who waits, so that he is not woken before he does. */
static void wait_until_woken(void)
{
    pthread_t waker;
    (void)pthread_mutex_lock(&lock);
    ck_assert_int_eq(pthread_create(&waker, NULL, wake, NULL), 0);
    (void)weir_nng_tasks_wait(&condition, &lock);
    (void)pthread_mutex_unlock(&lock);
    (void)pthread_join(waker, NULL);
}

/* Returns at once where something is put off, which has been done then. */
static void find_no_task(void)
{
    (void)pthread_mutex_lock(&lock);
    (void)weir_nng_tasks_wait(&condition, &lock);
    (void)pthread_mutex_unlock(&lock);
}

static void *put_off(void *context)
{
    static int one = 1;
    static int ten = 10;
    (void)context;
    (void)pthread_setname_np(pthread_self(), "nng:task");
    wait_until_woken();

    const int64_t before_us = weir_monotonic_us();
    ck_assert(weir_put_off(do_it, hand_on, &one));
    ck_assert(!weir_put_off(do_it, hand_on, &ten));
    weir_put_off_catch_up_late(before_us);
    ck_assert_int_eq(atomic_load(&run), 0);
    find_no_task();
    ck_assert_int_eq(atomic_load(&run), 1);

    ck_assert(weir_put_off(do_it, hand_on, &ten));
    weir_put_off_catch_up_late(weir_monotonic_us() + WEIR_PUT_OFF_US + 1);
    ck_assert_int_eq(atomic_load(&run), 11);
    weir_put_off_catch_up();
    ck_assert_int_eq(atomic_load(&run), 11);

    ck_assert(weir_put_off(do_it, hand_on, &ten));
    weir_put_off_catch_up();
    ck_assert_int_eq(atomic_load(&run), 21);
    wait_until_woken();
    ck_assert_int_eq(atomic_load(&run), 21);
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

/* It finds tasks all the time. */
static void *put_off_and_go_on(void *context)
{
    static int one = 1;
    static int ten = 10;
    const struct timespec long_time = {.tv_nsec = 2 * WEIR_NNG_TASKS_LATE_US * 1000L};
    (void)context;
    (void)pthread_setname_np(pthread_self(), "nng:task");
    wait_until_woken();

    ck_assert(weir_put_off(do_it, hand_on, &one));
    (void)nanosleep(&long_time, NULL);
    wake_others();
    ck_assert_int_eq(atomic_load(&handed_on), 1);

    weir_put_off_catch_up();
    wait_until_woken();
    ck_assert_int_eq(atomic_load(&run), 0);

    ck_assert(weir_put_off(do_it, hand_on, &ten));
    find_no_task();
    (void)nanosleep(&long_time, NULL);
    wake_others();
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
    ck_assert(!weir_put_off(do_it, hand_on, &one));
    weir_put_off_catch_up();
}
END_TEST

static Suite *put_off_suite(void)
{
    Suite *suite = suite_create("put_off");
    TCase *tcase = tcase_create("put_off");
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
