/* Counts allocations and makes the Nth one fail: those of SQLite, and those of code linked
 * statically with -Wl,--wrap (WEIR_WRAP_ALLOCATIONS in tests/store/CMakeLists.txt). Allocations
 * inside libc and other shared libraries are not counted. Thread-safe. */
#ifndef WEIR_TESTS_LIB_ALLOC_COUNT_H
#define WEIR_TESTS_LIB_ALLOC_COUNT_H

#include <stdbool.h>
#include <stdint.h>

/* Routes SQLite's allocations through this module. Call before the first use of SQLite. */
void alloc_count_install(void);

/* Starts counting from 0; the allocation number fail_at fails (0: none). */
void alloc_count_start(uint64_t fail_at);

/* Stops counting and failing. Returns the number of allocations; sets whether one was made to
 * fail. */
uint64_t alloc_count_stop(bool *has_failed);

/* Returns the number of allocations not freed yet. */
int64_t alloc_outstanding(void);

#endif
