/* Which bytes weir accepts as UTF-8. */
#include "weir/rules/utf8.h"

#include "tests/lib/check_main.h"
#include "tests/unit/text_row.h"

#include <stdlib.h>

static const struct text_row good_utf8[] = {
    TEXT(""),
    TEXT("a"),
    TEXT("0123456789abcdef\x7F\x01"),
    TEXT("\xC2\x80\xDF\xBF"),
    TEXT("\xE0\xA0\x80\xED\x9F\xBF\xEE\x80\x80\xEF\xBF\xBF"),
    TEXT("\xF0\x90\x80\x80\xF4\x8F\xBF\xBF"),
    TEXT("0123456\xC3\xA9"
         "0123456789"),
    TEXT("01234567\xF0\x9F\x98\x80"),
};

START_TEST(is_utf8)
{
    ck_assert(weir_utf8_is_valid(weir_slice(good_utf8[_i].bytes, good_utf8[_i].n)));
}
END_TEST

static const struct text_row bad_utf8[] = {
    TEXT("\0"),
    TEXT("01234567\0"),
    TEXT("0123\0"
         "5678"),
    TEXT("0123456\0"),
    TEXT("\x80"),
    TEXT("\xBF"),
    TEXT("\xC0\x80"),
    TEXT("\xC1\xBF"),
    TEXT("\xC2"),
    TEXT("\xC2\x7F"),
    TEXT("\xC2\xC0"),
    TEXT("\xE0\x9F\xBF"),
    TEXT("\xE1\x80"),
    TEXT("\xE1\x80\x7F"),
    TEXT("\xE1\x80\xC0"),
    TEXT("\xED\xA0\x80"),
    TEXT("\xED\xBF\xBF"),
    TEXT("\xF0\x8F\xBF\xBF"),
    TEXT("\xF0\x90\x80"),
    TEXT("\xF1\x80\x80\x7F"),
    TEXT("\xF4\x90\x80\x80"),
    TEXT("\xF5\x80\x80\x80"),
    TEXT("\xFE"),
    TEXT("\xFF"),
    TEXT("01234567\xFF"),
    TEXT("0123456\xE2\x82"),
};

/* Copied into an allocation of the exact size, so that reads beyond a truncated character are
 * detected. */
START_TEST(is_no_utf8)
{
    const struct text_row *row = &bad_utf8[_i];
    uint8_t *exact = malloc(row->n);
    ck_assert_ptr_nonnull(exact);
    memcpy(exact, row->bytes, row->n);
    ck_assert(!weir_utf8_is_valid(weir_slice(exact, row->n)));
    free(exact);
}
END_TEST

static Suite *utf8_suite(void)
{
    Suite *suite = suite_create("utf8");
    TCase *tcase = tcase_create("utf8");
    tcase_add_loop_test(tcase, is_utf8, 0, WEIR_COUNTOF(good_utf8));
    tcase_add_loop_test(tcase, is_no_utf8, 0, WEIR_COUNTOF(bad_utf8));
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return check_main(utf8_suite());
}
