#include "bench/lib/histogram.h"

#include <math.h>
#include <stdlib.h>

enum { STEPS = 1 << HISTOGRAM_STEP_BITS };

/* The first power of two whose steps are one nanosecond wide takes two rows: 0 to STEPS, and STEPS
 * to 2 * STEPS. */
static size_t bucket_of(uint64_t value)
{
    if (value >> HISTOGRAM_TOP_BITS != 0) {
        return HISTOGRAM_BUCKETS - 1;
    }
    unsigned shift = 0;
    for (uint64_t rest = value >> (HISTOGRAM_STEP_BITS + 1); rest != 0; rest >>= 1) {
        shift++;
    }
    return ((size_t)shift << HISTOGRAM_STEP_BITS) + (size_t)(value >> shift);
}

static uint64_t low_of(size_t bucket)
{
    if (bucket < 2 * STEPS) {
        return bucket;
    }
    const size_t shift = (bucket >> HISTOGRAM_STEP_BITS) - 1;
    return (uint64_t)(bucket - (shift << HISTOGRAM_STEP_BITS)) << shift;
}

struct histogram *histogram_new(void)
{
    struct histogram *histogram = malloc(sizeof *histogram);
    if (histogram != NULL) {
        for (size_t b = 0; b < HISTOGRAM_BUCKETS; b++) {
            atomic_init(&histogram->counts[b], 0);
        }
        atomic_init(&histogram->n, 0);
        atomic_init(&histogram->sum, 0);
        atomic_init(&histogram->max, 0);
    }
    return histogram;
}

static uint64_t load(const atomic_uint_fast64_t *number)
{
    return atomic_load_explicit(number, memory_order_relaxed);
}

static void add(atomic_uint_fast64_t *number, uint64_t n)
{
    (void)atomic_fetch_add_explicit(number, n, memory_order_relaxed);
}

static void raise_max(struct histogram *histogram, uint64_t value)
{
    uint_fast64_t max = atomic_load_explicit(&histogram->max, memory_order_relaxed);
    while (value > max &&
           !atomic_compare_exchange_weak_explicit(&histogram->max, &max, value,
                                                  memory_order_relaxed, memory_order_relaxed)) {
    }
}

void histogram_record(struct histogram *histogram, int64_t ns)
{
    const uint64_t value = ns < 0 ? 0 : (uint64_t)ns;
    add(&histogram->counts[bucket_of(value)], 1);
    add(&histogram->n, 1);
    add(&histogram->sum, value);
    raise_max(histogram, value);
}

uint64_t histogram_count(const struct histogram *histogram)
{
    return load(&histogram->n);
}

double histogram_mean(const struct histogram *histogram)
{
    const uint64_t n = load(&histogram->n);
    return n == 0 ? 0 : (double)load(&histogram->sum) / (double)n;
}

uint64_t histogram_max(const struct histogram *histogram)
{
    return load(&histogram->max);
}

uint64_t histogram_percentile(const struct histogram *histogram, double percent)
{
    const uint64_t n = load(&histogram->n);
    /* 99.9 % of 1,000 is a little more than 999 in binary fractions. Without the correction its
     * rank would be the next one, which is the maximum. */
    const double exact = ceil(percent / 100 * (double)n * (1 - 1e-14));
    const uint64_t wanted = exact < 1 ? 1 : (uint64_t)exact;
    const uint64_t max = load(&histogram->max);
    uint64_t seen = 0;
    for (size_t b = 0; b < HISTOGRAM_BUCKETS; b++) {
        seen += load(&histogram->counts[b]);
        if (seen >= wanted) {
            const uint64_t middle = low_of(b) + (low_of(b + 1) - low_of(b)) / 2;
            return middle < max ? middle : max;
        }
    }
    return max;
}

bool histogram_next(const struct histogram *histogram, size_t *at, struct histogram_bucket *bucket)
{
    while (*at < HISTOGRAM_BUCKETS) {
        const size_t b = (*at)++;
        const uint64_t count = load(&histogram->counts[b]);
        if (count > 0) {
            *bucket = (struct histogram_bucket){low_of(b), low_of(b + 1), count};
            return true;
        }
    }
    return false;
}
