/* The performance targets of weir, evaluated on the results. */
#ifndef WEIR_BENCH_PAGE_TARGETS_H
#define WEIR_BENCH_PAGE_TARGETS_H

#include "bench/page/results.h"

#include <stdio.h>

/* Prints the table of all targets and how many are met, missed or not measured. */
void page_put_targets(FILE *out, struct results *results);

/* Returns the targets as a JSON array of {what, kind, limit, value, low, high, met}, or NULL
 * without memory. */
json_t *page_targets_json(struct results *results);

#endif
