#include "server/base/histogram.h"

const struct weir_histogram_scale weir_scale_latency = {
    .n = 16,
    .bounds = {100, 250, 500, 1000, 2500, 5000, 10000, 25000, 50000, 100000, 250000, 500000,
               1000000, 2500000, 5000000, 10000000},
    .units = 1e6,
};

const struct weir_histogram_scale weir_scale_sizes = {
    .n = 11,
    .bounds = {1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024},
    .units = 1,
};

void weir_histogram_record(struct weir_histogram *histogram,
                           const struct weir_histogram_scale *scale, uint64_t value)
{
    size_t at = 0;
    while (at < scale->n && value > scale->bounds[at]) {
        at++;
    }
    atomic_fetch_add_explicit(&histogram->buckets[at], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&histogram->sum, value, memory_order_relaxed);
}

double weir_histogram_bound(const struct weir_histogram_scale *scale, size_t at)
{
    return (double)scale->bounds[at] / scale->units;
}

void weir_histogram_read(const struct weir_histogram *histogram,
                         const struct weir_histogram_scale *scale, struct weir_histogram_view *view)
{
    uint64_t total = 0;
    for (size_t i = 0; i <= scale->n; i++) {
        total += atomic_load_explicit(&histogram->buckets[i], memory_order_relaxed);
        view->cumulative[i] = total;
    }
    view->sum = (double)atomic_load_explicit(&histogram->sum, memory_order_relaxed) / scale->units;
}
