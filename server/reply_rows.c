#include "server/reply_rows.h"

#include "server/exchange.h"
#include "weir/wire/field.h"

/* As in message_store.proto. */
enum {
    MESSAGE_ID = 1,
    MESSAGE_STREAM_NAME = 2,
    MESSAGE_TYPE = 3,
    MESSAGE_POSITION = 4,
    MESSAGE_GLOBAL_POSITION = 5,
    MESSAGE_DATA = 6,
    MESSAGE_METADATA = 7,
    MESSAGE_TIME_US = 8,

    ROWS_MESSAGES = 1,
    ROWS_NEXT_POSITION = 2,
    ROWS_TRUNCATED = 3,

    LAST_MESSAGE = 1
};

static void put_number(struct weir_wire_writer *writer, uint32_t number, int64_t value)
{
    weir_wire_put_tag(writer, number, WEIR_WIRE_VARINT);
    weir_wire_put_varint(writer, (uint64_t)value);
}

static void put_if_present(struct weir_wire_writer *writer, uint32_t number,
                           struct weir_slice value)
{
    if (value.p != NULL) {
        weir_wire_put_bytes(writer, number, value);
    }
}

static void put_fields(struct weir_wire_writer *writer, const struct weir_row *row)
{
    char id[WEIR_UUID_TEXT + 1] = "";
    if (writer->at != NULL) {
        weir_uuid_format(&row->id, id);
    }
    weir_wire_put_bytes(writer, MESSAGE_ID, weir_slice(id, WEIR_UUID_TEXT));
    weir_wire_put_bytes(writer, MESSAGE_STREAM_NAME, row->stream);
    weir_wire_put_bytes(writer, MESSAGE_TYPE, row->type);
    put_number(writer, MESSAGE_POSITION, row->position);
    put_number(writer, MESSAGE_GLOBAL_POSITION, row->global_position);
    put_if_present(writer, MESSAGE_DATA, row->data);
    put_if_present(writer, MESSAGE_METADATA, row->metadata);
    put_number(writer, MESSAGE_TIME_US, row->time_us);
}

static void put_message(struct weir_wire_writer *writer, uint32_t number,
                        const struct weir_row *row)
{
    struct weir_wire_writer counter = {.at = NULL};
    put_fields(&counter, row);
    weir_wire_put_tag(writer, number, WEIR_WIRE_BYTES);
    weir_wire_put_varint(writer, counter.n);
    if (writer->at == NULL) {
        writer->n += counter.n;
    } else {
        put_fields(writer, row);
    }
}

size_t weir_rows_pack(const struct weir_rows *rows, uint8_t *out)
{
    struct weir_wire_writer writer = {.at = out};
    for (size_t i = 0; i < rows->n; i++) {
        put_message(&writer, ROWS_MESSAGES, &rows->rows[i]);
    }
    put_number(&writer, ROWS_NEXT_POSITION, rows->next_position);
    put_number(&writer, ROWS_TRUNCATED, rows->is_truncated);
    return writer.n;
}

size_t weir_last_pack(const struct weir_row *row, uint8_t *out)
{
    struct weir_wire_writer writer = {.at = out};
    if (row != NULL) {
        put_message(&writer, LAST_MESSAGE, row);
    }
    return writer.n;
}

/* Where the payload goes; NULL without memory, which is then recorded. */
static uint8_t *make_room(struct weir_call *call, size_t payload_n, struct weir_error *err)
{
    uint8_t *room = weir_exchange_reply_room(call->exchange, weir_response_ok_size(payload_n));
    if (room == NULL) {
        (void)weir_fail(err, WEIR_BACKEND_UNAVAILABLE, "no memory for a reply of %zu bytes",
                        payload_n);
        return NULL;
    }
    call->step = WEIR_CALL_IS_ANSWERED;
    return weir_response_ok_head(payload_n, room);
}

weir_status weir_reply_rows(struct weir_call *call, const struct weir_rows *rows,
                            struct weir_error *err)
{
    uint8_t *payload = make_room(call, weir_rows_pack(rows, NULL), err);
    if (payload == NULL) {
        return err->status;
    }
    (void)weir_rows_pack(rows, payload);
    return WEIR_OK;
}

weir_status weir_reply_last(struct weir_call *call, const struct weir_row *row,
                            struct weir_error *err)
{
    uint8_t *payload = make_room(call, weir_last_pack(row, NULL), err);
    if (payload == NULL) {
        return err->status;
    }
    (void)weir_last_pack(row, payload);
    return WEIR_OK;
}
