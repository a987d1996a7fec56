/* The signals that end a program of the benchmarks: SIGINT and SIGTERM. They are blocked in every
 * thread, and one waits for them. */
#ifndef WEIR_BENCH_END_SIGNALS_H
#define WEIR_BENCH_END_SIGNALS_H

#include <stdbool.h>
#include <stdint.h>

/* To be called before there is another thread, which takes this over. */
void end_signals_block(void);

/* Waits for one, for so long at most. */
bool end_signals_come(int64_t wait_ns);

/* Waits for one. */
void end_signals_wait(void);

#endif
