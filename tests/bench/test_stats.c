/* Medians, confidence intervals, ratios and payloads. */
#include "bench/lib/payload.h"
#include "bench/lib/stats.h"
#include "bench/lib/target.h"

#include "tests/lib/check_main.h"

#include <math.h>
#include <string.h>

/* ---- estimates ---- */

START_TEST(a_median_is_the_middle)
{
    double odd[] = {5, 1, 4, 2, 3};
    double even[] = {4, 1, 3, 2};
    double one[] = {7};
    ck_assert(stats_estimate(odd, 5).median == 3);
    ck_assert(stats_estimate(even, 4).median == 2.5);
    ck_assert(stats_estimate(one, 1).median == 7);
    ck_assert(stats_estimate(one, 1).low == 7);
    ck_assert(stats_estimate(one, 0).n == 0);
}
END_TEST

/* Ranks from published tables of the two-sided sign test at 5 %, counted from 0. */
static const struct {
    size_t n;
    size_t low;
} ranks[] = {{1, 0},  {5, 0},  {6, 0},  {8, 0},  {9, 1},   {11, 1},  {12, 2},
             {15, 3}, {20, 5}, {25, 7}, {30, 9}, {51, 18}, {100, 39}};

START_TEST(the_interval_is_that_of_the_sign_test)
{
    ck_assert_uint_eq(stats_low_rank(ranks[_i].n), ranks[_i].low);
}
END_TEST

START_TEST(the_interval_lies_symmetrically)
{
    double samples[20];
    for (int i = 0; i < 20; i++) {
        samples[i] = 19 - i;
    }
    const struct estimate estimate = stats_estimate(samples, 20);
    ck_assert(estimate.low == 5);
    ck_assert(estimate.high == 14);
    ck_assert(estimate.median == 9.5);
}
END_TEST

/* Over many sets of samples the interval must contain the true median in 95 of 100 cases, and not
 * in many more. */
START_TEST(the_interval_holds_the_median_as_often_as_it_says)
{
    enum { SETS = 20000, N = 15 };
    uint64_t random = 42;
    int held = 0;
    for (int set = 0; set < SETS; set++) {
        double samples[N];
        for (int i = 0; i < N; i++) {
            samples[i] = (double)(payload_random(&random) >> 11) * 0x1p-53;
        }
        const struct estimate estimate = stats_estimate(samples, N);
        held += estimate.low <= 0.5 && estimate.high >= 0.5;
    }
    ck_assert_msg(held > SETS * 0.955 && held < SETS * 0.975, "%d of %d", held, SETS);
}
END_TEST

START_TEST(ratios_are_taken_pair_by_pair)
{
    const double a[] = {10, 40, 90, 5};
    const double b[] = {10, 20, 30, 0};
    double scratch[4];
    const struct estimate ratio = stats_ratio(a, b, scratch, 4);
    ck_assert(ratio.median == 2);
    ck_assert_uint_eq(ratio.n, 3);
    ck_assert(ratio.low == 1);
    ck_assert(ratio.high == 3);
}
END_TEST

/* ---- targets ---- */

START_TEST(a_target_is_met_on_its_side_of_the_limit)
{
    struct target target = {.kind = TARGET_AT_MOST, .limit = 10, .value = 10};
    ck_assert(target_is_met(&target));
    target.value = 10.1;
    ck_assert(!target_is_met(&target));
    target.kind = TARGET_AT_LEAST;
    ck_assert(target_is_met(&target));
    target.value = NAN;
    ck_assert(!target_is_met(&target));
}
END_TEST

/* ---- payloads ---- */

START_TEST(a_payload_is_recognised)
{
    char text[400];
    for (size_t n = PAYLOAD_MIN_BYTES; n < sizeof text; n++) {
        uint64_t seed = 0;
        payload_make(n * 77, text, n);
        ck_assert(payload_check(text, n, &seed));
        ck_assert_uint_eq(seed, n * 77);
        ck_assert_int_eq(text[0], '{');
        ck_assert_int_eq(text[n - 1], '}');
    }
}
END_TEST

START_TEST(a_payload_with_any_byte_changed_is_not)
{
    enum { N = 97 };
    char text[N];
    for (size_t i = 0; i < N; i++) {
        payload_make(123456789, text, N);
        text[i] ^= 1;
        uint64_t seed = 123456789;
        /* A payload with a changed seed does not match the text of that seed. */
        ck_assert_msg(!payload_check(text, N, &seed), "byte %zu", i);
    }
    payload_make(1, text, N);
    ck_assert(!payload_check(text, N - 1, NULL));
    ck_assert(!payload_check(text, PAYLOAD_MIN_BYTES - 1, NULL));
    ck_assert(!payload_check("", 0, NULL));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("stats");
    TCase *tests = tcase_create("stats");
    tcase_add_test(tests, a_median_is_the_middle);
    tcase_add_loop_test(tests, the_interval_is_that_of_the_sign_test, 0,
                        (int)(sizeof ranks / sizeof ranks[0]));
    tcase_add_test(tests, the_interval_lies_symmetrically);
    tcase_add_test(tests, the_interval_holds_the_median_as_often_as_it_says);
    tcase_add_test(tests, ratios_are_taken_pair_by_pair);
    tcase_add_test(tests, a_target_is_met_on_its_side_of_the_limit);
    tcase_add_test(tests, a_payload_is_recognised);
    tcase_add_test(tests, a_payload_with_any_byte_changed_is_not);
    suite_add_tcase(suite, tests);
    return check_main(suite);
}
