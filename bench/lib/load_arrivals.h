/* When the operations of a load start. The engine's own. */
#ifndef WEIR_BENCH_LOAD_ARRIVALS_H
#define WEIR_BENCH_LOAD_ARRIVALS_H

#include "bench/lib/load.h"

/* Starts all slots (closed loop), or the thread that starts them at their times. False where there
 * is no such thread; that counts as an error of the load. */
bool load_arrivals_begin(struct load *load);
void load_arrivals_end(struct load *load);

/* Open loop: gives the slot the arrival that is due, or keeps it until one is. After a failure it
 * is always kept, for the thread of arrivals to start it. */
void load_arrivals_next(struct load_slot *slot, int64_t now_ns, bool has_failed);

/* Closed loop: keeps a slot whose operation failed until the next resume. */
void load_arrivals_pause(struct load_slot *slot);
void load_arrivals_resume(struct load *load);

/* Starts an operation. */
void load_start(struct load_slot *slot, int64_t intended_ns, int64_t now_ns);

#endif
