/* Statuses and errors: the reason codes of the wire, their gRPC codes, and the error that a failing
 * function fills.
 *
 * Every function that can fail returns a weir_status and takes a `struct weir_error *err` last. The
 * function that finds the fault writes text and details; callers pass status and error on
 * unchanged. The caller initialises the error with weir_error_init and passes it, never NULL. Where
 * a function returns WEIR_OK, the contents of the error have no meaning. Filling an error never
 * allocates. An error has one owner at a time and no lock. */
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

/* An error may point into itself (`details`): copy it with weir_error_copy, never by assignment. */
struct weir_error {
    weir_status status;                // WEIR_OK while nothing has failed
    char text[WEIR_ERROR_TEXT_BYTES];  // for people; NUL-terminated UTF-8
    size_t details_n;                  // bytes used at `details`
    size_t details_cap;                // bytes at `details`
    char *details;  // key NUL value NUL …; in inline_details or in a larger area of the caller's
    char inline_details[WEIR_ERROR_DETAILS_BYTES];
};

/* Makes `err` empty, with the details in its own area. */
void weir_error_init(struct weir_error *err);

/* Moves the details into `area`, which has `cap` bytes, more than are used, and must outlive the
 * use of the error. */
void weir_error_enlarge(struct weir_error *err, char *area, size_t cap);

/* Copies an error. The details go into the copy's own area; those that do not fit are left out. */
void weir_error_copy(struct weir_error *to, const struct weir_error *from);

/* Walks the details: start with *at = 0; false after the last one. *key and *value live as long as
 * the error. */
bool weir_error_next_detail(const struct weir_error *err, size_t *at, const char **key,
                            const char **value);

/* Returns the value of a detail, NULL if there is none. */
const char *weir_error_get_detail(const struct weir_error *err, const char *key);

/* Return the name on the wire ("" for WEIR_OK), the gRPC code, and whether the same call may
 * succeed later. Numbers that are no status count as BACKEND_ERROR. */
const char *weir_status_name(weir_status status);
int weir_status_grpc(weir_status status);
bool weir_status_retryable(weir_status status);

/* Whether the same call may succeed later: the status is retryable, or a queue was full. */
bool weir_error_is_transient(const struct weir_error *err);

/* Returns the status of a name on the wire; BACKEND_ERROR for an unknown name. */
weir_status weir_status_from_name(struct weir_slice name);

#ifdef __cplusplus
}
#endif

#endif
