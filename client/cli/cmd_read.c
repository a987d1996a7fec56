/* weir read, category, last, version. */
#include "client/cli/cli.h"
#include "client/cli/record.h"

#include "client/lib/json_out.h"

#include <inttypes.h>

struct read_options {
    int64_t limit;  // -1 = all
    const char *types[CLI_VALUES_MAX];
    size_t types_n;
};

static int take_read_options(const struct cli *cli, struct read_options *options)
{
    *options = (struct read_options){.limit = -1};
    int status = cli_count(cli, CLI_BATCH, &options->limit);
    if (status == CLI_DONE) {
        status = cli_count(cli, CLI_LIMIT, &options->limit);
    }
    options->types_n = cli_types(cli, options->types);
    return status;
}

static int print_messages(struct cli *cli, struct weir_reader *reader)
{
    const Weir__V1__Message *message = NULL;
    while (weir_reader_next(reader, &message, &cli->err) == WEIR_OK) {
        if (message == NULL || ferror(stdout)) {
            return CLI_DONE;
        }
        if (record_write(stdout, message, &cli->err) != WEIR_OK) {
            break;
        }
    }
    return cli_failed(cli);
}

/* Sets the fields that both requests have, under the same names. */
#define SET_READ_FIELDS(request, cli, options)                                          \
    do {                                                                                \
        (request)->has_batch_size = true;                                               \
        (request)->batch_size = (options)->limit;                                       \
        (request)->types = (char **)(uintptr_t)(options)->types;                        \
        (request)->n_types = (options)->types_n;                                        \
        (request)->has_direction = cli_flag(cli, CLI_BACKWARD);                         \
        (request)->direction = (request)->has_direction ? WEIR__V1__DIRECTION__BACKWARD \
                                                        : WEIR__V1__DIRECTION__FORWARD; \
        (request)->has_headers_only = cli_flag(cli, CLI_HEADERS_ONLY);                  \
        (request)->headers_only = (request)->has_headers_only;                          \
    } while (0)

int cmd_read(struct cli *cli)
{
    struct read_options options;
    Weir__V1__GetStreamMessagesRequest request = WEIR__V1__GET_STREAM_MESSAGES_REQUEST__INIT;
    request.has_position = cli_text(cli, CLI_FROM) != NULL;
    request.has_global_position = cli_text(cli, CLI_GLOBAL_FROM) != NULL;
    int status = take_read_options(cli, &options);
    if (status == CLI_DONE) {
        status = cli_int64(cli, CLI_FROM, INT64_MIN, INT64_MAX, &request.position);
    }
    if (status == CLI_DONE) {
        status = cli_int64(cli, CLI_GLOBAL_FROM, INT64_MIN, INT64_MAX, &request.global_position);
    }
    if (status == CLI_DONE) {
        status = cli_connect(cli);
    }
    if (status != CLI_DONE) {
        return status;
    }
    request.stream_name = (char *)(uintptr_t)cli->values.args[0];
    SET_READ_FIELDS(&request, cli, &options);
    struct weir_reader *reader = NULL;
    if (weir_reader_open_stream(cli->client, &request, &cli->call, &reader, &cli->err) != WEIR_OK) {
        return cli_failed(cli);
    }
    status = print_messages(cli, reader);
    weir_reader_close(reader);
    return status;
}

int cmd_category(struct cli *cli)
{
    struct read_options options;
    Weir__V1__ConsumerGroup group = WEIR__V1__CONSUMER_GROUP__INIT;
    Weir__V1__GetCategoryMessagesRequest request = WEIR__V1__GET_CATEGORY_MESSAGES_REQUEST__INIT;
    request.has_position = cli_text(cli, CLI_FROM) != NULL;
    int status = take_read_options(cli, &options);
    if (status == CLI_DONE) {
        status = cli_int64(cli, CLI_FROM, INT64_MIN, INT64_MAX, &request.position);
    }
    if (status == CLI_DONE) {
        status = cli_group(cli, &group.member, &group.size);
    }
    if (cli_text(cli, CLI_GROUP) != NULL) {
        group.has_member = true;
        group.has_size = true;
        request.consumer_group = &group;
    }
    if (status == CLI_DONE) {
        status = cli_connect(cli);
    }
    if (status != CLI_DONE) {
        return status;
    }
    request.category = (char *)(uintptr_t)cli->values.args[0];
    request.correlation = (char *)(uintptr_t)cli_text(cli, CLI_CORRELATION);
    SET_READ_FIELDS(&request, cli, &options);
    struct weir_reader *reader = NULL;
    if (weir_reader_open_category(cli->client, &request, &cli->call, &reader, &cli->err) !=
        WEIR_OK) {
        return cli_failed(cli);
    }
    status = print_messages(cli, reader);
    weir_reader_close(reader);
    return status;
}

int cmd_last(struct cli *cli)
{
    const int status = cli_connect(cli);
    if (status != CLI_DONE) {
        return status;
    }
    Weir__V1__GetLastStreamMessageRequest request = WEIR__V1__GET_LAST_STREAM_MESSAGE_REQUEST__INIT;
    request.stream_name = (char *)(uintptr_t)cli->values.args[0];
    request.type = (char *)(uintptr_t)cli_text(cli, CLI_TYPE);
    Weir__V1__GetLastStreamMessageResponse *response = NULL;
    if (weir_message_store_get_last_stream_message(cli->client, &request, &cli->call, &response,
                                                   &cli->err) != WEIR_OK) {
        return cli_failed(cli);
    }
    const bool is_bad =
        response->message != NULL && record_write(stdout, response->message, &cli->err) != WEIR_OK;
    weir_response_free(response);
    return is_bad ? cli_failed(cli) : CLI_DONE;
}

int cmd_version(struct cli *cli)
{
    const int status = cli_connect(cli);
    if (status != CLI_DONE) {
        return status;
    }
    const char *stream = cli->values.args[0];
    Weir__V1__GetStreamVersionRequest request = WEIR__V1__GET_STREAM_VERSION_REQUEST__INIT;
    request.stream_name = (char *)(uintptr_t)stream;
    Weir__V1__GetStreamVersionResponse *response = NULL;
    if (weir_message_store_get_stream_version(cli->client, &request, &cli->call, &response,
                                              &cli->err) != WEIR_OK) {
        return cli_failed(cli);
    }
    const char *format = cli_text(cli, CLI_FORMAT);
    if (format != NULL && strcmp(format, "json") == 0) {
        (void)fputs("{\"stream\":", stdout);
        json_put_string(stdout, weir_slice_of(stream));
        (void)printf(",\"exists\":%s,\"version\":%" PRId64 "}\n",
                     response->exists ? "true" : "false", response->version);
    } else {
        (void)printf("%" PRId64 "\n", response->version);
    }
    weir_response_free(response);
    return CLI_DONE;
}
