/* Digests, which must work even without memory. */
#include "weir/rules/digest.h"

#include "tests/lib/check_main.h"

#include "weir/rules/hex.h"

#include <openssl/crypto.h>
#include <stdlib.h>

static bool is_memory_out;  // for libcrypto

static void *take(size_t n, const char *file, int line)
{
    (void)file;
    (void)line;
    return is_memory_out ? NULL : malloc(n);
}

static void *resize(void *bytes, size_t n, const char *file, int line)
{
    (void)file;
    (void)line;
    return is_memory_out ? NULL : realloc(bytes, n);
}

static void give_back(void *bytes, const char *file, int line)
{
    (void)file;
    (void)line;
    free(bytes);
}

static void check_md5(const char *text, const char *want)
{
    uint8_t digest[WEIR_MD5_BYTES];
    char hex[2 * sizeof digest + 1];
    weir_digest_md5(weir_slice_of(text), digest);
    *weir_hex_write(hex, digest, sizeof digest) = '\0';
    ck_assert_str_eq(hex, want);
}

static void check_sha256(const char *text, const char *want)
{
    uint8_t digest[WEIR_SHA256_BYTES];
    char hex[2 * sizeof digest + 1];
    weir_digest_sha256(weir_slice_of(text), digest);
    *weir_hex_write(hex, digest, sizeof digest) = '\0';
    ck_assert_str_eq(hex, want);
}

static void check_all(void)
{
    check_md5("", "d41d8cd98f00b204e9800998ecf8427e");
    check_md5("abc", "900150983cd24fb0d6963f7d28e17f72");
    check_sha256("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    check_sha256("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

START_TEST(digests_are_those_of_the_standards)
{
    check_all();
}
END_TEST

/* No earlier digest has allocated anything in advance. */
START_TEST(a_digest_needs_no_memory)
{
    is_memory_out = true;
    check_all();
    is_memory_out = false;
}
END_TEST

static Suite *digest_suite(void)
{
    Suite *suite = suite_create("digest");
    TCase *tcase = tcase_create("digest");
    tcase_add_test(tcase, digests_are_those_of_the_standards);
    tcase_add_test(tcase, a_digest_needs_no_memory);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    if (CRYPTO_set_mem_functions(take, resize, give_back) != 1) {
        return EXIT_FAILURE;
    }
    return check_main(digest_suite());
}
