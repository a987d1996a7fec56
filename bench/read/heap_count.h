/* What a program takes from the heap, counted where it is taken: this module defines malloc and its
 * kin for the whole program, shared libraries included, and hands on to the C library's own.
 *
 * Counted are calls that may take memory (malloc, calloc, realloc, the aligned ones) and the bytes
 * they ask for; a realloc counts with its whole new size. Frees are not counted. Each thread counts
 * for itself, so what goes on beside the thread that measures is left out. */
#ifndef WEIR_BENCH_HEAP_COUNT_H
#define WEIR_BENCH_HEAP_COUNT_H

#include <stdbool.h>
#include <stdint.h>

struct heap_count {
    uint64_t calls;
    uint64_t bytes;
    uint64_t driver_calls;  // those made by the driver, which the others leave out
};

/* From now on calls that come out of this shared library ("libpq") count as the driver's. What the
 * driver makes the C library allocate for it (strdup) does not. Not thread-safe. */
void heap_count_driver(const char *library);

/* Of the calling thread since its start. */
struct heap_count heap_count_now(void);

/* False where the program was built without the counting: sanitizers have a malloc of their own. */
bool heap_count_works(void);

#endif
