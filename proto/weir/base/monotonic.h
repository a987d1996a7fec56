/* Condition variables whose waits end at a time of the clock that is never set, as
 * weir_monotonic_us() tells it. */
#ifndef WEIR_BASE_MONOTONIC_H
#define WEIR_BASE_MONOTONIC_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/* False without memory. */
bool weir_cond_init(pthread_cond_t *cond);

/* As pthread_cond_wait, until `until_us` at the latest; false where that time has come. */
bool weir_cond_wait_until(pthread_cond_t *cond, pthread_mutex_t *mutex, int64_t until_us);

#endif
