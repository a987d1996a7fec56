#include "client/cli/cli.h"

#include "client/cli/context.h"
#include "client/lib/json_out.h"
#include "weir/rules/token_text.h"

#include <openssl/crypto.h>

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { TIMEOUT_S_DEFAULT = 10, TIMEOUT_S_MAX = 86400 };

/* The token file of a server on SQLite in its default data directory. */
static const char default_token_file[] = "./weir-data/default.token";

/* ---- options ---- */

static const char *environment_of(const struct cli_option *options, int key)
{
    for (const struct cli_option *o = options; o != NULL && o->name != NULL; o++) {
        if (o->key == key && o->env != NULL) {
            const char *value = getenv(o->env);
            return value == NULL || value[0] == '\0' ? NULL : value;
        }
    }
    return NULL;
}

static const char *from_context(const struct cli *cli, int key)
{
    static const struct {
        int key;
        enum context_setting setting;
    } settings[] = {
        {CLI_SERVER, CONTEXT_SERVER},       {CLI_TOKEN_FILE, CONTEXT_TOKEN_FILE},
        {CLI_NAMESPACE, CONTEXT_NAMESPACE}, {CLI_TLS_CA, CONTEXT_TLS_CA},
        {CLI_TLS_CERT, CONTEXT_TLS_CERT},   {CLI_TLS_KEY, CONTEXT_TLS_KEY},
    };
    for (size_t i = 0; cli->context != NULL && i < WEIR_COUNTOF(settings); i++) {
        if (settings[i].key == key) {
            return cli->context->settings[settings[i].setting];
        }
    }
    return NULL;
}

const char *cli_text(const struct cli *cli, int key)
{
    const char *text = cli_given(&cli->values, key);
    if (text == NULL && cli->is_context_named) {
        text = from_context(cli, key);
    }
    if (text == NULL) {
        text = environment_of(cli_common_options, key);
    }
    return text == NULL ? from_context(cli, key) : text;
}

bool cli_flag(const struct cli *cli, int key)
{
    return cli_has(&cli->values, key);
}

static const char *name_of(const struct cli *cli, int key)
{
    const struct cli_option *tables[] = {cli->values.command->options, cli_common_options};
    for (size_t t = 0; t < WEIR_COUNTOF(tables); t++) {
        for (const struct cli_option *o = tables[t]; o != NULL && o->name != NULL; o++) {
            if (o->key == key) {
                return o->name;
            }
        }
    }
    return "?";
}

/* Writes a report, which may quote what a file holds: that must not control the terminal. */
__attribute__((format(printf, 1, 0))) static void put_report(const char *format, va_list args)
{
    char text[8192];
    (void)vsnprintf(text, sizeof text, format, args);
    json_put_plain(stderr, weir_slice_of(text));
}

int cli_usage(const struct cli *cli, const char *format, ...)
{
    (void)fprintf(stderr, "weir %s: ", cli->values.command->name);
    va_list args;
    va_start(args, format);
    put_report(format, args);
    va_end(args);
    (void)fprintf(stderr, "\nTry 'weir %s --help' for more.\n", cli->values.command->name);
    return CLI_USAGE;
}

bool cli_parse_int64(const char *text, int64_t *value)
{
    char *end = NULL;
    errno = 0;
    const long long number = strtoll(text, &end, 10);
    if (text[0] == '\0' || isspace((unsigned char)text[0]) || *end != '\0' || errno != 0) {
        return false;
    }
    *value = number;
    return true;
}

/* Reports a number out of range. Leaves out bounds that are those of int64_t. */
static int fail_number(const struct cli *cli, int key, int64_t min, int64_t max)
{
    const char *name = name_of(cli, key);
    const char *text = cli_text(cli, key);
    return min == INT64_MIN && max == INT64_MAX
               ? cli_usage(cli, "--%s: '%s' is not a whole number", name, text)
               : cli_usage(cli, "--%s: '%s' is not a whole number from %" PRId64 " to %" PRId64,
                           name, text, min, max);
}

int cli_int64(const struct cli *cli, int key, int64_t min, int64_t max, int64_t *value)
{
    const char *text = cli_text(cli, key);
    int64_t number = 0;
    if (text == NULL) {
        return CLI_DONE;
    }
    if (!cli_parse_int64(text, &number) || number < min || number > max) {
        return fail_number(cli, key, min, max);
    }
    *value = number;
    return CLI_DONE;
}

int cli_count(const struct cli *cli, int key, int64_t *value)
{
    const char *text = cli_text(cli, key);
    int64_t number = -1;
    if (text == NULL) {
        return CLI_DONE;
    }
    if (strcmp(text, "all") != 0 && (!cli_parse_int64(text, &number) || number < 0)) {
        return cli_usage(cli, "--%s: '%s' is not a whole number (0 or more) or 'all'",
                         name_of(cli, key), text);
    }
    *value = number;
    return CLI_DONE;
}

static bool parse_group(const char *text, int64_t *member, int64_t *size)
{
    char before[32];
    const char *slash = strchr(text, '/');
    const size_t n = slash == NULL ? sizeof before : (size_t)(slash - text);
    if (n >= sizeof before) {
        return false;
    }
    memcpy(before, text, n);
    before[n] = '\0';
    return cli_parse_int64(before, member) && cli_parse_int64(slash + 1, size) && *member >= 0 &&
           *member < *size;
}

int cli_group(const struct cli *cli, int64_t *member, int64_t *size)
{
    const char *text = cli_text(cli, CLI_GROUP);
    if (text != NULL && !parse_group(text, member, size)) {
        return cli_usage(cli, "--group: '%s' does not have the form M/N with M from 0 to N-1",
                         text);
    }
    return CLI_DONE;
}

size_t cli_types(const struct cli *cli, const char *types[CLI_VALUES_MAX])
{
    size_t n = 0;
    size_t at = 0;
    const char *type = NULL;
    while ((type = cli_next(&cli->values, CLI_TYPE, &at)) != NULL) {
        types[n++] = type;
    }
    return n;
}

/* ---- the token ---- */

/* Returns the token in a file, which the caller frees. NULL with errno set, to 0 if the file is
 * empty. */
static char *read_token(const char *path)
{
    char text[WEIR_TOKEN_TEXT_MAX_BYTES + 1];
    const bool is_read = weir_token_read_file(path, text);
    const int fault = errno;
    char *copy = is_read ? strdup(text) : NULL;
    OPENSSL_cleanse(text, sizeof text);
    errno = fault;
    return copy;
}

int cli_read_token(const struct cli *cli, const char *path, char **token)
{
    *token = read_token(path);
    if (*token == NULL) {
        return cli_usage(cli, "cannot read a token from '%s': %s", path,
                         errno == 0 ? "its first line is empty" : strerror(errno));
    }
    return CLI_DONE;
}

/* Finds the token: first the option or a named context, then WEIR_TOKEN, then WEIR_TOKEN_FILE or
 * the current context, last the server's own token file. */
static int find_token(struct cli *cli)
{
    const char *path = cli_given(&cli->values, CLI_TOKEN_FILE);
    if (path == NULL && cli->is_context_named) {
        path = from_context(cli, CLI_TOKEN_FILE);
    }
    if (path != NULL) {
        return cli_read_token(cli, path, &cli->token);
    }
    const char *token = getenv("WEIR_TOKEN");
    if (token != NULL && token[0] != '\0') {
        cli->token = strdup(token);
        return CLI_DONE;
    }
    path = cli_text(cli, CLI_TOKEN_FILE);
    if (path != NULL) {
        return cli_read_token(cli, path, &cli->token);
    }
    cli->token = read_token(default_token_file);
    return CLI_DONE;
}

/* ---- the context ---- */

int cli_no_context(const struct cli *cli, const char *name)
{
    return cli_usage(cli, "unknown context '%s'; 'weir context list' lists the contexts", name);
}

/* Finds the context in force. A context's token is meant for the context's server. So the current
 * context does not apply if a server is named; a context that is named itself goes before a server
 * in the environment. */
static int find_context(struct cli *cli)
{
    const char *name = cli_text(cli, CLI_CONTEXT);
    cli->is_context_named = name != NULL;
    if (name == NULL && cli_text(cli, CLI_SERVER) != NULL) {
        return CLI_DONE;
    }
    cli->contexts = calloc(1, sizeof *cli->contexts);
    if (cli->contexts == NULL) {
        return cli_broken(cli, "", "out of memory");
    }
    if (contexts_load(cli->contexts, &cli->err) != WEIR_OK) {
        return cli_broken(cli, "", "%s", cli->err.text);
    }
    if (name == NULL) {
        name = cli->contexts->current;
    }
    cli->context = name == NULL ? NULL : contexts_find(cli->contexts, name);
    if (name != NULL && cli->context == NULL) {
        return cli_no_context(cli, name);
    }
    return CLI_DONE;
}

void cli_free(struct cli *cli)
{
    weir_client_close(cli->client);
    free(cli->token);
    if (cli->contexts != NULL) {
        contexts_free(cli->contexts);
        free(cli->contexts);
    }
}

/* ---- the server ---- */

static int take_timeout(struct cli *cli, uint32_t *timeout_ms)
{
    const char *text = cli_text(cli, CLI_TIMEOUT);
    double seconds = TIMEOUT_S_DEFAULT;
    if (text != NULL) {
        char *end = NULL;
        seconds = strtod(text, &end);
        if (end == text || *end != '\0' || !(seconds >= 0.001 && seconds <= TIMEOUT_S_MAX)) {
            return cli_usage(cli, "--timeout: '%s' is not a number of seconds from 0.001 to %d",
                             text, TIMEOUT_S_MAX);
        }
    }
    *timeout_ms = (uint32_t)(seconds * 1000.0);
    return CLI_DONE;
}

int cli_connect(struct cli *cli)
{
    struct weir_client_options options = WEIR_CLIENT_OPTIONS_INIT;
    int status = find_context(cli);
    if (status != CLI_DONE) {
        return status;
    }
    options.url = cli_text(cli, CLI_SERVER);
    options.tls_ca_file = cli_text(cli, CLI_TLS_CA);
    options.tls_cert_file = cli_text(cli, CLI_TLS_CERT);
    options.tls_key_file = cli_text(cli, CLI_TLS_KEY);
    status = take_timeout(cli, &options.timeout_ms);
    if (status == CLI_DONE) {
        status = find_token(cli);
    }
    if (status != CLI_DONE) {
        return status;
    }
    options.token = cli->token;
    cli->call.namespace_id = cli_text(cli, CLI_NAMESPACE);
    const weir_status st = weir_client_open(&options, &cli->client, &cli->err);
    if (st == WEIR_INVALID_REQUEST) {
        return cli_usage(cli, "%s", cli->err.text);
    }
    return st == WEIR_OK ? CLI_DONE : cli_failed(cli);
}

/* ---- what went wrong ---- */

static void put_details(const struct weir_error *err)
{
    size_t at = 0;
    const char *key = NULL;
    const char *value = NULL;
    while (weir_error_next_detail(err, &at, &key, &value)) {
        (void)fputs("  ", stderr);
        json_put_plain(stderr, weir_slice_of(key));
        (void)fputs(": ", stderr);
        json_put_plain(stderr, weir_slice_of(value));
        (void)fputc('\n', stderr);
    }
}

/* Says which options remedy a failure, where some do. */
static void put_advice(const struct cli *cli)
{
    const struct weir_error *err = &cli->err;
    const char *field = weir_error_get_detail(err, "field");
    if (err->status == WEIR_AUTH_REQUIRED) {
        (void)fputs("  give one with --token-file FILE or WEIR_TOKEN\n", stderr);
    } else if (err->status == WEIR_INVALID_REQUEST && cli->call.namespace_id == NULL &&
               field != NULL && strcmp(field, "metadata[\"namespace\"]") == 0) {
        (void)fputs("  name it with --namespace NAME\n", stderr);
    }
}

/* Ends the line that shows progress, so that a message begins on a line of its own. */
static void begin_line(const struct cli *cli)
{
    if (cli->progress != NULL) {
        progress_end_line(cli->progress);
    }
}

int cli_failed(const struct cli *cli)
{
    const struct weir_error *err = &cli->err;
    begin_line(cli);
    (void)fprintf(stderr, "weir: %s: ", weir_status_name(err->status));
    json_put_plain(stderr, weir_slice_of(err->text));
    (void)fputc('\n', stderr);
    put_details(err);
    put_advice(cli);
    const bool has_no_answer = weir_error_get_detail(err, "url") != NULL;
    return has_no_answer || err->status == WEIR_DEADLINE_EXCEEDED ? CLI_UNREACHABLE : CLI_REFUSED;
}

/* Whether the failed call may have been carried out (client/weir.h, "Failed writes"). If there was
 * no connection it has not; one that is lost before the reply leaves the size of what was sent. */
static bool is_in_doubt(const struct weir_error *err)
{
    if (err->status == WEIR_BACKEND_UNAVAILABLE) {
        return weir_error_get_detail(err, "url") == NULL ||
               weir_error_get_detail(err, "request_bytes") != NULL;
    }
    return weir_status_retryable(err->status) || err->status == WEIR_BACKEND_ERROR ||
           err->status == WEIR_DATA_CORRUPT;
}

int cli_failed_in_doubt(const struct cli *cli)
{
    const int status = cli_failed(cli);
    if (is_in_doubt(&cli->err)) {
        (void)fputs("  it may have been done all the same; look before you repeat it\n", stderr);
    }
    return status;
}

int cli_broken(const struct cli *cli, const char *reason, const char *format, ...)
{
    begin_line(cli);
    (void)fprintf(stderr, "weir: %s%s", reason, reason[0] == '\0' ? "" : ": ");
    va_list args;
    va_start(args, format);
    put_report(format, args);
    va_end(args);
    (void)fputc('\n', stderr);
    return CLI_REFUSED;
}

/* ---- output ---- */

bool cli_is_for_people(const struct cli *cli)
{
    const char *format = cli_text(cli, CLI_FORMAT);
    return format == NULL ? isatty(STDOUT_FILENO) != 0 : strcmp(format, "json") != 0;
}

int cli_flush(const struct cli *cli)
{
    if (fflush(stdout) != 0 || ferror(stdout)) {
        return cli_broken(cli, "", "standard output: %s", strerror(errno));
    }
    return CLI_DONE;
}
