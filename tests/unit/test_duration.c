/* Parsing of durations such as "90m": valid and invalid texts. */
#include "weir/rules/duration.h"

#include "tests/lib/check_main.h"

#include <check.h>

static const struct {
    const char *text;
    int64_t us;  // -1: invalid
} cases[] = {
    {"0s", 0},
    {"1s", 1000000},
    {"90m", INT64_C(90) * 60 * 1000000},
    {"24h", INT64_C(86400) * 1000000},
    {"7d", INT64_C(7) * 86400 * 1000000},
    {"0052w", INT64_C(52) * 7 * 86400 * 1000000},
    {"1830000d", INT64_C(1830000) * 86400 * 1000000},
    {"1830001d", -1},
    {"99999999999999999999999s", -1},
    {"", -1},
    {"s", -1},
    {"7", -1},
    {"7 d", -1},
    {" 7d", -1},
    {"-7d", -1},
    {"+7d", -1},
    {"7.5d", -1},
    {"7dd", -1},
    {"7D", -1},
    {"7d ", -1},
};

START_TEST(a_number_and_a_unit)
{
    int64_t us = -1;
    const bool is_good = weir_duration_parse(weir_slice_of(cases[_i].text), &us);
    ck_assert_msg(is_good == (cases[_i].us >= 0), "'%s'", cases[_i].text);
    ck_assert_int_eq(us, cases[_i].us);
}
END_TEST

START_TEST(no_text_is_none)
{
    int64_t us = -1;
    ck_assert(!weir_duration_parse(weir_slice(NULL, 0), &us));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("duration");
    TCase *tcase = tcase_create("parse");
    tcase_add_loop_test(tcase, a_number_and_a_unit, 0, sizeof cases / sizeof cases[0]);
    tcase_add_test(tcase, no_text_is_none);
    suite_add_tcase(suite, tcase);
    return check_main(suite);
}
