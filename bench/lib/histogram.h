/* A histogram of times in the manner of HdrHistogram: every power of two is divided into the same
 * number of equal steps, so a value keeps a relative precision of 0.4 % from a microsecond to a
 * minute, in a fixed amount of memory.
 *
 * Recording is thread-safe and lock-free. Readings are exact once recording has stopped and
 * approximate before. */
#ifndef WEIR_BENCH_HISTOGRAM_H
#define WEIR_BENCH_HISTOGRAM_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    HISTOGRAM_STEP_BITS = 7,  // 128 steps of each power of two
    HISTOGRAM_TOP_BITS = 41,  // larger values (2^41 ns is 36 minutes) count as just below
    HISTOGRAM_BUCKETS = (HISTOGRAM_TOP_BITS - HISTOGRAM_STEP_BITS + 1) << HISTOGRAM_STEP_BITS
};

struct histogram {
    atomic_uint_fast64_t counts[HISTOGRAM_BUCKETS];
    atomic_uint_fast64_t n;
    atomic_uint_fast64_t sum;
    atomic_uint_fast64_t max;  // exact
};

/* Returns an empty histogram, which the caller releases with free(), or NULL without memory. */
struct histogram *histogram_new(void);

/* Records a time in nanoseconds. Negative values count as 0. */
void histogram_record(struct histogram *histogram, int64_t ns);

uint64_t histogram_count(const struct histogram *histogram);
double histogram_mean(const struct histogram *histogram);
uint64_t histogram_max(const struct histogram *histogram);

/* Returns the value that `percent` (0..100) of the recorded values do not exceed: the middle of its
 * step, never above the maximum. Returns 0 for an empty histogram. */
uint64_t histogram_percentile(const struct histogram *histogram, double percent);

/* Iterates over the non-empty buckets. Start with *at = 0; returns false after the last bucket. The
 * values of a bucket are low <= value < high. */
struct histogram_bucket {
    uint64_t low;
    uint64_t high;
    uint64_t count;
};
bool histogram_next(const struct histogram *histogram, size_t *at, struct histogram_bucket *bucket);

#endif
