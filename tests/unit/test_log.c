/* Log lines: one per event, escaped and complete. */
#include "server/base/log.h"

#include "tests/lib/check_main.h"

#include <fcntl.h>
#include <jansson.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static int pipe_fds[2];
static struct weir_log logger;
static char line[16384];

static void set_up(void)
{
    ck_assert_int_eq(pipe(pipe_fds), 0);
    logger = (struct weir_log){.fd = pipe_fds[1], .level = WEIR_LOG_INFO, .format = WEIR_LOG_TEXT};
}

static void tear_down(void)
{
    (void)close(pipe_fds[0]);
    (void)close(pipe_fds[1]);
}

static const char *read_line(void)
{
    const ssize_t n = read(pipe_fds[0], line, sizeof line - 1);
    ck_assert_int_gt(n, 0);
    line[n] = '\0';
    ck_assert_ptr_eq(strchr(line, '\n'), line + n - 1);
    return line;
}

static const char nasty[] = "a\nb\t\"c\"\\\x01\x7f";

START_TEST(text_lines_keep_to_one_line)
{
    const struct weir_log_field fields[] = {
        {.key = "plain", .value = weir_slice_of("x/y:1")},
        {.key = "nasty", .value = weir_slice_of(nasty)},
        {.key = "none", .value = {NULL, 0}},
        {.key = "number", .value = weir_slice_of("-17"), .is_number = true},
        {.key = "empty", .value = weir_slice_of("")}};
    weir_log_event(&logger, WEIR_LOG_INFO, "event", fields, WEIR_COUNTOF(fields));
    ck_assert_ptr_nonnull(strstr(read_line(), " info event plain=x/y:1 "
                                              "nasty=\"a\\nb\\u0009\\\"c\\\"\\\\\\u0001\\u007f\" "
                                              "number=-17 empty=\"\"\n"));
}
END_TEST

START_TEST(json_lines_are_json)
{
    logger.format = WEIR_LOG_JSON;
    const struct weir_log_field fields[] = {
        {.key = "nasty", .value = weir_slice_of(nasty)},
        {.key = "none", .value = {NULL, 0}},
        {.key = "number", .value = weir_slice_of("-17"), .is_number = true}};
    weir_log_event(&logger, WEIR_LOG_ERROR, "an \"event\"", fields, WEIR_COUNTOF(fields));
    json_t *object = json_loads(read_line(), 0, NULL);
    ck_assert_ptr_nonnull(object);
    ck_assert_str_eq(json_string_value(json_object_get(object, "nasty")), nasty);
    ck_assert_str_eq(json_string_value(json_object_get(object, "event")), "an \"event\"");
    ck_assert_str_eq(json_string_value(json_object_get(object, "level")), "error");
    ck_assert_ptr_null(json_object_get(object, "none"));
    ck_assert(json_is_integer(json_object_get(object, "number")));
    ck_assert_int_eq(json_integer_value(json_object_get(object, "number")), -17);
    json_decref(object);
}
END_TEST

/* Long values are cut between characters; values that do not fit at all are left out. */
START_TEST(long_values_leave_a_line_complete)
{
    static char value[4000];
    struct weir_log_field fields[40];
    for (size_t i = 0; i < sizeof value; i++) {
        value[i] = "\xc3\xa4\x01"[i % 3];
    }
    for (size_t i = 0; i < WEIR_COUNTOF(fields); i++) {
        fields[i] = (struct weir_log_field){.key = "key", .value = weir_slice(value, sizeof value)};
    }
    logger.format = WEIR_LOG_JSON;
    weir_log_event(&logger, WEIR_LOG_INFO, "event", fields, WEIR_COUNTOF(fields));
    json_t *object = json_loads(read_line(), 0, NULL);
    ck_assert_ptr_nonnull(object);
    ck_assert_ptr_nonnull(json_object_get(object, "key"));
    json_decref(object);
}
END_TEST

START_TEST(lower_levels_are_not_written)
{
    weir_log_say(&logger, WEIR_LOG_DEBUG, "not this");
    weir_log_say(&logger, WEIR_LOG_WARN, "but %s", "this");
    ck_assert_ptr_nonnull(strstr(read_line(), " warn but this\n"));
}
END_TEST

/* Reads what has been written. Returns the number of lines. */
static size_t drain(void)
{
    size_t lines = 0;
    ssize_t n = 0;
    ck_assert_int_eq(fcntl(pipe_fds[0], F_SETFL, O_NONBLOCK), 0);
    while ((n = read(pipe_fds[0], line, sizeof line)) > 0) {
        for (ssize_t i = 0; i < n; i++) {
            lines += line[i] == '\n';
        }
    }
    return lines;
}

/* Writes more than a pipe holds. */
START_TEST(a_log_that_nobody_reads_holds_up_nobody)
{
    enum { LINES = 10000 };
    char end[64];
    for (size_t i = 0; i < LINES; i++) {
        weir_log_say(&logger, WEIR_LOG_INFO, "a line that nobody reads");
    }
    const size_t written = drain();
    ck_assert(written > 0 && written < LINES);
    weir_log_say(&logger, WEIR_LOG_INFO, "heard");
    (void)snprintf(end, sizeof end, " info heard lost=%zu\n", LINES - written);
    ck_assert_ptr_nonnull(strstr(read_line(), end));
    weir_log_say(&logger, WEIR_LOG_INFO, "heard");
    ck_assert_ptr_nonnull(strstr(read_line(), " info heard\n"));
}
END_TEST

/* systemd names the stream by its device and inode. */
START_TEST(journal_lines_begin_with_their_priority)
{
    struct stat file;
    char stream[64];
    ck_assert_int_eq(fstat(pipe_fds[1], &file), 0);
    (void)snprintf(stream, sizeof stream, "%ju:%ju", (uintmax_t)file.st_dev,
                   (uintmax_t)file.st_ino);
    ck_assert_int_eq(unsetenv("JOURNAL_STREAM"), 0);
    ck_assert(!weir_log_is_journal(pipe_fds[1]));
    ck_assert_int_eq(setenv("JOURNAL_STREAM", stream, 1), 0);
    ck_assert(!weir_log_is_journal(STDIN_FILENO));
    ck_assert(weir_log_is_journal(pipe_fds[1]));
    ck_assert_int_eq(unsetenv("JOURNAL_STREAM"), 0);
    logger.is_journal = true;
    logger.level = WEIR_LOG_DEBUG;
    static const char *const priorities[] = {"<7>2", "<6>2", "<4>2", "<3>2"};  // then the year
    for (size_t i = 0; i < WEIR_COUNTOF(priorities); i++) {
        weir_log_say(&logger, (enum weir_log_level)i, "level %zu", i);
        ck_assert_int_eq(strncmp(read_line(), priorities[i], 4), 0);
    }
    logger.format = WEIR_LOG_JSON;
    weir_log_say(&logger, WEIR_LOG_WARN, "level");
    ck_assert_int_eq(strncmp(read_line(), "<4>{", 4), 0);
}
END_TEST

static Suite *log_suite(void)
{
    Suite *suite = suite_create("log");
    TCase *tcase = tcase_create("log");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, text_lines_keep_to_one_line);
    tcase_add_test(tcase, json_lines_are_json);
    tcase_add_test(tcase, long_values_leave_a_line_complete);
    tcase_add_test(tcase, lower_levels_are_not_written);
    tcase_add_test(tcase, journal_lines_begin_with_their_priority);
    tcase_add_test(tcase, a_log_that_nobody_reads_holds_up_nobody);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return check_main(log_suite());
}
