#include "tests/lib/task_thread.h"

#include "server/transport/nng_tasks.h"

#include <check.h>
#include <pthread.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;

static void *wake(void *context)
{
    (void)context;
    (void)pthread_mutex_lock(&lock);
    (void)weir_nng_tasks_signal(&condition);
    (void)pthread_mutex_unlock(&lock);
    return NULL;
}

static pthread_t start_waker(void)
{
    pthread_t waker;
    ck_assert_int_eq(pthread_create(&waker, NULL, wake, NULL), 0);
    return waker;
}

/* Takes the lock before it starts the waker, so that the waker cannot signal before the caller
 * waits. */
void task_thread_wait(void)
{
    (void)pthread_mutex_lock(&lock);
    const pthread_t waker = start_waker();
    (void)weir_nng_tasks_wait(&condition, &lock);
    (void)pthread_mutex_unlock(&lock);
    (void)pthread_join(waker, NULL);
}

void task_thread_become(void)
{
    (void)pthread_setname_np(pthread_self(), "nng:task");
    task_thread_wait();
}

void task_thread_find_none(void)
{
    (void)pthread_mutex_lock(&lock);
    (void)weir_nng_tasks_wait(&condition, &lock);
    (void)pthread_mutex_unlock(&lock);
}

void task_thread_wake(void)
{
    (void)pthread_join(start_waker(), NULL);
}
