#define _GNU_SOURCE  // SCHED_BATCH
#include "server/operation/scheduling.h"

#include <sched.h>

void weir_schedule_as_batch(void)
{
    const struct sched_param none = {.sched_priority = 0};
    if (sched_getscheduler(0) == SCHED_OTHER) {
        (void)sched_setscheduler(0, SCHED_BATCH, &none);
    }
}
