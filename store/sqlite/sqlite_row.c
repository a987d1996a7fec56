/* Decoding a message from the values of its row. */
#include "store/sqlite/sqlite_reading.h"

#include "store/sqlite/sqlite_packed.h"
#include "store/sqlite/sqlite_value.h"

static bool take_integer(sqlite3_value *value, int64_t *number)
{
    *number = sqlite3_value_int64(value);
    return sqlite3_value_type(value) == SQLITE_INTEGER;
}

/* Returns whether the positions are in the range that is ever allotted, which is safe to calculate
 * with. */
static bool are_positions(const struct weir_row *row)
{
    return row->global_position >= 1 && row->global_position < INT64_MAX && row->position >= 0 &&
           row->position < INT64_MAX;
}

bool weir_sqlite_row(sqlite3_value *const *values, bool is_headers_only, struct weir_row *row)
{
    struct weir_slice packed;
    struct weir_slice large;
    row->global_position = sqlite3_value_int64(values[COLUMN_GLOBAL_POSITION]);
    row->packed_n = 0;
    if (!take_integer(values[COLUMN_POSITION], &row->position) || !are_positions(row) ||
        !weir_sqlite_value_blob(values[COLUMN_PACKED], &packed) ||
        !weir_sqlite_value_blob(values[COLUMN_LARGE], &large)) {
        return false;
    }
    return is_headers_only ? weir_sqlite_unpack_head(packed, row)
                           : weir_sqlite_unpack(packed, large, row);
}

bool weir_sqlite_current_row(sqlite3_stmt *statement, struct weir_row *row)
{
    sqlite3_value *values[COLUMNS];
    for (int c = 0; c < COLUMNS; c++) {
        values[c] = sqlite3_column_value(statement, c);
    }
    return weir_sqlite_row(values, false, row);
}
