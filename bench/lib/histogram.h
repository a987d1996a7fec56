/* A histogram of times, in the manner of HdrHistogram: every power of two is cut into the same
 * number of equal steps, so that a value is kept to within 0.4 % whether it is a microsecond or a
 * minute, in a fixed amount of memory.
 *
 * Recording is thread-safe and takes no lock. Reading is exact once nobody records any more, and a
 * good enough picture before. */
#ifndef WEIR_BENCH_HISTOGRAM_H
#define WEIR_BENCH_HISTOGRAM_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    HISTOGRAM_STEP_BITS = 7,  // 128 steps of each power of two
    HISTOGRAM_TOP_BITS = 41,  // values from 2^41 ns (36 minutes) on count as just below that
    HISTOGRAM_BUCKETS = (HISTOGRAM_TOP_BITS - HISTOGRAM_STEP_BITS + 1) << HISTOGRAM_STEP_BITS
};

struct histogram {
    atomic_uint_fast64_t counts[HISTOGRAM_BUCKETS];
    atomic_uint_fast64_t n;
    atomic_uint_fast64_t sum;
    atomic_uint_fast64_t max;  // exact
};

/* An empty one; to be freed with free(). NULL without memory. */
struct histogram *histogram_new(void);

/* Negative values count as 0. */
void histogram_record(struct histogram *histogram, int64_t ns);

uint64_t histogram_count(const struct histogram *histogram);
double histogram_mean(const struct histogram *histogram);
uint64_t histogram_max(const struct histogram *histogram);

/* The value that `percent` (0..100) of the recorded ones do not exceed: the middle of its step,
 * never above the maximum. 0 for an empty histogram. */
uint64_t histogram_percentile(const struct histogram *histogram, double percent);

/* Walks the buckets that are not empty: start with *at = 0; false after the last. The values of the
 * bucket are low <= value < high. */
struct histogram_bucket {
    uint64_t low;
    uint64_t high;
    uint64_t count;
};
bool histogram_next(const struct histogram *histogram, size_t *at, struct histogram_bucket *bucket);

#endif
