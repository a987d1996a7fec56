/* Writes charts as SVG: lines over two axes, and bars with confidence intervals. Each chart is one
 * self-contained file without scripts or embedded fonts, which browsers and Markdown viewers
 * display. */
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
    double low;  // low == high: derived from the data; a linear axis then begins at 0
    double high;
};

struct chart_point {
    double x;
    double y;
    double low;  // confidence interval of y; both ends equal y without one
    double high;
};

enum chart_style { CHART_LINE, CHART_DASHES, CHART_STEPS };

/* CHART_STEPS fills the area below the series; the y of each point holds from its x to the x of the
 * next point. */
struct chart_series {
    const char *name;  // in the legend; NULL for no entry
    enum chart_style style;
    const struct chart_point *points;
    size_t n;
};

/* A labelled vertical line across the chart at x. */
struct chart_mark {
    const char *name;
    double x;
};

struct chart {
    const char *title;
    const char *note;  // below the title; NULL for no note
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
    unsigned tone;  // index of the colour; bars of one tone share a colour
};

struct chart_bars {
    const char *title;
    const char *note;
    const char *label;  // of the value axis
    enum chart_unit unit;
    const struct chart_bar *bars;
    size_t n;
};

/* Write the chart to `out`. Points that an axis cannot show (values <= 0 on a logarithmic axis) are
 * left out. Return false on a write error. */
bool chart_write(FILE *out, const struct chart *chart);
bool chart_write_bars(FILE *out, const struct chart_bars *bars);

/* Formats a value as the axis labels do: "12,345", "1.2 M", "340 µs". */
enum { CHART_TEXT_MAX = 32 };
void chart_text(double value, enum chart_unit unit, char text[CHART_TEXT_MAX]);

#endif
