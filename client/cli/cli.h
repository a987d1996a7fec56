/* What every command of the program stands on: its options with their types, the connection, and
 * one way to say what went wrong.
 *
 * A command is a function from `struct cli` to an exit status. It runs on the main thread. */
#ifndef WEIR_CLIENT_CLI_H
#define WEIR_CLIENT_CLI_H

#include "client/cli/cli_options.h"
#include "client/cli/progress.h"
#include "client/weir.h"

struct context;
struct contexts;

struct cli {
    struct cli_values values;
    struct weir_client *client;     // after cli_connect
    struct weir_call_options call;  // for every call: namespace and time limit
    struct weir_error err;          // of the last call
    char *token;                    // NULL if there is none
    struct contexts *contexts;      // after cli_connect; NULL if none were needed
    const struct context *context;  // the one in force, NULL if none
    bool is_context_named;          // by --context or WEIR_CONTEXT: it is not just the current one
    struct progress *progress;      // the command's, NULL if it has none
};

/* ---- options, with their types ---- */

/* The option's value, that of its environment variable or, after cli_connect, that of the context,
 * which goes before the environment where it is named; NULL if it is given nowhere. */
const char *cli_text(const struct cli *cli, int key);
bool cli_flag(const struct cli *cli, int key);

/* False where it is no whole number of 64 bits, and nothing else. */
bool cli_parse_int64(const char *text, int64_t *value);

/* All of these return CLI_DONE, with the value set, or CLI_USAGE after one line on standard error.
 * Where the option was not given the value stays as it is. */
int cli_int64(const struct cli *cli, int key, int64_t min, int64_t max, int64_t *value);

/* A number or "all", which is -1. */
int cli_count(const struct cli *cli, int key, int64_t *value);

/* "M/N" of --group; both stay as they are where it was not given. */
int cli_group(const struct cli *cli, int64_t *member, int64_t *size);

/* The values of --type, which are at most CLI_VALUES_MAX. Returns how many. */
size_t cli_types(const struct cli *cli, const char *types[CLI_VALUES_MAX]);

/* Says on standard error what is wrong with the command line; returns CLI_USAGE. */
int cli_usage(const struct cli *cli, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* ---- the server ---- */

/* Opens the client with the server, token, TLS files and time limit of the options, the environment
 * or the defaults. CLI_DONE, or another status after saying why. */
int cli_connect(struct cli *cli);

/* Closes the client and frees what the struct holds. */
void cli_free(struct cli *cli);

/* Reads the first line of a file of the user's, which holds a token; freed by the caller. CLI_DONE,
 * or CLI_USAGE after saying why not. */
int cli_read_token(const struct cli *cli, const char *path, char **token);

/* Says on standard error what cli->err holds: the reason code, the text, the details. Returns
 * CLI_UNREACHABLE where no answer came from a server, else CLI_REFUSED. */
int cli_failed(const struct cli *cli);

/* The same for something else than a call, with a reason code or none ("" ). */
int cli_broken(const struct cli *cli, const char *reason, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* ---- output ---- */

/* What people read, or what programs do: -o, else whether standard output is a terminal. */
bool cli_is_for_people(const struct cli *cli);

/* Flushes standard output: CLI_DONE or, after saying so, CLI_REFUSED where it cannot be written. */
int cli_flush(const struct cli *cli);

/* ---- the commands ---- */

int cmd_call(struct cli *cli);
int cmd_categories(struct cli *cli);
int cmd_category(struct cli *cli);
int cmd_chunks_compress(struct cli *cli);
int cmd_chunks_drop(struct cli *cli);
int cmd_chunks_list(struct cli *cli);
int cmd_context_add(struct cli *cli);
int cmd_context_list(struct cli *cli);
int cmd_context_remove(struct cli *cli);
int cmd_context_use(struct cli *cli);
int cmd_describe(struct cli *cli);
int cmd_export(struct cli *cli);
int cmd_health(struct cli *cli);
int cmd_import(struct cli *cli);
int cmd_info(struct cli *cli);
int cmd_last(struct cli *cli);
int cmd_list(struct cli *cli);
int cmd_namespace_clear(struct cli *cli);
int cmd_namespace_create(struct cli *cli);
int cmd_namespace_delete(struct cli *cli);
int cmd_namespace_list(struct cli *cli);
int cmd_namespace_rotate(struct cli *cli);
int cmd_namespace_show(struct cli *cli);
int cmd_read(struct cli *cli);
int cmd_stats(struct cli *cli);
int cmd_streams(struct cli *cli);
int cmd_subscribe(struct cli *cli);
int cmd_version(struct cli *cli);
int cmd_write(struct cli *cli);

#endif
