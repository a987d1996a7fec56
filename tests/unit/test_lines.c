/* Declares posix_openpt, an X/Open function in glibc. */
#define _XOPEN_SOURCE 700

/* Reading lines from plain and gzip input. */
#include "client/cli/lines.h"

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#define PATH_TEMPLATE "/tmp/weir-lines-XXXXXX"

static char path[sizeof PATH_TEMPLATE];
static struct weir_error err;

static void setup(void)
{
    weir_error_init(&err);
    memcpy(path, PATH_TEMPLATE, sizeof path);  // tests may share a process
    const int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    (void)close(fd);
}

static void teardown(void)
{
    (void)unlink(path);
}

static void put(const void *bytes, size_t n)
{
    FILE *file = fopen(path, "wb");
    ck_assert_uint_eq(fwrite(bytes, 1, n, file), n);
    ck_assert_int_eq(fclose(file), 0);
}

static size_t put_gzip(const void *bytes, size_t n)
{
    gzFile file = gzopen(path, "wb");
    ck_assert_int_eq(gzwrite(file, bytes, (unsigned)n), (int)n);
    ck_assert_int_eq(gzclose(file), Z_OK);
    FILE *plain = fopen(path, "rb");
    (void)fseek(plain, 0, SEEK_END);
    const long size = ftell(plain);
    (void)fclose(plain);
    return (size_t)size;
}

/* Reads all lines. Returns their number and their bytes. */
static weir_status count(bool must_be_gzip, long long *lines_n, size_t *bytes_n)
{
    struct lines *lines = NULL;
    ck_assert_int_eq(lines_open(path, must_be_gzip, &lines, &err), WEIR_OK);
    struct weir_slice line;
    *bytes_n = 0;
    weir_status st = lines_next(lines, &line, &err);
    while (st == WEIR_OK && line.p != NULL) {
        *bytes_n += line.n;
        st = lines_next(lines, &line, &err);
    }
    *lines_n = lines_number(lines);
    ck_assert_int_eq(lines_next(lines, &line, &err), st);
    lines_close(lines);
    return st;
}

static const struct {
    const char *text;
    long long lines_n;
    size_t bytes_n;
} plain[] = {{"", 0, 0},      {"\n", 1, 0},     {"a", 1, 1},      {"a\n", 1, 1},
             {"a\nbc", 2, 3}, {"a\r\nb", 2, 2}, {"\n\n\n", 3, 0}, {"a\n\nb\n", 3, 2},
             {"\x1f", 1, 1},  {"\r\n", 1, 0}};

START_TEST(plain_lines)
{
    long long lines_n = 0;
    size_t bytes_n = 0;
    put(plain[_i].text, strlen(plain[_i].text));
    ck_assert_int_eq(count(false, &lines_n, &bytes_n), WEIR_OK);
    ck_assert_int_eq(lines_n, plain[_i].lines_n);
    ck_assert_uint_eq(bytes_n, plain[_i].bytes_n);
    if (plain[_i].text[0] != '\0') {
        ck_assert_int_eq(count(true, &lines_n, &bytes_n), WEIR_INVALID_RECORD);
    }
}
END_TEST

START_TEST(lines_longer_than_a_buffer)
{
    enum { N = 3000000 };
    char *text = malloc(N);
    memset(text, 'x', N);
    text[N / 3] = '\n';
    put(text, N);
    long long lines_n = 0;
    size_t bytes_n = 0;
    ck_assert_int_eq(count(false, &lines_n, &bytes_n), WEIR_OK);
    ck_assert_int_eq(lines_n, 2);
    ck_assert_uint_eq(bytes_n, N - 1);
    free(text);
}
END_TEST

static char *random_lines(size_t n)
{
    char *text = malloc(n);
    unsigned state = 7;
    for (size_t i = 0; i < n; i++) {
        state = state * 1103515245u + 12345u;
        text[i] = state >> 16 & 31 ? (char)('a' + (state >> 20) % 26) : '\n';
    }
    return text;
}

START_TEST(gzip_is_recognised)
{
    enum { N = 500000 };
    char *text = random_lines(N);
    (void)put_gzip(text, N);
    long long lines_n = 0;
    size_t bytes_n = 0;
    ck_assert_int_eq(count(_i == 1, &lines_n, &bytes_n), WEIR_OK);
    ck_assert_uint_eq((size_t)lines_n + bytes_n, text[N - 1] == '\n' ? N : N + 1);
    free(text);
}
END_TEST

START_TEST(gzip_that_ends_too_early_is_refused)
{
    enum { N = 20000 };
    char *text = random_lines(N);
    const size_t size = put_gzip(text, N);
    /* Cuts in the header, in the data, and in the trailing checksum. */
    const size_t cuts[] = {2, 9, 11, size / 2, size - 9, size - 8, size - 4, size - 1};
    for (size_t i = 0; i < sizeof cuts / sizeof cuts[0]; i++) {
        (void)put_gzip(text, N);
        ck_assert_int_eq(truncate(path, (off_t)cuts[i]), 0);
        long long lines_n = 0;
        size_t bytes_n = 0;
        ck_assert_msg(count(false, &lines_n, &bytes_n) == WEIR_INVALID_RECORD, "cut at %zu of %zu",
                      cuts[i], size);
    }
    free(text);
}
END_TEST

START_TEST(damaged_gzip_is_refused)
{
    enum { N = 20000 };
    char *text = random_lines(N);
    const size_t size = put_gzip(text, N);
    FILE *file = fopen(path, "r+b");
    (void)fseek(file, (long)(_i == 0 ? size / 2 : size - 6), SEEK_SET);
    ck_assert_uint_eq(fwrite("\0\xff\0\xff", 1, 4, file), 4);
    (void)fclose(file);
    long long lines_n = 0;
    size_t bytes_n = 0;
    ck_assert_int_eq(count(false, &lines_n, &bytes_n), WEIR_INVALID_RECORD);
    ck_assert_ptr_nonnull(strstr(err.text, "gzip"));
    free(text);
}
END_TEST

/* The end of terminal input is a single key press: another read would wait for more. */
START_TEST(a_terminal_without_a_line_ends_at_once)
{
    const int terminal = posix_openpt(O_RDWR | O_NOCTTY);
    ck_assert_int_ge(terminal, 0);
    ck_assert_int_eq(grantpt(terminal), 0);
    ck_assert_int_eq(unlockpt(terminal), 0);
    ck_assert_int_eq(write(terminal, "\4", 1), 1);
    struct lines *lines = NULL;
    struct weir_slice line;
    ck_assert_int_eq(lines_open(ptsname(terminal), false, &lines, &err), WEIR_OK);
    ck_assert_int_eq(lines_next(lines, &line, &err), WEIR_OK);
    ck_assert_ptr_null(line.p);
    lines_close(lines);
    (void)close(terminal);
}
END_TEST

START_TEST(a_missing_file_is_named)
{
    struct lines *lines = NULL;
    ck_assert_int_eq(lines_open("/nonexistent/file", false, &lines, &err), WEIR_INVALID_REQUEST);
    ck_assert_ptr_nonnull(strstr(err.text, "/nonexistent/file"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("lines");
    TCase *lines = tcase_create("lines");
    tcase_add_checked_fixture(lines, setup, teardown);
    tcase_add_loop_test(lines, plain_lines, 0, (int)(sizeof plain / sizeof plain[0]));
    tcase_add_test(lines, lines_longer_than_a_buffer);
    tcase_add_loop_test(lines, gzip_is_recognised, 0, 2);
    tcase_add_test(lines, gzip_that_ends_too_early_is_refused);
    tcase_add_loop_test(lines, damaged_gzip_is_refused, 0, 2);
    tcase_add_test(lines, a_terminal_without_a_line_ends_at_once);
    tcase_add_test(lines, a_missing_file_is_named);
    suite_add_tcase(suite, lines);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
