/* Where what came of a load goes: tables for people, files for programs and a picture. */
#ifndef WEIR_BENCH_LOAD_OUTPUT_H
#define WEIR_BENCH_LOAD_OUTPUT_H

#include "bench/lib/load_report.h"

struct load_output {
    bool is_quiet;          // no tables; errors on standard error
    const char *json_file;  // "-" is standard output, which then has no tables; NULL: none
    const char *plot_file;  // the same; NULL: none
};

/* False, after saying so, where something could not be written. */
bool load_output_write(const struct load_output *output, const struct load_report *report);

#endif
