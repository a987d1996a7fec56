/* A message in the values that SQLite holds. */
#include "store/sqlite/sqlite_int.h"

/* sqlite3_value_blob gives the bytes of text as they are stored, without a look at their encoding;
 * for empty text it gives NULL, which is not absent. */
bool weir_sqlite_value_text(sqlite3_value *value, struct weir_slice *text)
{
    const int type = sqlite3_value_type(value);
    if (type == SQLITE_NULL) {
        *text = weir_slice(NULL, 0);
        return true;
    }
    if (type != SQLITE_TEXT) {
        return false;
    }
    const void *bytes = sqlite3_value_blob(value);
    const int n = sqlite3_value_bytes(value);
    *text = n == 0 ? weir_slice("", 0) : weir_slice(bytes, (size_t)n);
    return text->p != NULL;
}

static bool take_integer(sqlite3_value *value, int64_t *number)
{
    *number = sqlite3_value_int64(value);
    return sqlite3_value_type(value) == SQLITE_INTEGER;
}

/* Beyond these none is given, and none can be calculated with. */
static bool are_positions(const struct weir_row *row)
{
    return row->global_position >= 1 && row->global_position < INT64_MAX && row->position >= 0 &&
           row->position < INT64_MAX;
}

static bool take_id(sqlite3_value *value, struct weir_uuid *id)
{
    if (sqlite3_value_type(value) != SQLITE_BLOB || sqlite3_value_bytes(value) != WEIR_UUID_BYTES) {
        return false;
    }
    memcpy(id->bytes, sqlite3_value_blob(value), WEIR_UUID_BYTES);
    return true;
}

bool weir_sqlite_row(sqlite3_value *const *values, struct weir_row *row)
{
    *row =
        (struct weir_row){.global_position = sqlite3_value_int64(values[COLUMN_GLOBAL_POSITION])};
    return take_id(values[COLUMN_ID], &row->id) &&
           take_integer(values[COLUMN_POSITION], &row->position) && are_positions(row) &&
           take_integer(values[COLUMN_TIME], &row->time_us) &&
           weir_sqlite_value_text(values[COLUMN_TYPE], &row->type) && row->type.p != NULL &&
           weir_sqlite_value_text(values[COLUMN_DATA], &row->data) &&
           weir_sqlite_value_text(values[COLUMN_METADATA], &row->metadata) &&
           weir_sqlite_value_text(values[COLUMN_STREAM], &row->stream);
}

bool weir_sqlite_current_row(sqlite3_stmt *statement, struct weir_row *row)
{
    sqlite3_value *values[COLUMNS];
    for (int c = 0; c < COLUMNS; c++) {
        values[c] = sqlite3_column_value(statement, c);
    }
    return weir_sqlite_row(values, row) && row->stream.p != NULL;
}
