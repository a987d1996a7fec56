/* Copies requests and call options that the caller has only lent. Every function returns false when
 * out of memory. */
#ifndef WEIR_CLIENT_REQUEST_COPY_H
#define WEIR_CLIENT_REQUEST_COPY_H

#include "client/weir.h"
#include "weir/base/arena.h"

/* Copies a request with everything it points to into `arena`, without its unknown fields. */
bool copy_stream_request(struct weir_arena *arena, const Weir__V1__GetStreamMessagesRequest *from,
                         Weir__V1__GetStreamMessagesRequest *to);
bool copy_category_request(struct weir_arena *arena,
                           const Weir__V1__GetCategoryMessagesRequest *from,
                           Weir__V1__GetCategoryMessagesRequest *to);

/* Copies call options with everything they point to; NULL gives the default options. */
bool copy_call_options(struct weir_arena *arena, const struct weir_call_options *from,
                       struct weir_call_options *to);

/* Copies a string; NULL gives NULL. */
bool copy_text(struct weir_arena *arena, const char *from, const char **to);

/* Copies an array of `n` strings. */
bool copy_texts(struct weir_arena *arena, const char *const *from, size_t n,
                const char *const **to);

#endif
