/* What a measurement was made on: figures without it say nothing. */
#ifndef WEIR_BENCH_MACHINE_H
#define WEIR_BENCH_MACHINE_H

#include <jansson.h>

/* A new object: cpu, cores, memory_mib, kernel, compiler, build, sqlite, nng. NULL without memory.
 */
json_t *machine_describe(void);

#endif
