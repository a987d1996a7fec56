#include "store/sqlite/sqlite_packed.h"

#include "store/sqlite/sqlite_value.h"

#include <stdlib.h>

#define ABSENT UINT32_MAX

/* Offsets in `packed`; the id is at 0. */
enum {
    AT_TIME = WEIR_UUID_BYTES,
    AT_STREAM_N = AT_TIME + 8,
    AT_TYPE_N = AT_STREAM_N + 2,
    AT_DATA_N = AT_TYPE_N + 2,
    AT_METADATA_N = AT_DATA_N + 4
};

/* ---- packing ---- */

/* Writes a big-endian number; compiled to a single store. */
static inline void put_number(uint8_t *to, size_t bytes_n, uint64_t number)
{
    for (size_t i = 0; i < bytes_n; i++) {
        to[i] = (uint8_t)(number >> (8 * (bytes_n - 1 - i)));
    }
}

static uint64_t length_of(struct weir_slice text)
{
    return text.p == NULL ? ABSENT : text.n;
}

static uint8_t *put_text(uint8_t *to, struct weir_slice text)
{
    if (text.n > 0) {
        memcpy(to, text.p, text.n);
    }
    return to + text.n;
}

static bool is_packable(const struct weir_row *row)
{
    return row->stream.n <= WEIR_STREAM_NAME_BYTES_MAX && row->type.n <= WEIR_TYPE_BYTES_MAX &&
           row->data.n < ABSENT && row->metadata.n < ABSENT;
}

static bool is_large(size_t data_n, size_t metadata_n)
{
    return data_n > WEIR_SQLITE_PACKED_TEXT_BYTES ||
           metadata_n > WEIR_SQLITE_PACKED_TEXT_BYTES - data_n;
}

bool weir_sqlite_pack(const struct weir_row *row, struct sqlite_packed *packed)
{
    if (!is_packable(row)) {
        return false;
    }
    uint8_t *to = packed->bytes;
    memcpy(to, row->id.bytes, WEIR_UUID_BYTES);
    put_number(to + AT_TIME, 8, (uint64_t)row->time_us);
    put_number(to + AT_STREAM_N, 2, row->stream.n);
    put_number(to + AT_TYPE_N, 2, row->type.n);
    put_number(to + AT_DATA_N, 4, length_of(row->data));
    put_number(to + AT_METADATA_N, 4, length_of(row->metadata));
    to = put_text(to + WEIR_SQLITE_PACKED_HEAD_BYTES, row->stream);
    to = put_text(to, row->type);
    packed->is_large = is_large(row->data.n, row->metadata.n);
    if (!packed->is_large) {
        to = put_text(put_text(to, row->data), row->metadata);
    }
    packed->n = (size_t)(to - packed->bytes);
    return true;
}

void weir_sqlite_pack_large(const struct weir_row *row, uint8_t *to)
{
    (void)put_text(put_text(to, row->data), row->metadata);
}

/* ---- unpacking ---- */

static inline uint64_t take_number(const uint8_t *at, size_t bytes_n)
{
    uint64_t number = 0;
    for (size_t i = 0; i < bytes_n; i++) {
        number = number << 8 | at[i];
    }
    return number;
}

bool weir_sqlite_unpack_head(struct weir_slice packed, struct weir_row *row)
{
    if (packed.n < WEIR_SQLITE_PACKED_HEAD_BYTES) {
        return false;
    }
    const uint8_t *texts = packed.p + WEIR_SQLITE_PACKED_HEAD_BYTES;
    const size_t stream_n = (size_t)take_number(packed.p + AT_STREAM_N, 2);
    const size_t type_n = (size_t)take_number(packed.p + AT_TYPE_N, 2);
    memcpy(row->id.bytes, packed.p, WEIR_UUID_BYTES);
    row->time_us = (int64_t)take_number(packed.p + AT_TIME, 8);
    row->stream = weir_slice(texts, stream_n);
    row->type = weir_slice(texts + stream_n, type_n);
    row->data = weir_slice(NULL, 0);
    row->metadata = weir_slice(NULL, 0);
    return stream_n + type_n <= packed.n - WEIR_SQLITE_PACKED_HEAD_BYTES;
}

/* Takes a text of `n` bytes from the front of `rest`; leaves *text absent if `n` is ABSENT. */
static bool take_text(struct weir_slice *rest, uint64_t n, struct weir_slice *text)
{
    if (n == ABSENT) {
        return true;
    }
    if (n > rest->n) {
        return false;
    }
    *text = weir_slice(rest->p, (size_t)n);
    *rest = weir_slice(rest->p + n, rest->n - (size_t)n);
    return true;
}

bool weir_sqlite_unpack(struct weir_slice packed, struct weir_slice large, struct weir_row *row)
{
    if (!weir_sqlite_unpack_head(packed, row)) {
        return false;
    }
    const uint8_t *names_end = row->type.p + row->type.n;
    struct weir_slice rest = weir_slice(names_end, (size_t)(packed.p + packed.n - names_end));
    if (large.p != NULL && rest.n > 0) {
        return false;
    }
    rest = large.p != NULL ? large : rest;
    return take_text(&rest, take_number(packed.p + AT_DATA_N, 4), &row->data) &&
           take_text(&rest, take_number(packed.p + AT_METADATA_N, 4), &row->metadata) &&
           rest.n == 0;
}

/* ---- SQL functions for the schema step ---- */

static void fail(sqlite3_context *context)
{
    sqlite3_result_error(context, "the message is damaged", -1);
}

static void packed_function(sqlite3_context *context, int values_n, sqlite3_value **values)
{
    (void)values_n;
    struct weir_row row = {.time_us = sqlite3_value_int64(values[1])};
    struct sqlite_packed packed;
    if (weir_sqlite_value_id(values[0], &row.id) &&
        weir_sqlite_value_text(values[2], &row.stream) && row.stream.p != NULL &&
        weir_sqlite_value_text(values[3], &row.type) && row.type.p != NULL &&
        weir_sqlite_value_text(values[4], &row.data) &&
        weir_sqlite_value_text(values[5], &row.metadata) && weir_sqlite_pack(&row, &packed)) {
        sqlite3_result_blob(context, packed.bytes, (int)packed.n, SQLITE_TRANSIENT);
    } else {
        fail(context);
    }
}

static void large_function(sqlite3_context *context, int values_n, sqlite3_value **values)
{
    (void)values_n;
    struct weir_row row = {.stream = weir_slice(NULL, 0)};
    if (!weir_sqlite_value_text(values[0], &row.data) ||
        !weir_sqlite_value_text(values[1], &row.metadata)) {
        fail(context);
        return;
    }
    if (!is_large(row.data.n, row.metadata.n)) {
        return;  // NULL
    }
    const size_t n = row.data.n + row.metadata.n;
    uint8_t *bytes = malloc(n);
    if (bytes == NULL) {
        sqlite3_result_error_nomem(context);
        return;
    }
    weir_sqlite_pack_large(&row, bytes);
    sqlite3_result_blob64(context, bytes, n, free);
}

int weir_sqlite_packed_prepare(sqlite3 *db)
{
    /* DIRECTONLY: the schema of a file, which may have been tampered with, cannot call them. */
    const int flags = SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_DIRECTONLY;
    const int rc = sqlite3_create_function_v2(db, "weir_packed", 6, flags, NULL, packed_function,
                                              NULL, NULL, NULL);
    return rc != SQLITE_OK ? rc
                           : sqlite3_create_function_v2(db, "weir_large", 2, flags, NULL,
                                                        large_function, NULL, NULL, NULL);
}
