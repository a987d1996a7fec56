/* Reads of messages: the slots `read` and `read_group` of struct weir_session_ops. */
#ifndef WEIR_STORE_POSTGRES_PG_READ_H
#define WEIR_STORE_POSTGRES_PG_READ_H

#include "store/store_backend.h"

#include <libpq-fe.h>

weir_status weir_pg_read(struct weir_session *base, const struct weir_query *query,
                         struct weir_arena *arena, struct weir_rows *rows, struct weir_error *err);
void weir_pg_read_group(struct weir_session *base, struct weir_read *first);

/* Reads a row whose columns are those of enum pg_column; its slices live as long as the result.
 * Returns false if a value has a wrong form; then only global_position may be set. */
bool weir_pg_row(const PGresult *result, int at, struct weir_row *row);

#endif
