/* Access to parts of checked JSON texts. */
#include "weir/rules/json_text.h"

#include "tests/lib/check_main.h"

struct member_row {
    const char *key;
    const char *value;
};

START_TEST(members_are_walked)
{
    static const struct member_row members[] = {
        {"a", "1"},
        {"b\\\"", "\"x\\\\\""},
        {"", "[ {\"}\" : \"]\"} , 2 ]"},
        {"a", "{\"k\":{\"a\":3}}"},
        {"é", "-1.5e3"},
        {"t", "true"},
        {"n", "null"},
    };
    const struct weir_slice text =
        weir_slice_of(" { \"a\":1 , \"b\\\"\" :\"x\\\\\",\"\": [ {\"}\" : \"]\"} , 2 ],"
                      "\"a\":{\"k\":{\"a\":3}} ,\n\"é\":-1.5e3\t,\"t\":true,\"n\":null } ");
    size_t at = 0;
    struct weir_slice key;
    struct weir_slice value;
    for (size_t i = 0; i < WEIR_COUNTOF(members); i++) {
        ck_assert(weir_json_next_member(text, &at, &key, &value));
        ck_assert(weir_slice_is(key, members[i].key));
        ck_assert_msg(weir_slice_is(value, members[i].value), "'%.*s'", WEIR_SLICE_ARG(value));
    }
    ck_assert(!weir_json_next_member(text, &at, &key, &value));
    ck_assert(!weir_json_next_member(text, &at, &key, &value));
}
END_TEST

static const char *const memberless[] = {
    NULL, "", " ", "{}", " { } ", "[]", "[\"a\",1]", "\"a\"", "1", "null",
};

START_TEST(other_texts_have_no_members)
{
    size_t at = 0;
    struct weir_slice key;
    struct weir_slice value;
    ck_assert(!weir_json_next_member(weir_slice_of(memberless[_i]), &at, &key, &value));
}
END_TEST

/* Calls all functions for checked texts on an invalid text: they must not read beyond it. */
static void abuse(struct weir_slice text)
{
    size_t at = 0;
    size_t n = 0;
    struct weir_slice key;
    struct weir_slice value;
    uint8_t *out = malloc(text.n + 1);
    ck_assert_ptr_nonnull(out);
    for (size_t i = 0; i < 100 && weir_json_next_member(text, &at, &key, &value); i++) {
        ck_assert(value.p >= text.p && value.p + value.n <= text.p + text.n);
        ck_assert(key.p >= text.p && key.p + key.n <= text.p + text.n);
    }
    (void)weir_json_is_object(text);
    if (weir_json_unescape(text, out + 1, &n)) {
        ck_assert_uint_le(n, text.n);
    }
    free(out);
}

START_TEST(unchecked_texts_are_safe)
{
    static const char *const texts[] = {
        "{\"a\":1,\"b\\\\\":[\"\\u00e9\",{\"c\":null}],\"d\":\"\\ud83d\\ude00\"}",
        "\"\\ud83d\\ude00\\n\\u00e9\\\\\"",
        "{\"a\":\"\\\"",
        "{\"a\":{}}]]]],\"b\":1",
        "\"\\ud83d\\ud83d\"",
    };
    const struct weir_slice text = weir_slice_of(texts[_i]);
    for (size_t from = 0; from < text.n; from++) {
        for (size_t n = 0; n <= text.n - from; n++) {
            uint8_t *exact = malloc(n + 1);
            ck_assert_ptr_nonnull(exact);
            memcpy(exact + 1, text.p + from, n);
            abuse(weir_slice(exact + 1, n));
            free(exact);
        }
    }
}
END_TEST

struct unescape_row {
    const char *text;
    const char *plain;  // NULL: not a string
};

static const struct unescape_row unescaped[] = {
    {"\"\"", ""},
    {"\"abc\"", "abc"},
    {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t"},
    {"\"\\u0041\\u007f\\u0080\\u07FF\\u0800\\uffff\"",
     "A\x7F\xC2\x80\xDF\xBF\xE0\xA0\x80\xEF\xBF\xBF"},
    {"\"\\ud800\\udc00\\uDBFF\\uDFFF\"", "\xF0\x90\x80\x80\xF4\x8F\xBF\xBF"},
    {"\"é\\u00e9\"", "éé"},
    {"", NULL},
    {"\"", NULL},
    {"1", NULL},
    {"\"\\\"", NULL},
    {"\"\\x\"", NULL},
    {"\"\\u12\"", NULL},
    {"\"\\udc00\"", NULL},
    {"\"\\ud800\\u0041\"", NULL},
    {"\"\\ud800\\ud800\"", NULL},
    {"\"\\ud800\\ue000\"", NULL},
};

START_TEST(strings_are_unescaped)
{
    const struct unescape_row *row = &unescaped[_i];
    const struct weir_slice text = weir_slice_of(row->text);
    uint8_t *out = malloc(text.n + 1);
    ck_assert_ptr_nonnull(out);
    size_t n = 0;
    const bool is_string = weir_json_unescape(text, out, &n);
    ck_assert_int_eq(is_string, row->plain != NULL);
    ck_assert(!is_string || weir_slice_is(weir_slice(out, n), row->plain));
    free(out);
}
END_TEST

static const char *const zeros[][2] = {
    {"0e1", "0  "},
    {"-0.00E-99999", "0           "},
    {"[0e+9999999999999999999, {\"a\":0.0e-5}]", "[0                     , {\"a\":0     }]"},
    {"[0, -0, 0.0, 1e-9, 10e5, 0.10e5]", "[0, -0, 0.0, 1e-9, 10e5, 0.10e5]"},
    {"{\"0e5\":\"0e5 \\\"0e5\"}", "{\"0e5\":\"0e5 \\\"0e5\"}"},
    {"{\"b\":\"0e5\",\"c\":[0e5,0e5]}", "{\"b\":\"0e5\",\"c\":[0  ,0  ]}"},
};

START_TEST(zeros_become_plain)
{
    const char *text = zeros[_i][0];
    const size_t n = strlen(text);
    uint8_t *bytes = malloc(n);
    ck_assert_ptr_nonnull(bytes);
    memcpy(bytes, text, n);
    weir_json_plain_zeros(bytes, n);
    ck_assert_msg(weir_slice_is(weir_slice(bytes, n), zeros[_i][1]), "%.*s", (int)n,
                  (const char *)bytes);
    struct weir_error err;
    bool is_equal = false;
    weir_error_init(&err);
    ck_assert_int_eq(weir_json_equal(weir_slice_of(text), weir_slice(bytes, n), &is_equal, &err),
                     WEIR_OK);
    ck_assert(is_equal);
    free(bytes);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("json_text");
    TCase *tcase = tcase_create("parts");
    tcase_add_test(tcase, members_are_walked);
    tcase_add_loop_test(tcase, other_texts_have_no_members, 0, WEIR_COUNTOF(memberless));
    tcase_add_loop_test(tcase, strings_are_unescaped, 0, WEIR_COUNTOF(unescaped));
    tcase_add_loop_test(tcase, zeros_become_plain, 0, WEIR_COUNTOF(zeros));
    tcase_add_loop_test(tcase, unchecked_texts_are_safe, 0, 5);
    suite_add_tcase(suite, tcase);
    return check_main(suite);
}
