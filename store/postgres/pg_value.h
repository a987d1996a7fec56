/* Values in PostgreSQL's binary format: parameters in, columns out.
 *
 * Parameters are borrowed from the caller until the statement is sent; what must be made (numbers,
 * arrays) is cut from the arena given. A failure (no memory, too large) is remembered and reported
 * once, by weir_pg_params_check. */
#ifndef WEIR_STORE_POSTGRES_PG_VALUE_H
#define WEIR_STORE_POSTGRES_PG_VALUE_H

#include "weir/base/arena.h"
#include "weir/base/status.h"
#include "weir/rules/uuid.h"

#include <libpq-fe.h>

enum { WEIR_PG_PARAMS_MAX = 25, WEIR_PG_INLINE_BYTES = 128 };

struct pg_params {
    struct weir_arena *arena;  // for arrays; NULL where there are none
    bool is_too_large;
    bool is_out_of_memory;
    int n;
    const char *values[WEIR_PG_PARAMS_MAX];
    int lengths[WEIR_PG_PARAMS_MAX];
    int formats[WEIR_PG_PARAMS_MAX];
    uint8_t numbers[WEIR_PG_INLINE_BYTES];  // what scalar parameters point at
    size_t numbers_n;
};

void weir_pg_params_init(struct pg_params *params, struct weir_arena *arena);
weir_status weir_pg_params_check(const struct pg_params *params, struct weir_error *err);

void weir_pg_param_int4(struct pg_params *params, int32_t value);
void weir_pg_param_int8(struct pg_params *params, int64_t value);

/* Text or bytes; absent is NULL. */
void weir_pg_param_slice(struct pg_params *params, struct weir_slice value);

/* ---- arrays of one dimension, filled element by element ---- */

enum pg_element { PG_INT4, PG_INT8, PG_TIMESTAMP, PG_UUID, PG_TEXT };

struct pg_array {
    uint8_t *at;  // where the next element goes; NULL after a failure
    uint8_t *end;
};

/* Adds a parameter that is an array of n elements whose values have `bytes` bytes in all (what is
 * left unused at the end, because elements were NULL, is cut off by weir_pg_array_close). */
struct pg_array weir_pg_array_open(struct pg_params *params, enum pg_element element, size_t n,
                                   size_t bytes);
void weir_pg_array_int4(struct pg_array *array, int32_t value);
void weir_pg_array_int8(struct pg_array *array, int64_t value);
void weir_pg_array_slice(struct pg_array *array, struct weir_slice value);  // absent is NULL
/* JSON as jsonb can hold it, whose exponents are bounded even of zeros; absent is NULL. */
void weir_pg_array_json(struct pg_array *array, struct weir_slice value);
void weir_pg_array_null(struct pg_array *array);
void weir_pg_array_close(struct pg_params *params, struct pg_array *array);

/* ---- columns of a result ---- */

/* Microseconds since 1970 as a timestamp's, which are since 2000. */
int64_t weir_pg_time_to_binary(int64_t time_us);

/* False where the column is NULL or of another length. */
bool weir_pg_int4(const PGresult *result, int row, int column, int32_t *value);
bool weir_pg_int8(const PGresult *result, int row, int column, int64_t *value);
bool weir_pg_time(const PGresult *result, int row, int column, int64_t *time_us);
bool weir_pg_uuid(const PGresult *result, int row, int column, struct weir_uuid *value);

/* Whether the column is true; NULL is not. */
bool weir_pg_bool(const PGresult *result, int row, int column);

/* Text or bytes, valid as long as the result; absent for NULL. */
struct weir_slice weir_pg_slice(const PGresult *result, int row, int column);

/* The elements of an int4[] or int8[] without NULLs: *elements points into the result, element k is
 * read with weir_pg_element_…. False where it is no such array of n elements. */
bool weir_pg_elements(const PGresult *result, int row, int column, size_t n, size_t width,
                      const uint8_t **elements);
int32_t weir_pg_element_int4(const uint8_t *elements, size_t k);
int64_t weir_pg_element_int8(const uint8_t *elements, size_t k);

#endif
