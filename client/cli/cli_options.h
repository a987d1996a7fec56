/* The table of the program's commands and options. Command lines are parsed by it; help, man pages
 * and the shell's completion are made from it. */
#ifndef WEIR_CLIENT_CLI_OPTIONS_H
#define WEIR_CLIENT_CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

struct cli;

enum { CLI_ARGS_MAX = 8, CLI_VALUES_MAX = 128 };

/* Exit statuses of every command. */
enum cli_exit {
    CLI_DONE = 0,
    CLI_REFUSED = 1,     // refused by the server, or input or output was unusable
    CLI_USAGE = 2,       // wrong command line, or a file it names cannot be used
    CLI_UNREACHABLE = 3  // no server answered in time
};

/* Keys of the options; the key of an option with a short form is its letter. */
enum cli_key {
    CLI_ALL = 256,
    CLI_ATTEMPTS,
    CLI_BACKWARD,
    CLI_BATCH,
    CLI_CATEGORY,
    CLI_CONFIRM,
    CLI_CONTEXT,
    CLI_CORRELATION,
    CLI_DESCRIPTION,
    CLI_DURABLE,
    CLI_EVENTODB,
    CLI_EXEC,
    CLI_EXPECT,
    CLI_FORCE,
    CLI_FROM,
    CLI_GLOBAL_FROM,
    CLI_GROUP,
    CLI_GZIP,
    CLI_HEADERS_ONLY,
    CLI_ID,
    CLI_LIMIT,
    CLI_METADATA,
    CLI_NAMESPACE,
    CLI_NEW_TOKEN_FILE,
    CLI_OUTPUT_FILE,
    CLI_PARKED,
    CLI_PREFIX,
    CLI_REPLAY,
    CLI_SERVER,
    CLI_SINCE,
    CLI_STREAM,
    CLI_TIMEOUT,
    CLI_TLS_CA,
    CLI_TLS_CERT,
    CLI_TLS_KEY,
    CLI_TOKEN_FILE,
    CLI_TYPE,
    CLI_UNTIL,
    CLI_FORMAT = 'o'
};

struct cli_option {
    int key;                   // enum cli_key
    const char *name;          // without "--"
    const char *arg;           // metavariable; NULL for a flag
    const char *env;           // environment variable with the same meaning; NULL if none
    const char *doc;           // one sentence without full stop
    const char *const *words;  // allowed values, NULL-terminated; NULL: any value
};

struct cli_command {
    const char *name;     // "write", "namespace create"
    const char *args;     // "STREAM TYPE [DATA]"; "" if none
    const char *summary;  // for the list of commands
    const char *text;     // paragraphs for help and man page
    int (*run)(struct cli *cli);
    const struct cli_option *options;  // the command's own; ends with a NULL name; NULL if none
    size_t args_min;
    size_t args_max;
};

/* Defined in cli_commands.c; both end with a NULL name. */
extern const struct cli_command cli_commands[];
extern const struct cli_option cli_common_options[];

/* A parsed command line. Its strings are those of argv. */
struct cli_values {
    const struct cli_command *command;
    const char *args[CLI_ARGS_MAX];
    size_t args_n;
    struct {
        int key;
        const char *text;  // NULL for a flag
    } options[CLI_VALUES_MAX];
    size_t options_n;
};

/* Parses a command line and returns only if it has a command. Help and version are printed and end
 * the program with 0; a wrong command line is reported on standard error and ends it with
 * CLI_USAGE. */
void cli_parse(int argc, char **argv, struct cli_values *values);

/* Returns the last value of an option on the command line, NULL if none. */
const char *cli_given(const struct cli_values *values, int key);

/* Whether an option or flag is on the command line. */
bool cli_has(const struct cli_values *values, int key);

/* Returns the values of a repeated option, one after the other, then NULL: start with *at = 0. */
const char *cli_next(const struct cli_values *values, int key, size_t *at);

/* Returns the command of that name, of one or two words; NULL if there is none. */
const struct cli_command *cli_find_command(const char *name);

#endif
