#include "server/transport/put_off.h"

#include "server/transport/nng_tasks.h"
#include "weir/rules/time_text.h"

#include <stddef.h>

static _Thread_local int64_t until_us;  // of what has been put off last

bool weir_put_off(void (*run)(void *context), void (*hand_on)(void *context), void *context)
{
    const bool is_put_off = weir_nng_tasks_put_off(run, hand_on, context);
    if (is_put_off) {
        until_us = weir_monotonic_us() + WEIR_PUT_OFF_US;
    }
    return is_put_off;
}

void weir_put_off_catch_up(void)
{
    const struct weir_nng_tasks_work work = weir_nng_tasks_put_off_no_more();
    if (work.run != NULL) {
        work.run(work.context);
    }
}

void weir_put_off_catch_up_late(int64_t now_us)
{
    if (now_us > until_us) {
        weir_put_off_catch_up();
    }
}
