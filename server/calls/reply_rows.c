#include "server/calls/reply_rows.h"

#include "weir/wire/field.h"

/* Field numbers, as in message_store.proto. */
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

/* Every field number above is below 16, so a tag is one byte. */
static uint8_t *put_tag(uint8_t *at, uint32_t number, enum weir_wire_type type)
{
    *at = (uint8_t)(number << 3 | (uint32_t)type);
    return at + 1;
}

static size_t number_bytes(int64_t value)
{
    return 1 + weir_wire_varint_bytes((uint64_t)value);
}

static uint8_t *put_number(uint8_t *at, uint32_t number, int64_t value)
{
    return weir_wire_write_varint(put_tag(at, number, WEIR_WIRE_VARINT), (uint64_t)value);
}

static size_t text_bytes(struct weir_slice text)
{
    return 1 + weir_wire_varint_bytes(text.n) + text.n;
}

static uint8_t *put_text(uint8_t *at, uint32_t number, struct weir_slice text)
{
    at = weir_wire_write_varint(put_tag(at, number, WEIR_WIRE_BYTES), text.n);
    if (text.n > 0) {
        memcpy(at, text.p, text.n);
    }
    return at + text.n;
}

/* Absent data or metadata is left out as a field. */
static size_t json_bytes(struct weir_slice json)
{
    return json.p == NULL ? 0 : text_bytes(json);
}

static uint8_t *put_json(uint8_t *at, uint32_t number, struct weir_slice json)
{
    return json.p == NULL ? at : put_text(at, number, json);
}

/* ---- a message ---- */

/* Computes the size without writing: with 1,000 messages a trial run costs as much as writing. */
static size_t fields_bytes(const struct weir_row *row)
{
    return 2 + WEIR_UUID_TEXT + text_bytes(row->stream) + text_bytes(row->type) +
           number_bytes(row->position) + number_bytes(row->global_position) +
           json_bytes(row->data) + json_bytes(row->metadata) + number_bytes(row->time_us);
}

static uint8_t *put_fields(uint8_t *at, const struct weir_row *row)
{
    char id[WEIR_UUID_TEXT + 1];
    weir_uuid_format(&row->id, id);
    at = put_text(at, MESSAGE_ID, weir_slice(id, WEIR_UUID_TEXT));
    at = put_text(at, MESSAGE_STREAM_NAME, row->stream);
    at = put_text(at, MESSAGE_TYPE, row->type);
    at = put_number(at, MESSAGE_POSITION, row->position);
    at = put_number(at, MESSAGE_GLOBAL_POSITION, row->global_position);
    at = put_json(at, MESSAGE_DATA, row->data);
    at = put_json(at, MESSAGE_METADATA, row->metadata);
    return put_number(at, MESSAGE_TIME_US, row->time_us);
}

/* The bytes of a whole message whose fields take `n` bytes. */
static size_t message_bytes(size_t n)
{
    return 1 + weir_wire_varint_bytes(n) + n;
}

static uint8_t *put_message(uint8_t *at, uint32_t number, const struct weir_row *row, size_t n)
{
    at = weir_wire_write_varint(put_tag(at, number, WEIR_WIRE_BYTES), n);
    return put_fields(at, row);
}

/* ---- replies ---- */

size_t weir_rows_measure(const struct weir_rows *rows)
{
    size_t n = number_bytes(rows->next_position) + number_bytes(rows->is_truncated);
    for (size_t i = 0; i < rows->n; i++) {
        struct weir_row *row = &rows->rows[i];
        row->packed_n = fields_bytes(row);
        n += message_bytes(row->packed_n);
    }
    return n;
}

size_t weir_rows_pack(const struct weir_rows *rows, uint8_t *out)
{
    uint8_t *at = out;
    for (size_t i = 0; i < rows->n; i++) {
        const struct weir_row *row = &rows->rows[i];
        at = put_message(at, ROWS_MESSAGES, row, row->packed_n);
    }
    at = put_number(at, ROWS_NEXT_POSITION, rows->next_position);
    at = put_number(at, ROWS_TRUNCATED, rows->is_truncated);
    return (size_t)(at - out);
}

size_t weir_last_pack(const struct weir_row *row, uint8_t *out)
{
    if (row == NULL) {
        return 0;
    }
    const size_t n = fields_bytes(row);
    return out == NULL ? message_bytes(n) : (size_t)(put_message(out, LAST_MESSAGE, row, n) - out);
}

weir_status weir_reply_rows(struct weir_call *call, const struct weir_rows *rows,
                            struct weir_error *err)
{
    const size_t payload_n = weir_rows_measure(rows);
    uint8_t *room = weir_call_reply_room(call, payload_n, err);
    if (room == NULL) {
        return err->status;
    }
    (void)weir_rows_pack(rows, weir_response_ok_head(payload_n, room));
    return WEIR_OK;
}

weir_status weir_reply_last(struct weir_call *call, const struct weir_row *row,
                            struct weir_error *err)
{
    const size_t payload_n = weir_last_pack(row, NULL);
    uint8_t *room = weir_call_reply_room(call, payload_n, err);
    if (room == NULL) {
        return err->status;
    }
    (void)weir_last_pack(row, weir_response_ok_head(payload_n, room));
    return WEIR_OK;
}
