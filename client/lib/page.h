/* A page of messages: what the reply to one read says, be it of a stream or of a category. */
#ifndef WEIR_CLIENT_PAGE_H
#define WEIR_CLIENT_PAGE_H

#include "client/weir.h"

struct page {
    const void *response;  // what the messages are part of; NULL: no page
    Weir__V1__Message **messages;
    size_t n;
    int64_t next_position;
    bool is_truncated;
};

/* Of NULL no page. */
struct page page_of_stream(const Weir__V1__GetStreamMessagesResponse *response);
struct page page_of_category(const Weir__V1__GetCategoryMessagesResponse *response);

/* A page that led nowhere would be asked for again for ever: BACKEND_ERROR unless the one that was
 * asked for from position `asked` says to go on behind it, or before it. */
weir_status page_check_advance(const struct page *page, int64_t asked, bool is_backward,
                               struct weir_error *err);

/* What messages are counted by. */
enum page_position { PAGE_POSITION, PAGE_GLOBAL_POSITION };

/* BACKEND_ERROR unless each message says its id, stream and type, which whoever gets it takes for
 * given, and the positions ascend, or descend, and lie before where the page says to go on: they
 * are reckoned with, so that a false one is not passed on. */
weir_status page_check_messages(const struct page *page, enum page_position counted,
                                bool is_backward, struct weir_error *err);

#endif
