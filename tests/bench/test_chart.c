/* Charts: every element is drawn where it belongs, and the file is a complete SVG document. */
#include "bench/lib/chart.h"

#include "tests/lib/check_main.h"

#include <math.h>
#include <string.h>

enum { SVG_MAX = 1 << 16 };

static char svg[SVG_MAX];

static const char *draw(const struct chart *chart)
{
    FILE *out = fmemopen(svg, sizeof svg, "w");
    ck_assert_ptr_nonnull(out);
    ck_assert(chart_write(out, chart));
    ck_assert_int_eq(fclose(out), 0);
    return svg;
}

static struct chart chart_of(const struct chart_series *series, size_t n, enum chart_scale scale)
{
    return (struct chart){.title = "a <title> & more",
                          .x = {"x", scale, CHART_NUMBER, 0, 0},
                          .y = {"y", CHART_LINEAR, CHART_NUMBER, 0, 0},
                          .series = series,
                          .series_n = n};
}

/* Counts the occurrences of a text in the drawing. */
static int times(const char *text)
{
    int n = 0;
    for (const char *at = svg; (at = strstr(at, text)) != NULL; at += strlen(text)) {
        n++;
    }
    return n;
}

static const struct {
    double value;
    enum chart_unit unit;
    const char *text;
} numbers[] = {{0, CHART_NUMBER, "0"},
               {0.25, CHART_NUMBER, "0.25"},
               {999, CHART_NUMBER, "999"},
               {1000, CHART_NUMBER, "1,000"},
               {123456, CHART_NUMBER, "123,456"},
               {-123456, CHART_NUMBER, "-123,456"},
               {1234567, CHART_NUMBER, "1.23 M"},
               {5, CHART_NANOSECONDS, "5 ns"},
               {1500, CHART_NANOSECONDS, "1.5 µs"},
               {2e6, CHART_NANOSECONDS, "2 ms"},
               {3.25e9, CHART_NANOSECONDS, "3.25 s"}};

START_TEST(numbers_read_well)
{
    char text[CHART_TEXT_MAX];
    chart_text(numbers[_i].value, numbers[_i].unit, text);
    ck_assert_str_eq(text, numbers[_i].text);
}
END_TEST

START_TEST(texts_are_escaped_and_the_file_is_whole)
{
    const struct chart_point points[] = {{1, 1, 1, 1}, {2, 2, 2, 2}};
    const struct chart_series series = {"<s>", CHART_LINE, points, 2};
    const struct chart chart = chart_of(&series, 1, CHART_LINEAR);
    draw(&chart);
    ck_assert_int_eq(strncmp(svg, "<svg xmlns='http://www.w3.org/2000/svg'", 39), 0);
    ck_assert_ptr_nonnull(strstr(svg, "a &lt;title&gt; &amp; more"));
    ck_assert_ptr_nonnull(strstr(svg, "&lt;s&gt;"));
    ck_assert_str_eq(svg + strlen(svg) - 7, "</svg>\n");
    ck_assert_int_eq(times("<text"), times("</text>"));
}
END_TEST

/* The extremes of the data are drawn at the ends of the axes: x from 84 to 736, y from 364 up to
 * 64. */
START_TEST(points_stand_where_their_values_say)
{
    const struct chart_point points[] = {{0, 0, 0, 0}, {50, 50, 50, 50}, {100, 100, 100, 100}};
    const struct chart_series series = {"line", CHART_LINE, points, 3};
    struct chart chart = chart_of(&series, 1, CHART_LINEAR);
    chart.x.high = 100;
    chart.y.high = 100;
    draw(&chart);
    ck_assert_ptr_nonnull(strstr(svg, "d='M84.0 364.0L410.0 214.0L736.0 64.0'"));
}
END_TEST

START_TEST(a_logarithmic_axis_has_powers_at_equal_distances)
{
    const struct chart_point points[] = {
        {1, 1, 1, 1}, {10, 1, 1, 1}, {100, 1, 1, 1}, {0, 5, 5, 5}, {-3, 5, 5, 5}};
    const struct chart_series series = {"line", CHART_LINE, points, 5};
    struct chart chart = chart_of(&series, 1, CHART_LOG);
    chart.y.high = 10;
    draw(&chart);
    /* Values <= 0 cannot be shown on a logarithmic axis and are left out. */
    ck_assert_ptr_nonnull(strstr(svg, "d='M84.0 334.0L410.0 334.0L736.0 334.0'"));
    ck_assert_int_eq(times("<circle"), 3);
}
END_TEST

START_TEST(intervals_are_drawn_where_there_are_some)
{
    const struct chart_point points[] = {{1, 5, 4, 6}, {2, 5, 5, 5}};
    const struct chart_series series = {"line", CHART_LINE, points, 2};
    const struct chart chart = chart_of(&series, 1, CHART_LINEAR);
    draw(&chart);
    ck_assert_int_eq(times("m-3 0h6"), 1);
}
END_TEST

/* No data, one point, and values that are not numbers still give a drawing without "nan" in it. */
START_TEST(poor_data_give_a_picture_all_the_same)
{
    const struct chart_point odd[] = {{1, NAN, NAN, NAN}, {INFINITY, 1, 1, 1}, {3, 3, 3, 3}};
    for (size_t n = 0; n <= 3; n++) {
        const struct chart_series series = {"odd", CHART_LINE, odd, n};
        for (int scale = CHART_LINEAR; scale <= CHART_LOG; scale++) {
            const struct chart chart = chart_of(&series, 1, (enum chart_scale)scale);
            draw(&chart);
            ck_assert_ptr_null(strstr(svg, "nan"));
            ck_assert_ptr_null(strstr(svg, "inf"));
        }
    }
}
END_TEST

START_TEST(bars_are_as_long_as_their_values)
{
    const struct chart_bar bars[] = {{"all", 100, 100, 100, 0}, {"half", 50, 40, 60, 1}};
    const struct chart_bars chart = {"bars", NULL, "label", CHART_NUMBER, bars, 2};
    FILE *out = fmemopen(svg, sizeof svg, "w");
    ck_assert(chart_write_bars(out, &chart));
    ck_assert_int_eq(fclose(out), 0);
    ck_assert_ptr_nonnull(strstr(svg, "width='414.0'"));
    ck_assert_ptr_nonnull(strstr(svg, "width='207.0'"));
    ck_assert_ptr_nonnull(strstr(svg, ">half<"));
    ck_assert_ptr_nonnull(strstr(svg, ">50<"));
}
END_TEST

START_TEST(a_file_that_is_full_is_noticed)
{
    const struct chart_point points[] = {{1, 1, 1, 1}, {2, 2, 2, 2}};
    const struct chart_series series = {"line", CHART_LINE, points, 2};
    const struct chart chart = chart_of(&series, 1, CHART_LINEAR);
    FILE *out = fopen("/dev/full", "w");
    ck_assert_ptr_nonnull(out);
    setbuf(out, NULL);
    ck_assert(!chart_write(out, &chart));
    (void)fclose(out);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("chart");
    TCase *tests = tcase_create("chart");
    tcase_add_loop_test(tests, numbers_read_well, 0, (int)(sizeof numbers / sizeof numbers[0]));
    tcase_add_test(tests, texts_are_escaped_and_the_file_is_whole);
    tcase_add_test(tests, points_stand_where_their_values_say);
    tcase_add_test(tests, a_logarithmic_axis_has_powers_at_equal_distances);
    tcase_add_test(tests, intervals_are_drawn_where_there_are_some);
    tcase_add_test(tests, poor_data_give_a_picture_all_the_same);
    tcase_add_test(tests, bars_are_as_long_as_their_values);
    tcase_add_test(tests, a_file_that_is_full_is_noticed);
    suite_add_tcase(suite, tests);
    return check_main(suite);
}
