/* The monotonic clock, and condition variables whose waits end at a time of that clock.
 *
 * On Linux initialising a mutex, read-write lock or condition variable without special attributes,
 * or with this clock, allocates nothing and cannot fail. All code relies on that and ignores the
 * results of pthread_mutex_init and the like. */
#ifndef WEIR_BASE_MONOTONIC_H
#define WEIR_BASE_MONOTONIC_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/* Returns microseconds of a clock that is never set and never goes back. */
int64_t weir_monotonic_us(void);

/* Initialises a condition variable for weir_cond_wait_until. */
void weir_cond_init(pthread_cond_t *cond);

/* Waits as pthread_cond_wait does, until `until_us` at the latest; false if that time has come. */
bool weir_cond_wait_until(pthread_cond_t *cond, pthread_mutex_t *mutex, int64_t until_us);

#endif
