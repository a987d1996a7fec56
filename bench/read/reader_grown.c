#include "bench/read/reader.h"

#include "weir/v1/message_store.pb-c.h"
#include "weir/wire/frame.h"

#include <stdlib.h>

static weir_status read_grown(struct reader *reader, const struct read_plan *plan, size_t start,
                              struct read_reply *reply, struct weir_error *err);

const struct reader grown_reader = {"grown", read_grown};

enum { FIRST_ROOM = 4 };

struct grown {
    Weir__V1__Message **messages;
    size_t n;
    size_t room;
};

static void free_message(Weir__V1__Message *message)
{
    if (message != NULL) {
        free(message->id);
        free(message->stream_name);
        free(message->type);
        free(message->data.data);
        free(message->metadata.data);
        free(message);
    }
}

static void free_grown(struct grown *grown)
{
    for (size_t i = 0; i < grown->n; i++) {
        free_message(grown->messages[i]);
    }
    free(grown->messages);
}

static char *copy_text(const void *bytes, size_t n)
{
    char *text = malloc(n + 1);
    if (text != NULL) {
        memcpy(text, bytes, n);
        text[n] = '\0';
    }
    return text;
}

static char *column_text(sqlite3_stmt *statement, int column)
{
    const void *bytes = sqlite3_column_blob(statement, column);
    return copy_text(bytes, (size_t)sqlite3_column_bytes(statement, column));
}

static bool column_data(sqlite3_stmt *statement, int column, protobuf_c_boolean *is_there,
                        ProtobufCBinaryData *data)
{
    if (sqlite3_column_type(statement, column) == SQLITE_NULL) {
        return true;
    }
    *is_there = true;
    data->len = (size_t)sqlite3_column_bytes(statement, column);
    data->data = malloc(data->len);
    if (data->data != NULL) {
        memcpy(data->data, sqlite3_column_blob(statement, column), data->len);
    }
    return data->data != NULL;
}

static bool column_id(sqlite3_stmt *statement, int column, char **text)
{
    struct weir_uuid id;
    memcpy(id.bytes, sqlite3_column_blob(statement, column), sizeof id.bytes);
    *text = malloc(WEIR_UUID_TEXT + 1);
    if (*text != NULL) {
        weir_uuid_format(&id, *text);
    }
    return *text != NULL;
}

static bool take_column(sqlite3_stmt *statement, int column, enum read_column what,
                        Weir__V1__Message *message)
{
    switch (what) {
    case READ_COLUMN_ID:
        return column_id(statement, column, &message->id);
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

static bool grow(struct grown *grown)
{
    if (grown->n < grown->room) {
        return true;
    }
    const size_t room = grown->room == 0 ? FIRST_ROOM : 2 * grown->room;
    Weir__V1__Message **messages = realloc(grown->messages, room * sizeof *messages);
    if (messages != NULL) {
        grown->messages = messages;
        grown->room = room;
    }
    return messages != NULL;
}

static bool take_row(const struct read_plan *plan, sqlite3_stmt *statement, struct grown *grown)
{
    Weir__V1__Message *message = grow(grown) ? malloc(sizeof *message) : NULL;
    if (message == NULL) {
        return false;
    }
    weir__v1__message__init(message);
    grown->messages[grown->n++] = message;
    bool is_ok = true;
    for (int c = 0; is_ok && c < plan->columns_n; c++) {
        is_ok = take_column(statement, c, plan->columns[c], message);
    }
    /* A read of one stream does not select its name. */
    if (is_ok && message->stream_name == NULL) {
        message->stream_name = copy_text(plan->selection->name.p, plan->selection->name.n);
        is_ok = message->stream_name != NULL;
    }
    return is_ok;
}

/* Packs the payload into memory of its own and copies that into the reply. */
static weir_status pack_and_copy(const struct grown *grown, nng_msg **message,
                                 struct weir_error *err)
{
    Weir__V1__GetCategoryMessagesResponse response;
    weir__v1__get_category_messages_response__init(&response);
    response.n_messages = grown->n;
    response.messages = grown->messages;
    response.has_next_position = true;
    response.next_position = grown->n > 0 ? grown->messages[grown->n - 1]->global_position + 1 : 0;
    response.has_truncated = true;
    const size_t n = protobuf_c_message_get_packed_size(&response.base);
    uint8_t *payload = malloc(n);
    if (payload == NULL || nng_msg_alloc(message, weir_response_ok_size(n)) != 0) {
        free(payload);
        return weir_fail(err, WEIR_BACKEND_UNAVAILABLE, "out of memory");
    }
    (void)protobuf_c_message_pack(&response.base, payload);
    memcpy(weir_response_ok_head(n, nng_msg_body(*message)), payload, n);
    free(payload);
    return WEIR_OK;
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
        status = pack_and_copy(&grown, &reply->message, err);
    }
    free_grown(&grown);
    return status;
}
