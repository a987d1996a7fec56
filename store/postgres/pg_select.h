/* The SELECTs of reads, composed of constant pieces. Pure functions. */
#ifndef WEIR_STORE_POSTGRES_PG_SELECT_H
#define WEIR_STORE_POSTGRES_PG_SELECT_H

#include "store/postgres/pg_dialect.h"

/* The columns of every SELECT that gives messages. */
enum pg_column {
    PG_COLUMN_GLOBAL_POSITION,
    PG_COLUMN_POSITION,
    PG_COLUMN_TIME,
    PG_COLUMN_ID,
    PG_COLUMN_STREAM,
    PG_COLUMN_TYPE,
    PG_COLUMN_DATA,
    PG_COLUMN_METADATA
};

/* The columns of the last row, which is about the namespace: of a page that has fewer messages than
 * wanted, and of every page of a window. Its other columns, among them the id, are NULL. */
enum pg_head { PG_HEAD_END, PG_HEAD_LARGEST };

/* What the text of a SELECT depends on. */
struct pg_shape {
    enum weir_selector selector;
    bool is_backward;
    bool is_from_global;
    bool is_headers_only;
    bool is_measured;  // ends with the row that crosses $4 bytes
    bool has_correlation;
    bool has_group;
    bool has_types;
    bool is_settled;  // ends at a position up to which everything is committed
    bool is_spanned;  // tells whether the spans still have version $5 ($6 with a correlation)
    int64_t since_s;  // as in struct pg_window
};

enum { WEIR_PG_SELECT_BYTES = 4096 };

/* Returns the kind of the prepared statement (struct pg_key): another for each text, but for
 * since_s. */
uint32_t weir_pg_select_kind(const struct pg_shape *shape);

/* Writes the text, with the marks of pg_dialect.h. */
void weir_pg_select_text(const struct pg_layout *layout, const struct pg_shape *shape,
                         char text[WEIR_PG_SELECT_BYTES]);

#endif
