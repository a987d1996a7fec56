/* Describes the machine and the build that a measurement ran on. */
#ifndef WEIR_BENCH_MACHINE_H
#define WEIR_BENCH_MACHINE_H

#include <jansson.h>

/* Returns a new object with cpu, cores, memory_mib, kernel, compiler, build, sqlite and nng, or
 * NULL without memory. */
json_t *machine_describe(void);

#endif
