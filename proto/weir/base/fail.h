/* Records failures in errors (status.h): for the code of this tree; programs that use the library
 * only read errors. */
#ifndef WEIR_BASE_FAIL_H
#define WEIR_BASE_FAIL_H

#include "weir/base/status.h"

/* Records a failure, replacing an earlier one and its details, and returns `status`, for `return
 * weir_fail(...)`. Cuts a text that is too long at a character boundary. */
weir_status weir_fail(struct weir_error *err, weir_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* INVALID_REQUEST about a field: text "<field>: <reason>", details `field` and `reason`. */
weir_status weir_fail_field(struct weir_error *err, const char *field, const char *reason_format,
                            ...) __attribute__((format(printf, 3, 4)));

/* INVALID_RECORD about a field of a record, counted from 1: text "record <record>: <field>:
 * <reason>", details `record` and `reason` (with the field). */
weir_status weir_fail_record(struct weir_error *err, size_t record, const char *field,
                             const char *reason);

/* LIMIT_EXCEEDED about a size, which `what` names in the text: details `limit` and `actual`. */
weir_status weir_fail_limit(struct weir_error *err, const char *what, unsigned long long limit,
                            unsigned long long actual);

/* LIMIT_EXCEEDED about a queue: details `limit`, `actual` and `queue`. The last one tells a refusal
 * that depends on the load from one that depends on the request. The text names `option`, which
 * sets the limit, as well. */
weir_status weir_fail_full(struct weir_error *err, const char *queue, const char *option,
                           unsigned long long limit, unsigned long long actual);

/* NAMESPACE_NOT_FOUND and NAMESPACE_EXISTS, with the detail `namespace`. */
weir_status weir_fail_no_namespace(struct weir_error *err, struct weir_slice id);
weir_status weir_fail_namespace_exists(struct weir_error *err, struct weir_slice id);

/* Adds a detail to a recorded failure. Leaves out a detail that does not fit. */
void weir_error_detail(struct weir_error *err, const char *key, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Adds a detail whose value is bytes without NUL. */
void weir_error_detail_slice(struct weir_error *err, const char *key, struct weir_slice value);

/* Returns how many of the first `n` bytes of a longer UTF-8 text are whole characters. */
size_t weir_utf8_whole(const char *text, size_t n);

#endif
