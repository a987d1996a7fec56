#include "client/lib/client.h"
#include "client/lib/page.h"
#include "client/lib/request_copy.h"
#include "weir/rules/limits.h"

#include <stdlib.h>

/* Messages in one page; fewer if the server allows fewer. This and the server's reply size bound
 * the memory of a reader. */
enum { PAGE_MESSAGES = 1000 };

#define UNLIMITED INT64_MAX

enum reader_kind { READ_STREAM, READ_CATEGORY };

struct weir_reader {
    struct weir_client *client;
    enum reader_kind kind;
    union {
        Weir__V1__GetStreamMessagesRequest stream;
        Weir__V1__GetCategoryMessagesRequest category;
    } request;  // its texts are in `arena`
    struct weir_call_options options;
    struct weir_arena arena;
    bool is_backward;
    int64_t left;      // messages still wanted
    int64_t page_max;  // most messages to ask for in one page
    int64_t position;  // as weir_reader_position returns it
    struct page page;
    bool has_more;  // another page follows
    size_t at;      // next message of the page
};

/* ---- opening ---- */

/* Returns NULL when out of memory. A batch_size below -1 is left for the server to refuse. */
static struct weir_reader *reader_new(struct weir_client *client, enum reader_kind kind,
                                      int64_t batch_size, bool is_backward)
{
    struct weir_reader *reader = calloc(1, sizeof *reader);
    if (reader != NULL) {
        reader->client = client;
        reader->kind = kind;
        reader->position = -1;
        reader->page_max = PAGE_MESSAGES;
        reader->left = batch_size == -1 ? UNLIMITED : batch_size;
        reader->is_backward = is_backward;
        weir_arena_init(&reader->arena, SIZE_MAX, 0);
    }
    return reader;
}

/* `is_copied`: the request has been copied into the reader's arena. */
static weir_status finish_open(struct weir_reader *reader, bool is_copied,
                               const struct weir_call_options *options, struct weir_reader **out,
                               struct weir_error *err)
{
    if (!is_copied || !copy_call_options(&reader->arena, options, &reader->options)) {
        weir_reader_close(reader);
        return client_fail_memory(err);
    }
    *out = reader;
    return WEIR_OK;
}

weir_status weir_reader_open_stream(struct weir_client *client,
                                    const Weir__V1__GetStreamMessagesRequest *request,
                                    const struct weir_call_options *options,
                                    struct weir_reader **reader_out, struct weir_error *err)
{
    const bool is_backward =
        request->has_direction && request->direction == WEIR__V1__DIRECTION__BACKWARD;
    struct weir_reader *reader =
        reader_new(client, READ_STREAM,
                   request->has_batch_size ? request->batch_size : WEIR_BATCH_DEFAULT, is_backward);
    const bool is_copied =
        reader != NULL && copy_stream_request(&reader->arena, request, &reader->request.stream);
    return finish_open(reader, is_copied, options, reader_out, err);
}

weir_status weir_reader_open_category(struct weir_client *client,
                                      const Weir__V1__GetCategoryMessagesRequest *request,
                                      const struct weir_call_options *options,
                                      struct weir_reader **reader_out, struct weir_error *err)
{
    const bool is_backward =
        request->has_direction && request->direction == WEIR__V1__DIRECTION__BACKWARD;
    struct weir_reader *reader =
        reader_new(client, READ_CATEGORY,
                   request->has_batch_size ? request->batch_size : WEIR_BATCH_DEFAULT, is_backward);
    const bool is_copied =
        reader != NULL && copy_category_request(&reader->arena, request, &reader->request.category);
    return finish_open(reader, is_copied, options, reader_out, err);
}

/* ---- pages ---- */

static weir_status read_stream_page(struct weir_reader *reader, int64_t batch, struct page *page,
                                    struct weir_error *err)
{
    Weir__V1__GetStreamMessagesRequest *request = &reader->request.stream;
    request->has_batch_size = true;
    request->batch_size = batch;
    Weir__V1__GetStreamMessagesResponse *response = NULL;
    const weir_status st = weir_message_store_get_stream_messages(reader->client, request,
                                                                  &reader->options, &response, err);
    *page = page_of_stream(response);
    return st;
}

static weir_status read_category_page(struct weir_reader *reader, int64_t batch, struct page *page,
                                      struct weir_error *err)
{
    Weir__V1__GetCategoryMessagesRequest *request = &reader->request.category;
    request->has_batch_size = true;
    request->batch_size = batch;
    Weir__V1__GetCategoryMessagesResponse *response = NULL;
    const weir_status st = weir_message_store_get_category_messages(
        reader->client, request, &reader->options, &response, err);
    *page = page_of_category(response);
    return st;
}

/* Reads a page of as many messages as are wanted and the server allows; sets *batch to the number
 * that was asked for. */
static weir_status ask_page(struct weir_reader *reader, int64_t *batch, struct page *page,
                            struct weir_error *err)
{
    *batch = reader->left > reader->page_max ? reader->page_max : reader->left;
    for (;;) {
        const weir_status st = reader->kind == READ_STREAM
                                   ? read_stream_page(reader, *batch, page, err)
                                   : read_category_page(reader, *batch, page, err);
        if (st == WEIR_OK || !client_halve_refused(err, "batch_size", 1, batch)) {
            return st;
        }
        reader->page_max = *batch;
    }
}

/* Whether another page follows this one, for which `batch` messages were asked. */
static bool goes_on(const struct weir_reader *reader, const struct page *page, int64_t batch)
{
    const bool is_full = batch > 0 && page->n >= (size_t)batch;
    /* A backward read must not go on before the first position: the server would take that for the
     * beginning or the end. */
    const int64_t first = reader->kind == READ_STREAM ? 0 : 1;
    const bool is_before_first = reader->is_backward && page->next_position < first;
    const bool is_enough = reader->left <= (int64_t)page->n;
    return !is_enough && !is_before_first && (page->is_truncated || is_full);
}

/* Gives the position that the last page was read from; false if the request has none. */
static bool asked_position(const struct weir_reader *reader, int64_t *position)
{
    const Weir__V1__GetStreamMessagesRequest *stream = &reader->request.stream;
    const Weir__V1__GetCategoryMessagesRequest *category = &reader->request.category;
    const bool is_stream = reader->kind == READ_STREAM;
    *position = is_stream ? stream->position : category->position;
    return is_stream ? stream->has_position : category->has_position;
}

static weir_status check_advance(const struct weir_reader *reader, const struct page *page,
                                 struct weir_error *err)
{
    int64_t asked = 0;
    return asked_position(reader, &asked)
               ? page_check_advance(page, asked, reader->is_backward, err)
               : WEIR_OK;
}

static void ask_from(struct weir_reader *reader, int64_t position)
{
    if (reader->kind == READ_STREAM) {
        Weir__V1__GetStreamMessagesRequest *request = &reader->request.stream;
        request->has_position = true;
        request->position = position;
        request->has_global_position = false;
        request->has_wait_ms = false;
    } else {
        Weir__V1__GetCategoryMessagesRequest *request = &reader->request.category;
        request->has_position = true;
        request->position = position;
        request->has_wait_ms = false;
    }
}

/* Reads the next page. The messages of the last page stay valid until the new page has come. */
static weir_status read_page(struct weir_reader *reader, struct weir_error *err)
{
    int64_t batch = 0;
    struct page page;
    weir_status st = ask_page(reader, &batch, &page, err);
    if (st != WEIR_OK) {
        return st;
    }
    const bool has_more = goes_on(reader, &page, batch);
    st = page_check_messages(&page,
                             reader->kind == READ_STREAM ? PAGE_POSITION : PAGE_GLOBAL_POSITION,
                             reader->is_backward, err);
    if (st == WEIR_OK && has_more) {
        st = check_advance(reader, &page, err);
    }
    if (st != WEIR_OK) {
        weir_response_free(page.response);
        return st;
    }
    weir_response_free(reader->page.response);
    reader->page = page;
    reader->has_more = has_more;
    reader->at = 0;
    reader->left -= (int64_t)page.n;  // of UNLIMITED there is no end
    ask_from(reader, page.next_position);
    return WEIR_OK;
}

static int64_t position_after(const struct weir_reader *reader, const Weir__V1__Message *message)
{
    const int64_t at = reader->kind == READ_STREAM ? message->position : message->global_position;
    return reader->is_backward ? at - 1 : at + 1;
}

weir_status weir_reader_next(struct weir_reader *reader, const Weir__V1__Message **message,
                             struct weir_error *err)
{
    *message = NULL;
    while (reader->at == reader->page.n) {
        if (reader->page.response != NULL && !reader->has_more) {
            reader->position = reader->page.next_position;
            return WEIR_OK;
        }
        const weir_status st = read_page(reader, err);
        if (st != WEIR_OK) {
            return st;
        }
    }
    *message = reader->page.messages[reader->at++];
    reader->position = position_after(reader, *message);
    return WEIR_OK;
}

int64_t weir_reader_position(const struct weir_reader *reader)
{
    return reader->position;
}

void weir_reader_close(struct weir_reader *reader)
{
    if (reader == NULL) {
        return;
    }
    weir_response_free(reader->page.response);
    weir_arena_fini(&reader->arena);
    free(reader);
}
