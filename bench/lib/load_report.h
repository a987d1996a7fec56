/* What came of a load: tables for people, JSON for programs, a histogram as a picture. */
#ifndef WEIR_BENCH_LOAD_REPORT_H
#define WEIR_BENCH_LOAD_REPORT_H

#include "bench/lib/load.h"
#include "bench/lib/usage.h"

#include <jansson.h>
#include <stdio.h>

struct load_report {
    const char *program;
    const char *profile;
    json_t *settings;  // borrowed
    const struct load *load;
    struct usage before;  // at the beginning of the measured time
    struct usage after;   // at its end
};

void load_report_text(FILE *out, const struct load_report *report);

/* Only the errors, by reason, with when they came. */
void load_report_put_errors(FILE *out, const struct load *load);

/* A new object; NULL without memory. */
json_t *load_report_json(const struct load_report *report);

/* False where it cannot be written. */
bool load_report_plot(FILE *out, const struct load_report *report);

/* How many operations failed. */
uint64_t load_report_errors(const struct load *load);

#endif
