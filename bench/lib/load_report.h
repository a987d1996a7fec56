/* Formats the result of a load as tables, as JSON and as a latency chart. */
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
    struct usage before;  // at the start of the measured time
    struct usage after;   // at the end of the measured time
};

void load_report_text(FILE *out, const struct load_report *report);

/* Prints only the errors by reason, with the times of the first and the last. */
void load_report_put_errors(FILE *out, const struct load *load);

/* Returns a new object that the caller releases, or NULL without memory. */
json_t *load_report_json(const struct load_report *report);

/* Writes the latency histogram as SVG. Returns false on a write error. */
bool load_report_plot(FILE *out, const struct load_report *report);

/* Returns the number of failed operations. */
uint64_t load_report_errors(const struct load *load);

#endif
