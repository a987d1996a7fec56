/* Values in PostgreSQL's binary format: parameters in, columns out.
 *
 * A parameter borrows the caller's bytes until the statement is sent; numbers are kept in struct
 * pg_params itself, which must not be copied, and arrays in the arena. A failure (out of
 * memory, too large) is remembered, and weir_pg_params_check reports it. */
#ifndef WEIR_STORE_POSTGRES_PG_VALUE_H
#define WEIR_STORE_POSTGRES_PG_VALUE_H

#include "weir/base/arena.h"
#include "weir/base/fail.h"
#include "weir/rules/uuid.h"

#include <libpq-fe.h>

enum { WEIR_PG_PARAMS_MAX = 25, WEIR_PG_INLINE_BYTES = 128 };

struct pg_params {
    struct weir_arena *arena;  // for arrays; NULL if there are none
    bool is_too_large;
    bool is_out_of_memory;
    int n;
    const char *values[WEIR_PG_PARAMS_MAX];
    int lengths[WEIR_PG_PARAMS_MAX];
    int formats[WEIR_PG_PARAMS_MAX];
    uint8_t numbers[WEIR_PG_INLINE_BYTES];  // the values of int4 and int8 parameters
    size_t numbers_n;
};

void weir_pg_params_init(struct pg_params *params, struct weir_arena *arena);
weir_status weir_pg_params_check(const struct pg_params *params, struct weir_error *err);

void weir_pg_param_int4(struct pg_params *params, int32_t value);
void weir_pg_param_int8(struct pg_params *params, int64_t value);

/* Adds text or bytes; an absent slice is NULL. */
void weir_pg_param_slice(struct pg_params *params, struct weir_slice value);

/* ---- arrays of one dimension, filled element by element ---- */

enum pg_element { PG_INT4, PG_INT8, PG_TIMESTAMP, PG_UUID, PG_TEXT };

struct pg_array {
    uint8_t *at;  // where the next element goes; NULL after a failure
    uint8_t *end;
};

/* Adds a parameter that is an array of n elements, with room for `bytes` bytes of values in all.
 * Room that is left over because elements were NULL is cut off by weir_pg_array_close. */
struct pg_array weir_pg_array_open(struct pg_params *params, enum pg_element element, size_t n,
                                   size_t bytes);
void weir_pg_array_int4(struct pg_array *array, int32_t value);
void weir_pg_array_int8(struct pg_array *array, int64_t value);
void weir_pg_array_slice(struct pg_array *array, struct weir_slice value);  // absent: NULL
/* Adds JSON in a form that jsonb accepts, which bounds exponents even of zeros. Absent: NULL. */
void weir_pg_array_json(struct pg_array *array, struct weir_slice value);
void weir_pg_array_null(struct pg_array *array);
void weir_pg_array_close(struct pg_params *params, struct pg_array *array);

/* ---- columns of a result ---- */

/* Converts microseconds since 1970 to those since 2000, as PostgreSQL counts them. */
int64_t weir_pg_time_to_binary(int64_t time_us);

/* Return false if the column is NULL or of another length, or the time is infinite. */
bool weir_pg_int4(const PGresult *result, int row, int column, int32_t *value);
bool weir_pg_int8(const PGresult *result, int row, int column, int64_t *value);
bool weir_pg_time(const PGresult *result, int row, int column, int64_t *time_us);
bool weir_pg_uuid(const PGresult *result, int row, int column, struct weir_uuid *value);

/* Returns whether the column is true; NULL is false. */
bool weir_pg_bool(const PGresult *result, int row, int column);

/* Returns text or bytes that live as long as the result; absent for NULL. */
struct weir_slice weir_pg_slice(const PGresult *result, int row, int column);

/* Points *elements at the elements of an int4[] or int8[] (`width` 4 or 8) in the result;
 * weir_pg_element_… reads element k. Returns false unless the column is such an array of n
 * elements, none of them NULL. */
bool weir_pg_elements(const PGresult *result, int row, int column, size_t n, size_t width,
                      const uint8_t **elements);
int32_t weir_pg_element_int4(const uint8_t *elements, size_t k);
int64_t weir_pg_element_int8(const uint8_t *elements, size_t k);

#endif
