#include "client/lib/page.h"

#include "weir/base/fail.h"

#include <inttypes.h>

struct page page_of_stream(const Weir__V1__GetStreamMessagesResponse *response)
{
    return response == NULL ? (struct page){.response = NULL}
                            : (struct page){response, response->messages, response->n_messages,
                                            response->next_position, response->truncated};
}

struct page page_of_category(const Weir__V1__GetCategoryMessagesResponse *response)
{
    return response == NULL ? (struct page){.response = NULL}
                            : (struct page){response, response->messages, response->n_messages,
                                            response->next_position, response->truncated};
}

weir_status page_check_advance(const struct page *page, int64_t asked, bool is_backward,
                               struct weir_error *err)
{
    const int64_t next = page->next_position;
    if (is_backward ? next < asked : next > asked) {
        return WEIR_OK;
    }
    return weir_fail(err, WEIR_BACKEND_ERROR,
                     "the reply to a read from position %" PRId64 " says to go on at %" PRId64,
                     asked, next);
}

static int64_t position_of(const Weir__V1__Message *message, enum page_position counted)
{
    return counted == PAGE_POSITION ? message->position : message->global_position;
}

static bool has_names(const Weir__V1__Message *message)
{
    return message->id != NULL && message->stream_name != NULL && message->type != NULL;
}

weir_status page_check_messages(const struct page *page, enum page_position counted,
                                bool is_backward, struct weir_error *err)
{
    for (size_t i = 0; i < page->n; i++) {
        const int64_t at = position_of(page->messages[i], counted);
        const int64_t behind =
            i + 1 < page->n ? position_of(page->messages[i + 1], counted) : page->next_position;
        if (!has_names(page->messages[i])) {
            return weir_fail(err, WEIR_BACKEND_ERROR,
                             "the reply to a read has a message at position %" PRId64
                             " without its id, stream or type",
                             at);
        }
        if (is_backward ? behind >= at : behind <= at) {
            return weir_fail(err, WEIR_BACKEND_ERROR,
                             "the reply to a read has a message at position %" PRId64
                             " and goes on at %" PRId64,
                             at, behind);
        }
    }
    return WEIR_OK;
}
