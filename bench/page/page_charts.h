/* The charts of the report page. Each function writes one file. */
#ifndef WEIR_BENCH_PAGE_CHARTS_H
#define WEIR_BENCH_PAGE_CHARTS_H

#include "bench/page/page_tables.h"

enum page_drawing {
    PAGE_DRAWN,
    PAGE_NO_RESULTS,   // there is nothing to draw
    PAGE_NOT_WRITTEN,  // reported on standard error
};

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

enum page_drawing page_draw_bars(const char *directory, struct results *results,
                                 const struct page_bars *bars);

/* Draws latency percentiles against the frequency with which they are exceeded, one line for each
 * measurement. */
enum page_drawing page_draw_latencies(const char *directory, struct results *results,
                                      const char *file, const struct page_line *lines, size_t n);

struct page_growth_chart {
    const char *file;
    const char *title;
    const char *x_label;
    const char *y_label;
    const struct page_growth *growths;
    size_t n;
};

enum page_drawing page_draw_growth(const char *directory, struct results *results,
                                   const struct page_growth_chart *chart);

#endif
