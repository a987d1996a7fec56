#include "server/transport/deferred.h"

#include "server/transport/nng_tasks.h"
#include "weir/base/monotonic.h"

#include <stddef.h>

static _Thread_local int64_t until_us;  // when the latest deferred work becomes late; monotonic

bool weir_defer(void (*run)(void *context), void (*hand_on)(void *context), void *context)
{
    const bool is_deferred = weir_nng_tasks_defer(run, hand_on, context);
    if (is_deferred) {
        until_us = weir_monotonic_us() + WEIR_DEFER_MAX_US;
    }
    return is_deferred;
}

void weir_deferred_run(void)
{
    const struct weir_nng_tasks_work work = weir_nng_tasks_take_deferred();
    if (work.run != NULL) {
        work.run(work.context);
    }
}

void weir_deferred_hand_on(void)
{
    const struct weir_nng_tasks_work work = weir_nng_tasks_take_deferred();
    if (work.run != NULL) {
        work.hand_on(work.context);
    }
}

void weir_deferred_run_late(int64_t now_us)
{
    if (now_us > until_us) {
        weir_deferred_run();
    }
}
