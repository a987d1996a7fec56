/* Encodes and decodes PostgreSQL's binary format. Numbers are big-endian. An array is a head
 * (number of dimensions, whether there may be NULLs, element type, size, lower bound), followed by
 * the length and the value of each element; NULL has the length -1 and no value. An empty array has
 * no dimensions, and its head ends before the size. */
#include "store/postgres/pg_value.h"

#include "weir/rules/json_text.h"

#include <assert.h>
#include <limits.h>

/* Microseconds between 1970-01-01 and 2000-01-01. */
#define EPOCH_2000_US INT64_C(946684800000000)

enum {
    ARRAY_HEAD_BYTES = 20,     // dimensions, flags, element type, size, lower bound
    ARRAY_ELEMENT_BYTES = 24,  // offset of the first element's value
    BINARY = 1
};

/* ---- big-endian numbers ---- */

static void put_u32(uint8_t *at, uint32_t value)
{
    for (int i = 0; i < 4; i++) {
        at[i] = (uint8_t)(value >> (24 - 8 * i));
    }
}

static void put_u64(uint8_t *at, uint64_t value)
{
    put_u32(at, (uint32_t)(value >> 32));
    put_u32(at + 4, (uint32_t)value);
}

static uint32_t get_u32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static uint64_t get_u64(const uint8_t *at)
{
    return (uint64_t)get_u32(at) << 32 | get_u32(at + 4);
}

/* ---- parameters ---- */

void weir_pg_params_init(struct pg_params *params, struct weir_arena *arena)
{
    params->arena = arena;
    params->is_too_large = false;
    params->is_out_of_memory = false;
    params->n = 0;
    params->numbers_n = 0;
}

weir_status weir_pg_params_check(const struct pg_params *params, struct weir_error *err)
{
    if (params->is_too_large) {
        return weir_fail(err, WEIR_LIMIT_EXCEEDED, "the request is too large for the database");
    }
    if (params->is_out_of_memory) {
        return weir_fail(err, WEIR_BACKEND_UNAVAILABLE, "out of memory");
    }
    return WEIR_OK;
}

static void add(struct pg_params *params, const void *value, size_t n)
{
    assert(params->n < WEIR_PG_PARAMS_MAX);
    if (n > INT_MAX) {
        params->is_too_large = true;
        n = 0;
    }
    params->values[params->n] = value;
    params->lengths[params->n] = (int)n;
    params->formats[params->n] = BINARY;
    params->n++;
}

static uint8_t *number(struct pg_params *params, size_t n)
{
    assert(params->numbers_n + n <= sizeof params->numbers);
    uint8_t *at = params->numbers + params->numbers_n;
    params->numbers_n += n;
    return at;
}

void weir_pg_param_int4(struct pg_params *params, int32_t value)
{
    uint8_t *at = number(params, 4);
    put_u32(at, (uint32_t)value);
    add(params, at, 4);
}

void weir_pg_param_int8(struct pg_params *params, int64_t value)
{
    uint8_t *at = number(params, 8);
    put_u64(at, (uint64_t)value);
    add(params, at, 8);
}

void weir_pg_param_slice(struct pg_params *params, struct weir_slice value)
{
    /* libpq takes a NULL pointer for SQL's NULL. */
    add(params, value.p, value.n);
}

/* ---- arrays ---- */

/* The OIDs of the types, which never change. */
static const uint32_t element_types[] = {
    [PG_INT4] = 23, [PG_INT8] = 20, [PG_TIMESTAMP] = 1114, [PG_UUID] = 2950, [PG_TEXT] = 25,
};

struct pg_array weir_pg_array_open(struct pg_params *params, enum pg_element element, size_t n,
                                   size_t bytes)
{
    struct pg_array array = {NULL, NULL};
    if (n > INT_MAX / 4 || bytes > INT_MAX - ARRAY_HEAD_BYTES - 4 * n) {
        params->is_too_large = true;
        add(params, NULL, 0);
        return array;
    }
    const size_t size = ARRAY_HEAD_BYTES + 4 * n + bytes;
    uint8_t *at = weir_arena_bytes(params->arena, size);
    params->is_out_of_memory = params->is_out_of_memory || at == NULL;
    add(params, at, size);
    if (at == NULL) {
        return array;
    }
    put_u32(at, n > 0);  // dimensions: an empty array has none
    put_u32(at + 4, 1);  // there may be NULLs
    put_u32(at + 8, element_types[element]);
    put_u32(at + 12, (uint32_t)n);
    put_u32(at + 16, 1);  // numbered from 1
    array.at = at + (n > 0 ? ARRAY_HEAD_BYTES : 12);
    array.end = at + size;
    return array;
}

void weir_pg_array_slice(struct pg_array *array, struct weir_slice value)
{
    if (array->at == NULL) {
        return;
    }
    if (value.p == NULL) {
        weir_pg_array_null(array);
        return;
    }
    assert((size_t)(array->end - array->at) >= 4 + value.n);
    put_u32(array->at, (uint32_t)value.n);
    if (value.n > 0) {
        memcpy(array->at + 4, value.p, value.n);
    }
    array->at += 4 + value.n;
}

void weir_pg_array_json(struct pg_array *array, struct weir_slice value)
{
    weir_pg_array_slice(array, value);
    if (array->at != NULL && value.n > 0) {
        weir_json_plain_zeros(array->at - value.n, value.n);
    }
}

void weir_pg_array_int4(struct pg_array *array, int32_t value)
{
    uint8_t bytes[4];
    put_u32(bytes, (uint32_t)value);
    weir_pg_array_slice(array, weir_slice(bytes, sizeof bytes));
}

void weir_pg_array_int8(struct pg_array *array, int64_t value)
{
    uint8_t bytes[8];
    put_u64(bytes, (uint64_t)value);
    weir_pg_array_slice(array, weir_slice(bytes, sizeof bytes));
}

void weir_pg_array_null(struct pg_array *array)
{
    if (array->at != NULL) {
        put_u32(array->at, UINT32_MAX);  // the length -1
        array->at += 4;
    }
}

void weir_pg_array_close(struct pg_params *params, struct pg_array *array)
{
    const int last = params->n - 1;
    if (array->at != NULL) {
        params->lengths[last] = (int)((const char *)array->at - params->values[last]);
    }
}

/* ---- columns ---- */

/* Returns false for the infinite timestamps. */
static bool time_from_binary(int64_t value, int64_t *time_us)
{
    if (value == INT64_MIN || value > INT64_MAX - EPOCH_2000_US) {
        return false;
    }
    *time_us = value + EPOCH_2000_US;
    return true;
}

/* A time that PostgreSQL cannot represent becomes one that it refuses. */
int64_t weir_pg_time_to_binary(int64_t time_us)
{
    return time_us < INT64_MIN + EPOCH_2000_US ? INT64_MIN + 1 : time_us - EPOCH_2000_US;
}

static const uint8_t *bytes_of(const PGresult *result, int row, int column, size_t n)
{
    if (PQgetisnull(result, row, column) || PQgetlength(result, row, column) != (int)n) {
        return NULL;
    }
    return (const uint8_t *)PQgetvalue(result, row, column);
}

bool weir_pg_int4(const PGresult *result, int row, int column, int32_t *value)
{
    const uint8_t *at = bytes_of(result, row, column, 4);
    if (at != NULL) {
        *value = (int32_t)get_u32(at);
    }
    return at != NULL;
}

bool weir_pg_int8(const PGresult *result, int row, int column, int64_t *value)
{
    const uint8_t *at = bytes_of(result, row, column, 8);
    if (at != NULL) {
        *value = (int64_t)get_u64(at);
    }
    return at != NULL;
}

bool weir_pg_time(const PGresult *result, int row, int column, int64_t *time_us)
{
    int64_t value = 0;
    return weir_pg_int8(result, row, column, &value) && time_from_binary(value, time_us);
}

bool weir_pg_uuid(const PGresult *result, int row, int column, struct weir_uuid *value)
{
    const uint8_t *at = bytes_of(result, row, column, sizeof value->bytes);
    if (at != NULL) {
        memcpy(value->bytes, at, sizeof value->bytes);
    }
    return at != NULL;
}

bool weir_pg_bool(const PGresult *result, int row, int column)
{
    const uint8_t *at = bytes_of(result, row, column, 1);
    return at != NULL && *at != 0;
}

struct weir_slice weir_pg_slice(const PGresult *result, int row, int column)
{
    if (PQgetisnull(result, row, column)) {
        return weir_slice(NULL, 0);
    }
    return weir_slice(PQgetvalue(result, row, column), (size_t)PQgetlength(result, row, column));
}

bool weir_pg_elements(const PGresult *result, int row, int column, size_t n, size_t width,
                      const uint8_t **elements)
{
    const size_t size = n == 0 ? 12 : ARRAY_HEAD_BYTES + n * (4 + width);
    const uint8_t *at = bytes_of(result, row, column, size);
    if (at == NULL || get_u32(at) != (n > 0) || (n > 0 && get_u32(at + 12) != n)) {
        return false;
    }
    for (size_t k = 0; k < n; k++) {
        if (get_u32(at + ARRAY_HEAD_BYTES + k * (4 + width)) != width) {
            return false;
        }
    }
    *elements = at;
    return true;
}

int32_t weir_pg_element_int4(const uint8_t *elements, size_t k)
{
    return (int32_t)get_u32(elements + ARRAY_ELEMENT_BYTES + k * 8);
}

int64_t weir_pg_element_int8(const uint8_t *elements, size_t k)
{
    return (int64_t)get_u64(elements + ARRAY_ELEMENT_BYTES + k * 12);
}
