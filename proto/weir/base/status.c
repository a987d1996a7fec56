#include "weir/base/status.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct status_row {
    const char *name;
    int grpc;
    bool retryable;
};

#define STATUS_ROW(name, grpc, retryable) [WEIR_##name] = {#name, grpc, retryable},
static const struct status_row status_rows[WEIR_STATUS_COUNT] = {[WEIR_OK] = {"", 0, false},
                                                                 WEIR_STATUS_LIST(STATUS_ROW)};
#undef STATUS_ROW

static const struct status_row *row_of(weir_status status)
{
    if ((unsigned)status >= WEIR_STATUS_COUNT) {
        return &status_rows[WEIR_BACKEND_ERROR];
    }
    return &status_rows[status];
}

const char *weir_status_name(weir_status status)
{
    return row_of(status)->name;
}

int weir_status_grpc(weir_status status)
{
    return row_of(status)->grpc;
}

bool weir_status_retryable(weir_status status)
{
    return row_of(status)->retryable;
}

bool weir_error_is_transient(const struct weir_error *err)
{
    return weir_status_retryable(err->status) ||
           (err->status == WEIR_LIMIT_EXCEEDED && weir_error_get_detail(err, "queue") != NULL);
}

weir_status weir_status_from_name(struct weir_slice name)
{
    for (unsigned s = 0; s < WEIR_STATUS_COUNT; s++) {
        if (weir_slice_is(name, status_rows[s].name)) {
            return (weir_status)s;
        }
    }
    return WEIR_BACKEND_ERROR;
}

void weir_error_init(struct weir_error *err)
{
    err->status = WEIR_OK;
    err->text[0] = '\0';
    err->details_n = 0;
    err->details_cap = sizeof err->inline_details;
    err->details = err->inline_details;
}

size_t weir_utf8_whole(const char *text, size_t n)
{
    size_t start = n;
    while (start > 0 && ((unsigned char)text[start - 1] & 0xC0) == 0x80) {
        start--;
    }
    if (start == 0) {
        return n;
    }
    const unsigned char lead = (unsigned char)text[start - 1];
    const size_t want = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC0 ? 2 : 1;
    return n - (start - 1) < want ? start - 1 : n;
}

__attribute__((format(printf, 3, 0))) static void format_text(char *text, size_t size,
                                                              const char *format, va_list args)
{
    const int n = vsnprintf(text, size, format, args);
    if (n < 0) {
        text[0] = '\0';
    } else if ((size_t)n >= size) {
        text[weir_utf8_whole(text, size - 1)] = '\0';
    }
}

weir_status weir_fail(struct weir_error *err, weir_status status, const char *format, ...)
{
    assert(status != WEIR_OK);
    weir_error_init(err);
    err->status = status;
    va_list args;
    va_start(args, format);
    format_text(err->text, sizeof err->text, format, args);
    va_end(args);
    return status;
}

weir_status weir_fail_field(struct weir_error *err, const char *field, const char *reason_format,
                            ...)
{
    char reason[256];
    va_list args;
    va_start(args, reason_format);
    format_text(reason, sizeof reason, reason_format, args);
    va_end(args);
    (void)weir_fail(err, WEIR_INVALID_REQUEST, "%s: %s", field, reason);
    weir_error_detail(err, "field", "%s", field);
    weir_error_detail(err, "reason", "%s", reason);
    return WEIR_INVALID_REQUEST;
}

weir_status weir_fail_limit(struct weir_error *err, const char *what, unsigned long long limit,
                            unsigned long long actual)
{
    (void)weir_fail(err, WEIR_LIMIT_EXCEEDED, "%s is %llu, the limit is %llu", what, actual, limit);
    weir_error_detail(err, "limit", "%llu", limit);
    weir_error_detail(err, "actual", "%llu", actual);
    return WEIR_LIMIT_EXCEEDED;
}

weir_status weir_fail_full(struct weir_error *err, const char *queue, unsigned long long limit,
                           unsigned long long actual)
{
    (void)weir_fail_limit(err, queue, limit, actual);
    weir_error_detail(err, "queue", "%s", queue);
    return WEIR_LIMIT_EXCEEDED;
}

void weir_error_detail(struct weir_error *err, const char *key, const char *format, ...)
{
    char value[1100];
    va_list args;
    va_start(args, format);
    format_text(value, sizeof value, format, args);
    va_end(args);
    weir_error_detail_slice(err, key, weir_slice_of(value));
}

void weir_error_detail_slice(struct weir_error *err, const char *key, struct weir_slice value)
{
    const size_t key_n = strlen(key);
    const size_t left = err->details_cap - err->details_n;
    if (value.n > left || key_n > left - value.n || left - value.n - key_n < 2) {
        return;
    }
    char *at = err->details + err->details_n;
    memcpy(at, key, key_n + 1);
    if (value.n > 0) {
        memcpy(at + key_n + 1, value.p, value.n);
    }
    at[key_n + 1 + value.n] = '\0';
    err->details_n += key_n + value.n + 2;
}

void weir_error_enlarge(struct weir_error *err, char *area, size_t cap)
{
    assert(cap >= err->details_n);
    memcpy(area, err->details, err->details_n);
    err->details = area;
    err->details_cap = cap;
}

void weir_error_copy(struct weir_error *to, const struct weir_error *from)
{
    weir_error_init(to);
    to->status = from->status;
    memcpy(to->text, from->text, sizeof to->text);
    size_t at = 0;
    const char *key = NULL;
    const char *value = NULL;
    while (weir_error_next_detail(from, &at, &key, &value)) {
        weir_error_detail_slice(to, key, weir_slice_of(value));
    }
}

bool weir_error_next_detail(const struct weir_error *err, size_t *at, const char **key,
                            const char **value)
{
    if (*at >= err->details_n) {
        return false;
    }
    *key = err->details + *at;
    *value = *key + strlen(*key) + 1;
    *at += strlen(*key) + strlen(*value) + 2;
    return true;
}

const char *weir_error_get_detail(const struct weir_error *err, const char *key)
{
    size_t at = 0;
    const char *k = NULL;
    const char *v = NULL;
    while (weir_error_next_detail(err, &at, &k, &v)) {
        if (strcmp(k, key) == 0) {
            return v;
        }
    }
    return NULL;
}
