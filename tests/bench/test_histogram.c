/* The histogram of times. */
#include "bench/lib/histogram.h"

#include "tests/lib/check_main.h"

#include <pthread.h>
#include <stdlib.h>

static struct histogram *histogram;

static void setup(void)
{
    histogram = histogram_new();
    ck_assert_ptr_nonnull(histogram);
}

static void teardown(void)
{
    free(histogram);
}

START_TEST(an_empty_one_is_all_zero)
{
    struct histogram_bucket bucket;
    size_t at = 0;
    ck_assert_uint_eq(histogram_count(histogram), 0);
    ck_assert_uint_eq(histogram_percentile(histogram, 99), 0);
    ck_assert_uint_eq(histogram_max(histogram), 0);
    ck_assert(histogram_mean(histogram) == 0);
    ck_assert(!histogram_next(histogram, &at, &bucket));
}
END_TEST

/* Values at the boundaries of powers of two, of steps, and of the recordable range. */
static const int64_t values[] = {0,
                                 1,
                                 127,
                                 128,
                                 255,
                                 256,
                                 257,
                                 511,
                                 512,
                                 1000,
                                 65535,
                                 65536,
                                 1000000,
                                 123456789,
                                 1000000000000,
                                 INT64_C(2199023255551),
                                 3,
                                 4095,
                                 4096,
                                 1048577,
                                 INT64_C(1) << 40};

START_TEST(a_value_is_kept_to_within_half_a_percent)
{
    const double value = (double)values[_i];
    histogram_record(histogram, values[_i]);
    /* Records a second, larger value, so that the maximum does not determine the percentile. */
    histogram_record(histogram, INT64_C(2199023255551));
    const double found = (double)histogram_percentile(histogram, 50);
    ck_assert_msg(found >= value * 0.995 && found <= value * 1.005, "%f for %f", found, value);
}
END_TEST

START_TEST(every_value_falls_into_the_bucket_that_holds_it)
{
    struct histogram_bucket bucket;
    size_t at = 0;
    histogram_record(histogram, values[_i]);
    ck_assert(histogram_next(histogram, &at, &bucket));
    ck_assert_uint_eq(bucket.count, 1);
    ck_assert_uint_le(bucket.low, (uint64_t)values[_i]);
    ck_assert_uint_gt(bucket.high, (uint64_t)values[_i]);
    ck_assert(!histogram_next(histogram, &at, &bucket));
}
END_TEST

START_TEST(values_out_of_range_count_as_the_nearest)
{
    histogram_record(histogram, -5);
    ck_assert_uint_eq(histogram_percentile(histogram, 50), 0);
    histogram_record(histogram, INT64_MAX);
    ck_assert_uint_eq(histogram_count(histogram), 2);
    ck_assert_uint_eq(histogram_max(histogram), INT64_MAX);
    ck_assert_uint_gt(histogram_percentile(histogram, 100), INT64_C(1) << 40);
}
END_TEST

START_TEST(percentiles_are_those_of_what_was_recorded)
{
    for (int64_t i = 1; i <= 10000; i++) {
        histogram_record(histogram, i * 1000);
    }
    const struct {
        double percent;
        double value;
    } expected[] = {{0, 1e3}, {50, 5e6}, {90, 9e6}, {99, 9.9e6}, {99.99, 9.999e6}, {100, 1e7}};
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        const double found = (double)histogram_percentile(histogram, expected[i].percent);
        ck_assert_msg(found >= expected[i].value * 0.995 && found <= expected[i].value * 1.005,
                      "p%g is %f", expected[i].percent, found);
    }
    ck_assert_uint_eq(histogram_max(histogram), 10000000);
    ck_assert(histogram_mean(histogram) == 5000500);
}
END_TEST

/* One outlier in ten thousand must appear in p99.99 and must not appear in p99.9. */
START_TEST(a_single_outlier_shows_where_it_belongs)
{
    for (int i = 0; i < 9999; i++) {
        histogram_record(histogram, 1000);
    }
    histogram_record(histogram, 1000000);
    ck_assert_uint_lt(histogram_percentile(histogram, 99.9), 1010);
    ck_assert_uint_lt(histogram_percentile(histogram, 99.99), 1010);
    ck_assert_uint_eq(histogram_percentile(histogram, 100), 1000000);
    histogram_record(histogram, 1000000);
    ck_assert_uint_gt(histogram_percentile(histogram, 99.99), 990000);
}
END_TEST

/* The rank is that of exact arithmetic: one of 1,000 values is above p99.9. */
START_TEST(a_percentile_is_not_a_rank_too_high)
{
    for (int i = 0; i < 999; i++) {
        histogram_record(histogram, 1000);
    }
    histogram_record(histogram, 1000000);
    ck_assert_uint_lt(histogram_percentile(histogram, 99.9), 1010);
    ck_assert_uint_eq(histogram_percentile(histogram, 99.99), 1000000);
}
END_TEST

enum { THREADS = 4, EACH = 20000 };

static void *record_many(void *context)
{
    for (int64_t i = 0; i < EACH; i++) {
        histogram_record(context, i);
    }
    return NULL;
}

START_TEST(nothing_is_lost_between_threads)
{
    pthread_t threads[THREADS];
    for (size_t t = 0; t < THREADS; t++) {
        ck_assert_int_eq(pthread_create(&threads[t], NULL, record_many, histogram), 0);
    }
    for (size_t t = 0; t < THREADS; t++) {
        ck_assert_int_eq(pthread_join(threads[t], NULL), 0);
    }
    struct histogram_bucket bucket;
    uint64_t n = 0;
    for (size_t at = 0; histogram_next(histogram, &at, &bucket);) {
        n += bucket.count;
    }
    ck_assert_uint_eq(n, THREADS * EACH);
    ck_assert_uint_eq(histogram_count(histogram), THREADS * EACH);
    ck_assert_uint_eq(histogram_max(histogram), EACH - 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("histogram");
    TCase *tests = tcase_create("histogram");
    const int n = (int)(sizeof values / sizeof values[0]);
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, an_empty_one_is_all_zero);
    tcase_add_loop_test(tests, a_value_is_kept_to_within_half_a_percent, 0, n);
    tcase_add_loop_test(tests, every_value_falls_into_the_bucket_that_holds_it, 0, n);
    tcase_add_test(tests, values_out_of_range_count_as_the_nearest);
    tcase_add_test(tests, percentiles_are_those_of_what_was_recorded);
    tcase_add_test(tests, a_single_outlier_shows_where_it_belongs);
    tcase_add_test(tests, a_percentile_is_not_a_rank_too_high);
    tcase_add_test(tests, nothing_is_lost_between_threads);
    suite_add_tcase(suite, tests);
    return check_main(suite);
}
