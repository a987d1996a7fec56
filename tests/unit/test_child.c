/* Commands that weir runs for messages. */
#include "client/cli/child.h"
#include "tests/lib/check_main.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static char id[] = "00000000-0000-4000-8000-000000000001";
static char stream[] = "account-1";
static char type[] = "Opened";

static Weir__V1__Message message_at(int64_t position)
{
    Weir__V1__Message message = WEIR__V1__MESSAGE__INIT;
    message.id = id;
    message.stream_name = stream;
    message.type = type;
    message.position = position;
    message.global_position = position + 1;
    return message;
}

START_TEST(a_command_is_told_of_the_message)
{
    const Weir__V1__Message message = message_at(7);
    ck_assert_int_eq(child_run("[ \"$WEIR_ID $WEIR_STREAM $WEIR_TYPE\" = "
                               "'00000000-0000-4000-8000-000000000001 account-1 Opened' ]",
                               &message, 3),
                     CHILD_DONE);
    ck_assert_int_eq(
        child_run("[ \"$WEIR_POSITION $WEIR_GLOBAL_POSITION $WEIR_ATTEMPT\" = '7 8 3' ]", &message,
                  3),
        CHILD_DONE);
    ck_assert_int_eq(child_run("grep -q '\"pos\":7'", &message, 3), CHILD_DONE);
    ck_assert_int_eq(child_run("exit 3", &message, 3), CHILD_FAILED);
    ck_assert_int_eq(child_run("exit 255", &message, 3), CHILD_FAILED);
}
END_TEST

START_TEST(a_command_has_the_environment_of_the_program)
{
    const Weir__V1__Message message = message_at(7);
    ck_assert_int_eq(setenv("WEIR_TEST_STREAM", "its own", 1), 0);
    ck_assert_int_eq(setenv("WEIR_STREAM", "of before", 1), 0);
    ck_assert_int_eq(child_run("[ \"$WEIR_TEST_STREAM\" = 'its own' ]", &message, 1), CHILD_DONE);
    ck_assert_int_eq(child_run("[ \"$(env | grep -c ^WEIR_STREAM=)\" = 1 ]", &message, 1),
                     CHILD_DONE);
    ck_assert_int_eq(child_run("[ \"$WEIR_STREAM\" = account-1 ]", &message, 1), CHILD_DONE);
}
END_TEST

/* The C library never frees values that a variable has had, and a consumer runs for months. */
START_TEST(the_environment_of_the_program_stays_as_it_is)
{
    const Weir__V1__Message message = message_at(7);
    ck_assert_int_eq(setenv("WEIR_STREAM", "of before", 1), 0);
    ck_assert_int_eq(child_run("true", &message, 1), CHILD_DONE);
    ck_assert_str_eq(getenv("WEIR_STREAM"), "of before");
    ck_assert_ptr_null(getenv("WEIR_POSITION"));
}
END_TEST

START_TEST(a_command_that_a_signal_ends_is_no_failure_of_its_own)
{
    const Weir__V1__Message message = message_at(7);
    ck_assert_int_eq(child_run("kill -TERM $$", &message, 1), CHILD_KILLED);
    ck_assert_int_eq(child_run("sh -c 'kill -TERM $$'; exit $?", &message, 1), CHILD_KILLED);
}
END_TEST

/* No descriptor is left for the pipe. */
START_TEST(a_command_that_cannot_be_run_has_not_failed)
{
    const Weir__V1__Message message = message_at(7);
    struct rlimit before;
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
    const struct rlimit none = {.rlim_cur = 0, .rlim_max = before.rlim_max};
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
    ck_assert_int_eq(child_run("true", &message, 1), CHILD_NOT_RUN);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
}
END_TEST

/* The shell runs, and finds nothing to run: no such file, or one that is no program. */
START_TEST(a_command_that_is_not_there_has_not_failed)
{
    const Weir__V1__Message message = message_at(7);
    ck_assert_int_eq(child_run("/nonexistent/command", &message, 1), CHILD_NOT_RUN);
    ck_assert_int_eq(child_run("/etc/passwd", &message, 1), CHILD_NOT_RUN);
    ck_assert_int_eq(child_run("exit 125", &message, 1), CHILD_FAILED);
}
END_TEST

/* The command's outcome cannot be determined. */
START_TEST(a_command_that_is_lost_has_not_failed)
{
    const Weir__V1__Message message = message_at(7);
    (void)signal(SIGCHLD, SIG_IGN);
    ck_assert_int_eq(child_run("exit 3", &message, 1), CHILD_NOT_RUN);
    (void)signal(SIGCHLD, SIG_DFL);
}
END_TEST

/* The names go into the environment, where Linux limits an entry to 32 pages. */
START_TEST(a_message_that_no_command_can_take_has_failed)
{
    Weir__V1__Message message = message_at(7);
    const size_t n = 40 * (size_t)sysconf(_SC_PAGESIZE);
    message.type = malloc(n + 1);
    ck_assert_ptr_nonnull(message.type);
    memset(message.type, 'x', n);
    message.type[n] = '\0';
    ck_assert_int_eq(child_run("true", &message, 1), CHILD_FAILED);
    message.time_us = INT64_MAX;
    ck_assert_int_eq(child_run("true", &message, 1), CHILD_FAILED);
    free(message.type);
}
END_TEST

int main(void)
{
    /* As weir does, since commands need not read their input. */
    (void)signal(SIGPIPE, SIG_IGN);
    Suite *suite = suite_create("child");
    TCase *tests = tcase_create("child");
    tcase_add_test(tests, a_command_is_told_of_the_message);
    tcase_add_test(tests, a_command_has_the_environment_of_the_program);
    tcase_add_test(tests, the_environment_of_the_program_stays_as_it_is);
    tcase_add_test(tests, a_command_that_a_signal_ends_is_no_failure_of_its_own);
    tcase_add_test(tests, a_command_that_cannot_be_run_has_not_failed);
    tcase_add_test(tests, a_command_that_is_not_there_has_not_failed);
    tcase_add_test(tests, a_command_that_is_lost_has_not_failed);
    tcase_add_test(tests, a_message_that_no_command_can_take_has_failed);
    suite_add_tcase(suite, tests);
    return check_main(suite);
}
