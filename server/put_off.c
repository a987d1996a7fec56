#include "server/put_off.h"

#include "server/nng_tasks.h"
#include "weir/rules/time_text.h"

#include <stddef.h>

static _Thread_local struct {
    void (*run)(void *context);  // NULL if nothing is put off, but for what was handed on
    void *context;
    int64_t until_us;
} own;

static void do_it(void *context)
{
    void (*run)(void *context) = own.run;
    own.run = NULL;
    run(context);
}

bool weir_put_off(void (*run)(void *context), void (*hand_on)(void *context), void *context)
{
    if (!weir_nng_tasks_put_off(do_it, hand_on, context)) {
        return false;
    }
    own.run = run;
    own.context = context;
    own.until_us = weir_monotonic_us() + WEIR_PUT_OFF_US;
    return true;
}

void weir_put_off_catch_up(void)
{
    if (own.run == NULL) {
        return;
    }
    if (weir_nng_tasks_put_off_no_more()) {
        do_it(own.context);
    } else {
        own.run = NULL;
    }
}

void weir_put_off_catch_up_late(int64_t now_us)
{
    if (own.run != NULL && now_us > own.until_us) {
        weir_put_off_catch_up();
    }
}
