/* Keeping requests and call options that the caller has only lent. */
#ifndef WEIR_CLIENT_REQUEST_COPY_H
#define WEIR_CLIENT_REQUEST_COPY_H

#include "client/weir.h"
#include "weir/base/arena.h"

/* Copy a request with everything it points to into `arena`, unknown fields left out. False without
 * memory. */
bool copy_stream_request(struct weir_arena *arena, const Weir__V1__GetStreamMessagesRequest *from,
                         Weir__V1__GetStreamMessagesRequest *to);
bool copy_category_request(struct weir_arena *arena,
                           const Weir__V1__GetCategoryMessagesRequest *from,
                           Weir__V1__GetCategoryMessagesRequest *to);

/* The same for call options; NULL copies to the default ones. */
bool copy_call_options(struct weir_arena *arena, const struct weir_call_options *from,
                       struct weir_call_options *to);

/* A text, absent for NULL. */
bool copy_text(struct weir_arena *arena, const char *from, const char **to);

#endif
