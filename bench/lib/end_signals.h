/* SIGINT and SIGTERM, which end a benchmark program. Both are blocked in every thread; one thread
 * waits for them synchronously. */
#ifndef WEIR_BENCH_END_SIGNALS_H
#define WEIR_BENCH_END_SIGNALS_H

#include "weir/base/fail.h"

#include <stdbool.h>
#include <stdint.h>

/* Blocks both signals. Call before the first pthread_create: threads inherit the signal mask. */
void end_signals_block(void);

/* Waits up to wait_ns nanoseconds for a signal; 0 polls. Returns whether one arrived and consumes
 * it. */
bool end_signals_come(int64_t wait_ns);

/* Returns WEIR_CANCELLED if a signal has arrived, which it consumes. */
weir_status end_signals_check(struct weir_error *err);

/* Waits without a limit for a signal. */
void end_signals_wait(void);

#endif
