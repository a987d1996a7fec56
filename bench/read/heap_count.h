/* Counts heap allocations of the whole program, shared libraries included: this module defines
 * malloc and its relatives and forwards to the C library's allocator.
 *
 * Counted are calls that may allocate (malloc, calloc, realloc, the aligned variants) and the bytes
 * they request; a realloc counts with its whole new size. Frees are not counted. Each thread counts
 * separately, so other threads do not disturb the measuring thread. */
#ifndef WEIR_BENCH_HEAP_COUNT_H
#define WEIR_BENCH_HEAP_COUNT_H

#include <stdbool.h>
#include <stdint.h>

struct heap_count {
    uint64_t calls;
    uint64_t bytes;
    uint64_t driver_calls;  // calls from the driver, not included in the others
};

/* Counts later calls that come from this shared library ("libpq") as driver calls. Allocations that
 * the C library makes on the driver's behalf (strdup) are not included. Not thread-safe. */
void heap_count_driver(const char *library);

/* Returns the counts of the calling thread since its start. */
struct heap_count heap_count_now(void);

/* Returns false in builds without counting: sanitizers bring an allocator of their own. */
bool heap_count_works(void);

#endif
