/* Prints the results of weir-bench for people and for programs. */
#ifndef WEIR_BENCH_READ_REPORT_H
#define WEIR_BENCH_READ_REPORT_H

#include "bench/read/read_measure.h"

#include <stdio.h>

struct read_report {
    const struct read_options *options;
    const struct read_result *results;  // READ_RESULTS of them
    bool has_heap;                      // heap allocations were counted
};

/* Prints the tables and an explanation. */
void read_report_text(FILE *out, const struct read_report *report);

/* Writes one JSON object. Returns false if it could not be made or written. */
bool read_report_json(FILE *out, const struct read_report *report);

#endif
