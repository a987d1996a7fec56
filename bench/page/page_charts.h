/* The page's charts. Each writes a file of its own and returns whether there was something to draw;
 * a file that cannot be written is told of on standard error. */
#ifndef WEIR_BENCH_PAGE_CHARTS_H
#define WEIR_BENCH_PAGE_CHARTS_H

#include "bench/page/page_tables.h"

/* Bars of one figure of several measurements. */
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

/* Latency against how seldom it is exceeded, one line for each measurement. */
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
