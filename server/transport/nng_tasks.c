#define _GNU_SOURCE  // pthread_getname_np()
#include "server/transport/nng_tasks.h"

#include "weir/base/monotonic.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <threads.h>

/* In a long burst every LEFT_OUT_MAX-th wake-up is not left out. */
enum { LEFT_OUT_MAX = 64 };

/* ---- the C library's functions ---- */

/* The names pthread_cond_signal() and pthread_cond_wait() may be bound to nng_wakes.c, and dlsym()
 * may find either of two versions of each. The functions of <threads.h> do the same to the same
 * objects. */
_Static_assert(sizeof(cnd_t) == sizeof(pthread_cond_t), "a condition is one by both names");
_Static_assert(sizeof(mtx_t) == sizeof(pthread_mutex_t), "a lock is one by both names");

static int signal_one(pthread_cond_t *condition)
{
    return cnd_signal((cnd_t *)(void *)condition) == thrd_success ? 0 : -1;
}

static int wait_on(pthread_cond_t *condition, pthread_mutex_t *lock)
{
    return cnd_wait((cnd_t *)(void *)condition, (mtx_t *)(void *)lock) == thrd_success ? 0 : -1;
}

/* ---- waking one thread at a time ---- */

/* The condition on which nng's task threads wait for tasks; NULL until the first thread
 * does. nng signals it while it holds its lock on the tasks, which also guards the next
 * two variables. */
static _Atomic(pthread_cond_t *) task_condition;
static unsigned sleeping_n;      // threads that wait for tasks, or were woken and have not arrived
static int64_t coming_until_us;  // a woken thread is expected until then; monotonic µs
static atomic_bool is_another_wanted;  // the next thread to arrive wakes another one

static bool is_task_condition(pthread_cond_t *condition)
{
    return atomic_load_explicit(&task_condition, memory_order_relaxed) == condition;
}

/* Recognises the condition by the name of the thread that waits: nng names its task threads before
 * they first wait. */
static void learn_task_condition(pthread_cond_t *condition)
{
    char name[16];
    pthread_cond_t *none = NULL;
    if (is_task_condition(NULL) && pthread_getname_np(pthread_self(), name, sizeof name) == 0 &&
        strcmp(name, "nng:task") == 0) {
        (void)atomic_compare_exchange_strong_explicit(&task_condition, &none, condition,
                                                      memory_order_relaxed, memory_order_relaxed);
    }
}

/* Wakes a task thread unless one is expected, or all are awake: a thread that is awake looks for
 * tasks before it sleeps. nng's lock on the tasks must be held. */
static int wake_one(pthread_cond_t *condition)
{
    if (sleeping_n == 0) {
        return 0;
    }
    const int64_t now_us = weir_monotonic_us();
    if (now_us < coming_until_us) {
        atomic_store_explicit(&is_another_wanted, true, memory_order_relaxed);
        return 0;
    }
    coming_until_us = now_us + WEIR_NNG_TASKS_COMING_US;
    return signal_one(condition);
}

/* ---- deferred work ---- */

static _Thread_local struct deferral {
    bool is_for_tasks;  // this thread is one of nng's task threads
    /* Valid while listed. The thread that takes the deferral off the list does the work. */
    struct weir_nng_tasks_work work;
    int64_t since_us;
    struct deferral *next;
} deferral;

static pthread_mutex_t deferrals_lock = PTHREAD_MUTEX_INITIALIZER;  // guards the list; a leaf
static struct deferral *deferrals;  // of all threads, the latest first
static atomic_bool is_any_deferred;
static int64_t next_look_us;  // for late deferrals; guarded by nng's lock on the tasks

static struct deferral **find_deferral_locked(const struct deferral *which)
{
    struct deferral **at = &deferrals;
    while (*at != NULL && *at != which) {
        at = &(*at)->next;
    }
    return at;
}

static void unlist_locked(struct deferral **at)
{
    *at = (*at)->next;
    atomic_store_explicit(&is_any_deferred, deferrals != NULL, memory_order_relaxed);
}

bool weir_nng_tasks_defer(void (*run)(void *context), void (*hand_on)(void *context), void *context)
{
    if (!deferral.is_for_tasks) {
        return false;
    }
    (void)pthread_mutex_lock(&deferrals_lock);
    const bool is_free = *find_deferral_locked(&deferral) == NULL;
    if (is_free) {
        deferral.work = (struct weir_nng_tasks_work){run, hand_on, context};
        deferral.since_us = weir_monotonic_us();
        deferral.next = deferrals;
        deferrals = &deferral;
        atomic_store_explicit(&is_any_deferred, true, memory_order_relaxed);
    }
    (void)pthread_mutex_unlock(&deferrals_lock);
    return is_free;
}

struct weir_nng_tasks_work weir_nng_tasks_take_deferred(void)
{
    struct weir_nng_tasks_work work = {.run = NULL};
    if (!atomic_load_explicit(&is_any_deferred, memory_order_relaxed)) {
        return work;
    }
    (void)pthread_mutex_lock(&deferrals_lock);
    struct deferral **at = find_deferral_locked(&deferral);
    if (*at != NULL) {
        work = deferral.work;
        unlist_locked(at);
    }
    (void)pthread_mutex_unlock(&deferrals_lock);
    return work;
}

static bool run_own_deferral(pthread_mutex_t *lock)
{
    const struct weir_nng_tasks_work work = weir_nng_tasks_take_deferred();
    if (work.run == NULL) {
        return false;
    }
    (void)pthread_mutex_unlock(lock);
    work.run(work.context);
    (void)pthread_mutex_lock(lock);
    return true;
}

static struct deferral **find_late_locked(int64_t since_us)
{
    struct deferral **at = &deferrals;
    while (*at != NULL && (*at)->since_us > since_us) {
        at = &(*at)->next;
    }
    return at;
}

/* Called for each signalled task while any work is deferred. Task threads that always find another
 * task do not get to their deferred work; but then some thread keeps signalling tasks. */
static void hand_on_late(void)
{
    const int64_t now_us = weir_monotonic_us();
    if (now_us < next_look_us) {
        return;
    }
    next_look_us = now_us + WEIR_NNG_TASKS_LATE_US / 2;
    (void)pthread_mutex_lock(&deferrals_lock);
    struct deferral **at = find_late_locked(now_us - WEIR_NNG_TASKS_LATE_US);
    struct weir_nng_tasks_work late = {.run = NULL};
    if (*at != NULL) {
        late = (*at)->work;
        unlist_locked(at);
    }
    (void)pthread_mutex_unlock(&deferrals_lock);
    if (late.run != NULL) {
        late.hand_on(late.context);
    }
}

/* ---- waiting ---- */

/* Runs this thread's deferred work, if any, and otherwise sleeps. nng looks for tasks each
 * time the wait returns, and so finds those that arrived while the work ran. */
static int wait_for_tasks(pthread_cond_t *condition, pthread_mutex_t *lock)
{
    deferral.is_for_tasks = true;
    if (run_own_deferral(lock)) {
        return 0;
    }
    sleeping_n++;
    const int result = wait_on(condition, lock);
    sleeping_n--;
    coming_until_us = 0;
    if (atomic_exchange_explicit(&is_another_wanted, false, memory_order_relaxed)) {
        (void)wake_one(condition);
    }
    return result;
}

int weir_nng_tasks_wait(pthread_cond_t *condition, pthread_mutex_t *lock)
{
    learn_task_condition(condition);
    return is_task_condition(condition) ? wait_for_tasks(condition, lock)
                                        : wait_on(condition, lock);
}

/* ---- bursts ---- */

static _Thread_local struct {
    bool is_open;
    bool is_in_nng;
    unsigned left_out;  // wake-ups left out in this burst
} burst;

void weir_nng_tasks_burst_begin(void)
{
    assert(!burst.is_open);
    burst.is_open = true;
}

/* Signals without nng's lock. So the woken thread is not recorded as expected, no other wake-up is
 * left out because of it, and whichever thread arrives first wakes the second one. */
void weir_nng_tasks_burst_end(void)
{
    const unsigned left_out = burst.left_out;
    burst.is_open = false;
    burst.left_out = 0;
    if (left_out > 1) {
        atomic_store_explicit(&is_another_wanted, true, memory_order_relaxed);
    }
    if (left_out > 0) {
        (void)signal_one(atomic_load_explicit(&task_condition, memory_order_relaxed));
    }
}

void weir_nng_tasks_send(nng_ctx ctx, nng_aio *aio)
{
    burst.is_in_nng = true;
    nng_ctx_send(ctx, aio);
    burst.is_in_nng = false;
}

static bool is_left_out(void)
{
    if (!burst.is_open || !burst.is_in_nng) {
        return false;
    }
    burst.left_out++;
    return burst.left_out % LEFT_OUT_MAX != 0;
}

int weir_nng_tasks_signal(pthread_cond_t *condition)
{
    if (!is_task_condition(condition)) {
        return signal_one(condition);
    }
    if (atomic_load_explicit(&is_any_deferred, memory_order_relaxed)) {
        hand_on_late();
    }
    return is_left_out() ? 0 : wake_one(condition);
}
