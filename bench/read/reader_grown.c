#include "bench/read/grown.h"
#include "bench/read/reader.h"

#include "store/sqlite/sqlite_packed.h"

static weir_status read_grown(struct reader *reader, const struct read_plan *plan, size_t start,
                              struct read_reply *reply, struct weir_error *err);

const struct reader grown_reader = {read_grown};

static struct weir_slice column_bytes(sqlite3_stmt *statement, int column)
{
    const void *bytes = sqlite3_column_blob(statement, column);
    return weir_slice(bytes, (size_t)sqlite3_column_bytes(statement, column));
}

/* Reads the columns into a row without copying. */
static bool read_columns(const struct read_plan *plan, sqlite3_stmt *statement,
                         struct weir_row *row)
{
    struct weir_slice packed = weir_slice(NULL, 0);
    struct weir_slice large = weir_slice(NULL, 0);
    for (int c = 0; c < plan->columns_n; c++) {
        switch (plan->columns[c]) {
        case READ_COLUMN_GLOBAL_POSITION:
            row->global_position = sqlite3_column_int64(statement, c);
            break;
        case READ_COLUMN_POSITION:
            row->position = sqlite3_column_int64(statement, c);
            break;
        case READ_COLUMN_PACKED:
            packed = column_bytes(statement, c);
            break;
        case READ_COLUMN_LARGE:
            large = column_bytes(statement, c);
            break;
        case READ_COLUMN_OTHER:
            break;
        }
    }
    return weir_sqlite_unpack(packed, large, row);
}

static bool copy_texts(const struct weir_row *row, Weir__V1__Message *message)
{
    message->id = grown_id(row->id.bytes);
    message->stream_name = grown_text(row->stream.p, row->stream.n);
    message->type = grown_text(row->type.p, row->type.n);
    return message->id != NULL && message->stream_name != NULL && message->type != NULL &&
           (row->data.p == NULL ||
            grown_data(row->data.p, row->data.n, &message->has_data, &message->data)) &&
           (row->metadata.p == NULL || grown_data(row->metadata.p, row->metadata.n,
                                                  &message->has_metadata, &message->metadata));
}

static bool take_row(const struct read_plan *plan, sqlite3_stmt *statement, struct grown *grown)
{
    struct weir_row row = {.position = 0};
    Weir__V1__Message *message = grown_add(grown);
    if (message == NULL || !read_columns(plan, statement, &row) || !copy_texts(&row, message)) {
        return false;
    }
    message->has_position = true;
    message->position = row.position;
    message->has_global_position = true;
    message->global_position = row.global_position;
    message->has_time_us = true;
    message->time_us = row.time_us;
    return true;
}

static weir_status take_rows(const struct read_plan *plan, sqlite3_stmt *statement,
                             struct grown *grown, struct weir_error *err)
{
    int rc = SQLITE_ROW;
    while ((rc = sqlite3_step(statement)) == SQLITE_ROW) {
        if (!take_row(plan, statement, grown)) {
            return weir_fail(err, WEIR_BACKEND_UNAVAILABLE, "out of memory, or no message");
        }
    }
    return rc == SQLITE_DONE ? WEIR_OK
                             : weir_fail(err, WEIR_BACKEND_ERROR, "SQLite: %s", sqlite3_errstr(rc));
}

static weir_status read_grown(struct reader *reader, const struct read_plan *plan, size_t start,
                              struct read_reply *reply, struct weir_error *err)
{
    (void)reader;
    sqlite3_stmt *statement = plan->statements[start];
    struct grown grown = {.messages = NULL};
    *reply = (struct read_reply){.message = NULL};
    weir_status status = take_rows(plan, statement, &grown, err);
    (void)sqlite3_reset(statement);
    if (status == WEIR_OK) {
        reply->rows = grown.n;
        status = grown_pack(&grown, &reply->message, err);
    }
    grown_free(&grown);
    return status;
}
