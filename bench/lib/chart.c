#include "bench/lib/chart.h"

#include <math.h>

enum { TICKS_MAX = 32, TICKS_WANTED = 6, TONES = 6 };

/* Sizes in pixels. */
enum {
    WIDTH = 760,
    HEIGHT = 420,
    LEFT = 84,
    RIGHT = 24,
    TOP = 64,
    BOTTOM = 56,
    LEGEND_LINE = 18,
    BAR = 22,
    BAR_GAP = 10,
    BAR_NAMES = 250,
    BAR_FIGURES = 96
};

/* Distinguishable with red-green colour blindness and in greyscale. */
static const char *const tones[TONES] = {"#0b6e99", "#d9730d", "#5f8f3e",
                                         "#8a4fa3", "#6b7280", "#b5383f"};

/* ---- text ---- */

static void put_text(FILE *out, const char *text)
{
    for (; *text != '\0'; text++) {
        switch (*text) {
        case '&':
            (void)fputs("&amp;", out);
            break;
        case '<':
            (void)fputs("&lt;", out);
            break;
        case '>':
            (void)fputs("&gt;", out);
            break;
        default:
            (void)fputc(*text, out);
        }
    }
}

static void put_label(FILE *out, double x, double y, const char *attributes, const char *text)
{
    (void)fprintf(out, "<text x='%.1f' y='%.1f' %s>", x, y, attributes);
    put_text(out, text);
    (void)fputs("</text>\n", out);
}

/* Formats an integer with its digits in groups of three. */
static void grouped(double value, char text[CHART_TEXT_MAX])
{
    char digits[CHART_TEXT_MAX];
    const int n = snprintf(digits, sizeof digits, "%.0f", fabs(value));
    size_t to = 0;
    if (value < 0) {
        text[to++] = '-';
    }
    for (int i = 0; i < n && to + 2 < CHART_TEXT_MAX; i++) {
        text[to++] = digits[i];
        if ((n - i) % 3 == 1 && i + 1 < n) {
            text[to++] = ',';
        }
    }
    text[to] = '\0';
}

static void time_text(double ns, char text[CHART_TEXT_MAX])
{
    static const struct {
        double size;
        const char *name;
    } units[] = {{1e9, "s"}, {1e6, "ms"}, {1e3, "µs"}, {1, "ns"}};
    size_t u = 0;
    while (u + 1 < sizeof units / sizeof units[0] && fabs(ns) < units[u].size) {
        u++;
    }
    (void)snprintf(text, CHART_TEXT_MAX, "%.3g %s", ns / units[u].size, units[u].name);
}

void chart_text(double value, enum chart_unit unit, char text[CHART_TEXT_MAX])
{
    if (unit == CHART_NANOSECONDS) {
        time_text(value, text);
    } else if (fabs(value) >= 1e6) {
        (void)snprintf(text, CHART_TEXT_MAX, "%.3g M", value / 1e6);
    } else if (fabs(value) >= 1000) {
        grouped(value, text);
    } else {
        (void)snprintf(text, CHART_TEXT_MAX, "%.3g", value);
    }
}

/* ---- scales ---- */

struct scale {
    enum chart_scale kind;
    double low;
    double high;
    double from;  // pixel of low
    double to;    // pixel of high
};

static bool can_show(const struct scale *scale, double value)
{
    return isfinite(value) && (scale->kind == CHART_LINEAR || value > 0);
}

static double pixel(const struct scale *scale, double value)
{
    double at = 0;
    if (scale->kind == CHART_LOG) {
        at = log(value / scale->low) / log(scale->high / scale->low);
    } else {
        at = (value - scale->low) / (scale->high - scale->low);
    }
    at = at < 0 ? 0 : at > 1 ? 1 : at;
    return scale->from + at * (scale->to - scale->from);
}

/* Returns 1, 2 or 5 times a power of ten so that the axis has about TICKS_WANTED ticks. */
static double tick_step(double span)
{
    const double rough = span / TICKS_WANTED;
    const double power = pow(10, floor(log10(rough)));
    const double digit = rough / power;
    return power * (digit <= 1 ? 1 : digit <= 2 ? 2 : digit <= 5 ? 5 : 10);
}

static size_t linear_ticks(const struct scale *scale, double ticks[TICKS_MAX])
{
    const double step = tick_step(scale->high - scale->low);
    size_t n = 0;
    for (double i = ceil(scale->low / step); n < TICKS_MAX && i * step <= scale->high * (1 + 1e-9);
         i++) {
        ticks[n++] = i * step;
    }
    return n;
}

/* Places ticks at powers of ten, and at 2 and 5 times them on an axis of few decades. */
static size_t log_ticks(const struct scale *scale, double ticks[TICKS_MAX])
{
    static const double digits[] = {1, 2, 5};
    const size_t digits_n = log10(scale->high / scale->low) < 3.5 ? 3 : 1;
    size_t n = 0;
    for (double power = pow(10, floor(log10(scale->low))); power <= scale->high; power *= 10) {
        for (size_t d = 0; d < digits_n && n < TICKS_MAX; d++) {
            const double tick = digits[d] * power;
            if (tick >= scale->low * (1 - 1e-9) && tick <= scale->high * (1 + 1e-9)) {
                ticks[n++] = tick;
            }
        }
    }
    return n;
}

static size_t make_ticks(const struct scale *scale, double ticks[TICKS_MAX])
{
    return scale->kind == CHART_LOG ? log_ticks(scale, ticks) : linear_ticks(scale, ticks);
}

/* Rounds to the nearest 1, 2 or 5 times a power of ten, up or down. */
static double round_log(double value, bool is_up)
{
    static const double digits[] = {1, 2, 5, 10};
    const double power = pow(10, floor(log10(value) + 1e-9));
    size_t d = 0;
    while (d < 3 && digits[d] * power < value * (1 - 1e-9)) {
        d++;
    }
    const bool is_exact = digits[d] * power <= value * (1 + 1e-9);
    return is_up || is_exact ? digits[d] * power : digits[d - 1] * power;
}

/* Sets the scale from the limits of the axis, or from the range of the data (low..high). */
static void fit_scale(struct scale *scale, const struct chart_axis *axis, double low, double high)
{
    scale->kind = axis->scale;
    if (axis->low < axis->high) {
        low = axis->low;
        high = axis->high;
    } else if (axis->scale == CHART_LINEAR) {
        low = low > 0 ? 0 : low;
        high *= high > 0 ? 1.05 : 1;
    } else if (low > 0 && low < high) {
        low = round_log(low, false);
        high = round_log(high, true);
    }
    if (!(low < high)) {  // nothing to show, or one value
        high = axis->scale == CHART_LOG && low > 0 ? low * 10 : low + 1;
        low = axis->scale == CHART_LOG && low <= 0 ? high / 10 : low;
    }
    scale->low = low;
    scale->high = high;
}

static void widen(double value, enum chart_scale kind, double *low, double *high)
{
    if (isfinite(value) && (kind == CHART_LINEAR || value > 0)) {
        *low = value < *low ? value : *low;
        *high = value > *high ? value : *high;
    }
}

static void fit_scales(const struct chart *chart, struct scale *x, struct scale *y)
{
    double low_x = INFINITY, high_x = -INFINITY, low_y = INFINITY, high_y = -INFINITY;
    for (size_t s = 0; s < chart->series_n; s++) {
        for (size_t i = 0; i < chart->series[s].n; i++) {
            const struct chart_point *p = &chart->series[s].points[i];
            widen(p->x, chart->x.scale, &low_x, &high_x);
            widen(p->low, chart->y.scale, &low_y, &high_y);
            widen(p->high, chart->y.scale, &low_y, &high_y);
            widen(p->y, chart->y.scale, &low_y, &high_y);
        }
    }
    if (low_x > high_x || low_y > high_y) {
        low_x = low_y = 1;
        high_x = high_y = 10;
    }
    fit_scale(x, &chart->x, low_x, high_x);
    fit_scale(y, &chart->y, low_y, high_y);
}

/* ---- the frame ---- */

static void begin_svg(FILE *out, int width, int height, const char *title, const char *note)
{
    (void)fprintf(out,
                  "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 %d %d' width='%d' "
                  "height='%d' font-family='sans-serif' font-size='12' fill='#222'>\n"
                  "<rect width='%d' height='%d' fill='#fff'/>\n",
                  width, height, width, height, width, height);
    put_label(out, 16, 24, "font-size='15' font-weight='bold'", title);
    if (note != NULL) {
        put_label(out, 16, 43, "fill='#555'", note);
    }
}

static bool end_svg(FILE *out)
{
    (void)fputs("</svg>\n", out);
    return ferror(out) == 0;
}

static void draw_x_axis(FILE *out, const struct chart *chart, const struct scale *x, double bottom)
{
    double ticks[TICKS_MAX];
    char text[CHART_TEXT_MAX];
    const size_t n = make_ticks(x, ticks);
    for (size_t t = 0; t < n; t++) {
        const double at = pixel(x, ticks[t]);
        (void)fprintf(out, "<path d='M%.1f %dV%.1f' stroke='#e5e7eb'/>\n", at, TOP, bottom);
        chart_text(ticks[t], chart->x.unit, text);
        put_label(out, at, bottom + 17, "text-anchor='middle'", text);
    }
    put_label(out, (x->from + x->to) / 2, bottom + 38, "text-anchor='middle' fill='#555'",
              chart->x.label);
}

static void draw_y_axis(FILE *out, const struct chart *chart, const struct scale *y)
{
    double ticks[TICKS_MAX];
    char text[CHART_TEXT_MAX];
    const size_t n = make_ticks(y, ticks);
    for (size_t t = 0; t < n; t++) {
        const double at = pixel(y, ticks[t]);
        (void)fprintf(out, "<path d='M%d %.1fH%d' stroke='#e5e7eb'/>\n", LEFT, at, WIDTH - RIGHT);
        chart_text(ticks[t], chart->y.unit, text);
        put_label(out, LEFT - 8, at + 4, "text-anchor='end'", text);
    }
    char place[64];
    (void)snprintf(place, sizeof place,
                   "text-anchor='middle' fill='#555' transform='rotate(-90 16 %.0f)'",
                   (y->from + y->to) / 2);
    put_label(out, 16, (y->from + y->to) / 2, place, chart->y.label);
}

/* ---- lines ---- */

static void draw_interval(FILE *out, const struct chart_point *p, double x, const struct scale *y,
                          const char *tone)
{
    if (p->low < p->high && can_show(y, p->low)) {
        (void)fprintf(out,
                      "<path d='M%.1f %.1fV%.1fm-3 0h6M%.1f %.1fh6' stroke='%s' fill='none'/>\n", x,
                      pixel(y, p->low), pixel(y, p->high), x - 3, pixel(y, p->low), tone);
    }
}

static void draw_line(FILE *out, const struct chart_series *series, const struct scale *x,
                      const struct scale *y, const char *tone)
{
    bool is_first = true;
    (void)fprintf(out,
                  "<path fill='none' stroke='%s' stroke-width='2' stroke-linejoin='round'%s d='",
                  tone, series->style == CHART_DASHES ? " stroke-dasharray='6 4'" : "");
    for (size_t i = 0; i < series->n; i++) {
        const struct chart_point *p = &series->points[i];
        if (can_show(x, p->x) && can_show(y, p->y)) {
            (void)fprintf(out, "%c%.1f %.1f", is_first ? 'M' : 'L', pixel(x, p->x), pixel(y, p->y));
            is_first = false;
        }
    }
    (void)fputs("'/>\n", out);
}

static void draw_steps(FILE *out, const struct chart_series *series, const struct scale *x,
                       const struct scale *y, const char *tone)
{
    const double floor_y = y->from;
    (void)fprintf(out, "<path fill='%s' fill-opacity='0.75' stroke='none' d='", tone);
    for (size_t i = 0; i + 1 < series->n; i++) {
        const struct chart_point *p = &series->points[i];
        if (can_show(x, p->x) && can_show(y, p->y)) {
            (void)fprintf(out, "M%.1f %.1fV%.1fH%.1fV%.1fZ", pixel(x, p->x), floor_y,
                          pixel(y, p->y), pixel(x, p[1].x), floor_y);
        }
    }
    (void)fputs("'/>\n", out);
}

static void draw_series(FILE *out, const struct chart_series *series, const struct scale *x,
                        const struct scale *y, const char *tone)
{
    if (series->style == CHART_STEPS) {
        draw_steps(out, series, x, y, tone);
        return;
    }
    draw_line(out, series, x, y, tone);
    for (size_t i = 0; i < series->n && series->n <= 32; i++) {
        const struct chart_point *p = &series->points[i];
        if (can_show(x, p->x) && can_show(y, p->y)) {
            draw_interval(out, p, pixel(x, p->x), y, tone);
            (void)fprintf(out, "<circle cx='%.1f' cy='%.1f' r='3' fill='%s'/>\n", pixel(x, p->x),
                          pixel(y, p->y), tone);
        }
    }
}

static void draw_marks(FILE *out, const struct chart *chart, const struct scale *x, double bottom)
{
    for (size_t m = 0; m < chart->marks_n; m++) {
        if (can_show(x, chart->marks[m].x)) {
            const double at = pixel(x, chart->marks[m].x);
            (void)fprintf(out,
                          "<path d='M%.1f %dV%.1f' stroke='#b5383f' stroke-dasharray='3 3'/>\n", at,
                          TOP, bottom);
            /* Labels of neighbouring marks have different heights; near the right edge they stand
             * on the left side of the mark. */
            const bool is_left = at > x->from + 0.8 * (x->to - x->from);
            put_label(out, at + (is_left ? -4 : 4), TOP + 12 + 14 * (double)(m % 6),
                      is_left ? "fill='#b5383f' text-anchor='end'" : "fill='#b5383f'",
                      chart->marks[m].name);
        }
    }
}

static size_t count_named(const struct chart *chart)
{
    size_t n = 0;
    for (size_t s = 0; s < chart->series_n; s++) {
        n += chart->series[s].name != NULL;
    }
    return n;
}

static void draw_legend(FILE *out, const struct chart *chart, double y)
{
    for (size_t s = 0; s < chart->series_n; s++) {
        if (chart->series[s].name != NULL) {
            (void)fprintf(out, "<path d='M%d %.1fh24' stroke='%s' stroke-width='3'%s/>\n", LEFT,
                          y - 4, tones[s % TONES],
                          chart->series[s].style == CHART_DASHES ? " stroke-dasharray='6 4'" : "");
            put_label(out, LEFT + 32, y, "", chart->series[s].name);
            y += LEGEND_LINE;
        }
    }
}

bool chart_write(FILE *out, const struct chart *chart)
{
    const double bottom = HEIGHT - BOTTOM;
    struct scale x = {.from = LEFT, .to = WIDTH - RIGHT};
    struct scale y = {.from = bottom, .to = TOP};
    fit_scales(chart, &x, &y);
    begin_svg(out, WIDTH, HEIGHT + LEGEND_LINE * (int)count_named(chart), chart->title,
              chart->note);
    draw_x_axis(out, chart, &x, bottom);
    draw_y_axis(out, chart, &y);
    (void)fprintf(out, "<path d='M%d %dV%.1fH%d' fill='none' stroke='#888'/>\n", LEFT, TOP, bottom,
                  WIDTH - RIGHT);
    for (size_t s = 0; s < chart->series_n; s++) {
        draw_series(out, &chart->series[s], &x, &y, tones[s % TONES]);
    }
    draw_marks(out, chart, &x, bottom);
    draw_legend(out, chart, HEIGHT + 8);
    return end_svg(out);
}

/* ---- bars ---- */

static void draw_bar(FILE *out, const struct chart_bar *bar, const struct scale *x, double y,
                     enum chart_unit unit)
{
    const char *tone = tones[bar->tone % TONES];
    const double to = pixel(x, bar->value);
    char text[CHART_TEXT_MAX];
    chart_text(bar->value, unit, text);
    put_label(out, BAR_NAMES - 8, y + BAR - 7, "text-anchor='end'", bar->name);
    (void)fprintf(out, "<rect x='%d' y='%.1f' width='%.1f' height='%d' fill='%s'/>\n", BAR_NAMES, y,
                  to - BAR_NAMES, BAR, tone);
    const double high = bar->high > bar->value ? pixel(x, bar->high) : to;
    if (bar->low < bar->high) {
        (void)fprintf(
            out, "<path d='M%.1f %.1fH%.1fm0 -4v8M%.1f %.1fv8' stroke='#222' fill='none'/>\n",
            pixel(x, bar->low), y + BAR / 2.0, high, pixel(x, bar->low), y + BAR / 2.0 - 4);
    }
    put_label(out, high + 6, y + BAR - 7, "", text);
}

bool chart_write_bars(FILE *out, const struct chart_bars *bars)
{
    const int height = TOP + (int)bars->n * (BAR + BAR_GAP) + BOTTOM - 16;
    double most = 0;
    for (size_t i = 0; i < bars->n; i++) {
        const struct chart_bar *bar = &bars->bars[i];
        most = bar->value > most ? bar->value : most;
        most = bar->high > most ? bar->high : most;
    }
    const struct scale x = {.kind = CHART_LINEAR,
                            .high = most > 0 ? most : 1,
                            .from = BAR_NAMES,
                            .to = WIDTH - BAR_FIGURES};
    begin_svg(out, WIDTH, height, bars->title, bars->note);
    for (size_t i = 0; i < bars->n; i++) {
        draw_bar(out, &bars->bars[i], &x, TOP + (double)i * (BAR + BAR_GAP), bars->unit);
    }
    put_label(out, BAR_NAMES, height - 18, "fill='#555'", bars->label);
    return end_svg(out);
}
