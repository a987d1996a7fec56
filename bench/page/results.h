/* Reads the results that the page is made from: DIR/<round>/<name>.json, one file for each
 * measurement in each round, rounds counted from 1. A figure is a number in such a file, named by
 * its path, for example "latency_us.p99". Not thread-safe. */
#ifndef WEIR_BENCH_PAGE_RESULTS_H
#define WEIR_BENCH_PAGE_RESULTS_H

#include "bench/lib/stats.h"

#include <jansson.h>
#include <stdbool.h>

enum { RESULTS_ROUNDS_MAX = 64 };

struct results;

/* Opens a result directory. Returns NULL after a message on standard error. */
struct results *results_open(const char *directory);
void results_close(struct results *results);

size_t results_rounds(const struct results *results);

/* Returns the result of a measurement in a round (from 1), or NULL. Borrowed. */
json_t *results_find(struct results *results, const char *name, size_t round);

/* Reads one figure in all rounds: values[i] is that of round i + 1, NAN if missing. Returns the
 * number of rounds. */
size_t results_figure(struct results *results, const char *name, const char *path,
                      double values[RESULTS_ROUNDS_MAX]);

/* Returns the median of a figure with its interval; n is 0 if it was not measured. */
struct estimate results_estimate(struct results *results, const char *name, const char *path);

/* Returns the estimate of values computed from several figures; NANs are left out. */
struct estimate results_estimate_of(const double values[RESULTS_ROUNDS_MAX], size_t n);

#endif
