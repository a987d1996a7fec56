/* The checks of what MessageStore's requests hold: syntax, ranges, sizes, JSON. The store judges
 * what depends on its state (expectations, ids, positions).
 *
 * The wire layer has made sure that strings are UTF-8 without NUL, that enum values are known and
 * that counts are not absurd. Each function fills the structs that the store takes; they live in
 * the call's arena or point into the request, which lives there too. Nothing blocks. Failures:
 * INVALID_REQUEST with the path of the field ("messages[3].id"); LIMIT_EXCEEDED for sizes, which
 * are checked first, and past the arena's cap; INVALID_RECORD with the record for imports. */
#ifndef WEIR_SERVER_REQUEST_CHECK_H
#define WEIR_SERVER_REQUEST_CHECK_H

#include "server/calls/call.h"
#include "weir/v1/message_store.pb-c.h"

weir_status weir_check_write_messages(struct weir_call *call,
                                      const Weir__V1__WriteMessagesRequest *request,
                                      struct weir_append *append, struct weir_error *err);

weir_status weir_check_write_streams(struct weir_call *call,
                                     const Weir__V1__WriteStreamsRequest *request,
                                     struct weir_append *append, struct weir_error *err);

weir_status weir_check_import_messages(struct weir_call *call,
                                       const Weir__V1__ImportMessagesRequest *request,
                                       struct weir_import *import, struct weir_error *err);

/* Sets *wait_ms as well: 0 for a read that does not wait. */
weir_status weir_check_stream_read(struct weir_call *call,
                                   const Weir__V1__GetStreamMessagesRequest *request,
                                   struct weir_query *query, uint32_t *wait_ms,
                                   struct weir_error *err);

/* Sets *wait_ms as well: 0 for a read that does not wait. */
weir_status weir_check_category_read(struct weir_call *call,
                                     const Weir__V1__GetCategoryMessagesRequest *request,
                                     struct weir_query *query, uint32_t *wait_ms,
                                     struct weir_error *err);

weir_status weir_check_last_read(struct weir_call *call,
                                 const Weir__V1__GetLastStreamMessageRequest *request,
                                 struct weir_query *query, struct weir_error *err);

/* Checks the required name of a stream, at most `most` bytes; `text` may be NULL (absent). */
weir_status weir_check_stream_name(const char *text, size_t most, const char *field,
                                   struct weir_slice *name, struct weir_error *err);

/* Checks the required `stream_name` of a read: at most WEIR_STREAM_NAME_BYTES_MAX, also where the
 * configured limit for writes is lower. */
weir_status weir_check_known_stream(const char *text, struct weir_slice *name,
                                    struct weir_error *err);

#endif
