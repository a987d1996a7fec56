#include "weir/base/fail.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

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

weir_status weir_fail_record(struct weir_error *err, size_t record, const char *field,
                             const char *reason)
{
    (void)weir_fail(err, WEIR_INVALID_RECORD, "record %zu: %s: %s", record, field, reason);
    weir_error_detail(err, "record", "%zu", record);
    weir_error_detail(err, "reason", "%s: %s", field, reason);
    return WEIR_INVALID_RECORD;
}

weir_status weir_fail_limit(struct weir_error *err, const char *what, unsigned long long limit,
                            unsigned long long actual)
{
    (void)weir_fail(err, WEIR_LIMIT_EXCEEDED, "%s: %llu, but the limit is %llu", what, actual,
                    limit);
    weir_error_detail(err, "limit", "%llu", limit);
    weir_error_detail(err, "actual", "%llu", actual);
    return WEIR_LIMIT_EXCEEDED;
}

weir_status weir_fail_full(struct weir_error *err, const char *queue, const char *option,
                           unsigned long long limit, unsigned long long actual)
{
    char what[128];
    (void)snprintf(what, sizeof what, "%s (%s)", queue, option);
    (void)weir_fail_limit(err, what, limit, actual);
    weir_error_detail(err, "queue", "%s", queue);
    return WEIR_LIMIT_EXCEEDED;
}

weir_status weir_fail_no_namespace(struct weir_error *err, struct weir_slice id)
{
    (void)weir_fail(err, WEIR_NAMESPACE_NOT_FOUND, "namespace '%.*s' does not exist",
                    WEIR_SLICE_ARG(id));
    weir_error_detail_slice(err, "namespace", id);
    return WEIR_NAMESPACE_NOT_FOUND;
}

weir_status weir_fail_namespace_exists(struct weir_error *err, struct weir_slice id)
{
    (void)weir_fail(err, WEIR_NAMESPACE_EXISTS, "namespace '%.*s' already exists",
                    WEIR_SLICE_ARG(id));
    weir_error_detail_slice(err, "namespace", id);
    return WEIR_NAMESPACE_EXISTS;
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
