/* The charts of the report page. Each function writes one file and returns whether there were
 * results to draw; write errors are reported on standard error. */
#ifndef WEIR_BENCH_PAGE_CHARTS_H
#define WEIR_BENCH_PAGE_CHARTS_H

#include "bench/page/page_tables.h"

/* One bar: a figure of a measurement. */
struct page_bar {
    const char *name;
    const char *path;
    const char *label;
    unsigned tone;
};

struct page_bars {
    const char *file;
    const char *title;
    const char *note;
    const char *label;
    const struct page_bar *bars;
    size_t n;
    bool is_time;  // the figures are nanoseconds
};

bool page_draw_bars(const char *directory, struct results *results, const struct page_bars *bars);

/* Draws latency percentiles against the frequency with which they are exceeded, one line for each
 * measurement. */
bool page_draw_latencies(const char *directory, struct results *results, const char *file,
                         const struct page_line *lines, size_t n);

struct page_growth_chart {
    const char *file;
    const char *title;
    const char *x_label;
    const char *y_label;
    const struct page_growth *growths;
    size_t n;
};

bool page_draw_growth(const char *directory, struct results *results,
                      const struct page_growth_chart *chart);

#endif
