/* What a load says on standard error while it runs: a line that is written over on a terminal, and
 * one line for each time that the server goes away and comes back. The engine's own. */
#ifndef WEIR_BENCH_LOAD_PROGRESS_H
#define WEIR_BENCH_LOAD_PROGRESS_H

#include "bench/lib/load.h"

/* To be called often; does something once a second or when there is something to tell. */
void load_progress(struct load *load);
void load_progress_end(struct load *load);

#endif
