/* Decides when the operations of a load start. Internal to the load engine. */
#ifndef WEIR_BENCH_LOAD_ARRIVALS_H
#define WEIR_BENCH_LOAD_ARRIVALS_H

#include "bench/lib/load.h"

/* Starts all slots (closed loop) or the arrivals thread, which starts slots at their intended times
 * (open loop). Returns false, and counts an error of the load, if the thread cannot be created. */
bool load_arrivals_begin(struct load *load);
void load_arrivals_end(struct load *load);

/* Open loop: starts the due arrival on the slot, or puts the slot on the free list. After a failure
 * the slot always goes to the free list, for the arrivals thread to start. */
void load_arrivals_next(struct load_slot *slot, int64_t now_ns, bool has_failed);

/* Closed loop: keeps a slot idle after a failed operation until the next resume. */
void load_arrivals_pause(struct load_slot *slot);
void load_arrivals_resume(struct load *load);

/* Starts an operation on the slot; latency counts from intended_ns. */
void load_start(struct load_slot *slot, int64_t intended_ns, int64_t now_ns);

#endif
