/* The file that holds a token: all programs must read it alike. */
#include "weir/rules/token_text.h"

#include "tests/lib/check_main.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char path[] = "/tmp/weir-token-text-XXXXXX";
static char text[WEIR_TOKEN_TEXT_MAX_BYTES + 1];

static void set_up(void)
{
    memcpy(path + sizeof path - 7, "XXXXXX", 6);
    const int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(close(fd), 0);
    memset(text, 'x', sizeof text);
}

static void tear_down(void)
{
    ck_assert_int_eq(unlink(path), 0);
}

static void write_file(const char *content)
{
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_ge(fputs(content, file), 0);
    ck_assert_int_eq(fclose(file), 0);
}

static const char *const contents[] = {
    "token", "token\n", "token\r\n", "token \t\n", "token\nmore\n", "token\n\n", "token  ",
};

START_TEST(the_token_is_the_first_line_without_blanks_at_its_end)
{
    write_file(contents[_i]);
    ck_assert(weir_token_read_file(path, text));
    ck_assert_str_eq(text, "token");
}
END_TEST

static const char *const no_contents[] = {"", "\n", " \t\r\n", "\ntoken\n"};

START_TEST(there_may_be_nothing_in_the_line)
{
    write_file(no_contents[_i]);
    errno = EINVAL;
    ck_assert(!weir_token_read_file(path, text));
    ck_assert_int_eq(errno, 0);
    ck_assert_str_eq(text, "");
}
END_TEST

START_TEST(a_long_line_is_cut)
{
    char line[WEIR_TOKEN_TEXT_MAX_BYTES + 100];
    memset(line, 'a', sizeof line - 1);
    line[sizeof line - 1] = '\0';
    write_file(line);
    ck_assert(weir_token_read_file(path, text));
    ck_assert_uint_eq(strlen(text), WEIR_TOKEN_TEXT_MAX_BYTES);
}
END_TEST

START_TEST(what_cannot_be_read_says_why)
{
    ck_assert(!weir_token_read_file("/", text));
    ck_assert_int_eq(errno, EISDIR);
    ck_assert(!weir_token_read_file("/nonexistent/token", text));
    ck_assert_int_eq(errno, ENOENT);
    ck_assert_str_eq(text, "");
}
END_TEST

static Suite *token_text_suite(void)
{
    Suite *suite = suite_create("token_text");
    TCase *tcase = tcase_create("token_text");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_loop_test(tcase, the_token_is_the_first_line_without_blanks_at_its_end, 0,
                        sizeof contents / sizeof contents[0]);
    tcase_add_loop_test(tcase, there_may_be_nothing_in_the_line, 0,
                        sizeof no_contents / sizeof no_contents[0]);
    tcase_add_test(tcase, a_long_line_is_cut);
    tcase_add_test(tcase, what_cannot_be_read_says_why);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return check_main(token_text_suite());
}
