/* Progress on standard error while a load runs: a line that is overwritten on a terminal, and one
 * line for the start and the end of each outage. Internal to the load engine. */
#ifndef WEIR_BENCH_LOAD_PROGRESS_H
#define WEIR_BENCH_LOAD_PROGRESS_H

#include "bench/lib/load.h"

/* Prints progress at most once a second, and new outages. Call often. */
void load_progress(struct load *load);
void load_progress_end(struct load *load);

#endif
