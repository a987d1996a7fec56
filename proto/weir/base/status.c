#include "weir/base/status.h"

#include "weir/base/fail.h"

#include <assert.h>
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
