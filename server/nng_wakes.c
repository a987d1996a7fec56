/* Which threads nng wakes, and when. The library calls pthread_cond_signal() as any program does,
 * so it is bound to the one that stands here, as this program's own calls are.
 *
 * Left asleep are threads for tasks that they find when they are woken later (burst.h): nng's queue
 * of tasks is looked into by each thread before it goes to sleep. */
#include "server/burst.h"

#include <threads.h>

/* The C library's is not to be had by its name here, and by dlsym() in one of two versions. What
 * cnd_signal() does is the same, to the same object. */
_Static_assert(sizeof(cnd_t) == sizeof(pthread_cond_t), "both are the same");

int pthread_cond_signal(pthread_cond_t *condition)
{
    if (weir_burst_leaves_asleep(condition)) {
        return 0;
    }
    (void)cnd_signal((cnd_t *)(void *)condition);
    return 0;
}
