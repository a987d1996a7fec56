#include "bench/read/reader.h"

static weir_status read_floor(struct reader *reader, const struct read_plan *plan, size_t start,
                              struct read_reply *reply, struct weir_error *err);

const struct reader floor_reader = {read_floor};

/* Looks at all columns of a row with the fewest possible calls. Returns the bytes of text. */
static uint64_t read_columns(sqlite3_stmt *statement, int columns, uint64_t *numbers)
{
    uint64_t bytes = 0;
    for (int c = 0; c < columns; c++) {
        sqlite3_value *value = sqlite3_column_value(statement, c);
        switch (sqlite3_value_type(value)) {
        case SQLITE_INTEGER:
            *numbers ^= (uint64_t)sqlite3_value_int64(value);
            break;
        case SQLITE_NULL:
            break;
        default: {
            const uint8_t *p = sqlite3_value_blob(value);
            const int n = sqlite3_value_bytes(value);
            *numbers ^= n > 0 ? p[0] : 0u;
            bytes += (uint64_t)n;
        }
        }
    }
    return bytes;
}

static weir_status read_floor(struct reader *reader, const struct read_plan *plan, size_t start,
                              struct read_reply *reply, struct weir_error *err)
{
    (void)reader;
    sqlite3_stmt *statement = plan->statements[start];
    uint64_t numbers = 0;
    *reply = (struct read_reply){.message = NULL};
    int rc = SQLITE_ROW;
    while ((rc = sqlite3_step(statement)) == SQLITE_ROW) {
        reply->text_bytes += read_columns(statement, plan->columns_n, &numbers);
        reply->rows++;
    }
    volatile uint64_t sink = numbers;  // keeps the compiler from removing the column reads
    (void)sink;
    (void)sqlite3_reset(statement);
    return rc == SQLITE_DONE ? WEIR_OK
                             : weir_fail(err, WEIR_BACKEND_ERROR, "SQLite: %s", sqlite3_errstr(rc));
}
