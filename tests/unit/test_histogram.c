/* Samples are counted in the first bucket whose bound is not below them. */
#include "server/base/histogram.h"

#include "tests/lib/check_main.h"

#include <stdio.h>
#include <stdlib.h>

static struct weir_histogram histogram;

static void set_up(void)
{
    static const struct weir_histogram zeroes;
    histogram = zeroes;
}

START_TEST(bounds_are_inclusive)
{
    static const uint64_t values[] = {0, 1, 2, 3, 4, 5, 1024, 1025, UINT64_MAX / 2};
    struct weir_histogram_view view;
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        weir_histogram_record(&histogram, &weir_scale_sizes, values[i]);
    }
    weir_histogram_read(&histogram, &weir_scale_sizes, &view);
    ck_assert_uint_eq(view.cumulative[0], 2);
    ck_assert_uint_eq(view.cumulative[1], 3);
    ck_assert_uint_eq(view.cumulative[2], 5);
    ck_assert_uint_eq(view.cumulative[3], 6);
    ck_assert_uint_eq(view.cumulative[10], 7);
    ck_assert_uint_eq(view.cumulative[weir_scale_sizes.n], 9);
}
END_TEST

START_TEST(latencies_are_shown_in_seconds)
{
    struct weir_histogram_view view;
    weir_histogram_record(&histogram, &weir_scale_latency, 1500000);
    weir_histogram_record(&histogram, &weir_scale_latency, 500000);
    weir_histogram_read(&histogram, &weir_scale_latency, &view);
    ck_assert_double_eq_tol(view.sum, 2.0, 1e-9);
}
END_TEST

START_TEST(scales_are_ascending_and_fit)
{
    const struct weir_histogram_scale *const scales[] = {&weir_scale_latency, &weir_scale_sizes};
    for (size_t s = 0; s < 2; s++) {
        ck_assert_uint_le(scales[s]->n, WEIR_HISTOGRAM_BOUNDS_MAX);
        for (size_t i = 1; i < scales[s]->n; i++) {
            ck_assert_uint_gt(scales[s]->bounds[i], scales[s]->bounds[i - 1]);
        }
    }
}
END_TEST

START_TEST(a_bound_is_the_number_that_its_text_stands_for)
{
    for (size_t i = 0; i < weir_scale_latency.n; i++) {
        const double bound = weir_histogram_bound(&weir_scale_latency, i);
        char text[32];
        (void)snprintf(text, sizeof text, "%g", bound);
        ck_assert_msg(strtod(text, NULL) == bound, "%s is shown for %.17g", text, bound);
    }
}
END_TEST

static Suite *histogram_suite(void)
{
    Suite *suite = suite_create("server_histogram");
    TCase *tcase = tcase_create("histogram");
    tcase_add_checked_fixture(tcase, set_up, NULL);
    tcase_add_test(tcase, bounds_are_inclusive);
    tcase_add_test(tcase, latencies_are_shown_in_seconds);
    tcase_add_test(tcase, scales_are_ascending_and_fit);
    tcase_add_test(tcase, a_bound_is_the_number_that_its_text_stands_for);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return check_main(histogram_suite());
}
