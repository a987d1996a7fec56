/* Outcomes: the domain codes of the wire, their gRPC numbers, and the error a function fills when
 * it fails.
 *
 * Every function that can fail returns weir_status and takes a `struct weir_error *err` last. The
 * function that finds the fault writes the text and the details; callers pass both up untouched. An
 * error lives on its owner's stack or in its call, is never NULL, and writing it never allocates.
 * Not thread-safe; one owner at a time. */
#ifndef WEIR_BASE_STATUS_H
#define WEIR_BASE_STATUS_H

#include "weir/base/slice.h"

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* X(symbol and wire name, gRPC code, retryable). The source of the table is
 * proto/weir/v1/envelope.proto. */
#define WEIR_STATUS_LIST(X)               \
    X(INVALID_REQUEST, 3, false)          \
    X(INVALID_RECORD, 3, false)           \
    X(INVALID_JSON, 3, false)             \
    X(METHOD_NOT_FOUND, 12, false)        \
    X(FEATURE_UNSUPPORTED, 12, false)     \
    X(AUTH_REQUIRED, 16, false)           \
    X(AUTH_INVALID_TOKEN, 16, false)      \
    X(AUTH_UNAUTHORIZED, 7, false)        \
    X(NAMESPACE_NOT_FOUND, 5, false)      \
    X(NAMESPACE_EXISTS, 6, false)         \
    X(STREAM_VERSION_CONFLICT, 10, false) \
    X(MESSAGE_ID_CONFLICT, 6, false)      \
    X(POSITION_EXISTS, 6, false)          \
    X(LIMIT_EXCEEDED, 8, false)           \
    X(OUT_OF_POSITIONS, 11, false)        \
    X(PRECONDITION, 9, false)             \
    X(DEADLINE_EXCEEDED, 4, true)         \
    X(CANCELLED, 1, false)                \
    X(BACKEND_UNAVAILABLE, 14, true)      \
    X(SHUTTING_DOWN, 14, true)            \
    X(BACKEND_ERROR, 13, false)           \
    X(DATA_CORRUPT, 15, false)

#define WEIR_STATUS_ENUM(name, grpc, retryable) WEIR_##name,
typedef enum weir_status {
    WEIR_OK = 0,
    WEIR_STATUS_LIST(WEIR_STATUS_ENUM) WEIR_STATUS_COUNT
} weir_status;
#undef WEIR_STATUS_ENUM

enum {
    WEIR_ERROR_TEXT_BYTES = 384,
    /* Room for the longest stream name, twice over, beside keys and numbers. */
    WEIR_ERROR_DETAILS_BYTES = 2560
};

struct weir_error {
    weir_status status;                // WEIR_OK while nothing has failed
    char text[WEIR_ERROR_TEXT_BYTES];  // for people, NUL-terminated, UTF-8
    size_t details_n;                  // bytes used at `details`
    size_t details_cap;                // bytes there
    char *details;  // key NUL value NUL …; inline_details or a larger area of the call's arena
    char inline_details[WEIR_ERROR_DETAILS_BYTES];
};

/* How many of the first `n` bytes of a longer UTF-8 text are whole characters. */
size_t weir_utf8_whole(const char *text, size_t n);

/* Makes `err` empty. Every error is initialised before it is handed to anybody. */
void weir_error_init(struct weir_error *err);

/* Records a failure, dropping what was there, and returns `status` so that `return weir_fail(...)`
 * reads well. The text is cut, never overrun, at a character boundary. */
weir_status weir_fail(struct weir_error *err, weir_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* INVALID_REQUEST about one field: text "<field>: <reason>", details field and reason. */
weir_status weir_fail_field(struct weir_error *err, const char *field, const char *reason_format,
                            ...) __attribute__((format(printf, 3, 4)));

/* LIMIT_EXCEEDED about a size: details limit and actual (decimal), text naming `what`. */
weir_status weir_fail_limit(struct weir_error *err, const char *what, unsigned long long limit,
                            unsigned long long actual);

/* LIMIT_EXCEEDED about a queue: the same with a detail `queue`, which tells a refusal that passes
 * with the load from one about what was sent. */
weir_status weir_fail_full(struct weir_error *err, const char *queue, unsigned long long limit,
                           unsigned long long actual);

/* Adds one detail to a failure already recorded. A detail that no longer fits is left out whole. */
void weir_error_detail(struct weir_error *err, const char *key, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The same for a value that is bytes (without NUL). */
void weir_error_detail_slice(struct weir_error *err, const char *key, struct weir_slice value);

/* Moves the details into `area` (`cap` bytes, longer than what is used), which must outlive the
 * error's use. */
void weir_error_enlarge(struct weir_error *err, char *area, size_t cap);

/* Copies a whole error, details into the copy's own area as far as they fit. */
void weir_error_copy(struct weir_error *to, const struct weir_error *from);

/* Walks the details: start with *at = 0; false after the last. */
bool weir_error_next_detail(const struct weir_error *err, size_t *at, const char **key,
                            const char **value);

/* The value of one detail, NULL if there is none. */
const char *weir_error_get_detail(const struct weir_error *err, const char *key);

/* The wire name ("" for OK), gRPC code and whether sending again may help. Total over all ints. */
const char *weir_status_name(weir_status status);
int weir_status_grpc(weir_status status);
bool weir_status_retryable(weir_status status);

/* Whether the same call may succeed later: a retryable status, or a queue that was full. */
bool weir_error_is_transient(const struct weir_error *err);

/* The status of a wire name; BACKEND_ERROR for a name this program does not know. */
weir_status weir_status_from_name(struct weir_slice name);

#ifdef __cplusplus
}
#endif

#endif
