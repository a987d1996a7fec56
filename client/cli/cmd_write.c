/* weir write: one message from the command line, or the messages of standard input in batches. */
#include "client/cli/cli.h"
#include "client/cli/lines.h"
#include "client/cli/record.h"
#include "weir/base/arena.h"
#include "weir/rules/json_text.h"
#include "weir/rules/limits.h"

#include <stdio.h>
#include <stdlib.h>

enum { BATCH_BYTES = 16 << 20 };

struct writing {
    struct cli *cli;
    const char *stream;
    const char *type;
    ProtobufCBinaryData metadata;
    bool has_metadata;
    Weir__V1__Expectation expectation;
    bool has_expectation;
    struct weir_arena arena;  // data of the batch
    Weir__V1__NewMessage messages[WEIR_WRITE_MESSAGES_MAX];
    Weir__V1__NewMessage *pointers[WEIR_WRITE_MESSAGES_MAX];
    long long line_numbers[WEIR_WRITE_MESSAGES_MAX];  // 0: the message is not one line
    size_t batch_n;
};

static ProtobufCBinaryData bytes_of(struct weir_slice text)
{
    return (ProtobufCBinaryData){.data = (uint8_t *)(uintptr_t)text.p, .len = text.n};
}

/* Takes --expect: a version, "no-stream" or "stream-exists". */
static int take_expectation(struct writing *w)
{
    const char *text = cli_text(w->cli, CLI_EXPECT);
    w->has_expectation = text != NULL;
    weir__v1__expectation__init(&w->expectation);
    if (text == NULL) {
        return CLI_DONE;
    }
    if (strcmp(text, "no-stream") == 0) {
        w->expectation.kind_case = WEIR__V1__EXPECTATION__KIND_NO_STREAM;
        w->expectation.no_stream = true;
        return CLI_DONE;
    }
    if (strcmp(text, "stream-exists") == 0) {
        w->expectation.kind_case = WEIR__V1__EXPECTATION__KIND_STREAM_EXISTS;
        w->expectation.stream_exists = true;
        return CLI_DONE;
    }
    w->expectation.kind_case = WEIR__V1__EXPECTATION__KIND_EXACT;
    return cli_parse_int64(text, &w->expectation.exact)
               ? CLI_DONE
               : cli_usage(w->cli,
                           "--expect: '%s' is not a version, 'no-stream' or 'stream-exists'", text);
}

/* Makes the next batch expect the version that this batch has left, if a version was expected at
 * all: with stream-exists others may write in between. */
static void expect_next(struct writing *w, const Weir__V1__WriteMessagesResponse *response)
{
    if (w->has_expectation && response->n_written > 0 &&
        w->expectation.kind_case != WEIR__V1__EXPECTATION__KIND_STREAM_EXISTS) {
        w->expectation.kind_case = WEIR__V1__EXPECTATION__KIND_EXACT;
        w->expectation.exact = response->written[response->n_written - 1]->position;
    }
}

static int fail_batch(const struct writing *w)
{
    /* With an id of the user's the same write may simply be repeated. */
    const bool has_id = cli_text(w->cli, CLI_ID) != NULL;
    const int status = has_id ? cli_failed(w->cli) : cli_failed_in_doubt(w->cli);
    const long long *lines = w->line_numbers;
    const size_t n = w->batch_n;
    if (n > 1) {
        (void)fprintf(stderr, "  the write had lines %lld to %lld of standard input\n", lines[0],
                      lines[n - 1]);
    } else if (lines[0] != 0) {
        (void)fprintf(stderr, "  the write had line %lld of standard input\n", lines[0]);
    }
    return status;
}

static int put_written(struct writing *w, const Weir__V1__WriteMessagesResponse *response)
{
    weir_status st = WEIR_OK;
    for (size_t i = 0; i < response->n_written && st == WEIR_OK; i++) {
        const struct record_written written = {w->stream, w->type, response->written[i],
                                               response->duplicate};
        st = record_write_written(stdout, &written, &w->cli->err);
    }
    return st == WEIR_OK ? cli_flush(w->cli) : cli_failed(w->cli);
}

/* Sends the batch as one write, which stores all of its messages or none. */
static int send_batch(struct writing *w)
{
    if (w->batch_n == 0) {
        return CLI_DONE;
    }
    struct cli *cli = w->cli;
    Weir__V1__WriteMessagesRequest request = WEIR__V1__WRITE_MESSAGES_REQUEST__INIT;
    request.stream_name = (char *)(uintptr_t)w->stream;
    request.messages = w->pointers;
    request.n_messages = w->batch_n;
    request.expectation = w->has_expectation ? &w->expectation : NULL;
    Weir__V1__WriteMessagesResponse *response = NULL;
    if (weir_message_store_write_messages(cli->client, &request, &cli->call, &response,
                                          &cli->err) != WEIR_OK) {
        return fail_batch(w);
    }
    const int status = put_written(w, response);
    expect_next(w, response);
    weir_response_free(response);
    w->batch_n = 0;
    weir_arena_reset(&w->arena);
    return status;
}

/* Adds a message to the batch, without data if `data` is absent. `line` is the message's line of
 * standard input, 0 if it is not a line. */
static int add_message(struct writing *w, struct weir_slice data, long long line)
{
    struct weir_slice kept;
    if (!weir_arena_copy(&w->arena, data, &kept)) {
        return cli_broken(w->cli, "", "out of memory");
    }
    Weir__V1__NewMessage *message = &w->messages[w->batch_n];
    weir__v1__new_message__init(message);
    message->type = (char *)(uintptr_t)w->type;
    message->id = (char *)(uintptr_t)cli_text(w->cli, CLI_ID);
    message->has_data = data.p != NULL;
    message->data = bytes_of(kept);
    message->has_metadata = w->has_metadata;
    message->metadata = w->metadata;
    w->pointers[w->batch_n] = message;
    w->line_numbers[w->batch_n] = line;
    w->batch_n++;
    /* Each message carries the metadata once more. */
    const size_t bytes = w->arena.used_bytes + w->batch_n * w->metadata.len;
    const bool is_full = w->batch_n == WEIR_WRITE_MESSAGES_MAX || bytes >= BATCH_BYTES;
    return is_full ? send_batch(w) : CLI_DONE;
}

/* ---- standard input ---- */

/* Standard input holds one message on each line if its first line is a whole JSON text; otherwise
 * it is one message, such as a text indented over many lines. */
struct input {
    struct writing *w;
    struct lines *lines;
    bool is_one_text;
    char *text;  // of is_one_text
    size_t text_n;
    long long messages_n;
};

static bool is_json(struct weir_slice text)
{
    struct weir_error fault;
    weir_error_init(&fault);
    return weir_json_check(text, "data", NULL, &fault) == WEIR_OK;
}

static int append_text(struct input *in, struct weir_slice line)
{
    if (in->text_n > LINE_BYTES_MAX) {
        return cli_broken(in->w->cli, "", "standard input: the text is too long");
    }
    char *text = realloc(in->text, in->text_n + line.n + 1);
    if (text == NULL) {
        return cli_broken(in->w->cli, "", "out of memory");
    }
    in->text = text;
    memcpy(text + in->text_n, line.p, line.n);
    text[in->text_n + line.n] = '\n';
    in->text_n += line.n + 1;
    return CLI_DONE;
}

static int take_line(struct input *in, struct weir_slice line)
{
    if (in->is_one_text) {
        return append_text(in, line);
    }
    if (line_is_blank(line)) {
        return CLI_DONE;
    }
    if (!is_json(line)) {
        if (in->messages_n == 0) {
            in->is_one_text = true;
            return append_text(in, line);
        }
        return cli_broken(in->w->cli, "INVALID_JSON", "standard input, line %lld: not valid JSON",
                          lines_number(in->lines));
    }
    if (++in->messages_n > 1 && cli_text(in->w->cli, CLI_ID) != NULL) {
        return cli_usage(in->w->cli, "--id is for one message, but standard input holds several");
    }
    return add_message(in->w, line, lines_number(in->lines));
}

static int add_text(struct input *in)
{
    size_t n = in->text_n;
    while (n > 0 && memchr(" \t\r\n", in->text[n - 1], 4) != NULL) {
        n--;
    }
    return add_message(in->w, weir_slice(in->text, n), 0);
}

static int take_lines(struct input *in)
{
    struct cli *cli = in->w->cli;
    struct weir_slice line;
    while (lines_next(in->lines, &line, &cli->err) == WEIR_OK) {
        if (line.p == NULL) {
            return in->is_one_text ? add_text(in) : CLI_DONE;
        }
        const int status = take_line(in, line);
        if (status != CLI_DONE) {
            return status;
        }
    }
    return cli_broken(cli, "", "standard input, after line %lld: %s", lines_number(in->lines),
                      cli->err.text);
}

static int add_standard_input(struct writing *w)
{
    struct input in = {.w = w};
    if (lines_open(NULL, false, &in.lines, &w->cli->err) != WEIR_OK) {
        return cli_broken(w->cli, "", "%s", w->cli->err.text);
    }
    const int status = take_lines(&in);
    lines_close(in.lines);
    free(in.text);
    return status;
}

/* ---- the command ---- */

static int write_messages(struct writing *w)
{
    const struct cli_values *values = &w->cli->values;
    int status = CLI_DONE;
    if (values->args_n == 3 && strcmp(values->args[2], "-") == 0) {
        status = add_standard_input(w);
    } else {
        const char *data = values->args_n == 3 ? values->args[2] : NULL;
        status = add_message(w, weir_slice_of(data), 0);
    }
    return status == CLI_DONE ? send_batch(w) : status;
}

int cmd_write(struct cli *cli)
{
    struct writing *w = calloc(1, sizeof *w);
    if (w == NULL) {
        return cli_broken(cli, "", "out of memory");
    }
    w->cli = cli;
    w->stream = cli->values.args[0];
    w->type = cli->values.args[1];
    const char *metadata = cli_text(cli, CLI_METADATA);
    w->has_metadata = metadata != NULL;
    w->metadata = bytes_of(weir_slice_of(metadata));
    weir_arena_init(&w->arena, SIZE_MAX, BATCH_BYTES);
    int status = take_expectation(w);
    if (status == CLI_DONE) {
        status = cli_connect(cli);
    }
    if (status == CLI_DONE) {
        status = write_messages(w);
    }
    weir_arena_fini(&w->arena);
    free(w);
    return status;
}
