/* Charts as SVG: lines over two axes, and bars with their intervals. One file, no script, no font
 * of its own; it is shown by every browser and by the pages that hold Markdown. */
#ifndef WEIR_BENCH_CHART_H
#define WEIR_BENCH_CHART_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum chart_scale { CHART_LINEAR, CHART_LOG };
enum chart_unit { CHART_NUMBER, CHART_NANOSECONDS };

struct chart_axis {
    const char *label;
    enum chart_scale scale;
    enum chart_unit unit;
    double low;  // low == high: as the data demand; a linear axis then begins at 0
    double high;
};

struct chart_point {
    double x;
    double y;
    double low;  // the interval of y; equal to it where there is none
    double high;
};

enum chart_style { CHART_LINE, CHART_DASHES, CHART_STEPS };

/* CHART_STEPS fills the area below; each point's y holds from its x to the next point's. */
struct chart_series {
    const char *name;  // in the legend; NULL for none
    enum chart_style style;
    const struct chart_point *points;
    size_t n;
};

/* A line across the chart at an x, with a word to it. */
struct chart_mark {
    const char *name;
    double x;
};

struct chart {
    const char *title;
    const char *note;  // below the title; NULL for none
    struct chart_axis x;
    struct chart_axis y;
    const struct chart_series *series;
    size_t series_n;
    const struct chart_mark *marks;
    size_t marks_n;
};

struct chart_bar {
    const char *name;
    double value;
    double low;
    double high;
    unsigned tone;  // bars of one tone have one colour
};

struct chart_bars {
    const char *title;
    const char *note;
    const char *label;  // of the values
    enum chart_unit unit;
    const struct chart_bar *bars;
    size_t n;
};

/* Points that an axis cannot show (not above zero on a logarithmic one) are left out. False where
 * the file cannot be written. */
bool chart_write(FILE *out, const struct chart *chart);
bool chart_write_bars(FILE *out, const struct chart_bars *bars);

/* "12,345", "1.2 M", "340 µs": as the labels of the axes. */
enum { CHART_TEXT_MAX = 32 };
void chart_text(double value, enum chart_unit unit, char text[CHART_TEXT_MAX]);

#endif
