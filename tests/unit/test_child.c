/* Commands that are run for messages. */
#include "client/child.h"
#include "tests/lib/check_main.h"

#include <signal.h>

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
    ck_assert(child_run("[ \"$WEIR_ID $WEIR_STREAM $WEIR_TYPE\" = "
                        "'00000000-0000-4000-8000-000000000001 account-1 Opened' ]",
                        &message, 3));
    ck_assert(child_run("[ \"$WEIR_POSITION $WEIR_GLOBAL_POSITION $WEIR_ATTEMPT\" = '7 8 3' ]",
                        &message, 3));
    ck_assert(child_run("grep -q '\"pos\":7'", &message, 3));
    ck_assert(!child_run("exit 3", &message, 3));
}
END_TEST

START_TEST(a_command_has_the_environment_of_the_program)
{
    const Weir__V1__Message message = message_at(7);
    ck_assert_int_eq(setenv("WEIR_TEST_STREAM", "its own", 1), 0);
    ck_assert_int_eq(setenv("WEIR_STREAM", "of before", 1), 0);
    ck_assert(child_run("[ \"$WEIR_TEST_STREAM\" = 'its own' ]", &message, 1));
    ck_assert(child_run("[ \"$(env | grep -c ^WEIR_STREAM=)\" = 1 ]", &message, 1));
    ck_assert(child_run("[ \"$WEIR_STREAM\" = account-1 ]", &message, 1));
}
END_TEST

/* The C library keeps what variables have been set to, for ever: a consumer runs for months. */
START_TEST(the_environment_of_the_program_stays_as_it_is)
{
    const Weir__V1__Message message = message_at(7);
    ck_assert_int_eq(setenv("WEIR_STREAM", "of before", 1), 0);
    ck_assert(child_run("true", &message, 1));
    ck_assert_str_eq(getenv("WEIR_STREAM"), "of before");
    ck_assert_ptr_null(getenv("WEIR_POSITION"));
}
END_TEST

int main(void)
{
    /* As the program does, whose commands need not read what they are given. */
    (void)signal(SIGPIPE, SIG_IGN);
    Suite *suite = suite_create("child");
    TCase *tests = tcase_create("child");
    tcase_add_test(tests, a_command_is_told_of_the_message);
    tcase_add_test(tests, a_command_has_the_environment_of_the_program);
    tcase_add_test(tests, the_environment_of_the_program_stays_as_it_is);
    suite_add_tcase(suite, tests);
    return check_main(suite);
}
