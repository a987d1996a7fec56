#include "weir/base/monotonic.h"

#include <time.h>

enum { US_PER_SECOND = 1000000 };

bool weir_cond_init(pthread_cond_t *cond)
{
    pthread_condattr_t attributes;
    if (pthread_condattr_init(&attributes) != 0) {
        return false;
    }
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    const bool is_ready = pthread_cond_init(cond, &attributes) == 0;
    (void)pthread_condattr_destroy(&attributes);
    return is_ready;
}

bool weir_cond_wait_until(pthread_cond_t *cond, pthread_mutex_t *mutex, int64_t until_us)
{
    const struct timespec until = {.tv_sec = (time_t)(until_us / US_PER_SECOND),
                                   .tv_nsec = (long)(until_us % US_PER_SECOND) * 1000};
    return pthread_cond_timedwait(cond, mutex, &until) == 0;
}
