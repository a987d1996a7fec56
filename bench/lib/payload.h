/* The data of the benchmarks' messages: JSON texts that carry the seed they were made from, so that
 * whoever reads one can tell whether each of its bytes is what was written. Pure. */
#ifndef WEIR_BENCH_PAYLOAD_H
#define WEIR_BENCH_PAYLOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PAYLOAD_MIN_BYTES = 40 };

/* The next of a sequence of random numbers (splitmix64); *state is any number. */
uint64_t payload_random(uint64_t *state);

/* Writes exactly `n` bytes (>= PAYLOAD_MIN_BYTES): {"seed":"…16 digits…","text":"…"}. */
void payload_make(uint64_t seed, char *text, size_t n);

/* Whether the bytes are exactly what payload_make wrote; *seed (NULL to drop it) is then set. */
bool payload_check(const void *text, size_t n, uint64_t *seed);

#endif
