/* Which texts weir accepts as JSON, and what a check reports about them. */
#include "weir/rules/json_text.h"
#include "weir/rules/utf8.h"

#include "tests/lib/check_main.h"
#include "tests/unit/text_row.h"

#include <locale.h>

enum { NAME_BYTES = 16 };

static struct weir_error err;

static void set_up(void)
{
    weir_error_init(&err);
}

/* The number of the allocation to fail, from 1; 0: none. */
static size_t fail_at;
static size_t allocations;
void *__real_malloc(size_t n);
void *__wrap_malloc(size_t n);

void *__wrap_malloc(size_t n)
{
    return ++allocations == fail_at ? NULL : __real_malloc(n);
}

static const struct text_row accepted[] = {
    TEXT("{}"),
    TEXT("[]"),
    TEXT("\"\""),
    TEXT("0"),
    TEXT("-0"),
    TEXT("-0.0"),
    TEXT("null"),
    TEXT("true"),
    TEXT("false"),
    TEXT(" \t\r\n{ \"a\" : [ 1 , 2 ] } \n"),
    TEXT("{\"\":0}"),
    TEXT("{\"a\":1,\"a\":2}"),
    TEXT("{\"a\":{\"b\":[{\"c\":null}]}}"),
    TEXT("[[],{},\"\",0,null]"),
    TEXT("1.5E+3"),
    TEXT("1e0"),
    TEXT("1E-2"),
    TEXT("123456789012345678901234567890"),
    TEXT("-9223372036854775809"),
    TEXT("9007199254740993"),
    TEXT("1.7976931348623157e308"),
    TEXT("-1.7976931348623157e308"),
    TEXT("0.00017976931348623157e312"),
    TEXT("1e-324"),
    TEXT("-1e-324"),
    TEXT("0.001e-321"),
    TEXT("1000e-327"),
    TEXT("0e999999999999"),
    TEXT("0e-999999999999999999999999"),
    TEXT("0.000e99999"),
    TEXT("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\""),
    TEXT("\"\\u00e9\\u20AC\\uD83D\\uDE00\""),
    TEXT("\"\\uFFFF\\uFDD0\""),
    TEXT("\"\\u0001\\u001f\""),
    TEXT("\"\x7F\""),
    TEXT("\"é€😀\""),
    TEXT("\"\xEF\xBF\xBF\""),
    TEXT("\"\xF4\x8F\xBF\xBF\""),
    TEXT("\"\xEF\xBB\xBF\""),
    TEXT("\"\\\\u0000\""),
    TEXT("\"[[[[ 1e999 {{\""),
    TEXT("{\"\":\"\",\"a\":\"plain\",\"a\":[\"~ \",\"é\",\"\\\"\"]}"),
    TEXT("[\"\\\\\",1]"),
};

START_TEST(is_json)
{
    const struct text_row *row = &accepted[_i];
    const weir_status st = weir_json_check(weir_slice(row->bytes, row->n), "data", NULL, &err);
    ck_assert_msg(st == WEIR_OK, "%s: %s", row->bytes, err.text);
}
END_TEST

static const struct text_row refused[] = {
    TEXT(""),
    TEXT(" "),
    TEXT("\n"),
    TEXT("\xEF\xBB\xBF{}"),
    TEXT("{} {}"),
    TEXT("1 2"),
    TEXT("{}x"),
    TEXT("{}\0"),
    TEXT("\0"),
    TEXT("[1\0]"),
    TEXT("1\0"),
    TEXT("[1.5\0\0]"),
    TEXT("[\0]"),
    TEXT("{\"a\":1\0}"),
    TEXT("true\0"),
    TEXT("{}]"),
    TEXT("["),
    TEXT("{"),
    TEXT("]"),
    TEXT("[}"),
    TEXT("{]"),
    TEXT("[1"),
    TEXT("[1,"),
    TEXT("[1,]"),
    TEXT("[,1]"),
    TEXT("[1,,2]"),
    TEXT("[1 2]"),
    TEXT("{\"a\"}"),
    TEXT("{\"a\":}"),
    TEXT("{\"a\" 1}"),
    TEXT("{\"a\":1,}"),
    TEXT("{,\"a\":1}"),
    TEXT("{\"a\":1 \"b\":2}"),
    TEXT("{a:1}"),
    TEXT("{1:2}"),
    TEXT("{null:1}"),
    TEXT("{\"a\"::1}"),
    TEXT("'a'"),
    TEXT("{'a':1}"),
    TEXT("1/*c*/"),
    TEXT("//c\n1"),
    TEXT("# c\n1"),
    TEXT("nul"),
    TEXT("nulll"),
    TEXT("NULL"),
    TEXT("True"),
    TEXT("NaN"),
    TEXT("Infinity"),
    TEXT("-Infinity"),
    TEXT("nan"),
    TEXT("inf"),
    TEXT("undefined"),
    TEXT("+1"),
    TEXT("01"),
    TEXT("-01"),
    TEXT("-"),
    TEXT("--1"),
    TEXT("1."),
    TEXT(".5"),
    TEXT("-.5"),
    TEXT("1.e1"),
    TEXT("1e"),
    TEXT("1e+"),
    TEXT("1e1.5"),
    TEXT("1.2.3"),
    TEXT("1e0.....................3"),
    TEXT("1e-+-+-+-+-+-+-+-+-+-+-+-+"),
    TEXT("0x10"),
    TEXT("1_000"),
    TEXT("1,5"),
    TEXT("1e309"),
    TEXT("-1e309"),
    TEXT("1.8e308"),
    TEXT("1.7976931348623159e308"),
    TEXT("[1e131071,1e131071]"),
    TEXT("1e99999999999999999999999999"),
    TEXT("9e-325"),
    TEXT("1e-325"),
    TEXT("-1e-400"),
    TEXT("[0,{\"a\":1e-99999999999999999999}]"),
    TEXT("\""),
    TEXT("\"a"),
    TEXT("\"a\\\""),
    TEXT("\"\\"),
    TEXT("\"\\x41\""),
    TEXT("\"\\a\""),
    TEXT("\"\\'\""),
    TEXT("\"\\u12\""),
    TEXT("\"\\u12G4\""),
    TEXT("\"\\U0041\""),
    TEXT("\"\n\""),
    TEXT("\"\t\""),
    TEXT("\"\x01\""),
    TEXT("\"\0\""),
    TEXT("\"\\u0000\""),
    TEXT("\"a\\u0000b\""),
    TEXT("{\"\\u0000\":1}"),
    TEXT("{\"a\\u0000\":1}"),
    TEXT("{\"a\":{\"b\":[\"\\u0000\"]}}"),
    TEXT("\"\\ud800\""),
    TEXT("\"\\udc00\""),
    TEXT("\"\\ud800\\ud800\""),
    TEXT("\"\\ud800\\u0041\""),
    TEXT("\"\\ud800x\""),
    TEXT("\"\\udc00\\ud800\""),
    TEXT("{\"\\ud800\":1}"),
    TEXT("\"\x80\""),
    TEXT("\"\xC3\""),
    TEXT("\"\xC0\x80\""),
    TEXT("\"\xC1\xBF\""),
    TEXT("\"\xE0\x80\x80\""),
    TEXT("\"\xED\xA0\x80\""),
    TEXT("\"\xED\xA0\xBD\xED\xB8\x80\""),
    TEXT("\"\xF0\x80\x80\x80\""),
    TEXT("\"\xF4\x90\x80\x80\""),
    TEXT("\"\xF8\x88\x80\x80\x80\""),
    TEXT("\"\xFF\""),
    TEXT("{\"\xFF\":1}"),
    TEXT("\"plain"),
    TEXT("[\"plain\",\"plain]"),
    TEXT("[\"plain\",\"\\\"]"),
    TEXT("\"plain\"\"plain\""),
    TEXT("[\"plain\" \"plain\"]"),
    TEXT("[\"plain\"plain\"]"),
    TEXT("{\"plain\",\"plain\"}"),
    TEXT("[\"plain\",\"\t\"]"),
    TEXT("[\"plain\",\"\x1F\"]"),
    TEXT("[\"plain\",\"\\x\"]"),
    TEXT("[\"plain\",\"\xFF\"]"),
    TEXT("\xC2\xA0"
         "1"),
    TEXT("\f1"),
    TEXT("\v1"),
    TEXT("\xE2\x80\xA8"
         "1"),
    TEXT("\xFF\xFE{\0}\0"),
};

START_TEST(is_no_json)
{
    const struct text_row *row = &refused[_i];
    const weir_status st = weir_json_check(weir_slice(row->bytes, row->n), "metadata", NULL, &err);
    ck_assert_msg(st == WEIR_INVALID_REQUEST, "%s", row->bytes);
    ck_assert_str_eq(weir_error_get_detail(&err, "field"), "metadata");
    ck_assert(weir_utf8_is_valid(weir_slice_of(err.text)));
}
END_TEST

/* In a string long enough to be checked by words, at every position. */
START_TEST(a_byte_of_a_string_is_judged_wherever_it_stands)
{
    static const uint8_t good[] = " !#[]^~\x7F";
    static const uint8_t bad[] = "\x01\x1F\"\\\x80\xFF";
    char text[] = "\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"";
    const size_t at = 1 + (size_t)_i;
    for (size_t i = 0; i < sizeof good - 1; i++) {
        text[at] = (char)good[i];
        ck_assert_int_eq(weir_json_check(weir_slice_of(text), "data", NULL, &err), WEIR_OK);
    }
    for (size_t i = 0; i < sizeof bad - 1; i++) {
        text[at] = (char)bad[i];
        ck_assert_int_eq(weir_json_check(weir_slice_of(text), "data", NULL, &err),
                         WEIR_INVALID_REQUEST);
        weir_error_init(&err);
    }
}
END_TEST

START_TEST(brackets_closed_too_often_are_not_depth)
{
    const struct weir_slice text = weir_slice_of("[]]][");
    ck_assert_int_eq(weir_json_check(text, "data", NULL, &err), WEIR_INVALID_REQUEST);
    ck_assert_msg(strstr(err.text, "near byte 3") != NULL, "%s", err.text);
}
END_TEST

/* The position refers to the text, whatever part of it the parser was given. */
START_TEST(the_place_of_a_fault_is_one_in_the_text)
{
    const struct weir_slice text = weir_slice_of("[\"a plain one of twenty-nine...\",x]");
    ck_assert_int_eq(weir_json_check(text, "data", NULL, &err), WEIR_INVALID_REQUEST);
    ck_assert_msg(strstr(err.text, "near byte 34") != NULL, "%s", err.text);
}
END_TEST

START_TEST(absent_is_no_json)
{
    ck_assert_int_eq(weir_json_check(weir_slice(NULL, 0), "data", NULL, &err),
                     WEIR_INVALID_REQUEST);
    ck_assert(!weir_json_is_object(weir_slice(NULL, 0)));
}
END_TEST

/* Returns a text of `n` bytes filled with `c`. */
static char *filled(size_t n, char c)
{
    char *text = malloc(n + 1);
    ck_assert_ptr_nonnull(text);
    memset(text, c, n);
    text[n] = '\0';
    return text;
}

static weir_status check_free(char *text)
{
    const weir_status st = weir_json_check(weir_slice_of(text), "data", NULL, &err);
    free(text);
    return st;
}

static char *nested(size_t depth)
{
    char *text = filled(2 * depth, '[');
    memset(text + depth, ']', depth);
    return text;
}

START_TEST(nesting_has_a_limit)
{
    ck_assert_int_eq(check_free(nested(WEIR_JSON_DEPTH_MAX)), WEIR_OK);
    ck_assert_int_eq(check_free(nested(WEIR_JSON_DEPTH_MAX + 1)), WEIR_INVALID_REQUEST);
    ck_assert_ptr_nonnull(strstr(err.text, "512"));
    ck_assert_int_eq(check_free(filled(1000000, '[')), WEIR_INVALID_REQUEST);
}
END_TEST

START_TEST(siblings_are_no_nesting)
{
    char *text = filled(3 * 1000 + 1, ',');
    text[0] = '[';
    for (size_t i = 1; i < 3000; i += 3) {
        memcpy(text + i, "[],", 3);
    }
    text[3000] = ']';
    ck_assert_int_eq(check_free(text), WEIR_OK);
}
END_TEST

START_TEST(digits_have_a_limit)
{
    char *text = filled(WEIR_JSON_DIGITS_MAX + 2, '1');
    text[0] = '-';
    text[2] = '.';
    ck_assert_int_eq(check_free(text), WEIR_OK);
    text = filled(WEIR_JSON_DIGITS_MAX + 3, '1');
    text[0] = '-';
    text[2] = '.';
    ck_assert_int_eq(check_free(text), WEIR_INVALID_REQUEST);
    ck_assert_ptr_nonnull(strstr(err.text, "1000"));
    text = filled(1000000, '0');
    text[1] = '.';
    ck_assert_int_eq(check_free(text), WEIR_INVALID_REQUEST);
}
END_TEST

START_TEST(long_strings_of_digits_are_strings)
{
    char *text = filled(5000, '7');
    text[0] = '"';
    text[4999] = '"';
    ck_assert_int_eq(check_free(text), WEIR_OK);
}
END_TEST

/* A locale with a decimal comma must not change numbers. Without such a locale on the system the
 * test proves nothing. */
START_TEST(numbers_need_no_locale)
{
    (void)setlocale(LC_ALL, "de_DE.UTF-8");
    ck_assert_int_eq(weir_json_check(weir_slice_of("1.5"), "data", NULL, &err), WEIR_OK);
    ck_assert_int_eq(weir_json_check(weir_slice_of("1,5"), "data", NULL, &err),
                     WEIR_INVALID_REQUEST);
}
END_TEST

START_TEST(no_error_quotes_the_text)
{
    ck_assert_int_eq(weir_json_check(weir_slice_of("{\"secret\": hunter2}"), "data", NULL, &err),
                     WEIR_INVALID_REQUEST);
    ck_assert_ptr_null(strstr(err.text, "hunter2"));
    ck_assert_ptr_null(strstr(weir_error_get_detail(&err, "reason"), "hunter2"));
}
END_TEST

struct facts_row {
    const char *text;
    bool is_object;
    const char *correlation;  // NULL: absent
};

static const struct facts_row facts_rows[] = {
    {"{}", true, NULL},
    {" \t\r\n{}", true, NULL},
    {"[]", false, NULL},
    {" [{}]", false, NULL},
    {"null", false, NULL},
    {"\"correlationStreamName\"", false, NULL},
    {"[{\"correlationStreamName\":\"a-1\"}]", false, NULL},
    {"{\"x\":{\"correlationStreamName\":\"a-1\"}}", true, NULL},
    {"{\"correlationStreamName\":\"a-1\"}", true, "a-1"},
    {"{\"correlationStreamName\":\"\"}", true, ""},
    {"{\"correlationStreamName\":null}", true, NULL},
    {"{\"correlationStreamName\":12}", true, NULL},
    {"{\"correlationStreamName\":[\"a\"]}", true, NULL},
    {"{\"correlationStreamname\":\"a-1\"}", true, NULL},
    {"{\"correlationStreamName\":\"a-1\",\"correlationStreamName\":\"b-2\"}", true, "b-2"},
    {"{\"correlationStreamName\":\"a-1\",\"correlationStreamName\":null}", true, NULL},
    {"{\"correlationStreamNam\\u0065\":\"a\\u002d\\u00e9\\n\"}", true, "a-é\n"},
    {"{\"correlationStreamName\":\"0123456789abcdef\"}", true, "0123456789abcdef"},
};

START_TEST(facts_are_found)
{
    const struct facts_row *row = &facts_rows[_i];
    uint8_t area[NAME_BYTES];
    struct weir_json_facts facts = {.area = area, .area_n = sizeof area};
    ck_assert_int_eq(weir_json_check(weir_slice_of(row->text), "metadata", &facts, &err), WEIR_OK);
    ck_assert_int_eq(weir_json_is_object(weir_slice_of(row->text)), row->is_object);
    ck_assert(weir_slice_is(facts.correlation_stream, row->correlation));
}
END_TEST

START_TEST(a_long_correlation_is_refused)
{
    uint8_t area[NAME_BYTES];
    struct weir_json_facts facts = {.area = area, .area_n = sizeof area};
    const char *text = "{\"correlationStreamName\":\"0123456789abcdefg\"}";
    ck_assert_int_eq(weir_json_check(weir_slice_of(text), "metadata", &facts, &err),
                     WEIR_INVALID_REQUEST);
    ck_assert_ptr_nonnull(strstr(err.text, "16 bytes"));
    ck_assert_int_eq(weir_json_check(weir_slice_of(text), "metadata", NULL, &err), WEIR_OK);
}
END_TEST

/* A string that makes the parser enlarge its buffer, and strings that fit in it. */
START_TEST(a_check_without_memory_fails_and_does_no_harm)
{
    static const char begin[] = "{\"a\":\"\\n";
    static const char end[] = "\",\"b\":[\"\"]}";
    static char text[70000];
    const size_t text_n = sizeof text - 1;
    memset(text, 'x', text_n);
    memcpy(text, begin, sizeof begin - 1);
    memcpy(text + sizeof text - sizeof end, end, sizeof end);
    weir_json_take_over_memory();
    struct weir_json_facts facts = {.area = NULL};
    weir_status status = WEIR_BACKEND_UNAVAILABLE;
    size_t n = 0;
    while (status != WEIR_OK) {
        allocations = 0;
        fail_at = ++n;
        status = weir_json_check(weir_slice(text, text_n), "metadata", &facts, &err);
        fail_at = 0;
        ck_assert(status == WEIR_OK || status == WEIR_BACKEND_UNAVAILABLE);
        /* If the parser fails without plain strings, it is given the whole text. */
        allocations = 0;
        fail_at = n;
        const weir_status again = weir_json_check(weir_slice(text, text_n), "data", NULL, &err);
        fail_at = 0;
        ck_assert(again == WEIR_OK || (again == WEIR_BACKEND_UNAVAILABLE && n == 1));
    }
    ck_assert_uint_gt(n, 12);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("json_check");
    TCase *c = tcase_create("check");
    tcase_add_checked_fixture(c, set_up, NULL);
    tcase_add_loop_test(c, is_json, 0, WEIR_COUNTOF(accepted));
    tcase_add_loop_test(c, is_no_json, 0, WEIR_COUNTOF(refused));
    tcase_add_loop_test(c, a_byte_of_a_string_is_judged_wherever_it_stands, 0, 30);
    tcase_add_test(c, brackets_closed_too_often_are_not_depth);
    tcase_add_test(c, the_place_of_a_fault_is_one_in_the_text);
    tcase_add_test(c, absent_is_no_json);
    tcase_add_test(c, a_check_without_memory_fails_and_does_no_harm);
    tcase_add_test(c, nesting_has_a_limit);
    tcase_add_test(c, siblings_are_no_nesting);
    tcase_add_test(c, digits_have_a_limit);
    tcase_add_test(c, long_strings_of_digits_are_strings);
    tcase_add_test(c, numbers_need_no_locale);
    tcase_add_test(c, no_error_quotes_the_text);
    tcase_add_loop_test(c, facts_are_found, 0, WEIR_COUNTOF(facts_rows));
    tcase_add_test(c, a_long_correlation_is_refused);
    suite_add_tcase(suite, c);
    return check_main(suite);
}
