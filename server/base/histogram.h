/* Histograms with fixed bounds. Recording is a few atomic additions, so any number of threads may
 * record. A view read meanwhile may be inconsistent by the samples that are being recorded. */
#ifndef WEIR_SERVER_HISTOGRAM_H
#define WEIR_SERVER_HISTOGRAM_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

enum { WEIR_HISTOGRAM_BOUNDS_MAX = 20 };

/* Upper bounds, inclusive and ascending, in the unit that is recorded. */
struct weir_histogram_scale {
    size_t n;
    uint64_t bounds[WEIR_HISTOGRAM_BOUNDS_MAX];
    double units;  // recorded ones in a shown one: 1e6 for microseconds that are shown as seconds
};

/* 100 µs to 10 s, recorded in microseconds, shown in seconds. */
extern const struct weir_histogram_scale weir_scale_latency;

/* 1 to 1024 in powers of two. */
extern const struct weir_histogram_scale weir_scale_sizes;

/* Ready for use when all zero. */
struct weir_histogram {
    _Atomic uint64_t buckets[WEIR_HISTOGRAM_BOUNDS_MAX + 1];  // bucket n is above all n bounds
    _Atomic uint64_t sum;
};

/* Records one sample. */
void weir_histogram_record(struct weir_histogram *histogram,
                           const struct weir_histogram_scale *scale, uint64_t value);

/* Returns the bound in the shown unit: the number that its decimal text, as in 0.1, stands for. */
double weir_histogram_bound(const struct weir_histogram_scale *scale, size_t at);

struct weir_histogram_view {
    uint64_t cumulative[WEIR_HISTOGRAM_BOUNDS_MAX + 1];  // samples at or below each bound; then all
    double sum;                                          // in the shown unit
};

/* Fills the view with the counts of this moment. */
void weir_histogram_read(const struct weir_histogram *histogram,
                         const struct weir_histogram_scale *scale,
                         struct weir_histogram_view *view);

#endif
