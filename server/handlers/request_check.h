/* Every check of what a request holds, once, for all handlers: syntax, ranges, sizes, JSON. What
 * depends on state (expectations, ids, positions) is the store's.
 *
 * The wire layer has made sure that strings are UTF-8 without NUL, that enum values are known and
 * that counts are not absurd. Each function fills what the store wants, in the call's arena or
 * pointing into the request, which lives there too. Failures: INVALID_REQUEST naming the field by
 * path ("messages[3].id"); LIMIT_EXCEEDED for sizes, which are looked at first; INVALID_RECORD with
 * the record for imports. */
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

/* *wait_ms is 0 for a read that does not wait. */
weir_status weir_check_stream_read(struct weir_call *call,
                                   const Weir__V1__GetStreamMessagesRequest *request,
                                   struct weir_query *query, uint32_t *wait_ms,
                                   struct weir_error *err);

weir_status weir_check_category_read(struct weir_call *call,
                                     const Weir__V1__GetCategoryMessagesRequest *request,
                                     struct weir_query *query, uint32_t *wait_ms,
                                     struct weir_error *err);

weir_status weir_check_last_read(struct weir_call *call,
                                 const Weir__V1__GetLastStreamMessageRequest *request,
                                 struct weir_query *query, struct weir_error *err);

/* For an ImportMessages that cannot be decoded: where the fault is in a record, INVALID_RECORD
 * tells which. Returns the status. */
weir_status weir_check_import_fault(struct weir_error *err);

/* The required name of a stream, of `most` bytes at most; `text` may be NULL. */
weir_status weir_check_stream_name(const char *text, size_t most, const char *field,
                                   struct weir_slice *name, struct weir_error *err);

/* The same for one that is looked for. */
weir_status weir_check_known_stream(const char *text, struct weir_slice *name,
                                    struct weir_error *err);

#endif
