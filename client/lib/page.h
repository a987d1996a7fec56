/* A page of messages: the reply to one read of a stream or of a category. */
#ifndef WEIR_CLIENT_PAGE_H
#define WEIR_CLIENT_PAGE_H

#include "client/weir.h"

struct page {
    const void *response;  // owns the messages; NULL: no page
    Weir__V1__Message **messages;
    size_t n;
    int64_t next_position;
    bool is_truncated;
};

/* Returns the page of a response, which stays the owner; no page for NULL. */
struct page page_of_stream(const Weir__V1__GetStreamMessagesResponse *response);
struct page page_of_category(const Weir__V1__GetCategoryMessagesResponse *response);

/* BACKEND_ERROR unless next_position lies behind (backward: before) `asked`, the position that the
 * page was read from. A page that does not advance would be read again for ever. */
weir_status page_check_advance(const struct page *page, int64_t asked, bool is_backward,
                               struct weir_error *err);

/* The position that orders a page: position in a stream, global position in a category. */
enum page_position { PAGE_POSITION, PAGE_GLOBAL_POSITION };

/* BACKEND_ERROR unless each message has its id, stream and type, on which callers rely, and the
 * positions ascend (backward: descend) and lie before next_position, from which positions of later
 * reads are computed. */
weir_status page_check_messages(const struct page *page, enum page_position counted,
                                bool is_backward, struct weir_error *err);

#endif
