/* The frame of every command: typed options, the connection, and the report of failures.
 *
 * A command is a function from `struct cli` to an exit status (enum cli_exit). It runs on the main
 * thread. */
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
    struct weir_call_options call;  // for every call: the namespace
    struct weir_error err;          // of the last call
    char *token;                    // NULL if none
    struct contexts *contexts;      // after cli_connect; NULL if not needed
    const struct context *context;  // in force, NULL if none
    bool is_context_named;          // by --context or WEIR_CONTEXT
    struct progress *progress;      // of the running command, NULL if none
};

/* ---- options, with their types ---- */

/* Returns an option's value: from the command line, else from its environment variable, else, after
 * cli_connect, from the context. A named context goes before the environment. NULL if the option is
 * set nowhere. */
const char *cli_text(const struct cli *cli, int key);

/* Whether a flag is on the command line. */
bool cli_flag(const struct cli *cli, int key);

/* Parses a whole number of 64 bits. False for any other text. */
bool cli_parse_int64(const char *text, int64_t *value);

/* Reads an option as a number within min..max. Returns CLI_DONE, or CLI_USAGE after reporting a bad
 * value on standard error. Leaves *value unchanged if the option is not set. */
int cli_int64(const struct cli *cli, int key, int64_t min, int64_t max, int64_t *value);

/* Reads an option as a number from 0 on or "all", which is -1; else as cli_int64. */
int cli_count(const struct cli *cli, int key, int64_t *value);

/* Reads "M/N" of --group; else as cli_int64. */
int cli_group(const struct cli *cli, int64_t *member, int64_t *size);

/* Fills `types` with the values of --type and returns their number. */
size_t cli_types(const struct cli *cli, const char *types[CLI_VALUES_MAX]);

/* Reports on standard error what is wrong with the command line; returns CLI_USAGE. */
int cli_usage(const struct cli *cli, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Reports on standard error that there is no context of that name; returns CLI_USAGE. */
int cli_no_context(const struct cli *cli, const char *name);

/* ---- the server ---- */

/* Opens the client, with server, token, TLS files and time limit from the options, the environment,
 * the context or the defaults. CLI_DONE, or another status after reporting the failure. */
int cli_connect(struct cli *cli);

/* Closes the client and frees everything that the struct holds. */
void cli_free(struct cli *cli);

/* Reads a token, the first line of a file that the user has named; the caller frees it. CLI_DONE,
 * or CLI_USAGE after reporting the failure. */
int cli_read_token(const struct cli *cli, const char *path, char **token);

/* Reports cli->err on standard error: reason code, text, details. Returns CLI_UNREACHABLE if no
 * server answered, else CLI_REFUSED. */
int cli_failed(const struct cli *cli);

/* As cli_failed; says as well if the call may have been carried out all the same. */
int cli_failed_in_doubt(const struct cli *cli);

/* Reports a failure other than that of a call, with a reason code or "" for none. Returns
 * CLI_REFUSED. */
int cli_broken(const struct cli *cli, const char *reason, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* ---- output ---- */

/* Whether to print for people and not JSON: as -o says, else if standard output is a terminal. */
bool cli_is_for_people(const struct cli *cli);

/* Flushes standard output. CLI_DONE, or CLI_REFUSED after reporting that it cannot be written. */
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
