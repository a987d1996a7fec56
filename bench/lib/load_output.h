/* Writes the result of a load: tables for people, JSON and a chart as files. */
#ifndef WEIR_BENCH_LOAD_OUTPUT_H
#define WEIR_BENCH_LOAD_OUTPUT_H

#include "bench/lib/load_report.h"

struct load_output {
    bool is_quiet;          // no tables; only errors, on standard error
    const char *json_file;  // "-": standard output, which then has no tables; NULL: none
    const char *plot_file;  // as json_file
};

/* Returns 0 if an output can be written to `path`, without creating the file, else an errno. */
int load_output_fault(const char *path);

/* Writes all outputs. Returns false, after a message on standard error, if one cannot be
 * written. */
bool load_output_write(const struct load_output *output, const struct load_report *report);

#endif
