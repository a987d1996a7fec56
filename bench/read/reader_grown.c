#include "bench/read/grown.h"
#include "bench/read/reader.h"

static weir_status read_grown(struct reader *reader, const struct read_plan *plan, size_t start,
                              struct read_reply *reply, struct weir_error *err);

const struct reader grown_reader = {"grown", read_grown};

static char *column_text(sqlite3_stmt *statement, int column)
{
    const void *bytes = sqlite3_column_blob(statement, column);
    return grown_text(bytes, (size_t)sqlite3_column_bytes(statement, column));
}

static bool column_data(sqlite3_stmt *statement, int column, protobuf_c_boolean *is_there,
                        ProtobufCBinaryData *data)
{
    const void *bytes = sqlite3_column_blob(statement, column);
    return bytes == NULL ||
           grown_data(bytes, (size_t)sqlite3_column_bytes(statement, column), is_there, data);
}

static bool take_column(sqlite3_stmt *statement, int column, enum read_column what,
                        Weir__V1__Message *message)
{
    switch (what) {
    case READ_COLUMN_ID:
        message->id = grown_id(sqlite3_column_blob(statement, column));
        return message->id != NULL;
    case READ_COLUMN_STREAM:
        message->stream_name = column_text(statement, column);
        return message->stream_name != NULL;
    case READ_COLUMN_TYPE:
        message->type = column_text(statement, column);
        return message->type != NULL;
    case READ_COLUMN_DATA:
        return column_data(statement, column, &message->has_data, &message->data);
    case READ_COLUMN_METADATA:
        return column_data(statement, column, &message->has_metadata, &message->metadata);
    case READ_COLUMN_POSITION:
        message->has_position = true;
        message->position = sqlite3_column_int64(statement, column);
        return true;
    case READ_COLUMN_GLOBAL_POSITION:
        message->has_global_position = true;
        message->global_position = sqlite3_column_int64(statement, column);
        return true;
    case READ_COLUMN_TIME:
        message->has_time_us = true;
        message->time_us = sqlite3_column_int64(statement, column);
        return true;
    case READ_COLUMN_OTHER:
        return true;
    }
    return true;
}

static bool take_row(const struct read_plan *plan, sqlite3_stmt *statement, struct grown *grown)
{
    Weir__V1__Message *message = grown_add(grown);
    bool is_ok = message != NULL;
    for (int c = 0; is_ok && c < plan->columns_n; c++) {
        is_ok = take_column(statement, c, plan->columns[c], message);
    }
    /* A read of one stream does not select its name. */
    if (is_ok && message->stream_name == NULL) {
        message->stream_name = grown_text(plan->selection->name.p, plan->selection->name.n);
        is_ok = message->stream_name != NULL;
    }
    return is_ok;
}

static weir_status take_rows(const struct read_plan *plan, sqlite3_stmt *statement,
                             struct grown *grown, struct weir_error *err)
{
    int rc = SQLITE_ROW;
    while ((rc = sqlite3_step(statement)) == SQLITE_ROW) {
        if (!take_row(plan, statement, grown)) {
            return weir_fail(err, WEIR_BACKEND_UNAVAILABLE, "out of memory");
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
