/* Counts allocations and makes the Nth fail: those of SQLite, and those of code that is linked
 * statically with -Wl,--wrap (WEIR_WRAP_ALLOCATIONS in tests/store/CMakeLists.txt). What libc and
 * other shared libraries allocate for themselves is not seen. Thread-safe. */
#ifndef WEIR_TESTS_LIB_ALLOC_COUNT_H
#define WEIR_TESTS_LIB_ALLOC_COUNT_H

#include <stdbool.h>
#include <stdint.h>

/* Makes SQLite allocate through here; before SQLite is first used. */
void alloc_count_install(void);

/* From now on: allocations are counted from 0, and the Nth fails (0: none). */
void alloc_count_start(uint64_t fail_at);

/* Ends that; how many there have been, and whether one was made to fail. */
uint64_t alloc_count_stop(bool *has_failed);

/* Allocations that have not been freed. */
int64_t alloc_outstanding(void);

#endif
