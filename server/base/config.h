/* The configuration of weir-server: options, their environment variables, and the token files.
 *
 * One table in config.c describes every option: name, environment variable (WEIR_ and the name in
 * capitals), values, default and help. An option on the command line overrides the environment.
 * Tokens come from files or from WEIR_ADMIN_TOKEN and WEIR_DEFAULT_TOKEN, never from an argument;
 * only the hash of the admin token is kept. main.c parses the configuration before any thread is
 * started; afterwards it is only read. */
#ifndef WEIR_SERVER_CONFIG_H
#define WEIR_SERVER_CONFIG_H

#include "weir/base/fail.h"
#include "weir/rules/limits.h"
#include "weir/rules/token_hash.h"

/* The namespace that every store has (default_namespace.h); its token can be configured. */
#define WEIR_DEFAULT_NAMESPACE "default"

static inline bool weir_namespace_is_default(struct weir_slice id)
{
    return weir_slice_is(id, WEIR_DEFAULT_NAMESPACE);
}

enum { WEIR_LISTEN_MAX = 16, WEIR_VARIABLE_BYTES = 64 };

struct weir_config {
    const char *store;
    const char *listen[WEIR_LISTEN_MAX];
    size_t listen_n;
    const char *http;  // NULL: none
    const char *admin_token_file;
    const char *default_token_file;
    const char *tls_cert;
    const char *tls_key;
    const char *tls_client_ca;
    int64_t store_connections;
    int64_t durability;  // 0 = full, 1 = normal
    int64_t log_level;   // enum weir_log_level
    int64_t log_format;  // enum weir_log_format
    int64_t workers;
    int64_t max_calls;
    int64_t max_waiting;
    int64_t ipc_permissions;  // mode bits of the sockets of ipc://
    bool is_test_mode;
    struct weir_limits limits;

    bool has_admin_token;
    struct weir_token_hash admin_token_hash;
    char default_token[WEIR_TOKEN_MAX_BYTES + 1];  // "" if none was given

    char *environment_text;  // owned; lists from the environment point into it
};

/* Reads the environment and the arguments, and borrows texts from both. INVALID_REQUEST with a text
 * for the operator, which is empty where it has been printed already. The caller calls
 * weir_config_fini on success and on failure. `--help` and `--version` print and exit. */
weir_status weir_config_parse(struct weir_config *config, int argc, char **argv,
                              struct weir_error *err);
void weir_config_fini(struct weir_config *config);

/* The description of one option, for the man page and the shell completion. */
struct weir_config_option {
    const char *name;      // without "--"
    const char *value;     // name of the value; NULL for flags
    const char *standard;  // the default; NULL if there is none
    const char *choices;   // "a|b"; NULL if the option does not take one of a few words
    const char *help;      // a sentence without full stop
    char variable[WEIR_VARIABLE_BYTES];
};

/* Describes option number `i`, from 0; false past the last. */
bool weir_config_option(size_t i, struct weir_config_option *option);

#endif
