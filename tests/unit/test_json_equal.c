/* Which JSON texts are equal values. */
#include "weir/rules/json_text.h"

#include "tests/lib/check_main.h"

#include <stdio.h>

static struct weir_error err;

static void set_up(void)
{
    weir_error_init(&err);
}

/* Compares in both directions, since the relation is symmetric. */
static bool are_equal(struct weir_slice a, struct weir_slice b)
{
    bool equal = false;
    bool reverse = true;
    ck_assert_int_eq(weir_json_equal(a, b, &equal, &err), WEIR_OK);
    ck_assert_int_eq(weir_json_equal(b, a, &reverse, &err), WEIR_OK);
    ck_assert_int_eq(equal, reverse);
    return equal;
}

struct pair {
    const char *a;
    const char *b;
};

static const struct pair equals[] = {
    {NULL, NULL},
    {"{}", " { } "},
    {"[]", "[\n]"},
    {"null", " null"},
    {"true", "true "},
    {"\"a\"", " \"a\""},
    {"1.10", "1.1"},
    {"1.1", "11e-1"},
    {"1.1", "0.11E1"},
    {"1.1", "0.0011e+003"},
    {"100", "1e2"},
    {"100", "1E+02"},
    {"1", "1.0"},
    {"1", "1.000e0"},
    {"10.50", "0105e-1"},
    {"0", "-0"},
    {"0", "0.0"},
    {"0", "-0.00e5"},
    {"0e999999999999", "0e-999999999999"},
    {"0e99999999999999999999999999999", "0"},
    {"-12.5", "-1.25e1"},
    {"12345678901234567890123456789", "12345678901234567890123456789.0"},
    {"1e308", "10e307"},
    {"1e-324", "0.1e-323"},
    {"1000000000000000000000", "1e21"},
    {"\"\\u0061\"", "\"a\""},
    {"\"\\/\"", "\"/\""},
    {"\"\\u00E9\"", "\"é\""},
    {"\"\\u00e9\"", "\"\\u00E9\""},
    {"\"\\ud83d\\ude00\"", "\"😀\""},
    {"\"\\n\"", "\"\\u000a\""},
    {"\"\\\\\"", "\"\\u005c\""},
    {"\"<>&\"", "\"\\u003c\\u003E\\u0026\""},
    {"[1,2,3]", "[ 1 , 2.0 , 3e0 ]"},
    {"[[],[[]],{}]", "[ [ ] , [ [ ] ] , { } ]"},
    {"{\"a\":1,\"b\":2}", "{\"b\":2,\"a\":1}"},
    {"{\"a\":1,\"a\":2}", "{\"a\":2}"},
    {"{\"a\":[1,{\"x\":[]}],\"b\":0,\"a\":2}", "{\"a\":2,\"b\":-0}"},
    {"{\"a\":1,\"\\u0061\":2}", "{\"a\":2}"},
    {"{\"\":{\"\":{}}}", "{\"\" : {\"\" : { } } }"},
    {"{\"b\":{\"y\":[1,2],\"x\":null},\"a\":\"s\"}",
     "{\"a\":\"s\",\"b\":{\"x\":null,\"y\":[1,2]}}"},
    {"{\"\\u0062\\u0063\":1,\"a\":2}", "{\"a\":2,\"bc\":1}"},
};

START_TEST(one_value)
{
    const struct pair *row = &equals[_i];
    ck_assert_msg(are_equal(weir_slice_of(row->a), weir_slice_of(row->b)), "%s and %s", row->a,
                  row->b);
}
END_TEST

static const struct pair differents[] = {
    {NULL, "null"},
    {NULL, "{}"},
    {NULL, "\"\""},
    {"null", "false"},
    {"true", "false"},
    {"null", "\"null\""},
    {"{}", "[]"},
    {"{}", "null"},
    {"\"\"", "null"},
    {"0", "\"0\""},
    {"0", "false"},
    {"1", "\"1\""},
    {"1", "-1"},
    {"1", "1.00000000000000000000000000000001"},
    {"9007199254740993", "9007199254740992"},
    {"12345678901234567890123456789", "12345678901234567890123456788"},
    {"1e21", "1e22"},
    {"1", "10"},
    {"1", "0.1"},
    {"1", "1e1"},
    {"1e5", "1e-5"},
    {"12", "1.2"},
    {"101", "11"},
    {"1001", "101"},
    {"1.01", "1.1"},
    {"0", "1e-324"},
    {"\"a\"", "\"A\""},
    {"\"a\"", "\"a \""},
    {"\"é\"", "\"e\xCC\x81\""},
    {"\"\\\\u0061\"", "\"a\""},
    {"\"\\n\"", "\"n\""},
    {"[1,2]", "[2,1]"},
    {"[1]", "[1,1]"},
    {"[]", "[null]"},
    {"[]", "[[]]"},
    {"[[],1]", "[[1]]"},
    {"[[1],2]", "[[1,2]]"},
    {"[[[]],[]]", "[[],[[]]]"},
    {"{\"a\":1}", "{\"a\":2}"},
    {"{\"a\":1}", "{\"b\":1}"},
    {"{\"a\":1}", "{\"a\":1,\"b\":1}"},
    {"{\"a\":null}", "{}"},
    {"{\"a\":1,\"a\":2}", "{\"a\":1}"},
    {"{\"a\":1,\"a\":2}", "{\"a\":2,\"a\":1}"},
    {"{\"a\":1,\"a\":1}", "{\"a\":1,\"b\":1}"},
    {"{\"a\":{\"b\":1}}", "{\"a\":{},\"b\":1}"},
    {"{\"a\":[{\"b\":1}]}", "{\"a\":[{\"b\":1.5}]}"},
    {"{\"1\":2}", "{\"2\":1}"},
    /* One key begins as the other does. */
    {"{\"a\":1,\"ab\":2}", "{\"a\":3,\"ab\":2}"},
    {"{\"ab\":1,\"a\":2}", "{\"ab\":3,\"a\":2}"},
    {"{\"\":1,\"a\":2}", "{\"a\":2}"},
};

START_TEST(two_values)
{
    const struct pair *row = &differents[_i];
    ck_assert_msg(!are_equal(weir_slice_of(row->a), weir_slice_of(row->b)), "%s and %s", row->a,
                  row->b);
}
END_TEST

static struct weir_slice nested(size_t depth, bool in_objects, const char *core, char *text)
{
    size_t n = 0;
    for (size_t i = 0; i < depth; i++) {
        const char *opening = in_objects ? "{\"\":" : "[";
        memcpy(text + n, opening, strlen(opening));
        n += strlen(opening);
    }
    memcpy(text + n, core, strlen(core));
    n += strlen(core);
    memset(text + n, in_objects ? '}' : ']', depth);
    return weir_slice(text, n + depth);
}

START_TEST(the_deepest_text_is_compared)
{
    static char a[4096];
    static char b[4096];
    const size_t depth = WEIR_JSON_DEPTH_MAX;
    for (int in_objects = 0; in_objects <= 1; in_objects++) {
        ck_assert(
            are_equal(nested(depth, in_objects, "1", a), nested(depth, in_objects, "1.0", b)));
        ck_assert(!are_equal(nested(depth, in_objects, "1", a), nested(depth, in_objects, "2", b)));
    }
}
END_TEST

enum { MANY = 100000, MEMBER_BYTES = 32 };

/* Writes an object whose members are ordered by `step`, which is coprime to their number; member 0
 * has the value `first`. Returns its length. */
static size_t many_members(size_t step, unsigned first, char *text)
{
    size_t n = 0;
    text[n++] = '{';
    for (size_t i = 0; i < MANY; i++) {
        const size_t k = i * step % MANY;
        n += (size_t)snprintf(text + n, MEMBER_BYTES, "%s\"k%zu\":%zu", i == 0 ? "" : ",", k,
                              k == 0 ? first : k);
    }
    text[n++] = '}';
    return n;
}

/* A linear search for each member would take minutes. */
START_TEST(large_objects_are_compared_quickly)
{
    static char a[MANY * MEMBER_BYTES + 2];
    static char b[MANY * MEMBER_BYTES + 2];
    const struct weir_slice x = weir_slice(a, many_members(1, 7, a));
    ck_assert(are_equal(x, weir_slice(b, many_members(77777, 7, b))));
    ck_assert(!are_equal(x, weir_slice(b, many_members(33333, 8, b))));
}
END_TEST

/* The same key many times in one text, each time with another value. */
START_TEST(many_duplicates_are_compared_quickly)
{
    char *text = malloc((size_t)MANY * MEMBER_BYTES + 2);
    ck_assert_ptr_nonnull(text);
    size_t n = 0;
    for (size_t i = 0; i < MANY; i++) {
        n += (size_t)snprintf(text + n, MEMBER_BYTES, "%c\"k\":%zu", i == 0 ? '{' : ',', i);
    }
    text[n++] = '}';
    ck_assert(are_equal(weir_slice(text, n), weir_slice_of("{\"k\":99999}")));
    ck_assert(!are_equal(weir_slice(text, n), weir_slice_of("{\"k\":0}")));
    free(text);
}
END_TEST

/* A long string at the deepest level is read once, not once per level. */
START_TEST(depth_does_not_multiply_length)
{
    enum { CORE = 1000000 };
    char *core = malloc(CORE + 1);
    char *a = malloc(2 * CORE);
    char *b = malloc(2 * CORE);
    ck_assert(core != NULL && a != NULL && b != NULL);
    memset(core, 'x', CORE);
    core[0] = '"';
    core[CORE - 1] = '"';
    core[CORE] = '\0';
    const struct weir_slice deep = nested(WEIR_JSON_DEPTH_MAX, true, core, a);
    core[CORE / 2] = 'y';
    ck_assert(!are_equal(deep, nested(WEIR_JSON_DEPTH_MAX, true, core, b)));
    free(core);
    free(a);
    free(b);
}
END_TEST

static const char *const unchecked[] = {
    "",    " ",  "[",       "{", "]",        "[1",    "1 2", "[] []", "{1:2}",        "{\"a\":@}",
    "\"a", "\"", "\"\\x\"", "@", "{\"a\":1", "\"\\u", "}",   "[@]",   "{\"a\\u\":1}", "\"\\",
};

START_TEST(unchecked_texts_are_found_out)
{
    bool equal = true;
    ck_assert_int_eq(
        weir_json_equal(weir_slice_of(unchecked[_i]), weir_slice_of("{}"), &equal, &err),
        WEIR_DATA_CORRUPT);
    ck_assert_int_eq(
        weir_json_equal(weir_slice_of("{}"), weir_slice_of(unchecked[_i]), &equal, &err),
        WEIR_DATA_CORRUPT);
    ck_assert(equal);
}
END_TEST

START_TEST(unchecked_depth_is_found_out)
{
    static char a[8192];
    bool equal = true;
    const struct weir_slice deep = nested(WEIR_JSON_DEPTH_MAX + 1, false, "1", a);
    ck_assert_int_eq(weir_json_equal(deep, weir_slice_of("{}"), &equal, &err), WEIR_DATA_CORRUPT);
}
END_TEST

/* Every part of a text, in an allocation of the exact size: no byte beyond is read. */
START_TEST(unchecked_pieces_are_safe)
{
    const struct weir_slice text = weir_slice_of(
        "{\"a\":1.5e3,\"b\\\\\":[\"\\u00e9\",{\"c\":null}],\"d\":\"\\ud83d\\ude00\",\"a\":-0}");
    for (size_t from = 0; from < text.n; from++) {
        for (size_t n = 1; n <= text.n - from; n++) {
            bool equal = false;
            uint8_t *exact = malloc(n);
            ck_assert_ptr_nonnull(exact);
            memcpy(exact, text.p + from, n);
            const weir_status st = weir_json_equal(weir_slice(exact, n), text, &equal, &err);
            ck_assert(st == WEIR_OK || st == WEIR_DATA_CORRUPT);
            ck_assert(st != WEIR_OK || equal == (n == text.n));
            free(exact);
        }
    }
}
END_TEST

static Suite *json_equal_suite(void)
{
    Suite *suite = suite_create("json_equal");
    TCase *pairs = tcase_create("pairs");
    tcase_add_checked_fixture(pairs, set_up, NULL);
    tcase_add_loop_test(pairs, one_value, 0, WEIR_COUNTOF(equals));
    tcase_add_loop_test(pairs, two_values, 0, WEIR_COUNTOF(differents));
    suite_add_tcase(suite, pairs);
    TCase *large = tcase_create("large");
    tcase_add_checked_fixture(large, set_up, NULL);
    tcase_add_test(large, the_deepest_text_is_compared);
    tcase_add_test(large, large_objects_are_compared_quickly);
    tcase_add_test(large, many_duplicates_are_compared_quickly);
    tcase_add_test(large, depth_does_not_multiply_length);
    tcase_set_timeout(large, 30);
    suite_add_tcase(suite, large);
    TCase *bad = tcase_create("unchecked");
    tcase_add_checked_fixture(bad, set_up, NULL);
    tcase_add_loop_test(bad, unchecked_texts_are_found_out, 0, WEIR_COUNTOF(unchecked));
    tcase_add_test(bad, unchecked_depth_is_found_out);
    tcase_add_test(bad, unchecked_pieces_are_safe);
    suite_add_tcase(suite, bad);
    return suite;
}

int main(void)
{
    return check_main(json_equal_suite());
}
