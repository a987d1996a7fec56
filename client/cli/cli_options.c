/* Parses command lines with argp, in two steps: first the options before the command, then the
 * options and arguments of the command, which may repeat the common options. */
#include "client/cli/cli_options.h"

#include "weir/base/command_line.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OPTIONS_MAX = 48, NAME_MAX_BYTES = 64 };

const char *argp_program_version = "weir " WEIR_VERSION;

const char *cli_given(const struct cli_values *values, int key)
{
    const char *text = NULL;
    for (size_t i = 0; i < values->options_n; i++) {
        if (values->options[i].key == key) {
            text = values->options[i].text;
        }
    }
    return text;
}

bool cli_has(const struct cli_values *values, int key)
{
    for (size_t i = 0; i < values->options_n; i++) {
        if (values->options[i].key == key) {
            return true;
        }
    }
    return false;
}

const char *cli_next(const struct cli_values *values, int key, size_t *at)
{
    while (*at < values->options_n) {
        const size_t i = (*at)++;
        if (values->options[i].key == key) {
            return values->options[i].text;
        }
    }
    return NULL;
}

const struct cli_command *cli_find_command(const char *name)
{
    for (const struct cli_command *c = cli_commands; c->name != NULL; c++) {
        if (strcmp(c->name, name) == 0) {
            return c;
        }
    }
    return NULL;
}

static void add_value(struct cli_values *values, int key, const char *text,
                      struct argp_state *state)
{
    if (values->options_n == CLI_VALUES_MAX) {
        argp_error(state, "more than %d options", CLI_VALUES_MAX);
        return;
    }
    values->options[values->options_n].key = key;
    values->options[values->options_n].text = text;
    values->options_n++;
}

static bool is_option_of(const struct cli_option *options, int key)
{
    for (const struct cli_option *o = options; o != NULL && o->name != NULL; o++) {
        if (o->key == key) {
            return true;
        }
    }
    return false;
}

/* Appends a table of options to `to`, in argp's form; returns the new number of entries. */
static size_t add_options(struct argp_option *to, size_t n, const struct cli_option *from)
{
    for (const struct cli_option *o = from; o != NULL && o->name != NULL && n < OPTIONS_MAX; o++) {
        to[n++] = (struct argp_option){
            .name = o->name, .key = o->key, .arg = o->arg, .doc = o->doc, .group = 0};
    }
    return n;
}

/* ---- options and arguments of a command ---- */

static void check_args(const struct cli_values *values, struct argp_state *state)
{
    const struct cli_command *c = values->command;
    if (values->args_n < c->args_min) {
        argp_error(state, "missing argument: expected %s", c->args);
    }
    if (values->args_n > c->args_max) {
        argp_error(state, "unexpected argument '%s'", values->args[c->args_max]);
    }
}

static error_t parse_command_key(int key, char *arg, struct argp_state *state)
{
    struct cli_values *values = state->input;
    if (key == ARGP_KEY_ARG) {
        if (values->args_n == CLI_ARGS_MAX) {
            return ARGP_ERR_UNKNOWN;
        }
        values->args[values->args_n++] = arg;
        return 0;
    }
    if (key == ARGP_KEY_END) {
        check_args(values, state);
        return 0;
    }
    if (is_option_of(values->command->options, key) || is_option_of(cli_common_options, key)) {
        add_value(values, key, arg, state);
        return 0;
    }
    return ARGP_ERR_UNKNOWN;
}

static void parse_command(int argc, char **argv, struct cli_values *values)
{
    const struct cli_command *c = values->command;
    struct argp_option options[OPTIONS_MAX + 2] = {{0}};
    size_t n = add_options(options, 0, c->options);
    options[n++] = (struct argp_option){.doc = "Common options:", .group = 1};
    (void)add_options(options, n, cli_common_options);
    char doc[4096];
    (void)snprintf(doc, sizeof doc, "%s.\v%s", c->summary, c->text);
    const struct argp argp = {options, parse_command_key, c->args, doc, NULL, NULL, NULL};
    char name[NAME_MAX_BYTES];
    (void)snprintf(name, sizeof name, "weir %s", c->name);
    argv[0] = name;
    (void)weir_command_line_parse(&argp, argc, argv, 0, values);
}

/* ---- options before the command ---- */

struct top {
    struct cli_values *values;
    int command_at;  // index in argv of the command's first word; 0 while not found
};

static error_t parse_top_key(int key, char *arg, struct argp_state *state)
{
    struct top *top = state->input;
    if (key == ARGP_KEY_ARG) {
        /* The rest of the line belongs to the command. */
        top->command_at = state->next - 1;
        state->next = state->argc;
        return 0;
    }
    if (key == ARGP_KEY_NO_ARGS) {
        argp_error(state, "no command given; 'weir --help' lists the commands");
        return 0;
    }
    if (is_option_of(cli_common_options, key)) {
        add_value(top->values, key, arg, state);
        return 0;
    }
    return ARGP_ERR_UNKNOWN;
}

/* Writes the list of commands in argp's form: text behind a '\v' is printed below the options. */
static void make_top_doc(char *doc, size_t size)
{
    size_t n =
        (size_t)snprintf(doc, size, "Writes to and reads from a weir message store.\vCommands:\n");
    for (const struct cli_command *c = cli_commands; c->name != NULL && n < size; c++) {
        n += (size_t)snprintf(doc + n, size - n, "  %-23s%s\n", c->name, c->summary);
    }
    if (n < size) {
        (void)snprintf(
            doc + n, size - n,
            "\n"
            "'weir COMMAND --help' tells more about a command.\n\n"
            "Exit status:\n"
            "  0  done\n"
            "  1  the server refused (its reason is on standard error), input could not\n"
            "     be used, output could not be written, or a command of --exec failed\n"
            "  2  wrong usage, including files that cannot be opened\n"
            "  3  the server could not be reached or did not answer in time");
    }
}

/* Finds the command at argv[*at], of two words if they are a command, else of one. Sets *at to the
 * index of its last word. */
static const struct cli_command *find_command(int argc, char **argv, int *at)
{
    char name[NAME_MAX_BYTES];
    if (*at + 1 < argc) {
        (void)snprintf(name, sizeof name, "%s %s", argv[*at], argv[*at + 1]);
        const struct cli_command *c = cli_find_command(name);
        if (c != NULL) {
            (*at)++;
            return c;
        }
    }
    return cli_find_command(argv[*at]);
}

/* Whether `word` is the first word of a command of two, such as "namespace". */
static bool is_first_word(const char *word)
{
    const size_t n = strlen(word);
    for (const struct cli_command *c = cli_commands; c->name != NULL; c++) {
        if (strncmp(c->name, word, n) == 0 && c->name[n] == ' ') {
            return true;
        }
    }
    return false;
}

/* Reports a word that is no command, and ends the program. */
_Noreturn static void fail_command(const char *word)
{
    if (is_first_word(word)) {
        (void)fprintf(stderr, "weir: '%s' must be followed by one of:", word);
        const size_t n = strlen(word);
        for (const struct cli_command *c = cli_commands; c->name != NULL; c++) {
            if (strncmp(c->name, word, n) == 0 && c->name[n] == ' ') {
                (void)fprintf(stderr, " %s", c->name + n + 1);
            }
        }
        (void)fprintf(stderr, "\n");
    } else {
        (void)fprintf(stderr, "weir: unknown command '%s'; 'weir --help' lists the commands\n",
                      word);
    }
    exit(CLI_USAGE);
}

void cli_parse(int argc, char **argv, struct cli_values *values)
{
    *values = (struct cli_values){0};
    argp_err_exit_status = CLI_USAGE;
    struct argp_option options[OPTIONS_MAX + 2] = {{0}};
    (void)add_options(options, 0, cli_common_options);
    char doc[8192];
    make_top_doc(doc, sizeof doc);
    const struct argp argp = {options, parse_top_key, "COMMAND [ARGUMENT...]", doc, NULL,
                              NULL,    NULL};
    struct top top = {values, 0};
    char name[] = "weir";
    argv[0] = name;
    (void)weir_command_line_parse(&argp, argc, argv, ARGP_IN_ORDER, &top);
    int at = top.command_at;
    /* "weir help write" is "weir write --help". */
    if (strcmp(argv[at], "help") == 0) {
        char help[] = "--help";
        char *line[] = {name, help, NULL};
        if (at + 1 == argc) {
            (void)weir_command_line_parse(&argp, 2, line, 0, &top);
        }
        at++;
        values->command = find_command(argc, argv, &at);
        if (values->command != NULL) {
            parse_command(2, line, values);
        }
        fail_command(argv[at]);
    }
    values->command = find_command(argc, argv, &at);
    if (values->command == NULL) {
        fail_command(argv[at]);
    }
    parse_command(argc - at, argv + at, values);
}
