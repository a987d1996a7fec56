/* Medians of repeated measurements and how far they can be trusted. All functions are pure but for
 * the order of the samples. */
#ifndef WEIR_BENCH_STATS_H
#define WEIR_BENCH_STATS_H

#include <stddef.h>

/* A median and its 95 % confidence interval. The interval is that of the order statistics (the sign
 * test turned round): it assumes nothing of the distribution, only that the samples are
 * independent. With fewer than six samples no such interval exists; it is then the whole range. */
struct estimate {
    double median;
    double low;
    double high;
    size_t n;
};

/* Sorts the samples. All zero for n == 0. */
struct estimate stats_estimate(double *samples, size_t n);

/* The estimate of the ratios a[i] / b[i], measured side by side; `scratch` has room for n. Pairs in
 * which b is not above zero are left out. */
struct estimate stats_ratio(const double *a, const double *b, double *scratch, size_t n);

/* Which of n sorted samples, from 0, is the lower end of the interval; the upper end is its mirror
 * image. */
size_t stats_low_rank(size_t n);

#endif
