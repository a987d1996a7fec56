/* The tables of the report page, in Markdown. */
#ifndef WEIR_BENCH_PAGE_TABLES_H
#define WEIR_BENCH_PAGE_TABLES_H

#include "bench/page/results.h"

#include <stdio.h>

/* A measurement and its label on the page. */
struct page_line {
    const char *name;
    const char *label;
};

/* Prints throughput, latency and CPU time of weir-load and weir-floor measurements under a heading.
 * Missing measurements are left out; without any, nothing is printed. */
void page_put_loads(FILE *out, struct results *results, const char *heading,
                    const struct page_line *lines, size_t n);

/* Prints the heap use of a whole server per call, from the measurements counted_<store>_<call>. */
void page_put_counts(FILE *out, struct results *results);

/* Prints the two tables of weir-bench; nothing if the measurement is missing. */
void page_put_reads(FILE *out, struct results *results, const struct page_line *bench);

/* One series of a growth table: the measurements `grow_<series>_<size><suffix>`. */
struct page_growth {
    const char *series;
    const char *suffix;  // of the names; "" for none
    const char *label;   // of the row
    const char *path;    // of the figure in the results
    bool is_time;        // the figure is in microseconds
};

enum { PAGE_SIZES = 9 };
extern const long page_sizes[PAGE_SIZES];

/* Returns the figure at one size. */
struct estimate page_growth_at(struct results *results, const struct page_growth *growth,
                               long size);

void page_put_growth(FILE *out, struct results *results, const char *what,
                     const struct page_growth *growths, size_t n);

/* Prints the machine description from the measurement `name`; nothing if it is missing. */
void page_put_machine(FILE *out, struct results *results, const char *name);

#endif
