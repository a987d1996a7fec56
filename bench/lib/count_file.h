/* The counts that libweir-count.so keeps of the process it is preloaded into, in a file that others
 * map: what the process takes from the heap, and how often it waits for the disk. The numbers only
 * grow. */
#ifndef WEIR_BENCH_COUNT_FILE_H
#define WEIR_BENCH_COUNT_FILE_H

#include <stdatomic.h>
#include <stdint.h>

/* Names the file. */
#define COUNT_FILE_VARIABLE "WEIR_COUNT_FILE"

struct count_file {
    atomic_uint_fast64_t heap_calls;
    atomic_uint_fast64_t heap_bytes;  // asked for
    atomic_uint_fast64_t syncs;       // fdatasync and fsync
};

#endif
