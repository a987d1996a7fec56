/* The text form of times. */
#include "weir/rules/time_text.h"

#include "tests/lib/check_main.h"
#include "weir/base/monotonic.h"

#include <stdio.h>

#define US INT64_C(1000000)

struct time_row {
    const char *text;
    int64_t time_us;
};

/* The expected values are from GNU date. */
static const struct time_row formatted[] = {
    {"1970-01-01T00:00:00.000000Z", 0},
    {"1970-01-01T00:00:00.000001Z", 1},
    {"1969-12-31T23:59:59.999999Z", -1},
    {"2025-01-15T10:00:00.123456Z", 1736935200 * US + 123456},
    {"2000-02-29T12:34:56.000000Z", 951827696 * US},
    {"1900-02-28T23:59:59.000000Z", INT64_C(-2203891201) * US},
    {"1900-03-01T00:00:00.000000Z", INT64_C(-2203891200) * US},
    {"2024-12-31T23:59:59.000000Z", 1735689599 * US},
    {"0000-01-01T00:00:00.000000Z", INT64_C(-62167219200) * US},
    {"0000-03-01T00:00:00.000000Z", INT64_C(-62162035200) * US},
    {"0001-01-01T00:00:00.000000Z", INT64_C(-62135596800) * US},
    {"9999-12-31T23:59:59.999999Z", INT64_C(253402300799) * US + 999999},
};

START_TEST(a_time_has_one_text)
{
    char text[WEIR_TIME_TEXT + 1];
    ck_assert(weir_time_format(formatted[_i].time_us, text));
    ck_assert_str_eq(text, formatted[_i].text);
    int64_t back = 0;
    ck_assert(weir_time_parse(weir_slice_of(text), &back));
    ck_assert_int_eq(back, formatted[_i].time_us);
}
END_TEST

static const int64_t outside[] = {
    INT64_MIN,
    INT64_MAX,
    INT64_C(-62167219200) * US - 1,
    INT64_C(253402300800) * US,
};

START_TEST(other_years_have_no_text)
{
    char text[WEIR_TIME_TEXT + 1];
    ck_assert(!weir_time_format(outside[_i], text));
}
END_TEST

START_TEST(every_day_comes_back)
{
    char text[WEIR_TIME_TEXT + 1];
    char last[WEIR_TIME_TEXT + 1] = "";
    for (int64_t day = -719528; day < 2932897; day++) {
        int64_t back = 0;
        const int64_t time_us = day * 86400 * US;
        if (!weir_time_format(time_us, text) || strcmp(last, text) >= 0 ||
            !weir_time_parse(weir_slice_of(text), &back) || back != time_us) {
            ck_abort_msg("day %lld: '%s'", (long long)day, text);
        }
        memcpy(last, text, sizeof last);
    }
    ck_assert_str_eq(last, "9999-12-31T00:00:00.000000Z");
}
END_TEST

static const struct time_row parsed[] = {
    {"1970-01-01T00:00:00Z", 0},
    {"1970-01-01t00:00:00z", 0},
    {"1970-01-01 00:00:00Z", 0},
    {"1970-01-01T01:00:00+01:00", 0},
    {"1969-12-31T12:15:00-11:45", 0},
    {"1970-01-01T23:59:00+23:59", 0},
    {"1970-01-01T00:00:00-00:00", 0},
    {"1970-01-01T00:00:00.1Z", 100000},
    {"1970-01-01T00:00:00.123456Z", 123456},
    {"1970-01-01T00:00:00.1234567Z", 123456},
    {"1970-01-01T00:00:00.999999999Z", 999999},
    {"1970-01-01T00:00:00.000000999+00:00", 0},
    {"1969-12-31T23:59:59.9999999Z", -1},
    {"2016-12-31T23:59:60Z", 1483228799 * US + 999999},
    {"2016-12-31T23:59:60.5Z", 1483228799 * US + 999999},
    {"2017-01-01T00:59:60+01:00", 1483228799 * US + 999999},
    {"2024-02-29T00:00:00Z", 1709164800 * US},
    {"2000-02-29T00:00:00Z", 951782400 * US},
    {"9999-12-31T23:59:59.999999999Z", INT64_C(253402300799) * US + 999999},
    {"9999-12-31T23:59:59+00:01", INT64_C(253402300739) * US},
};

START_TEST(a_text_is_a_time)
{
    int64_t time_us = 77;
    ck_assert(weir_time_parse(weir_slice_of(parsed[_i].text), &time_us));
    ck_assert_int_eq(time_us, parsed[_i].time_us);
    ck_assert(weir_time_or_date_parse(weir_slice_of(parsed[_i].text), &time_us));
    ck_assert_int_eq(time_us, parsed[_i].time_us);
}
END_TEST

static const char *const refused[] = {
    NULL,
    "",
    "now",
    "1970",
    "1970-01-01T",
    "1970-01-01T00:00",
    "1970-01-01T00:00Z",
    "1970-01-01T00:00:00",
    "1970-01-01T00:00:00.Z",
    "1970-01-01T00:00:00,5Z",
    "1970-01-01T00:00:00.0123456789Z",
    "1970-01-01T00:00:00Z ",
    " 1970-01-01T00:00:00Z",
    "1970-01-01T00:00:00ZZ",
    "1970-01-01  00:00:00Z",
    "1970-01-01_00:00:00Z",
    "1970-1-01T00:00:00Z",
    "+1970-01-01T00:00:00Z",
    "-0001-01-01T00:00:00Z",
    "10000-01-01T00:00:00Z",
    "19700101T000000Z",
    "1970-00-01T00:00:00Z",
    "1970-13-01T00:00:00Z",
    "1970-01-00T00:00:00Z",
    "1970-01-32T00:00:00Z",
    "1970-04-31T00:00:00Z",
    "2023-02-29T00:00:00Z",
    "1900-02-29T00:00:00Z",
    "2100-02-29T00:00:00Z",
    "2024-02-30T00:00:00Z",
    "1970-01-01T24:00:00Z",
    "1970-01-01T00:60:00Z",
    "1970-01-01T00:00:61Z",
    "1970-01-01T0a:00:00Z",
    "1970-01-01T00:00:00+24:00",
    "1970-01-01T00:00:00+00:60",
    "1970-01-01T00:00:00+0000",
    "1970-01-01T00:00:00+00",
    "1970-01-01T00:00:00+00:00Z",
    "1970-01-01T00:00:00 +00:00",
    "1970-01-01T00:00:00 UTC",
    "0000-01-01T00:00:00+00:01",
    "9999-12-31T23:59:59-00:01",
};

START_TEST(any_other_text_is_no_time)
{
    int64_t time_us = 77;
    ck_assert(!weir_time_parse(weir_slice_of(refused[_i]), &time_us));
    ck_assert(!weir_time_or_date_parse(weir_slice_of(refused[_i]), &time_us));
    ck_assert_int_eq(time_us, 77);
}
END_TEST

START_TEST(a_date_is_its_midnight)
{
    int64_t time_us = 77;
    const struct weir_slice date = weir_slice_of("2024-02-29");
    ck_assert(!weir_time_parse(date, &time_us));
    ck_assert(weir_time_or_date_parse(date, &time_us));
    ck_assert_int_eq(time_us, 1709164800 * US);
    ck_assert(!weir_time_or_date_parse(weir_slice_of("2023-02-29"), &time_us));
    ck_assert(!weir_time_or_date_parse(weir_slice_of("2024-02-2"), &time_us));
}
END_TEST

START_TEST(nothing_beyond_the_slice_is_read)
{
    static const char text[] = "1970-01-01T00:00:00.123456+01:00";
    for (size_t n = 0; n < sizeof text - 1; n++) {
        int64_t time_us = 0;
        uint8_t *exact = malloc(n + 1);
        ck_assert_ptr_nonnull(exact);
        memcpy(exact + 1, text, n);
        ck_assert(!weir_time_parse(weir_slice(exact + 1, n), &time_us));
        free(exact);
    }
}
END_TEST

START_TEST(the_clocks_run)
{
    /* After the time this test was written, and before the year 2500. */
    ck_assert_int_gt(weir_now_us(), 1735689600 * US);
    ck_assert_int_lt(weir_now_us(), INT64_C(16725225600) * US);
    const int64_t before = weir_monotonic_us();
    ck_assert_int_ge(weir_monotonic_us(), before);
}
END_TEST

static Suite *time_text_suite(void)
{
    Suite *suite = suite_create("time_text");
    TCase *out = tcase_create("out");
    tcase_add_loop_test(out, a_time_has_one_text, 0, WEIR_COUNTOF(formatted));
    tcase_add_loop_test(out, other_years_have_no_text, 0, WEIR_COUNTOF(outside));
    tcase_add_test(out, every_day_comes_back);
    tcase_set_timeout(out, 60);
    suite_add_tcase(suite, out);
    TCase *in = tcase_create("in");
    tcase_add_loop_test(in, a_text_is_a_time, 0, WEIR_COUNTOF(parsed));
    tcase_add_loop_test(in, any_other_text_is_no_time, 0, WEIR_COUNTOF(refused));
    tcase_add_test(in, a_date_is_its_midnight);
    tcase_add_test(in, nothing_beyond_the_slice_is_read);
    suite_add_tcase(suite, in);
    TCase *clocks = tcase_create("clocks");
    tcase_add_test(clocks, the_clocks_run);
    suite_add_tcase(suite, clocks);
    return suite;
}

int main(void)
{
    return check_main(time_text_suite());
}
