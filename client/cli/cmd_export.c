/* weir export: merges the categories in the order of global positions, up to the newest message at
 * the start. */
#include "client/cli/cli.h"
#include "client/cli/export_file.h"
#include "client/cli/record.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* A category, or the whole namespace, that is being read. */
struct source {
    struct weir_reader *reader;
    const Weir__V1__Message *message;  // next message; NULL at the end
};

struct export
{
    struct cli *cli;
    struct source sources[CLI_VALUES_MAX];
    size_t sources_n;
    int64_t mark;  // last global position to export
    int64_t since_us;
    int64_t last_us;
    struct export_file *file;
    bool is_for_terminal;
    FILE *line;  // memory stream in which a record is formatted
    char *line_text;
    size_t line_n;
    int64_t exported;
    struct progress progress;
    bool shows_progress;
};

static int take_time(const struct cli *cli, int key, const char *name, int64_t *time_us)
{
    const char *text = cli_text(cli, key);
    if (text != NULL && !weir_time_or_date_parse(weir_slice_of(text), time_us)) {
        return cli_usage(cli, "--%s: '%s' is not an RFC 3339 time or a day (YYYY-MM-DD)", name,
                         text);
    }
    return CLI_DONE;
}

/* Takes --until, the first time that is not exported. */
static int take_until(const struct cli *cli, int64_t *last_us)
{
    int64_t until_us = 0;
    const int status = take_time(cli, CLI_UNTIL, "until", &until_us);
    if (status == CLI_DONE && cli_text(cli, CLI_UNTIL) != NULL) {
        *last_us = until_us - 1;
    }
    return status;
}

/* Sets the mark to the newest message: messages written later are not exported. */
static int take_mark(struct export *ex)
{
    struct cli *cli = ex->cli;
    Weir__V1__GetCategoryMessagesRequest request = WEIR__V1__GET_CATEGORY_MESSAGES_REQUEST__INIT;
    request.has_direction = true;
    request.direction = WEIR__V1__DIRECTION__BACKWARD;
    request.has_batch_size = true;
    request.batch_size = 1;
    request.has_headers_only = true;
    request.headers_only = true;
    Weir__V1__GetCategoryMessagesResponse *response = NULL;
    if (weir_message_store_get_category_messages(cli->client, &request, &cli->call, &response,
                                                 &cli->err) != WEIR_OK) {
        return cli_failed(cli);
    }
    ex->mark = response->n_messages == 0 ? 0 : response->messages[0]->global_position;
    weir_response_free(response);
    return CLI_DONE;
}

/* ---- sources ---- */

/* Moves the source to its next message; none beyond the mark. */
static int advance(struct export *ex, struct source *source)
{
    struct cli *cli = ex->cli;
    if (weir_reader_next(source->reader, &source->message, &cli->err) != WEIR_OK) {
        return cli_failed(cli);
    }
    if (source->message != NULL && source->message->global_position > ex->mark) {
        source->message = NULL;
    }
    return CLI_DONE;
}

static int add_source(struct export *ex, const char *category)
{
    struct cli *cli = ex->cli;
    Weir__V1__GetCategoryMessagesRequest request = WEIR__V1__GET_CATEGORY_MESSAGES_REQUEST__INIT;
    request.category = (char *)(uintptr_t)category;
    request.has_batch_size = true;
    request.batch_size = -1;
    struct source *source = &ex->sources[ex->sources_n];
    if (weir_reader_open_category(cli->client, &request, &cli->call, &source->reader, &cli->err) !=
        WEIR_OK) {
        return cli_failed(cli);
    }
    ex->sources_n++;
    return advance(ex, source);
}

static int add_sources(struct export *ex)
{
    const struct cli *cli = ex->cli;
    size_t at = 0;
    const char *category = cli_next(&cli->values, CLI_CATEGORY, &at);
    if (category == NULL) {
        return add_source(ex, NULL);
    }
    int status = CLI_DONE;
    while (category != NULL && status == CLI_DONE) {
        status = add_source(ex, category);
        category = cli_next(&cli->values, CLI_CATEGORY, &at);
    }
    return status;
}

/* Returns the source whose next message comes first; NULL when all are at their ends. */
static struct source *first_source(struct export *ex)
{
    struct source *first = NULL;
    for (size_t i = 0; i < ex->sources_n; i++) {
        struct source *s = &ex->sources[i];
        if (s->message != NULL &&
            (first == NULL || s->message->global_position < first->message->global_position)) {
            first = s;
        }
    }
    return first;
}

/* ---- writing ---- */

static int fail_write(const struct export *ex)
{
    const char *path = cli_text(ex->cli, CLI_OUTPUT_FILE);
    return cli_broken(ex->cli, "", "%s: %s", path == NULL ? "standard output" : path,
                      strerror(errno));
}

static void show_progress(struct export *ex, const Weir__V1__Message *message)
{
    if (ex->shows_progress && progress_is_due(&ex->progress)) {
        progress_show(&ex->progress, "%" PRId64 " records, %.0f/s, gpos %" PRId64 " of %" PRId64,
                      ex->exported, progress_rate(&ex->progress, ex->exported),
                      message->global_position, ex->mark);
    }
}

static int export_message(struct export *ex, const Weir__V1__Message *message)
{
    if (message->time_us < ex->since_us || message->time_us > ex->last_us) {
        return CLI_DONE;
    }
    (void)fseeko(ex->line, 0, SEEK_SET);
    const weir_status st = ex->is_for_terminal
                               ? record_write_plain(ex->line, message, &ex->cli->err)
                               : record_write(ex->line, message, &ex->cli->err);
    if (st != WEIR_OK) {
        return cli_failed(ex->cli);
    }
    const off_t n = ftello(ex->line);
    if (fflush(ex->line) != 0 || ferror(ex->line) != 0 || n < 0) {
        return cli_broken(ex->cli, "", "out of memory");
    }
    if (!export_file_write(ex->file, ex->line_text, (size_t)n)) {
        return fail_write(ex);
    }
    ex->exported++;
    show_progress(ex, message);
    return CLI_DONE;
}

/* Exports all messages, once each: a message comes from several sources if its category is given
 * twice or together with ''. */
static int export_all(struct export *ex)
{
    int64_t last = -1;
    int status = CLI_DONE;
    struct source *source = first_source(ex);
    while (status == CLI_DONE && source != NULL) {
        if (source->message->global_position != last) {
            last = source->message->global_position;
            status = export_message(ex, source->message);
        }
        if (status == CLI_DONE) {
            status = advance(ex, source);
        }
        source = first_source(ex);
    }
    return status;
}

static void put_summary(struct export *ex)
{
    progress_end_line(&ex->progress);
    if (cli_text(ex->cli, CLI_OUTPUT_FILE) == NULL) {
        return;
    }
    const double seconds = progress_seconds(&ex->progress);
    if (cli_is_for_people(ex->cli)) {
        (void)printf("exported %" PRId64 " records up to gpos %" PRId64 ", in %.1f s\n",
                     ex->exported, ex->mark, seconds);
    } else {
        (void)printf("{\"exported\":%" PRId64 ",\"max_gpos\":%" PRId64 ",\"seconds\":%.3f}\n",
                     ex->exported, ex->mark, seconds);
    }
}

static int run_export(struct export *ex)
{
    const struct cli *cli = ex->cli;
    const char *path = cli_text(cli, CLI_OUTPUT_FILE);
    ex->file = export_file_open(path, cli_flag(cli, CLI_GZIP));
    if (ex->file == NULL) {
        return path == NULL ? fail_write(ex) : cli_usage(cli, "%s: %s", path, strerror(errno));
    }
    ex->is_for_terminal = export_file_is_terminal(ex->file);
    ex->line = open_memstream(&ex->line_text, &ex->line_n);
    int status = ex->line == NULL ? fail_write(ex) : take_mark(ex);
    if (status == CLI_DONE) {
        status = add_sources(ex);
    }
    if (status == CLI_DONE) {
        status = export_all(ex);
    }
    if (status != CLI_DONE) {
        export_file_abandon(ex->file);
    } else if (!export_file_finish(ex->file)) {
        status = fail_write(ex);
    }
    return status;
}

int cmd_export(struct cli *cli)
{
    struct export ex = {.cli = cli, .since_us = INT64_MIN, .last_us = INT64_MAX};
    int status = take_time(cli, CLI_SINCE, "since", &ex.since_us);
    if (status == CLI_DONE) {
        status = take_until(cli, &ex.last_us);
    }
    if (status == CLI_DONE) {
        status = cli_connect(cli);
    }
    if (status != CLI_DONE) {
        return status;
    }
    progress_begin(&ex.progress);
    ex.shows_progress = ex.progress.is_terminal &&
                        (isatty(STDOUT_FILENO) == 0 || cli_text(cli, CLI_OUTPUT_FILE) != NULL);
    cli->progress = &ex.progress;
    status = run_export(&ex);
    cli->progress = NULL;
    if (status == CLI_DONE) {
        put_summary(&ex);
    }
    for (size_t i = 0; i < ex.sources_n; i++) {
        weir_reader_close(ex.sources[i].reader);
    }
    if (ex.line != NULL) {
        (void)fclose(ex.line);
    }
    free(ex.line_text);
    return status;
}
