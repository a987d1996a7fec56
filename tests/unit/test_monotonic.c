/* Waits with a deadline. */
#include "weir/base/monotonic.h"

#include "tests/lib/check_main.h"

#include <time.h>

enum { SECOND_US = 1000000 };

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond;
static bool is_set;

static int64_t now_us(void)
{
    struct timespec t;
    ck_assert_int_eq(clock_gettime(CLOCK_MONOTONIC, &t), 0);
    return (int64_t)t.tv_sec * SECOND_US + t.tv_nsec / 1000;
}

static void set_up(void)
{
    weir_cond_init(&cond);
    is_set = false;
}

static void tear_down(void)
{
    (void)pthread_cond_destroy(&cond);
}

START_TEST(a_wait_ends_at_its_time_and_not_before)
{
    (void)pthread_mutex_lock(&mutex);
    const int64_t until_us = now_us() + 30000;
    while (weir_cond_wait_until(&cond, &mutex, until_us)) {
    }
    ck_assert_int_ge(now_us(), until_us);
    ck_assert(!weir_cond_wait_until(&cond, &mutex, until_us));
    (void)pthread_mutex_unlock(&mutex);
}
END_TEST

static void *set(void *arg)
{
    (void)arg;
    (void)pthread_mutex_lock(&mutex);
    is_set = true;
    (void)pthread_cond_signal(&cond);
    (void)pthread_mutex_unlock(&mutex);
    return NULL;
}

START_TEST(a_signal_ends_a_wait_before)
{
    pthread_t thread;
    bool goes_on = true;
    (void)pthread_mutex_lock(&mutex);
    ck_assert_int_eq(pthread_create(&thread, NULL, set, NULL), 0);
    while (!is_set && goes_on) {
        goes_on = weir_cond_wait_until(&cond, &mutex, now_us() + (int64_t)60 * SECOND_US);
    }
    (void)pthread_mutex_unlock(&mutex);
    ck_assert(goes_on);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("monotonic");
    TCase *tcase = tcase_create("waits");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, a_wait_ends_at_its_time_and_not_before);
    tcase_add_test(tcase, a_signal_ends_a_wait_before);
    suite_add_tcase(suite, tcase);
    return check_main(suite);
}
