/* Reading: the reads of a session (sqlite_read.c, sqlite_list.c), the SELECTs that they run
 * (sqlite_select.c) and the decoding of a row (sqlite_row.c). Used by the thread that holds the
 * session. */
#ifndef WEIR_STORE_SQLITE_READING_H
#define WEIR_STORE_SQLITE_READING_H

#include "store/sqlite/sqlite_session.h"

/* The columns of every SELECT that gives messages. */
enum {
    COLUMN_GLOBAL_POSITION,
    COLUMN_POSITION,
    COLUMN_PACKED,
    COLUMN_LARGE,  // NULL when headers are read
    COLUMNS
};

/* The SQL function that every SELECT of a read passes its rows to, with the columns above as
 * arguments. Returns true for the row that ends the read. */
#define WEIR_SQLITE_TAKE "weir_take"

/* The SQL function that a SELECT with a filter by type calls first, with the packed message as its
 * argument. */
#define WEIR_SQLITE_HAS_TYPE "weir_has_type"

/* The properties of a query that its SELECT's text depends on. */
struct sqlite_shape {
    enum weir_selector selector;
    bool is_backward;
    bool is_from_global;
    bool is_headers_only;
    bool has_correlation;
    bool has_group;
    bool has_types;
};

/* The parameters of every SELECT. */
enum {
    PARAMETER_SCOPE = 1,  // stream_id or category_id
    PARAMETER_FROM,
    PARAMETER_CORRELATION,
    PARAMETER_GROUP_SIZE,
    PARAMETER_GROUP_MEMBER
};

enum { WEIR_SQLITE_SELECT_BYTES = 512 };

/* Composes the text of the SELECT for a shape. */
void weir_sqlite_select_text(const struct sqlite_shape *shape, char text[WEIR_SQLITE_SELECT_BYTES]);

/* Returns the prepared statement for a shape, which the session keeps; a result code. */
int weir_sqlite_select(struct sqlite_session *session, const struct sqlite_shape *shape,
                       sqlite3_stmt **statement);

/* Decodes a row from its COLUMNS values; its slices are valid as long as the values. False if a
 * value has a wrong type or is out of range; of the row only global_position is meaningful then. */
bool weir_sqlite_row(sqlite3_value *const *values, bool is_headers_only, struct weir_row *row);

/* Decodes a statement's current row as weir_sqlite_row does; its slices are valid until the next
 * step.
 *
 * Columns are fetched by sqlite3_column_value, which costs one check of the statement for each
 * column instead of one each for its type, bytes and length. SQLite allows that because the
 * connection is used by one thread at a time. */
bool weir_sqlite_current_row(sqlite3_stmt *statement, struct weir_row *row);

/* Registers WEIR_SQLITE_TAKE and WEIR_SQLITE_HAS_TYPE with the session's connection. */
int weir_sqlite_read_prepare(struct sqlite_session *session);

/* The slots of `struct weir_session_ops` that read. */
weir_status weir_sqlite_read(struct weir_session *base, const struct weir_query *query,
                             struct weir_arena *arena, struct weir_rows *rows,
                             struct weir_error *err);
weir_status weir_sqlite_stream_version(struct weir_session *base, struct weir_slice stream,
                                       int64_t *version, struct weir_error *err);
weir_status weir_sqlite_head(struct weir_session *base, struct weir_head *head,
                             struct weir_error *err);
weir_status weir_sqlite_totals(struct weir_session *base, struct weir_namespace_totals *totals,
                               struct weir_error *err);
weir_status weir_sqlite_list_streams(struct weir_session *base, const struct weir_page_query *query,
                                     struct weir_arena *arena, struct weir_stream_page *page,
                                     struct weir_error *err);
weir_status weir_sqlite_list_categories(struct weir_session *base, struct weir_arena *arena,
                                        struct weir_category_list *list, struct weir_error *err);

#endif
