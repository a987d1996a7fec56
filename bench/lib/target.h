/* Targets: a figure, how it is compared with its limit, and whether it is met. */
#ifndef WEIR_BENCH_TARGET_H
#define WEIR_BENCH_TARGET_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

enum target_kind { TARGET_AT_MOST, TARGET_AT_LEAST };

struct target {
    const char *key;  // its name for programs; NULL if it has none
    char what[160];
    enum target_kind kind;
    double limit;
    double value;
    double low;  // the value's interval; equal to it where it has none
    double high;
};

bool target_is_met(const struct target *target);

/* {what, kind, limit, value, low, high, met}; NULL without memory. */
json_t *target_to_json(const struct target *target);

#endif
