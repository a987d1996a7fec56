/* The page's tables, in Markdown. */
#ifndef WEIR_BENCH_PAGE_TABLES_H
#define WEIR_BENCH_PAGE_TABLES_H

#include "bench/page/results.h"

#include <stdio.h>

/* A measurement and what it is called on the page. */
struct page_line {
    const char *name;
    const char *label;
};

/* Throughput, latency and CPU of measurements of weir-load and weir-floor, under a heading; those
 * that were not made are left out, and where none was made nothing is written. */
void page_put_loads(FILE *out, struct results *results, const char *heading,
                    const struct page_line *lines, size_t n);

/* What a whole server takes from the heap for a call: counted_<store>_<call>. */
void page_put_counts(FILE *out, struct results *results);

/* weir-bench's two tables; nothing where that run of it is not there. */
void page_put_reads(FILE *out, struct results *results, const struct page_line *bench);

/* Cost as work grows: one line for each size of one series, `grow_<series>_<size><suffix>`. */
struct page_growth {
    const char *series;
    const char *suffix;  // of the names; "" for none
    const char *label;   // of what is measured
    const char *path;    // of the figure
    bool is_time;        // the figure is in microseconds
};

enum { PAGE_SIZES = 9 };
extern const long page_sizes[PAGE_SIZES];

/* The figure at one size. */
struct estimate page_growth_at(struct results *results, const struct page_growth *growth,
                               long size);

void page_put_growth(FILE *out, struct results *results, const char *what,
                     const struct page_growth *growths, size_t n);

/* The machine, from the first measurement that tells of it. */
void page_put_machine(FILE *out, struct results *results, const char *name);

#endif
