/* What a read gives, as far as that is the same for all backends: where it starts and where the
 * next one goes on, what a message counts against the reply's budget, and what is said of a damaged
 * one. Pure functions of the query and of what a backend has found. */
#ifndef WEIR_STORE_READ_RULES_H
#define WEIR_STORE_READ_RULES_H

#include "store/store.h"

/* What a packed message has beside its four texts: the id as 36 characters, three numbers, tags and
 * lengths. */
enum { WEIR_PACKED_REST_BYTES = 72 };

/* Whether `from` is a position of a stream; a global position otherwise. */
bool weir_query_is_by_position(const struct weir_query *query);

/* The lowest position there can be on the scale of `from`. */
int64_t weir_query_lowest(const struct weir_query *query);

/* Where a read forward starts: never below that. */
int64_t weir_query_start(const struct weir_query *query);

/* Where to go on. `end` is the newest position of the stream or the newest global position in what
 * was read from, -1 or 0 if there is none; `is_all_examined`: nothing up to there is left out. */
int64_t weir_rows_next_position(const struct weir_query *query, const struct weir_rows *rows,
                                int64_t end, bool is_all_examined);

/* Whether a message of `bytes` more, texts and rest, exceeds the reply: the first never does. */
bool weir_rows_are_full(const struct weir_query *query, size_t n, size_t bytes_so_far,
                        size_t bytes);

/* Copies the row's texts to *to, which moves on, and points the row there; the stream's name only
 * if `with_stream`. */
void weir_row_move(struct weir_row *row, bool with_stream, uint8_t **to);

/* DATA_CORRUPT that names the position. */
weir_status weir_fail_damaged(struct weir_error *err, int64_t global_position);

#endif
