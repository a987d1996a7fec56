/* Command lines of weir. A wrong command line ends the program, so those tests expect an exit
 * status. */
#include "client/cli/cli_options.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct cli_values values;

static void parse(const char *line)
{
    static char copy[512];
    static char *argv[64];
    int argc = 0;
    (void)snprintf(copy, sizeof copy, "%s", line);
    /* '
     *
     * ' separates the words, so that a word may be empty. */
    char *at = copy;
    while (at != NULL) {
        char *end = strchr(at, '|');
        if (end != NULL) {
            *end++ = '\0';
        }
        argv[argc++] = at;
        at = end;
    }
    argv[argc] = NULL;
    cli_parse(argc, argv, &values);
}

START_TEST(arguments_and_options_in_any_order)
{
    parse("weir|--server|tcp://a:1|write|--expect|-1|s-1|Type|--timeout=3|{}|--id|x");
    ck_assert_str_eq(values.command->name, "write");
    ck_assert_uint_eq(values.args_n, 3);
    ck_assert_str_eq(values.args[0], "s-1");
    ck_assert_str_eq(values.args[2], "{}");
    ck_assert_str_eq(cli_given(&values, CLI_SERVER), "tcp://a:1");
    ck_assert_str_eq(cli_given(&values, CLI_EXPECT), "-1");
    ck_assert_str_eq(cli_given(&values, CLI_TIMEOUT), "3");
    ck_assert_ptr_null(cli_given(&values, CLI_METADATA));
    ck_assert(cli_has(&values, CLI_ID) && !cli_has(&values, CLI_GROUP));
}
END_TEST

START_TEST(the_last_of_an_option_counts_unless_all_do)
{
    parse("weir|read|s|--type|a|--limit|1|--type|b|--limit|2");
    ck_assert_str_eq(cli_given(&values, CLI_LIMIT), "2");
    size_t at = 0;
    ck_assert_str_eq(cli_next(&values, CLI_TYPE, &at), "a");
    ck_assert_str_eq(cli_next(&values, CLI_TYPE, &at), "b");
    ck_assert_ptr_null(cli_next(&values, CLI_TYPE, &at));
}
END_TEST

START_TEST(a_dash_and_empty_words_are_arguments)
{
    parse("weir|write|s|T|-");
    ck_assert_str_eq(values.args[2], "-");
    parse("weir|category|");
    ck_assert_str_eq(values.args[0], "");
    parse("weir|version|--|--help");
    ck_assert_str_eq(values.args[0], "--help");
}
END_TEST

static const char *const wrong[] = {"weir",
                                    "weir|",
                                    "weir|nonsense",
                                    "weir|write|s",
                                    "weir|write|s|T|d|more",
                                    "weir|health|x",
                                    "weir|health|--limit|3",
                                    "weir|read|s|--limit",
                                    "weir|read|s|--no-such",
                                    "weir|--no-such|read|s",
                                    "weir|help|nonsense"};

START_TEST(a_wrong_line_ends_with_2)
{
    ck_assert_ptr_nonnull(freopen("/dev/null", "w", stderr));
    parse(wrong[_i]);
    ck_abort_msg("accepted: %s", wrong[_i]);
}
END_TEST

static const char *const helping[] = {"weir|--help",        "weir|help",      "weir|read|--help",
                                      "weir|help|category", "weir|--version", "weir|write|--usage"};

START_TEST(help_ends_with_0)
{
    ck_assert_ptr_nonnull(freopen("/dev/null", "w", stdout));
    parse(helping[_i]);
    ck_abort_msg("went on: %s", helping[_i]);
}
END_TEST

START_TEST(the_table_is_sound)
{
    for (const struct cli_command *c = cli_commands; c->name != NULL; c++) {
        ck_assert_ptr_nonnull(c->args);
        ck_assert_ptr_nonnull(c->run);
        ck_assert_uint_gt(strlen(c->summary), 0);
        ck_assert_uint_gt(strlen(c->text), 0);
        ck_assert_uint_le(c->args_min, c->args_max);
        ck_assert_uint_le(c->args_max, CLI_ARGS_MAX);
        ck_assert_ptr_eq(cli_find_command(c->name), c);
        for (const struct cli_option *o = c->options; o != NULL && o->name != NULL; o++) {
            ck_assert_uint_gt(strlen(o->doc), 0);
            ck_assert_msg(o->doc[strlen(o->doc) - 1] != '.', "%s --%s", c->name, o->name);
            for (const struct cli_option *other = cli_common_options; other->name != NULL;
                 other++) {
                ck_assert_msg(other->key != o->key && strcmp(other->name, o->name) != 0,
                              "%s --%s is a common option", c->name, o->name);
            }
        }
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("cli_options");
    TCase *options = tcase_create("options");
    tcase_add_test(options, arguments_and_options_in_any_order);
    tcase_add_test(options, the_last_of_an_option_counts_unless_all_do);
    tcase_add_test(options, a_dash_and_empty_words_are_arguments);
    tcase_add_test(options, the_table_is_sound);
    /* Tests that end the program need a process each. */
    SRunner *runner = srunner_create(suite);
    if (srunner_fork_status(runner) == CK_FORK) {
        tcase_add_loop_exit_test(options, a_wrong_line_ends_with_2, CLI_USAGE, 0,
                                 (int)(sizeof wrong / sizeof wrong[0]));
        tcase_add_loop_exit_test(options, help_ends_with_0, CLI_DONE, 0,
                                 (int)(sizeof helping / sizeof helping[0]));
    }
    suite_add_tcase(suite, options);
    srunner_run_all(runner, CK_ENV);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
