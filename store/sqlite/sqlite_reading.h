/* What the files share that read: sqlite_read.c, sqlite_row.c, sqlite_select.c, sqlite_list.c. */
#ifndef WEIR_STORE_SQLITE_READING_H
#define WEIR_STORE_SQLITE_READING_H

#include "store/sqlite/sqlite_session.h"

/* The columns of every SELECT that gives messages. */
enum {
    COLUMN_GLOBAL_POSITION,
    COLUMN_POSITION,
    COLUMN_PACKED,
    COLUMN_LARGE,  // NULL where headers are read
    COLUMNS
};

/* The SQL function that every SELECT of a read hands its rows to, with these columns as arguments.
 * It is true for the row that ends the read. */
#define WEIR_SQLITE_TAKE "weir_take"

/* The one that a SELECT with types asks before, with the packed message as its argument. */
#define WEIR_SQLITE_HAS_TYPE "weir_has_type"

/* What a SELECT depends on. */
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

void weir_sqlite_select_text(const struct sqlite_shape *shape, char text[WEIR_SQLITE_SELECT_BYTES]);

/* The prepared statement for a shape. */
int weir_sqlite_select(struct sqlite_session *session, const struct sqlite_shape *shape,
                       sqlite3_stmt **statement);

/* A row as it stands in its values, of which there are COLUMNS: the slices are valid as long as
 * they are. False where a value is of a wrong type or out of range; of the row only global_position
 * means something then. */
bool weir_sqlite_row(sqlite3_value *const *values, bool is_headers_only, struct weir_row *row);

/* The same of a statement's current row; the slices are valid until the next step.
 *
 * Columns are looked at through sqlite3_column_value: one check of the statement for each column
 * and not one for its type, its bytes and its length. SQLite allows that where connections are used
 * by one thread at a time. */
bool weir_sqlite_current_row(sqlite3_stmt *statement, struct weir_row *row);

/* Makes WEIR_SQLITE_TAKE and WEIR_SQLITE_HAS_TYPE known to the session's connection. */
int weir_sqlite_read_prepare(struct sqlite_session *session);

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
