/* A target: a measured value, its limit, and whether the value meets the limit. */
#ifndef WEIR_BENCH_TARGET_H
#define WEIR_BENCH_TARGET_H

#include <jansson.h>
#include <stdbool.h>

enum target_kind { TARGET_AT_MOST, TARGET_AT_LEAST };

struct target {
    const char *key;  // name in machine-readable output; NULL: none
    char what[160];
    enum target_kind kind;
    double limit;
    double value;
    double low;  // confidence interval of value; both ends equal value without one
    double high;
};

bool target_is_met(const struct target *target);

/* Returns {what, kind, limit, value, low, high, met}, or NULL without memory. */
json_t *target_to_json(const struct target *target);

#endif
