/* The rules for reads that all backends share: where a read starts and where the following one
 * continues, the bytes that a message counts against the reply's limit, and the error of a damaged
 * message. Pure functions of the query and of what a backend has found. */
#ifndef WEIR_STORE_READ_RULES_H
#define WEIR_STORE_READ_RULES_H

#include "store/store.h"

/* Bytes of a packed message besides its four texts: the id as 36 characters, three numbers, tags
 * and lengths. */
enum { WEIR_PACKED_REST_BYTES = 72 };

/* Returns whether query->from is a position of a stream rather than a global position. */
bool weir_query_is_by_position(const struct weir_query *query);

/* Returns the lowest possible position on the scale of query->from: 0 in a stream, 1 globally. */
int64_t weir_query_lowest(const struct weir_query *query);

/* Returns the start of a forward read: query->from, but at least weir_query_lowest. */
int64_t weir_query_start(const struct weir_query *query);

/* Returns the next_position of a read. `end` is the newest position of the stream (-1 if none) or
 * the newest global position (0 if none) in the snapshot; `is_all_examined` says that every message
 * up to `end` has been examined. */
int64_t weir_rows_next_position(const struct weir_query *query, const struct weir_rows *rows,
                                int64_t end, bool is_all_examined);

/* Returns whether a further message of `bytes`, texts and WEIR_PACKED_REST_BYTES, exceeds the
 * reply's limit; `n` messages of `bytes_so_far` are in it. The first message never does. */
bool weir_rows_are_full(const struct weir_query *query, size_t n, size_t bytes_so_far,
                        size_t bytes);

/* Copies the row's texts to *to, points the row at the copies and advances *to; the stream's name
 * is copied only if `with_stream`. */
void weir_row_move(struct weir_row *row, bool with_stream, uint8_t **to);

/* Sets and returns DATA_CORRUPT, naming the message's global position. */
weir_status weir_fail_damaged(struct weir_error *err, int64_t global_position);

#endif
