/* The targets that weir has set itself, each worked out of the results. */
#ifndef WEIR_BENCH_PAGE_TARGETS_H
#define WEIR_BENCH_PAGE_TARGETS_H

#include "bench/page/results.h"

#include <stdio.h>

/* Writes the table of all targets, met or not or not measured, and how many of each there are. */
void page_put_targets(FILE *out, struct results *results);

/* The same as JSON: an array of {what, kind, limit, value, low, high, met}. NULL without memory. */
json_t *page_targets_json(struct results *results);

#endif
