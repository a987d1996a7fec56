/* weir namespace create, delete, show, list, rotate-token, clear; weir streams, categories. */
#include "client/cli/cli.h"
#include "client/cli/output.h"
#include "weir/rules/limits.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { PAGE = WEIR_LIST_LIMIT_MAX };

static char *borrowed(const char *text)
{
    return (char *)(uintptr_t)text;
}

/* Takes the namespace from the command line, else from the token. CLI_USAGE if neither names
 * one. */
static int take_name(const struct cli *cli, char name[WEIR_NAMESPACE_MAX_BYTES + 1])
{
    const char *given = cli->values.args_n > 0 ? cli->values.args[0] : cli->call.namespace_id;
    if (given != NULL) {
        (void)snprintf(name, WEIR_NAMESPACE_MAX_BYTES + 1, "%s", given);
        return strlen(given) <= WEIR_NAMESPACE_MAX_BYTES
                   ? CLI_DONE
                   : cli_usage(cli, "NAME must be at most %d bytes long", WEIR_NAMESPACE_MAX_BYTES);
    }
    uint8_t id[WEIR_NAMESPACE_MAX_BYTES];
    size_t n = 0;
    if (cli->token == NULL || !weir_token_parse(weir_slice_of(cli->token), id, &n)) {
        return cli_usage(cli, "NAME is required because the token does not name a namespace");
    }
    memcpy(name, id, n);
    name[n] = '\0';
    return CLI_DONE;
}

static int connect_and_name(struct cli *cli, char name[WEIR_NAMESPACE_MAX_BYTES + 1])
{
    const int status = cli_connect(cli);
    return status == CLI_DONE ? take_name(cli, name) : status;
}

/* The new token of a namespace. The program makes it before it sends it: if no answer comes, the
 * namespace may have the token all the same, and it would be lost. */
struct new_token {
    char *given;  // from --new-token-file, NULL without the option
    char made[WEIR_TOKEN_MAX_BYTES + 1];
};

static int read_new_token(struct cli *cli, struct new_token *token)
{
    const char *path = cli_text(cli, CLI_NEW_TOKEN_FILE);
    *token = (struct new_token){.given = NULL};
    return path == NULL ? CLI_DONE : cli_read_token(cli, path, &token->given);
}

/* Returns the given token, else a new one; NULL for an invalid namespace name, which the server
 * refuses. */
static char *choose_token(struct new_token *token, const char *name)
{
    struct weir_error fault;
    weir_error_init(&fault);
    if (token->given != NULL) {
        return token->given;
    }
    return weir_token_make(weir_slice_of(name), token->made, &fault) == WEIR_OK ? token->made
                                                                                : NULL;
}

static int failed_with_token(const struct cli *cli, const struct new_token *token)
{
    const int status = cli_failed(cli);
    const bool is_in_doubt =
        weir_status_retryable(cli->err.status) || cli->err.status == WEIR_BACKEND_ERROR;
    if (is_in_doubt && token->made[0] != '\0') {
        (void)fprintf(stderr, "  if it was done all the same, the token is: %s\n", token->made);
    }
    return status;
}

static void put_token(const struct cli *cli, const char *name, const char *token,
                      const int64_t *created_at_us)
{
    static const char *const columns[] = {"namespace", "token", "created_at"};
    struct output out;
    output_begin_single(&out, stdout, cli_is_for_people(cli), columns,
                        created_at_us == NULL ? 2 : WEIR_COUNTOF(columns));
    output_text(&out, name);
    output_text(&out, token);
    if (created_at_us != NULL) {
        output_time(&out, true, *created_at_us);
    }
    output_end_row(&out);
    output_end(&out);
}

int cmd_namespace_create(struct cli *cli)
{
    struct new_token token;
    int status = read_new_token(cli, &token);
    if (status == CLI_DONE) {
        status = cli_connect(cli);
    }
    if (status != CLI_DONE) {
        free(token.given);
        return status;
    }
    Weir__V1__CreateNamespaceRequest request = WEIR__V1__CREATE_NAMESPACE_REQUEST__INIT;
    request.namespace_ = borrowed(cli->values.args[0]);
    request.description = borrowed(cli_text(cli, CLI_DESCRIPTION));
    request.token = choose_token(&token, request.namespace_);
    const char *metadata = cli_text(cli, CLI_METADATA);
    request.has_metadata = metadata != NULL;
    request.metadata.data = (uint8_t *)(uintptr_t)metadata;
    request.metadata.len = metadata == NULL ? 0 : strlen(metadata);
    Weir__V1__CreateNamespaceResponse *response = NULL;
    status = CLI_DONE;
    if (weir_namespaces_create_namespace(cli->client, &request, &cli->call, &response, &cli->err) !=
        WEIR_OK) {
        status = failed_with_token(cli, &token);
    } else {
        put_token(cli, response->namespace_, response->token, &response->created_at_us);
    }
    weir_response_free(response);
    free(token.given);
    return status;
}

int cmd_namespace_rotate(struct cli *cli)
{
    char name[WEIR_NAMESPACE_MAX_BYTES + 1];
    struct new_token token;
    int status = read_new_token(cli, &token);
    if (status == CLI_DONE) {
        status = connect_and_name(cli, name);
    }
    if (status == CLI_DONE) {
        Weir__V1__RotateTokenRequest request = WEIR__V1__ROTATE_TOKEN_REQUEST__INIT;
        request.namespace_ = name;
        request.new_token = choose_token(&token, name);
        Weir__V1__RotateTokenResponse *response = NULL;
        if (weir_namespaces_rotate_token(cli->client, &request, &cli->call, &response, &cli->err) !=
            WEIR_OK) {
            status = failed_with_token(cli, &token);
        } else {
            put_token(cli, name, response->token, NULL);
        }
        weir_response_free(response);
    }
    free(token.given);
    return status;
}

int cmd_namespace_delete(struct cli *cli)
{
    const int status = cli_connect(cli);
    if (status != CLI_DONE) {
        return status;
    }
    Weir__V1__DeleteNamespaceRequest request = WEIR__V1__DELETE_NAMESPACE_REQUEST__INIT;
    request.namespace_ = borrowed(cli->values.args[0]);
    request.has_force = true;
    request.force = cli_flag(cli, CLI_FORCE);
    Weir__V1__DeleteNamespaceResponse *response = NULL;
    if (weir_namespaces_delete_namespace(cli->client, &request, &cli->call, &response, &cli->err) !=
        WEIR_OK) {
        return cli_failed_in_doubt(cli);
    }
    static const char *const columns[] = {"namespace", "messages_deleted", "deleted_at"};
    struct output out;
    output_begin_single(&out, stdout, cli_is_for_people(cli), columns, WEIR_COUNTOF(columns));
    output_text(&out, cli->values.args[0]);
    output_number(&out, response->messages_deleted);
    output_time(&out, response->has_deleted_at_us, response->deleted_at_us);
    output_end_row(&out);
    output_end(&out);
    weir_response_free(response);
    return CLI_DONE;
}

int cmd_namespace_clear(struct cli *cli)
{
    const int status = cli_connect(cli);
    if (status != CLI_DONE) {
        return status;
    }
    Weir__V1__ClearNamespaceRequest request = WEIR__V1__CLEAR_NAMESPACE_REQUEST__INIT;
    request.namespace_ = borrowed(cli->values.args[0]);
    request.confirm = borrowed(cli_text(cli, CLI_CONFIRM));
    Weir__V1__ClearNamespaceResponse *response = NULL;
    if (weir_namespaces_clear_namespace(cli->client, &request, &cli->call, &response, &cli->err) !=
        WEIR_OK) {
        return cli_failed_in_doubt(cli);
    }
    static const char *const columns[] = {"namespace", "messages_deleted"};
    struct output out;
    output_begin_single(&out, stdout, cli_is_for_people(cli), columns, WEIR_COUNTOF(columns));
    output_text(&out, cli->values.args[0]);
    output_number(&out, response->messages_deleted);
    output_end_row(&out);
    output_end(&out);
    weir_response_free(response);
    return CLI_DONE;
}

static const char *const info_columns[] = {"namespace",     "description",  "created_at",
                                           "message_count", "stream_count", "last_activity",
                                           "metadata"};

/* Puts a count, or nothing if it is absent: the server could not read the namespace's storage. */
static void put_count(struct output *out, bool is_present, int64_t count)
{
    if (is_present) {
        output_number(out, count);
    } else {
        output_text(out, NULL);
    }
}

int cmd_namespace_show(struct cli *cli)
{
    char name[WEIR_NAMESPACE_MAX_BYTES + 1];
    const int status = connect_and_name(cli, name);
    if (status != CLI_DONE) {
        return status;
    }
    Weir__V1__GetNamespaceRequest request = WEIR__V1__GET_NAMESPACE_REQUEST__INIT;
    request.namespace_ = name;
    Weir__V1__GetNamespaceResponse *r = NULL;
    if (weir_namespaces_get_namespace(cli->client, &request, &cli->call, &r, &cli->err) !=
        WEIR_OK) {
        return cli_failed(cli);
    }
    struct output out;
    output_begin_single(&out, stdout, cli_is_for_people(cli), info_columns,
                        WEIR_COUNTOF(info_columns));
    output_text(&out, r->namespace_);
    output_text(&out, r->description);
    output_time(&out, r->has_created_at_us, r->created_at_us);
    output_number(&out, r->message_count);
    output_number(&out, r->stream_count);
    output_time(&out, r->has_last_activity_us, r->last_activity_us);
    output_json(&out, weir_slice(r->has_metadata ? r->metadata.data : NULL, r->metadata.len));
    output_end_row(&out);
    output_end(&out);
    weir_response_free(r);
    return CLI_DONE;
}

/* ---- lists, a page at a time ---- */

struct list {
    struct cli *cli;
    struct output out;
    int64_t left;  // rows still wanted, -1 = all
    char *cursor;  // NULL at the start
};

static int64_t page_size(const struct list *list)
{
    return list->left >= 0 && list->left < PAGE ? list->left : PAGE;
}

/* Keeps the cursor of the next page; sets *goes_on to false after the last page. Fails if the
 * cursor does not advance, which would list the same page for ever. */
static int next_page(struct list *list, size_t rows_n, const char *cursor, bool *goes_on)
{
    if (list->left >= 0) {
        list->left -= list->left < (int64_t)rows_n ? list->left : (int64_t)rows_n;
    }
    *goes_on = cursor != NULL && cursor[0] != '\0' && list->left != 0;
    if (!*goes_on) {
        return CLI_DONE;
    }
    if (list->cursor != NULL && strcmp(list->cursor, cursor) == 0) {
        return cli_broken(list->cli, "BACKEND_ERROR", "the server's cursor did not advance");
    }
    free(list->cursor);
    list->cursor = strdup(cursor);
    return list->cursor == NULL ? cli_broken(list->cli, "", "out of memory") : CLI_DONE;
}

/* Prints one page; sets *goes_on to false after the last one. */
typedef int (*print_page)(struct list *list, bool *goes_on);

static int run_list(struct cli *cli, const char *const *columns, size_t columns_n, print_page page)
{
    struct list list = {.cli = cli, .left = -1};
    int status = cli_count(cli, CLI_LIMIT, &list.left);
    if (status == CLI_DONE) {
        status = cli_connect(cli);
    }
    if (status != CLI_DONE) {
        return status;
    }
    output_begin(&list.out, stdout, cli_is_for_people(cli), columns, columns_n);
    bool goes_on = list.left != 0;
    while (status == CLI_DONE && goes_on) {
        status = page(&list, &goes_on);
    }
    output_end(&list.out);
    free(list.cursor);
    return status;
}

static int print_namespaces(struct list *list, bool *goes_on)
{
    struct cli *cli = list->cli;
    Weir__V1__ListNamespacesRequest request = WEIR__V1__LIST_NAMESPACES_REQUEST__INIT;
    request.has_limit = true;
    request.limit = page_size(list);
    request.cursor = list->cursor;
    Weir__V1__ListNamespacesResponse *response = NULL;
    if (weir_namespaces_list_namespaces(cli->client, &request, &cli->call, &response, &cli->err) !=
        WEIR_OK) {
        *goes_on = false;
        return cli_failed(cli);
    }
    for (size_t i = 0; i < response->n_namespaces; i++) {
        const Weir__V1__NamespaceInfo *r = response->namespaces[i];
        output_text(&list->out, r->namespace_);
        output_text(&list->out, r->description);
        output_time(&list->out, r->has_created_at_us, r->created_at_us);
        put_count(&list->out, r->has_message_count, r->message_count);
        put_count(&list->out, r->has_stream_count, r->stream_count);
        output_time(&list->out, r->has_last_activity_us, r->last_activity_us);
        output_json(&list->out,
                    weir_slice(r->has_metadata ? r->metadata.data : NULL, r->metadata.len));
        output_end_row(&list->out);
    }
    const int status = next_page(list, response->n_namespaces, response->next_cursor, goes_on);
    weir_response_free(response);
    return status;
}

int cmd_namespace_list(struct cli *cli)
{
    return run_list(cli, info_columns, WEIR_COUNTOF(info_columns), print_namespaces);
}

static int print_streams(struct list *list, bool *goes_on)
{
    struct cli *cli = list->cli;
    Weir__V1__ListStreamsRequest request = WEIR__V1__LIST_STREAMS_REQUEST__INIT;
    request.prefix = borrowed(cli_text(cli, CLI_PREFIX));
    request.has_limit = true;
    request.limit = page_size(list);
    request.cursor = list->cursor;
    Weir__V1__ListStreamsResponse *response = NULL;
    if (weir_namespaces_list_streams(cli->client, &request, &cli->call, &response, &cli->err) !=
        WEIR_OK) {
        *goes_on = false;
        return cli_failed(cli);
    }
    for (size_t i = 0; i < response->n_streams; i++) {
        const Weir__V1__StreamInfo *r = response->streams[i];
        output_text(&list->out, r->stream_name);
        output_number(&list->out, r->version);
        output_time(&list->out, r->has_last_activity_us, r->last_activity_us);
        output_end_row(&list->out);
    }
    const int status = next_page(list, response->n_streams, response->next_cursor, goes_on);
    weir_response_free(response);
    return status;
}

int cmd_streams(struct cli *cli)
{
    static const char *const columns[] = {"stream", "version", "last_activity"};
    return run_list(cli, columns, WEIR_COUNTOF(columns), print_streams);
}

static int print_categories(struct list *list, bool *goes_on)
{
    struct cli *cli = list->cli;
    const Weir__V1__ListCategoriesRequest request = WEIR__V1__LIST_CATEGORIES_REQUEST__INIT;
    Weir__V1__ListCategoriesResponse *response = NULL;
    *goes_on = false;
    if (weir_namespaces_list_categories(cli->client, &request, &cli->call, &response, &cli->err) !=
        WEIR_OK) {
        return cli_failed(cli);
    }
    for (size_t i = 0; i < response->n_categories; i++) {
        const Weir__V1__CategoryInfo *r = response->categories[i];
        output_text(&list->out, r->category);
        output_number(&list->out, r->stream_count);
        output_number(&list->out, r->message_count);
        output_end_row(&list->out);
    }
    weir_response_free(response);
    return CLI_DONE;
}

int cmd_categories(struct cli *cli)
{
    static const char *const columns[] = {"category", "stream_count", "message_count"};
    return run_list(cli, columns, WEIR_COUNTOF(columns), print_categories);
}
