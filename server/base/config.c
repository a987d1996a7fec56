#include "server/base/config.h"

#include "server/base/workers.h"
#include "weir/base/command_line.h"
#include "weir/rules/default_url.h"
#include "weir/rules/token_text.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

enum { KEY_BASE = 0x100, TOKEN_ROOM = WEIR_TOKEN_TEXT_MAX_BYTES + 1 };

enum kind { KIND_TEXT, KIND_LIST, KIND_FLAG, KIND_NUMBER, KIND_MODE, KIND_CHOICE };

struct setting {
    const char *name;
    const char *value;  // name of the value in --help; NULL for flags
    enum kind kind;
    size_t offset;         // of the member in struct weir_config
    const char *standard;  // default, as it would be given; NULL if there is none
    int64_t lowest;        // bounds of numbers
    int64_t highest;
    const char *choices;  // "a|b"; the member is set to the index
    const char *help;
};

#define AT(member)      offsetof(struct weir_config, member)
#define TEXT_OF(number) #number
#define LIMIT_OPTION(member, option, standard, lowest, highest, what)          \
    {option,  "N",  KIND_NUMBER, AT(limits.member), TEXT_OF(standard), lowest, \
     highest, NULL, "" what},

static const struct setting settings[] = {
    {"store", "URL", KIND_TEXT, AT(store), "sqlite:./weir-data", 0, 0, NULL,
     "Store that keeps the messages: sqlite:DIRECTORY, sqlite::memory:, postgresql://... or "
     "timescaledb://..."},
    {"store-connections", "N", KIND_NUMBER, AT(store_connections), "8", 1, 1024, NULL,
     "PostgreSQL and TimescaleDB: largest number of connections to the database"},
    {"durability", "full|normal", KIND_CHOICE, AT(durability), "full", 0, 0, "full|normal",
     "What an acknowledged write survives: a power loss (full), or a crash of the server (normal)"},
    {"listen", "URL", KIND_LIST, AT(listen), WEIR_DEFAULT_URL, 0, 0, NULL,
     "Address to listen on: tcp://HOST:PORT, ipc://PATH, tls+tcp://HOST:PORT or "
     "ws://HOST:PORT/PATH; port 0 takes a free port. May be given several times"},
    {"ipc-permissions", "MODE", KIND_MODE, AT(ipc_permissions), "660", 0, 0777, NULL,
     "Permissions of ipc:// sockets, in octal"},
    {"http", "URL", KIND_TEXT, AT(http), NULL, 0, 0, NULL,
     "Address to serve /metrics and /healthz on: http://HOST:PORT"},
    {"admin-token-file", "FILE", KIND_TEXT, AT(admin_token_file), NULL, 0, 0, NULL,
     "File whose first line is the admin token; WEIR_ADMIN_TOKEN carries the token itself"},
    {"default-token-file", "FILE", KIND_TEXT, AT(default_token_file), NULL, 0, 0, NULL,
     "File whose first line is the token of namespace default; WEIR_DEFAULT_TOKEN carries the "
     "token itself"},
    {"test-mode", NULL, KIND_FLAG, AT(is_test_mode), NULL, 0, 0, NULL,
     "Do not check tokens; requires --store sqlite::memory: and listeners on this machine only"},
    {"tls-cert", "FILE", KIND_TEXT, AT(tls_cert), NULL, 0, 0, NULL,
     "Certificate chain for tls+tcp://, in PEM"},
    {"tls-key", "FILE", KIND_TEXT, AT(tls_key), NULL, 0, 0, NULL,
     "Private key of --tls-cert, in PEM"},
    {"tls-client-ca", "FILE", KIND_TEXT, AT(tls_client_ca), NULL, 0, 0, NULL,
     "Require client certificates signed by these authorities, in PEM"},
    {"workers", "N", KIND_NUMBER, AT(workers), "32", 1, WEIR_WORKERS_MAX, NULL,
     "Number of worker threads; each may wait for the store"},
    {"max-calls", "N", KIND_NUMBER, AT(max_calls), "1024", 1, 65536, NULL,
     "Largest number of calls of one namespace in flight; more are refused at once"},
    {"max-waiting", "N", KIND_NUMBER, AT(max_waiting), "16384", 0, 1048576, NULL,
     "Largest number of waiting long polls of one namespace, in addition to its calls in flight"},
    {"log-level", "LEVEL", KIND_CHOICE, AT(log_level), "info", 0, 0, "debug|info|warn|error",
     "Lowest level to log: debug, info, warn or error"},
    {"log-format", "text|json", KIND_CHOICE, AT(log_format), "text", 0, 0, "text|json",
     "Format of log lines"},
    WEIR_LIMIT_LIST(LIMIT_OPTION)};

/* The state of a parse, for the callbacks of argp. */
struct parse {
    struct weir_config *config;
    struct weir_error *err;
    bool is_list_given;  // a listener on the command line has replaced those of the environment
};

static void environment_name(const char *option, char name[WEIR_VARIABLE_BYTES])
{
    static const char prefix[] = "WEIR_";
    size_t n = sizeof prefix - 1;
    memcpy(name, prefix, n);
    for (const char *c = option; *c != '\0' && n + 1 < WEIR_VARIABLE_BYTES; c++) {
        name[n++] = *c == '-' ? '_' : (char)(*c >= 'a' && *c <= 'z' ? *c - 'a' + 'A' : *c);
    }
    name[n] = '\0';
}

/* ---- one value ---- */

static void *member_of(struct weir_config *config, const struct setting *setting)
{
    return (char *)config + setting->offset;
}

static weir_status wrong(struct weir_error *err, const char *source, const char *value,
                         const char *what)
{
    return weir_fail(err, WEIR_INVALID_REQUEST, "%s: '%s' is not %s", source, value, what);
}

static weir_status set_number(struct weir_config *config, const struct setting *setting,
                              const char *source, const char *value, struct weir_error *err)
{
    const bool is_mode = setting->kind == KIND_MODE;
    char *end = NULL;
    errno = 0;
    const long long number = strtoll(value, &end, is_mode ? 8 : 10);
    /* strtoll skips leading white space, which is not accepted here. */
    const bool is_number =
        errno == 0 && end != value && *end == '\0' && isspace((unsigned char)value[0]) == 0;
    if (!is_number || number < setting->lowest || number > setting->highest) {
        char what[96];
        (void)snprintf(what, sizeof what,
                       is_mode ? "an octal number from %llo to %llo" : "a number from %lld to %lld",
                       (long long)setting->lowest, (long long)setting->highest);
        return wrong(err, source, value, what);
    }
    *(int64_t *)member_of(config, setting) = number;
    return WEIR_OK;
}

static weir_status set_choice(struct weir_config *config, const struct setting *setting,
                              const char *source, const char *value, struct weir_error *err)
{
    int64_t index = 0;
    for (const char *choice = setting->choices; *choice != '\0'; index++) {
        const size_t n = strcspn(choice, "|");
        if (strlen(value) == n && strncmp(choice, value, n) == 0) {
            *(int64_t *)member_of(config, setting) = index;
            return WEIR_OK;
        }
        choice += n + (choice[n] == '|');
    }
    char what[64];
    (void)snprintf(what, sizeof what, "one of %s", setting->choices);
    return wrong(err, source, value, what);
}

static weir_status set_flag(struct weir_config *config, const struct setting *setting,
                            const char *source, const char *value, struct weir_error *err)
{
    static const char *const yes[] = {"1", "true", "yes", "on"};
    static const char *const no[] = {"0", "false", "no", "off"};
    for (size_t i = 0; i < WEIR_COUNTOF(yes); i++) {
        if (strcasecmp(value, yes[i]) == 0 || strcasecmp(value, no[i]) == 0) {
            *(bool *)member_of(config, setting) = strcasecmp(value, yes[i]) == 0;
            return WEIR_OK;
        }
    }
    return wrong(err, source, value, "true or false");
}

static weir_status add_to_list(struct weir_config *config, const char *source, const char *value,
                               struct weir_error *err)
{
    if (config->listen_n == WEIR_LISTEN_MAX) {
        return weir_fail(err, WEIR_INVALID_REQUEST, "%s: more than %d listeners", source,
                         WEIR_LISTEN_MAX);
    }
    config->listen[config->listen_n++] = value;
    return WEIR_OK;
}

static weir_status set_value(struct weir_config *config, const struct setting *setting,
                             const char *source, const char *value, struct weir_error *err)
{
    switch (setting->kind) {
    case KIND_NUMBER:
    case KIND_MODE:
        return set_number(config, setting, source, value, err);
    case KIND_CHOICE:
        return set_choice(config, setting, source, value, err);
    case KIND_FLAG:
        return set_flag(config, setting, source, value, err);
    case KIND_LIST:
        return add_to_list(config, source, value, err);
    case KIND_TEXT:
        break;
    }
    if (value[0] == '\0') {
        return weir_fail(err, WEIR_INVALID_REQUEST, "%s: the value is empty", source);
    }
    *(const char **)member_of(config, setting) = value;
    return WEIR_OK;
}

/* ---- defaults, environment, arguments ---- */

static weir_status set_defaults(struct weir_config *config, struct weir_error *err)
{
    for (size_t i = 0; i < WEIR_COUNTOF(settings); i++) {
        const struct setting *setting = &settings[i];
        if (setting->standard == NULL || setting->kind == KIND_LIST) {
            continue;
        }
        const weir_status st = set_value(config, setting, setting->name, setting->standard, err);
        if (st != WEIR_OK) {
            return st;
        }
    }
    return WEIR_OK;
}

/* Splits a list of the environment at blanks, in a copy that the configuration owns. */
static weir_status set_list(struct weir_config *config, const char *name, const char *text,
                            struct weir_error *err)
{
    config->environment_text = strdup(text);
    if (config->environment_text == NULL) {
        return weir_fail(err, WEIR_INVALID_REQUEST, "%s: out of memory", name);
    }
    char *rest = NULL;
    for (char *word = strtok_r(config->environment_text, " \t\n", &rest); word != NULL;
         word = strtok_r(NULL, " \t\n", &rest)) {
        const weir_status st = add_to_list(config, name, word, err);
        if (st != WEIR_OK) {
            return st;
        }
    }
    return WEIR_OK;
}

/* An empty variable counts as not set. */
static weir_status read_environment(struct weir_config *config, struct weir_error *err)
{
    for (size_t i = 0; i < WEIR_COUNTOF(settings); i++) {
        char name[WEIR_VARIABLE_BYTES];
        environment_name(settings[i].name, name);
        const char *value = getenv(name);
        if (value == NULL || value[0] == '\0') {
            continue;
        }
        const weir_status st = settings[i].kind == KIND_LIST
                                   ? set_list(config, name, value, err)
                                   : set_value(config, &settings[i], name, value, err);
        if (st != WEIR_OK) {
            return st;
        }
    }
    return WEIR_OK;
}

static weir_status set_argument(struct parse *parse, const struct setting *setting,
                                const char *value)
{
    char source[WEIR_VARIABLE_BYTES];
    (void)snprintf(source, sizeof source, "--%s", setting->name);
    if (setting->kind == KIND_FLAG) {
        value = "true";
    }
    if (setting->kind == KIND_LIST && !parse->is_list_given) {
        parse->is_list_given = true;
        parse->config->listen_n = 0;
    }
    return set_value(parse->config, setting, source, value, parse->err);
}

static error_t take_argument(int key, char *value, struct argp_state *state)
{
    struct parse *parse = state->input;
    if (key == ARGP_KEY_INIT) {
        /* Without it argp adds a second line of advice to each message. */
        state->err_stream = NULL;
        return 0;
    }
    if (key == ARGP_KEY_ARG) {
        (void)weir_fail(parse->err, WEIR_INVALID_REQUEST, "unexpected argument '%s'", value);
        return EINVAL;
    }
    if (key < KEY_BASE || (size_t)(key - KEY_BASE) >= WEIR_COUNTOF(settings)) {
        return ARGP_ERR_UNKNOWN;
    }
    return set_argument(parse, &settings[key - KEY_BASE], value) == WEIR_OK ? 0 : EINVAL;
}

/* Adds default and environment variable to the help of an option. */
static char *complete_help(int key, const char *text, void *input)
{
    (void)input;
    if (key < KEY_BASE || (size_t)(key - KEY_BASE) >= WEIR_COUNTOF(settings) || text == NULL) {
        return (char *)(uintptr_t)text;
    }
    const struct setting *setting = &settings[key - KEY_BASE];
    char name[WEIR_VARIABLE_BYTES];
    environment_name(setting->name, name);
    const char *standard = setting->standard == NULL ? "" : setting->standard;
    const size_t room = strlen(text) + strlen(standard) + sizeof name + 32;
    char *help = malloc(room);
    if (help != NULL) {
        (void)snprintf(help, room, "%s%s%s [%s]", text, standard[0] == '\0' ? "" : "; default ",
                       standard, name);
    }
    return help;
}

static weir_status read_arguments(struct parse *parse, int argc, char **argv)
{
    struct argp_option described[WEIR_COUNTOF(settings) + 1] = {{0}};
    for (size_t i = 0; i < WEIR_COUNTOF(settings); i++) {
        described[i].name = settings[i].name;
        described[i].key = KEY_BASE + (int)i;
        described[i].arg = settings[i].value;
        described[i].doc = settings[i].help;
    }
    const struct argp argp = {
        .options = described,
        .parser = take_argument,
        .doc =
            "Serves a message store by RPC.\v"
            "Each option can also be given by the environment variable in brackets, where blanks "
            "separate the items of a list.",
        .help_filter = complete_help,
    };
    argp_program_version = "weir-server " WEIR_VERSION;
    if (weir_command_line_parse(&argp, argc, argv, 0, parse) == 0) {
        return WEIR_OK;
    }
    /* argp has printed what it refuses itself. */
    if (parse->err->status == WEIR_OK) {
        return weir_fail(parse->err, WEIR_INVALID_REQUEST, "%s", "");
    }
    return parse->err->status;
}

/* ---- tokens ---- */

/* Reads a token from the file or, where none is named, from the environment variable; "" where that
 * is not set either. */
static weir_status read_token(const char *file, const char *variable, char token[TOKEN_ROOM],
                              struct weir_error *err)
{
    if (file != NULL) {
        return weir_token_read_file(file, token)
                   ? WEIR_OK
                   : weir_fail(err, WEIR_INVALID_REQUEST, "token file %s: %s", file,
                               errno == 0 ? "its first line is empty" : strerror(errno));
    }
    const char *value = getenv(variable);
    if (value != NULL && strlen(value) >= TOKEN_ROOM) {
        return weir_fail(err, WEIR_INVALID_REQUEST, "%s: the token is too long", variable);
    }
    (void)snprintf(token, TOKEN_ROOM, "%s", value == NULL ? "" : value);
    return WEIR_OK;
}

static weir_status load_admin_token(struct weir_config *config, struct weir_error *err)
{
    char token[TOKEN_ROOM];
    const weir_status st = read_token(config->admin_token_file, "WEIR_ADMIN_TOKEN", token, err);
    if (st != WEIR_OK || token[0] == '\0') {
        return st;
    }
    if (!weir_admin_token_is_valid(weir_slice_of(token))) {
        return weir_fail(
            err, WEIR_INVALID_REQUEST,
            "the admin token must be %d to %d printable ASCII characters without blanks",
            WEIR_ADMIN_TOKEN_MIN_BYTES, WEIR_ADMIN_TOKEN_MAX_BYTES);
    }
    weir_token_hash(weir_slice_of(token), &config->admin_token_hash);
    config->has_admin_token = true;
    return WEIR_OK;
}

static weir_status load_default_token(struct weir_config *config, struct weir_error *err)
{
    char token[TOKEN_ROOM];
    const weir_status st = read_token(config->default_token_file, "WEIR_DEFAULT_TOKEN", token, err);
    if (st != WEIR_OK || token[0] == '\0') {
        return st;
    }
    uint8_t id[WEIR_NAMESPACE_MAX_BYTES];
    size_t id_n = 0;
    const size_t n = strlen(token);
    if (n >= sizeof config->default_token || !weir_token_parse(weir_slice(token, n), id, &id_n) ||
        !weir_namespace_is_default(weir_slice(id, id_n))) {
        return weir_fail(err, WEIR_INVALID_REQUEST,
                         "the default token is not a token of namespace default");
    }
    memcpy(config->default_token, token, n + 1);
    return WEIR_OK;
}

/* ---- combinations ---- */

static weir_status check_together(const struct weir_config *config, struct weir_error *err)
{
    if ((config->tls_cert == NULL) != (config->tls_key == NULL)) {
        return weir_fail(err, WEIR_INVALID_REQUEST,
                         "--tls-cert and --tls-key must be given together");
    }
    if (config->tls_client_ca != NULL && config->tls_cert == NULL) {
        return weir_fail(err, WEIR_INVALID_REQUEST,
                         "--tls-client-ca requires --tls-cert and --tls-key");
    }
    if (config->limits.message_bytes > config->limits.request_bytes) {
        return weir_fail(err, WEIR_INVALID_REQUEST,
                         "--max-message-bytes is larger than --max-request-bytes");
    }
    return WEIR_OK;
}

weir_status weir_config_parse(struct weir_config *config, int argc, char **argv,
                              struct weir_error *err)
{
    memset(config, 0, sizeof *config);
    weir_status st = set_defaults(config, err);
    if (st == WEIR_OK) {
        st = read_environment(config, err);
    }
    struct parse parse = {.config = config, .err = err};
    if (st == WEIR_OK) {
        st = read_arguments(&parse, argc, argv);
    }
    if (st == WEIR_OK && config->listen_n == 0) {
        st = add_to_list(config, "--listen", WEIR_DEFAULT_URL, err);
    }
    if (st == WEIR_OK) {
        st = load_admin_token(config, err);
    }
    if (st == WEIR_OK) {
        st = load_default_token(config, err);
    }
    return st == WEIR_OK ? check_together(config, err) : st;
}

void weir_config_fini(struct weir_config *config)
{
    free(config->environment_text);
    config->environment_text = NULL;
}

bool weir_config_option(size_t i, struct weir_config_option *option)
{
    if (i >= WEIR_COUNTOF(settings)) {
        return false;
    }
    const struct setting *setting = &settings[i];
    *option = (struct weir_config_option){.name = setting->name,
                                          .value = setting->value,
                                          .standard = setting->standard,
                                          .choices = setting->choices,
                                          .help = setting->help};
    environment_name(setting->name, option->variable);
    return true;
}
