/* data and metadata: every JSON value is returned equal; anything else is refused and changes
 * nothing. */
#include "tests/conformance/fixture.h"

#include <stdlib.h>
#include <string.h>

static const char *const accepted[] = {
    "{}",
    "[]",
    "\"\"",
    "null",
    "true",
    "false",
    "0",
    "-0",
    "[null]",
    " {\"a\" : 1}\n",
    "9007199254740993",
    "12345678901234567890123456789",
    "0.1",
    "1.10",
    "1e308",
    "-1.797e308",
    "5e-324",
    "1e-323",
    "0e999",
    "[0.0e-99999,-0E9999999999999999999]",
    "0.0000000000000000000000000000000000000000000000001",
    "[1e5,1E+5,1e-5]",
    "\"\\ud83d\\ude00\"",
    "\"\xf0\x9f\x98\x80\"",
    "\"\\\\ \\\" \\/ \\b \\f \\n \\r \\t\"",
    "\"<script>&amp;</script>\"",
    "{\"\":1}",
    "{\"a\":{\"b\":[{\"c\":[[]]}]}}",
    "\"\\u007f\x7f\"",
    "{\"a\":1,\"a\":2}",
    "\"\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbd\"",
};

START_TEST(any_value_comes_back_equal)
{
    for (size_t i = 0; i < WEIR_COUNTOF(accepted); i++) {
        const struct msg message = {.data = accepted[i], .metadata = accepted[i]};
        must_write("s-1", EXPECT_ANY, &message, 1);
    }
    const StreamReply *r = read_stream("s-1");
    for (size_t i = 0; i < WEIR_COUNTOF(accepted); i++) {
        const Message *m = r->messages[i];
        assert_data(m, accepted[i]);
        ck_assert(m->has_metadata);
        ck_assert_uint_eq(m->metadata.len, m->data.len);
    }
}
END_TEST

static const char *const refused[] = {
    "",
    " ",
    "{",
    "}",
    "[1,]",
    "[,1]",
    "{\"a\":}",
    "{\"a\" 1}",
    "{a:1}",
    "{'a':1}",
    "1 2",
    "{} x",
    "nul",
    "NaN",
    "Infinity",
    "-Infinity",
    "+1",
    "01",
    "1.",
    ".5",
    "1e",
    "0x10",
    "// c\n1",
    "/* c */ 1",
    "\xef\xbb\xbf{}",
    "\"\t\"",
    "\"\x01\"",
    "\"\\x41\"",
    "\"\\u12g4\"",
    "\"\\ud800\"",
    "\"\\udc00\"",
    "\"\\ud800\\u0041\"",
    "\"\\u0000\"",
    "{\"\\u0000\":1}",
    "\"\xff\"",
    "\"\xc0\x80\"",
    "\"\xed\xa0\x80\"",
    "\"\xf4\x90\x80\x80\"",
    "\"\xe2\x82\"",
    "\"open",
    "1e309",
    "-1e400",
    "1e-400",
    "1e-330",
    "1e99999999999999999999",
    "\"a\"\"b\"",
    "[1 2]",
    "True",
    "undefined",
};

START_TEST(anything_else_is_refused)
{
    for (conf.row = 0; conf.row < WEIR_COUNTOF(refused); conf.row++) {
        const struct msg data = {.data = refused[conf.row], .metadata = "{}"};
        assert_invalid(try_write("s-1", EXPECT_ANY, &data, 1, NULL), "messages[0].data");
        const struct msg metadata[] = {{.data = "{}"},
                                       {.data = "{}", .metadata = refused[conf.row]}};
        assert_invalid(try_write("s-1", EXPECT_ANY, metadata, 2, NULL), "messages[1].metadata");
    }
    ck_assert_int_eq(version_of("s-1"), -1);
}
END_TEST

START_TEST(absent_null_and_empty_stay_apart)
{
    const struct msg messages[] = {{.data = NULL, .metadata = NULL},
                                   {.data = "null", .metadata = "null"},
                                   {.data = "{}", .metadata = "{}"},
                                   {.data = "\"\"", .metadata = "\"\""}};
    must_write("s-1", EXPECT_ANY, messages, 4);
    const StreamReply *r = read_stream("s-1");
    ck_assert(!r->messages[0]->has_data && !r->messages[0]->has_metadata);
    for (size_t i = 1; i < 4; i++) {
        assert_data(r->messages[i], messages[i].data);
        ck_assert(r->messages[i]->has_metadata);
    }
}
END_TEST

/* Returns `depth` nested arrays. */
static char *nested(size_t depth)
{
    char *text = malloc(2 * depth + 1);
    ck_assert_ptr_nonnull(text);
    memset(text, '[', depth);
    memset(text + depth, ']', depth);
    text[2 * depth] = '\0';
    return text;
}

START_TEST(nesting_goes_to_512_and_no_deeper)
{
    char *deepest = nested(512);
    char *too_deep = nested(513);
    char *absurd = nested(200000);
    put("s-1", deepest);
    assert_data(read_stream("s-1")->messages[0], deepest);
    const struct msg deeper = {.data = too_deep};
    const struct msg deepest_of_all = {.data = absurd};
    assert_invalid(try_write("s-1", EXPECT_ANY, &deeper, 1, NULL), "messages[0].data");
    assert_invalid(try_write("s-1", EXPECT_ANY, &deepest_of_all, 1, NULL), "messages[0].data");
    free(deepest);
    free(too_deep);
    free(absurd);
}
END_TEST

START_TEST(numbers_go_to_a_thousand_digits_and_no_further)
{
    static char digits[1100];
    memset(digits, '1', 1000);
    memcpy(digits, "0.", 2);
    digits[1001] = '\0';
    digits[1000] = '1';
    put("s-1", digits);
    assert_data(read_stream("s-1")->messages[0], digits);
    memset(digits + 2, '1', 1000);
    const struct msg message = {.data = digits};
    assert_invalid(try_write("s-1", EXPECT_ANY, &message, 1, NULL), "messages[0].data");
}
END_TEST

START_TEST(a_correlation_name_too_long_is_invalid)
{
    static char metadata[1200];
    const char *head = "{\"correlationStreamName\":\"";
    memset(metadata, 'c', sizeof metadata - 1);
    memcpy(metadata, head, strlen(head));
    memcpy(metadata + strlen(head) + 1024, "\"}", 3);
    const struct msg fits = {.metadata = metadata};
    must_write("s-1", EXPECT_ANY, &fits, 1);
    memcpy(metadata + strlen(head) + 1024, "c\"}", 4);
    assert_invalid(try_write("s-1", EXPECT_ANY, &fits, 1, NULL), "messages[0].metadata");
}
END_TEST

TCase *conf_json_case(void)
{
    TCase *tc = conf_case("json");
    tcase_add_test(tc, any_value_comes_back_equal);
    tcase_add_test(tc, anything_else_is_refused);
    tcase_add_test(tc, absent_null_and_empty_stay_apart);
    tcase_add_test(tc, nesting_goes_to_512_and_no_deeper);
    tcase_add_test(tc, numbers_go_to_a_thousand_digits_and_no_further);
    tcase_add_test(tc, a_correlation_name_too_long_is_invalid);
    return tc;
}
