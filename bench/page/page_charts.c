#include "bench/page/page_charts.h"

#include "bench/lib/chart.h"

#include <errno.h>
#include <string.h>

enum { BARS_MAX = 24, SERIES_MAX = 8, POINTS_MAX = 16, FILE_BYTES = 1024 };

static FILE *open_file(const char *directory, const char *file)
{
    char path[FILE_BYTES];
    (void)snprintf(path, sizeof path, "%s/%s", directory, file);
    FILE *out = fopen(path, "w");
    if (out == NULL) {
        (void)fprintf(stderr, "%s: %s\n", path, strerror(errno));
    }
    return out;
}

static enum page_drawing close_file(FILE *out, bool is_written, const char *file)
{
    is_written = fclose(out) == 0 && is_written;
    if (!is_written) {
        (void)fprintf(stderr, "cannot write %s\n", file);
    }
    return is_written ? PAGE_DRAWN : PAGE_NOT_WRITTEN;
}

/* ---- bars ---- */

enum page_drawing page_draw_bars(const char *directory, struct results *results,
                                 const struct page_bars *bars)
{
    struct chart_bar drawn[BARS_MAX];
    size_t n = 0;
    for (size_t b = 0; b < bars->n && n < BARS_MAX; b++) {
        const struct page_bar *bar = &bars->bars[b];
        const struct estimate e = results_estimate(results, bar->name, bar->path);
        if (e.n > 0) {
            drawn[n++] = (struct chart_bar){bar->label, e.median, e.low, e.high, bar->tone};
        }
    }
    if (n == 0) {
        return PAGE_NO_RESULTS;
    }
    const struct chart_bars chart = {.title = bars->title,
                                     .note = bars->note,
                                     .label = bars->label,
                                     .unit = bars->is_time ? CHART_NANOSECONDS : CHART_NUMBER,
                                     .bars = drawn,
                                     .n = n};
    FILE *out = open_file(directory, bars->file);
    return out == NULL ? PAGE_NOT_WRITTEN
                       : close_file(out, chart_write_bars(out, &chart), bars->file);
}

/* ---- latencies ---- */

static const struct {
    const char *path;
    double one_in;  // one operation in so many is slower
} percentiles[] = {{"latency_us.p50", 2},     {"latency_us.p75", 4},   {"latency_us.p90", 10},
                   {"latency_us.p95", 20},    {"latency_us.p99", 100}, {"latency_us.p99.9", 1000},
                   {"latency_us.p99.99", 1e4}};

enum { PERCENTILES = sizeof percentiles / sizeof percentiles[0] };

static size_t latency_points(struct results *results, const char *name,
                             struct chart_point points[POINTS_MAX])
{
    size_t n = 0;
    for (size_t p = 0; p < PERCENTILES; p++) {
        const struct estimate e = results_estimate(results, name, percentiles[p].path);
        if (e.n > 0) {
            points[n++] = (struct chart_point){percentiles[p].one_in, e.median * 1e3, e.low * 1e3,
                                               e.high * 1e3};
        }
    }
    return n;
}

enum page_drawing page_draw_latencies(const char *directory, struct results *results,
                                      const char *file, const struct page_line *lines, size_t n)
{
    struct chart_point points[SERIES_MAX][POINTS_MAX];
    struct chart_series series[SERIES_MAX];
    size_t drawn = 0;
    for (size_t l = 0; l < n && drawn < SERIES_MAX; l++) {
        const size_t found = latency_points(results, lines[l].name, points[drawn]);
        if (found > 0) {
            series[drawn] = (struct chart_series){lines[l].label, CHART_LINE, points[drawn], found};
            drawn++;
        }
    }
    if (drawn == 0) {
        return PAGE_NO_RESULTS;
    }
    const struct chart chart = {
        .title = "Latency, and how seldom it is exceeded",
        .note = "counted from when each operation should have started; medians of the rounds",
        .x = {"one operation in so many is slower", CHART_LOG, CHART_NUMBER, 0, 0},
        .y = {"latency", CHART_LOG, CHART_NANOSECONDS, 0, 0},
        .series = series,
        .series_n = drawn};
    FILE *out = open_file(directory, file);
    return out == NULL ? PAGE_NOT_WRITTEN : close_file(out, chart_write(out, &chart), file);
}

/* ---- growth ---- */

static size_t growth_points(struct results *results, const struct page_growth *growth,
                            struct chart_point points[POINTS_MAX])
{
    const double factor = growth->is_time ? 1e3 : 1;
    size_t n = 0;
    for (size_t s = 0; s < PAGE_SIZES; s++) {
        const struct estimate e = page_growth_at(results, growth, page_sizes[s]);
        if (e.n > 0) {
            /* A logarithmic axis cannot show 0, so size 0 is drawn at 1. */
            const double x = page_sizes[s] == 0 ? 1 : (double)page_sizes[s];
            points[n++] =
                (struct chart_point){x, e.median * factor, e.low * factor, e.high * factor};
        }
    }
    return n;
}

enum page_drawing page_draw_growth(const char *directory, struct results *results,
                                   const struct page_growth_chart *chart)
{
    struct chart_point points[SERIES_MAX][POINTS_MAX];
    struct chart_series series[SERIES_MAX];
    size_t drawn = 0;
    for (size_t g = 0; g < chart->n && drawn < SERIES_MAX; g++) {
        const size_t n = growth_points(results, &chart->growths[g], points[drawn]);
        if (n > 1) {
            series[drawn] =
                (struct chart_series){chart->growths[g].label, CHART_LINE, points[drawn], n};
            drawn++;
        }
    }
    if (drawn == 0) {
        return PAGE_NO_RESULTS;
    }
    const bool is_time = chart->growths[0].is_time;
    const struct chart drawing = {
        .title = chart->title,
        .note = "medians of the rounds with their 95 % intervals",
        .x = {chart->x_label, CHART_LOG, CHART_NUMBER, 0, 0},
        .y = {chart->y_label, CHART_LINEAR, is_time ? CHART_NANOSECONDS : CHART_NUMBER, 0, 0},
        .series = series,
        .series_n = drawn};
    FILE *out = open_file(directory, chart->file);
    return out == NULL ? PAGE_NOT_WRITTEN
                       : close_file(out, chart_write(out, &drawing), chart->file);
}
