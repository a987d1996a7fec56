/* The results that the page is made of: DIR/<round>/<name>.json, one file for each measurement of
 * each round, rounds counted from 1. A figure is a number somewhere in such a file, by its path:
 * "latency_us.p99". Not thread-safe. */
#ifndef WEIR_BENCH_PAGE_RESULTS_H
#define WEIR_BENCH_PAGE_RESULTS_H

#include "bench/lib/stats.h"

#include <jansson.h>
#include <stdbool.h>

enum { RESULTS_ROUNDS_MAX = 64 };

struct results;

/* NULL after saying why on standard error. */
struct results *results_open(const char *directory);
void results_close(struct results *results);

size_t results_rounds(const struct results *results);

/* A measurement of a round, from 1; NULL where there is none. Borrowed. */
json_t *results_find(struct results *results, const char *name, size_t round);

/* One figure in all rounds: values[i] is that of round i + 1, NAN where it is missing. How many
 * there are. */
size_t results_figure(struct results *results, const char *name, const char *path,
                      double values[RESULTS_ROUNDS_MAX]);

/* The same as a median with its interval; n is 0 where it was not measured. */
struct estimate results_estimate(struct results *results, const char *name, const char *path);

/* The same for numbers that were worked out of several figures; NANs are left out. */
struct estimate results_estimate_of(const double values[RESULTS_ROUNDS_MAX], size_t n);

#endif
