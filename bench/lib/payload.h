/* Message data for the benchmarks: JSON texts that carry the seed they were generated from, so that
 * a reader can verify every byte. All functions are pure. */
#ifndef WEIR_BENCH_PAYLOAD_H
#define WEIR_BENCH_PAYLOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PAYLOAD_MIN_BYTES = 40 };

/* Returns the next number of a splitmix64 sequence; *state may start at any value. */
uint64_t payload_random(uint64_t *state);

/* Writes exactly `n` bytes (>= PAYLOAD_MIN_BYTES): {"seed":"…16 digits…","text":"…"}. */
void payload_make(uint64_t seed, char *text, size_t n);

/* Returns whether the bytes are exactly what payload_make wrote; then sets *seed if not NULL. */
bool payload_check(const void *text, size_t n, uint64_t *seed);

#endif
