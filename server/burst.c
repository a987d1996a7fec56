#include "server/burst.h"

#include <assert.h>
#include <stdatomic.h>
#include <stddef.h>

/* However long the burst is, one thread is woken now and then. */
enum { LEFT_ASLEEP_MAX = 64 };

static _Thread_local struct {
    bool is_open;
    bool is_in_nng;
    pthread_cond_t *tasks;  // what nng's threads wait for; NULL: none has been left asleep
    unsigned left_asleep;   // wake-ups that did not happen
} burst;

/* Where there may be tasks for more than the one thread that has been woken. nng has it as long as
 * it has threads. */
static _Atomic(pthread_cond_t *) more_tasks;

void weir_burst_begin(void)
{
    assert(!burst.is_open);
    burst.is_open = true;
}

void weir_burst_end(void)
{
    pthread_cond_t *tasks = burst.tasks;
    const bool are_several = burst.left_asleep > 1;
    burst.is_open = false;
    burst.tasks = NULL;
    burst.left_asleep = 0;
    if (tasks == NULL) {
        return;
    }
    if (are_several) {
        atomic_store_explicit(&more_tasks, tasks, memory_order_release);
    }
    (void)pthread_cond_signal(tasks);
}

void weir_burst_send(nng_ctx ctx, nng_aio *aio)
{
    burst.is_in_nng = true;
    nng_ctx_send(ctx, aio);
    burst.is_in_nng = false;
}

void weir_burst_relieve(void)
{
    if (atomic_load_explicit(&more_tasks, memory_order_relaxed) == NULL) {
        return;
    }
    pthread_cond_t *tasks = atomic_exchange_explicit(&more_tasks, NULL, memory_order_acquire);
    if (tasks != NULL) {
        (void)pthread_cond_signal(tasks);
    }
}

bool weir_burst_leaves_asleep(pthread_cond_t *tasks)
{
    if (!burst.is_open || !burst.is_in_nng || (burst.tasks != NULL && burst.tasks != tasks)) {
        return false;
    }
    burst.tasks = tasks;
    burst.left_asleep++;
    return burst.left_asleep % LEFT_ASLEEP_MAX != 0;
}
