#include "bench/lib/stats.h"

#include <math.h>
#include <stdlib.h>

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a;
    const double y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Returns P(X = k) for n fair coin flips. */
static double binomial_half(size_t n, size_t k)
{
    const double total = (double)n;
    const double heads = (double)k;
    return exp(lgamma(total + 1) - lgamma(heads + 1) - lgamma(total - heads + 1) - total * log(2));
}

/* The median lies below the sample of rank r with the probability of at most r heads in n flips.
 * The result is the highest rank at which that probability is at most 2.5 %. */
size_t stats_low_rank(size_t n)
{
    double below = 0;
    size_t rank = 0;
    for (size_t k = 0; k < n / 2; k++) {
        below += binomial_half(n, k);
        if (below > 0.025) {
            break;
        }
        rank = k;
    }
    return rank;
}

struct estimate stats_estimate(double *samples, size_t n)
{
    if (n == 0) {
        return (struct estimate){0};
    }
    qsort(samples, n, sizeof *samples, compare);
    const size_t low = stats_low_rank(n);
    return (struct estimate){.median = (samples[(n - 1) / 2] + samples[n / 2]) / 2,
                             .low = samples[low],
                             .high = samples[n - 1 - low],
                             .n = n};
}

struct estimate stats_ratio(const double *a, const double *b, double *scratch, size_t n)
{
    size_t pairs = 0;
    for (size_t i = 0; i < n; i++) {
        if (b[i] > 0) {
            scratch[pairs++] = a[i] / b[i];
        }
    }
    return stats_estimate(scratch, pairs);
}
