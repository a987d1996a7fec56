/* Namespace ids and tokens. */
#include "weir/rules/token_hash.h"

#include "tests/lib/check_main.h"

#include <stdio.h>

#define ZEROS_16 "0000000000000000"
#define ZEROS_64 ZEROS_16 ZEROS_16 ZEROS_16 ZEROS_16
#define A_32     "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define A_128    A_32 A_32 A_32 A_32

static struct weir_error err;

static void set_up(void)
{
    weir_error_init(&err);
}

static const char *const good_ids[] = {
    "default", "a",       "...",    ".a",  "a.",       "../x", "a b", "a/b",
    "?",       "'; DROP", "日本語", A_128, "\xC2\xA0", "é",    " ",
};

START_TEST(an_id_is_accepted)
{
    ck_assert_int_eq(weir_namespace_check(weir_slice_of(good_ids[_i]), "namespace", &err), WEIR_OK);
}
END_TEST

static const char *const bad_ids[] = {
    NULL, "",          ".",        "..",   A_128 "a", "a\nb",         "\x1F",     "\x7F",
    "\t", "a\xC2\x80", "\xC2\x9F", "\xFF", "\xC3",    "\xED\xA0\x80", "\xC0\xAE", "a\xC2",
};

START_TEST(an_id_is_refused_by_field)
{
    ck_assert_int_eq(weir_namespace_check(weir_slice_of(bad_ids[_i]), "to.namespace", &err),
                     WEIR_INVALID_REQUEST);
    ck_assert_str_eq(weir_error_get_detail(&err, "field"), "to.namespace");
    ck_assert_ptr_nonnull(weir_error_get_detail(&err, "reason"));
}
END_TEST

START_TEST(an_id_holds_no_nul)
{
    ck_assert_int_eq(weir_namespace_check(weir_slice("a\0b", 3), "namespace", &err),
                     WEIR_INVALID_REQUEST);
}
END_TEST

START_TEST(a_made_token_names_its_namespace)
{
    char token[WEIR_TOKEN_MAX_BYTES + 1];
    uint8_t id[WEIR_NAMESPACE_MAX_BYTES];
    size_t n = 0;
    const struct weir_slice given = weir_slice_of(good_ids[_i]);
    ck_assert_int_eq(weir_token_make(given, token, &err), WEIR_OK);
    ck_assert_uint_le(strlen(token), WEIR_TOKEN_MAX_BYTES);
    ck_assert(weir_token_parse(weir_slice_of(token), id, &n));
    ck_assert(weir_slice_equal(weir_slice(id, n), given));
    ck_assert_uint_eq(strspn(token + strlen(token) - 64, "0123456789abcdef"), 64);
}
END_TEST

START_TEST(an_id_of_every_length_comes_back)
{
    char token[WEIR_TOKEN_MAX_BYTES + 1];
    uint8_t id[WEIR_NAMESPACE_MAX_BYTES];
    size_t n = 0;
    for (size_t length = 1; length <= WEIR_NAMESPACE_MAX_BYTES; length++) {
        const struct weir_slice given = weir_slice(A_128, length);
        ck_assert_int_eq(weir_token_make(given, token, &err), WEIR_OK);
        ck_assert(weir_token_parse(weir_slice_of(token), id, &n));
        ck_assert(weir_slice_equal(weir_slice(id, n), given));
    }
    ck_assert_uint_eq(strlen(token), WEIR_TOKEN_MAX_BYTES);
}
END_TEST

START_TEST(no_two_tokens_are_alike)
{
    char a[WEIR_TOKEN_MAX_BYTES + 1];
    char b[WEIR_TOKEN_MAX_BYTES + 1];
    ck_assert_int_eq(weir_token_make(weir_slice_of("x"), a, &err), WEIR_OK);
    ck_assert_int_eq(weir_token_make(weir_slice_of("x"), b, &err), WEIR_OK);
    ck_assert_str_ne(a, b);
    ck_assert_mem_eq(a, b, 6);
}
END_TEST

START_TEST(no_token_is_made_for_a_bad_id)
{
    char token[WEIR_TOKEN_MAX_BYTES + 1];
    ck_assert_int_eq(weir_token_make(weir_slice_of(A_128 "a"), token, &err), WEIR_INVALID_REQUEST);
    ck_assert_int_eq(weir_token_make(weir_slice_of(".."), token, &err), WEIR_INVALID_REQUEST);
}
END_TEST

struct token_row {
    const char *token;
    const char *id;  // NULL: not a token
};

static const struct token_row tokens[] = {
    {"ns_ZGVmYXVsdA_" ZEROS_64, "default"},
    {"ns_ZGVmYXVsdA_0123456789abcdef" ZEROS_16 ZEROS_16 "0123456789ABCDEF", "default"},
    {"ns_Pz8__" ZEROS_64, "???"},
    {"ns_YcO__" ZEROS_64, "aÿ"},
    {"ns_fn5-_" ZEROS_64, "~~~"},
    {NULL, NULL},
    {"", NULL},
    {"ns_", NULL},
    {ZEROS_64, NULL},
    {"ns_" ZEROS_64, NULL},
    {"ns__" ZEROS_64, NULL},
    {"ZGVmYXVsdA_" ZEROS_64, NULL},
    {"NS_ZGVmYXVsdA_" ZEROS_64, NULL},
    {"ns-ZGVmYXVsdA_" ZEROS_64, NULL},
    {" ns_ZGVmYXVsdA_" ZEROS_64, NULL},
    {"ns_ZGVmYXVsdA_" ZEROS_64 " ", NULL},
    {"ns_ZGVmYXVsdA-" ZEROS_64, NULL},
    {"ns_ZGVmYXVsdA" ZEROS_64, NULL},
    {"ns_ZGVmYXVsdA_0" ZEROS_64, NULL},
    {"ns_ZGVmYXVsdA_" ZEROS_16 ZEROS_16 ZEROS_16 "000000000000000", NULL},
    {"ns_ZGVmYXVsdA_" ZEROS_16 ZEROS_16 ZEROS_16 "000000000000000g", NULL},
    {"ns_ZGVmYXVsdA_g" ZEROS_16 ZEROS_16 ZEROS_16 "000000000000000", NULL},
    {"ns_ZGVmYXVsdA_" ZEROS_16 ZEROS_16 ZEROS_16 "00000000-0000000", NULL},
    {"ns_ZGVmYXVsdA==_" ZEROS_64, NULL},
    {"ns_ZGVmYXVsdB_" ZEROS_64, NULL},   // extra bits after the last byte
    {"ns_ZGVmYXVsdHh_" ZEROS_64, NULL},  // two extra bits
    {"ns_ZGVmYXVsd_" ZEROS_64, NULL},    // a single base64 character at the end
    {"ns_ZGVmYXVsA_" ZEROS_64, NULL},    // the same with all bits 0
    {"ns_ZGVmYXVsdA_:" ZEROS_16 ZEROS_16 ZEROS_16 "000000000000000", NULL},
    {"ns_ZGVm YXVsdA_" ZEROS_64, NULL},
    {"ns_fn5+_" ZEROS_64, NULL},
    {"ns_Pz8/_" ZEROS_64, NULL},
    {"ns_Lg_" ZEROS_64, NULL},   // "."
    {"ns_Li4_" ZEROS_64, NULL},  // ".."
    {"ns_Cg_" ZEROS_64, NULL},   // a line feed
    {"ns_AA_" ZEROS_64, NULL},   // NUL
    {"ns__w_" ZEROS_64, NULL},   // FF, invalid UTF-8
    {"ns_" A_128 A_32 A_32 "_" ZEROS_64, NULL},
};

START_TEST(a_token_is_parsed_from_the_right)
{
    uint8_t id[WEIR_NAMESPACE_MAX_BYTES];
    size_t n = 0;
    const struct token_row *row = &tokens[_i];
    const bool is_token = weir_token_parse(weir_slice_of(row->token), id, &n);
    ck_assert_int_eq(is_token, row->id != NULL);
    if (is_token) {
        ck_assert(weir_slice_equal(weir_slice(id, n), weir_slice_of(row->id)));
    }
}
END_TEST

START_TEST(no_prefix_of_a_token_is_one)
{
    static const char token[] = "ns_ZGVmYXVsdA_" ZEROS_64;
    uint8_t id[WEIR_NAMESPACE_MAX_BYTES];
    size_t n = 0;
    for (size_t length = 0; length < sizeof token - 1; length++) {
        uint8_t *exact = malloc(length + 1);
        ck_assert_ptr_nonnull(exact);
        memcpy(exact + 1, token, length);
        ck_assert(!weir_token_parse(weir_slice(exact + 1, length), id, &n));
        free(exact);
    }
}
END_TEST

START_TEST(a_token_is_kept_as_its_sha_256)
{
    struct weir_token_hash hash;
    char text[2 * WEIR_TOKEN_HASH_BYTES + 1];
    weir_token_hash(weir_slice_of("ns_ZGVmYXVsdA_" ZEROS_64), &hash);
    for (size_t i = 0; i < WEIR_TOKEN_HASH_BYTES; i++) {
        (void)snprintf(text + 2 * i, 3, "%02x", hash.bytes[i]);
    }
    ck_assert_str_eq(text, "6fefedfc989ca8bea8ce1b63672607c06fbd0d8b3c0667164cf4f5a02911fb52");
}
END_TEST

START_TEST(hashes_are_equal_in_every_bit)
{
    struct weir_token_hash a;
    weir_token_hash(weir_slice_of("x"), &a);
    struct weir_token_hash b = a;
    ck_assert(weir_token_hash_equal(&a, &b));
    for (size_t bit = 0; bit < (size_t)8 * WEIR_TOKEN_HASH_BYTES; bit++) {
        b = a;
        b.bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
        ck_assert(!weir_token_hash_equal(&a, &b));
    }
}
END_TEST

struct admin_row {
    const char *token;
    bool is_valid;
};

static const struct admin_row admin_tokens[] = {
    {A_32, true},
    {A_128 A_128, true},
    {"!~aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", true},
    {NULL, false},
    {"", false},
    {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false},
    {A_128 A_128 "a", false},
    {A_32 " ", false},
    {A_32 "\t", false},
    {A_32 "\n", false},
    {A_32 "\x7F", false},
    {A_32 "é", false},
};

START_TEST(an_admin_token_is_printable)
{
    ck_assert_int_eq(weir_admin_token_is_valid(weir_slice_of(admin_tokens[_i].token)),
                     admin_tokens[_i].is_valid);
}
END_TEST

static Suite *token_suite(void)
{
    Suite *suite = suite_create("token");
    TCase *ids = tcase_create("namespace ids");
    tcase_add_checked_fixture(ids, set_up, NULL);
    tcase_add_loop_test(ids, an_id_is_accepted, 0, WEIR_COUNTOF(good_ids));
    tcase_add_loop_test(ids, an_id_is_refused_by_field, 0, WEIR_COUNTOF(bad_ids));
    tcase_add_test(ids, an_id_holds_no_nul);
    suite_add_tcase(suite, ids);
    TCase *made = tcase_create("made");
    tcase_add_checked_fixture(made, set_up, NULL);
    tcase_add_loop_test(made, a_made_token_names_its_namespace, 0, WEIR_COUNTOF(good_ids));
    tcase_add_test(made, an_id_of_every_length_comes_back);
    tcase_add_test(made, no_two_tokens_are_alike);
    tcase_add_test(made, no_token_is_made_for_a_bad_id);
    suite_add_tcase(suite, made);
    TCase *parsed = tcase_create("parsed");
    tcase_add_loop_test(parsed, a_token_is_parsed_from_the_right, 0, WEIR_COUNTOF(tokens));
    tcase_add_test(parsed, no_prefix_of_a_token_is_one);
    tcase_add_test(parsed, a_token_is_kept_as_its_sha_256);
    tcase_add_test(parsed, hashes_are_equal_in_every_bit);
    tcase_add_loop_test(parsed, an_admin_token_is_printable, 0, WEIR_COUNTOF(admin_tokens));
    suite_add_tcase(suite, parsed);
    return suite;
}

int main(void)
{
    return check_main(token_suite());
}
