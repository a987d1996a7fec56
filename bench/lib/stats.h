/* Medians of repeated measurements with confidence intervals. All functions are pure, except that
 * stats_estimate sorts the samples. */
#ifndef WEIR_BENCH_STATS_H
#define WEIR_BENCH_STATS_H

#include <stddef.h>

/* A median and its 95 % confidence interval, which comes from the order statistics (the inverted
 * sign test): the only assumption is that the samples are independent. Fewer than six samples have
 * no such interval; low and high are then the whole range. */
struct estimate {
    double median;
    double low;
    double high;
    size_t n;
};

/* Returns the estimate of the samples, and sorts them. All zero for n == 0. */
struct estimate stats_estimate(double *samples, size_t n);

/* Returns the estimate of the ratios a[i] / b[i] of paired measurements. `scratch` has room for n
 * values. Pairs with b <= 0 are left out. */
struct estimate stats_ratio(const double *a, const double *b, double *scratch, size_t n);

/* Returns the index, in n sorted samples, of the lower end of the interval. The upper end is its
 * mirror image. */
size_t stats_low_rank(size_t n);

#endif
