/* weir context add, list, use, remove. */
#include "client/cli/cli.h"
#include "client/cli/context.h"
#include "client/cli/output.h"

#include <stdio.h>

static int load(const struct cli *cli, struct contexts *contexts)
{
    struct weir_error err;
    weir_error_init(&err);
    if (contexts_load(contexts, &err) != WEIR_OK) {
        return cli_broken(cli, "", "%s", err.text);
    }
    return CLI_DONE;
}

static int save(const struct cli *cli, const struct contexts *contexts)
{
    struct weir_error err;
    weir_error_init(&err);
    if (contexts_save(contexts, &err) != WEIR_OK) {
        return cli_broken(cli, "", "%s", err.text);
    }
    return CLI_DONE;
}

/* Opens a client with the settings of a new context: otherwise a bad setting would only be found
 * when the context is used. */
static int check_settings(struct cli *cli, const char *const settings[CONTEXT_SETTINGS])
{
    struct weir_client_options options = WEIR_CLIENT_OPTIONS_INIT;
    options.url = settings[CONTEXT_SERVER];
    options.tls_ca_file = settings[CONTEXT_TLS_CA];
    options.tls_cert_file = settings[CONTEXT_TLS_CERT];
    options.tls_key_file = settings[CONTEXT_TLS_KEY];
    return weir_client_open(&options, &cli->client, &cli->err) == WEIR_OK
               ? CLI_DONE
               : cli_usage(cli, "%s", cli->err.text);
}

int cmd_context_add(struct cli *cli)
{
    struct contexts contexts;
    const struct cli_values *v = &cli->values;
    int status = load(cli, &contexts);
    if (status != CLI_DONE) {
        return status;
    }
    /* Only options of this command line are kept: environment variables may be temporary. */
    const char *settings[CONTEXT_SETTINGS] = {
        [CONTEXT_SERVER] = cli_given(v, CLI_SERVER),
        [CONTEXT_TOKEN_FILE] = cli_given(v, CLI_TOKEN_FILE),
        [CONTEXT_NAMESPACE] = cli_given(v, CLI_NAMESPACE),
        [CONTEXT_TLS_CA] = cli_given(v, CLI_TLS_CA),
        [CONTEXT_TLS_CERT] = cli_given(v, CLI_TLS_CERT),
        [CONTEXT_TLS_KEY] = cli_given(v, CLI_TLS_KEY),
    };
    if (v->args[0][0] == '\0') {
        status = cli_usage(cli, "NAME must not be empty");
    } else if (settings[CONTEXT_SERVER] == NULL) {
        status = cli_usage(cli, "--server is required");
    } else if (contexts_put(&contexts, v->args[0], settings, &cli->err) != WEIR_OK) {
        status = cli_usage(cli, "%s", cli->err.text);
    } else {
        status = check_settings(cli, settings);
    }
    if (status == CLI_DONE) {
        status = save(cli, &contexts);
    }
    contexts_free(&contexts);
    return status;
}

int cmd_context_list(struct cli *cli)
{
    struct contexts contexts;
    const int status = load(cli, &contexts);
    if (status != CLI_DONE) {
        return status;
    }
    static const char *const columns[] = {"name", "current", "server", "token_file", "namespace"};
    struct output out;
    output_begin(&out, stdout, cli_is_for_people(cli), columns, WEIR_COUNTOF(columns));
    for (size_t i = 0; i < contexts.n; i++) {
        const struct context *c = &contexts.all[i];
        output_text(&out, c->name);
        output_bool(&out, contexts.current != NULL && strcmp(contexts.current, c->name) == 0);
        output_text(&out, c->settings[CONTEXT_SERVER]);
        output_text(&out, c->settings[CONTEXT_TOKEN_FILE]);
        output_text(&out, c->settings[CONTEXT_NAMESPACE]);
        output_end_row(&out);
    }
    output_end(&out);
    contexts_free(&contexts);
    return CLI_DONE;
}

/* Changes the context of that name with `change`, which is false if there is none, and saves. */
static int change_context(const struct cli *cli,
                          bool (*change)(struct contexts *contexts, const char *name))
{
    const char *name = cli->values.args[0];
    struct contexts contexts;
    int status = load(cli, &contexts);
    if (status != CLI_DONE) {
        return status;
    }
    status = change(&contexts, name) ? save(cli, &contexts) : cli_no_context(cli, name);
    contexts_free(&contexts);
    return status;
}

int cmd_context_use(struct cli *cli)
{
    return change_context(cli, contexts_use);
}

int cmd_context_remove(struct cli *cli)
{
    return change_context(cli, contexts_remove);
}
