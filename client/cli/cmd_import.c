/* weir import: collects the records of lines into batches and sends each batch in one or more
 * calls, as large as the server allows. */
#include "client/cli/cli.h"
#include "client/cli/lines.h"
#include "client/cli/record.h"
#include "client/cli/request_size.h"
#include "client/lib/client.h"
#include "weir/base/arena.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { BATCH_RECORDS = 1000, BATCH_BYTES = 16 << 20 };

struct import {
    struct cli *cli;
    struct lines *lines;
    bool is_eventodb;
    struct progress progress;
    /* The batch being filled; its texts are in `arena`. */
    struct weir_arena arena;
    Weir__V1__ImportedMessage messages[BATCH_RECORDS];
    Weir__V1__ImportedMessage *pointers[BATCH_RECORDS];
    long long line_numbers[BATCH_RECORDS];
    size_t batch_n;
    int64_t call_max;  // most records of one call; lower than a batch if the server's limit is
    struct request_size size;
    int64_t records;  // read so far
    /* Sums over all calls. */
    int64_t imported;
    int64_t skipped;
    int64_t max_global_position;
};

static void show_progress(struct import *im)
{
    const int64_t done = im->imported + im->skipped;
    progress_show(&im->progress, "%" PRId64 " records, %.0f/s, gpos %" PRId64, done,
                  progress_rate(&im->progress, done), im->max_global_position);
}

/* Reports what was stored before the import failed; returns `status`. */
static int say_stored(const struct import *im, int status)
{
    (void)fprintf(stderr,
                  "weir: stopped; stored so far: %" PRId64 " records imported, %" PRId64
                  " skipped as identical, last gpos %" PRId64 "\n",
                  im->imported, im->skipped, im->max_global_position);
    return status;
}

/* Reports a failed call with the `n` records of the batch from `first` on, and the line of the
 * record at fault. The server counts records from 1 within the call; a record that is too large by
 * itself is alone in its call. */
static int fail_records(struct import *im, size_t first, size_t n)
{
    const char *detail = weir_error_get_detail(&im->cli->err, "record");
    const bool is_too_large = n == 1 && (im->cli->err.status == WEIR_LIMIT_EXCEEDED ||
                                         request_size_is_lost(&im->cli->err));
    const long record = detail == NULL ? is_too_large : strtol(detail, NULL, 10);
    const int status = cli_failed(im->cli);
    if (record >= 1 && (size_t)record <= im->batch_n - first) {
        const size_t at = first + (size_t)record - 1;
        (void)fprintf(stderr, "  that is line %lld, record %" PRId64 " of the input\n",
                      im->line_numbers[at], im->records - (int64_t)(im->batch_n - at) + 1);
    }
    if (im->cli->err.status == WEIR_POSITION_EXISTS) {
        (void)fputs("  import into an empty namespace; two exports cannot be merged\n", stderr);
    }
    return say_stored(im, status);
}

/* Whether to send the records again after a call. Records that were stored in spite of a failure
 * are skipped then. */
static bool is_to_be_sent_again(struct import *im, size_t bytes, size_t messages_n)
{
    const struct weir_error *err = &im->cli->err;
    const enum request_again again = request_size_learn(&im->size, bytes, messages_n, err);
    if (again == REQUEST_AGAIN_SMALLER) {
        progress_end_line(&im->progress);
        (void)fprintf(stderr, "weir: %s; continuing with smaller requests\n", err->text);
    }
    return again != REQUEST_NOT_AGAIN ||
           (err->status != WEIR_OK && client_halve_refused(err, "messages", 1, &im->call_max));
}

/* Sends as many records of the batch, from `first` on, as one call may hold; sets *n to their
 * number. */
static weir_status send_records(struct import *im, size_t first, size_t *n)
{
    struct cli *cli = im->cli;
    Weir__V1__ImportMessagesRequest request = WEIR__V1__IMPORT_MESSAGES_REQUEST__INIT;
    request.messages = im->pointers + first;
    Weir__V1__ImportMessagesResponse *response = NULL;
    weir_status st = WEIR_OK;
    size_t bytes = 0;
    do {
        const size_t left = im->batch_n - first;
        request.n_messages = left > (size_t)im->call_max ? (size_t)im->call_max : left;
        bytes = request_size_cut(&im->size, &request.base, &request.n_messages);
        struct weir_call_options options = cli->call;
        options.max_attempts = request_size_attempts(&im->size, bytes);
        st = weir_message_store_import_messages(cli->client, &request, &options, &response,
                                                &cli->err);
    } while (is_to_be_sent_again(im, bytes, request.n_messages));
    *n = request.n_messages;
    if (st != WEIR_OK) {
        return st;
    }
    im->imported += response->imported;
    im->skipped += response->skipped_identical;
    if (response->max_global_position > im->max_global_position) {
        im->max_global_position = response->max_global_position;
    }
    weir_response_free(response);
    return WEIR_OK;
}

static int send_batch(struct import *im)
{
    size_t sent = 0;
    while (sent < im->batch_n) {
        size_t n = 0;
        if (send_records(im, sent, &n) != WEIR_OK) {
            return fail_records(im, sent, n);
        }
        sent += n;
    }
    im->batch_n = 0;
    weir_arena_reset(&im->arena);
    if (progress_is_due(&im->progress)) {
        show_progress(im);
    }
    return CLI_DONE;
}

static int fail_record(struct import *im)
{
    const struct weir_error *err = &im->cli->err;
    progress_end_line(&im->progress);
    (void)fprintf(stderr, "weir: %s: line %lld, record %" PRId64 ": %s\n",
                  weir_status_name(err->status), lines_number(im->lines), im->records + 1,
                  err->text);
    return say_stored(im, CLI_REFUSED);
}

/* Adds a line's record to the batch. Copies the line, which the reader reuses, into the arena. */
static int add_record(struct import *im, struct weir_slice line)
{
    struct weir_slice kept;
    if (!weir_arena_copy(&im->arena, line, &kept)) {
        return cli_broken(im->cli, "", "out of memory");
    }
    Weir__V1__ImportedMessage *message = &im->messages[im->batch_n];
    if (record_parse(kept, im->is_eventodb, &im->arena, message, &im->cli->err) != WEIR_OK) {
        return fail_record(im);
    }
    im->pointers[im->batch_n] = message;
    im->line_numbers[im->batch_n] = lines_number(im->lines);
    im->batch_n++;
    im->records++;
    const bool is_full = im->batch_n == BATCH_RECORDS || im->arena.used_bytes >= BATCH_BYTES;
    return is_full ? send_batch(im) : CLI_DONE;
}

static int import_lines(struct import *im)
{
    struct weir_slice line;
    while (lines_next(im->lines, &line, &im->cli->err) == WEIR_OK) {
        if (line.p == NULL) {
            return send_batch(im);
        }
        const int status = line_is_blank(line) ? CLI_DONE : add_record(im, line);
        if (status != CLI_DONE) {
            return status;
        }
    }
    progress_end_line(&im->progress);
    (void)fprintf(stderr, "weir: %s: after line %lld: %s\n", weir_status_name(im->cli->err.status),
                  lines_number(im->lines), im->cli->err.text);
    return say_stored(im, CLI_REFUSED);
}

static void put_summary(struct import *im)
{
    if (im->progress.is_terminal) {
        show_progress(im);
        progress_end_line(&im->progress);
    }
    const double seconds = progress_seconds(&im->progress);
    if (cli_is_for_people(im->cli)) {
        (void)printf("imported %" PRId64 " records, skipped %" PRId64
                     " identical ones, last gpos %" PRId64 ", in %.1f s\n",
                     im->imported, im->skipped, im->max_global_position, seconds);
    } else {
        (void)printf("{\"imported\":%" PRId64 ",\"skipped_identical\":%" PRId64
                     ",\"max_gpos\":%" PRId64 ",\"seconds\":%.3f}\n",
                     im->imported, im->skipped, im->max_global_position, seconds);
    }
}

int cmd_import(struct cli *cli)
{
    int status = cli_connect(cli);
    if (status != CLI_DONE) {
        return status;
    }
    struct import *im = calloc(1, sizeof *im);
    if (im == NULL) {
        return cli_broken(cli, "", "out of memory");
    }
    im->cli = cli;
    im->is_eventodb = cli_flag(cli, CLI_EVENTODB);
    im->call_max = BATCH_RECORDS;
    request_size_begin(&im->size, cli->client->max_request_bytes);
    progress_begin(&im->progress);
    cli->progress = &im->progress;
    weir_arena_init(&im->arena, SIZE_MAX, 2 * (size_t)BATCH_BYTES);
    const char *path = cli->values.args_n == 0 ? NULL : cli->values.args[0];
    if (lines_open(path, cli_flag(cli, CLI_GZIP), &im->lines, &cli->err) == WEIR_OK) {
        status = import_lines(im);
    } else {
        status = cli_usage(cli, "%s", cli->err.text);
    }
    if (status == CLI_DONE) {
        put_summary(im);
    }
    cli->progress = NULL;
    lines_close(im->lines);
    weir_arena_fini(&im->arena);
    free(im);
    return status;
}
