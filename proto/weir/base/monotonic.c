#include "weir/base/monotonic.h"

#include <time.h>

enum { US_PER_SECOND = 1000000 };

int64_t weir_monotonic_us(void)
{
    struct timespec t = {0};
    /* The clock exists on every system that weir runs on, so reading it cannot fail. */
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * US_PER_SECOND + t.tv_nsec / 1000;
}

void weir_cond_init(pthread_cond_t *cond)
{
    pthread_condattr_t attributes;
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_cond_init(cond, &attributes);
    (void)pthread_condattr_destroy(&attributes);
}

bool weir_cond_wait_until(pthread_cond_t *cond, pthread_mutex_t *mutex, int64_t until_us)
{
    const struct timespec until = {.tv_sec = (time_t)(until_us / US_PER_SECOND),
                                   .tv_nsec = (long)(until_us % US_PER_SECOND) * 1000};
    return pthread_cond_timedwait(cond, mutex, &until) == 0;
}
