/* Layout of the file in which libweir-count.so counts the heap allocations and disk syncs of the
 * process it is preloaded into. Other processes map or read the file. The counters only grow. */
#ifndef WEIR_BENCH_COUNT_FILE_H
#define WEIR_BENCH_COUNT_FILE_H

#include <stdatomic.h>
#include <stdint.h>

/* Environment variable that names the file. */
#define COUNT_FILE_VARIABLE "WEIR_COUNT_FILE"

struct count_file {
    atomic_uint_fast64_t heap_calls;
    atomic_uint_fast64_t heap_bytes;  // bytes requested
    atomic_uint_fast64_t syncs;       // calls of fdatasync and fsync
};

#endif
