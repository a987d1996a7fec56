#include "weir/wire/field.h"

#include <limits.h>

enum { VARINT_BYTES_MAX = 10, PREFIX_BYTES_MAX = 5, MAP_KEY = 1, MAP_VALUE = 2 };

#define FIELD_NUMBER_MAX ((UINT32_C(1) << 29) - 1)

/* Takes a varint of at most `bytes_max` bytes off the front; returns its length, 0 if there is
 * none. */
static size_t take_varint(struct weir_slice *rest, size_t bytes_max, uint64_t *value)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < rest->n && i < bytes_max; i++) {
        const uint8_t byte = rest->p[i];
        sum |= (uint64_t)(byte & 0x7f) << (7 * i);
        if ((byte & 0x80) == 0) {
            *value = sum;
            *rest = weir_slice(rest->p + i + 1, rest->n - i - 1);
            return i + 1;
        }
    }
    return 0;
}

bool weir_wire_take_varint(struct weir_slice *rest, uint64_t *value)
{
    return take_varint(rest, VARINT_BYTES_MAX, value) > 0;
}

static bool take_fixed(struct weir_slice *rest, size_t bytes_n, uint64_t *value)
{
    if (rest->n < bytes_n) {
        return false;
    }
    uint64_t sum = 0;
    for (size_t i = 0; i < bytes_n; i++) {
        sum |= (uint64_t)rest->p[i] << (8 * i);
    }
    *value = sum;
    *rest = weir_slice(rest->p + bytes_n, rest->n - bytes_n);
    return true;
}

/* protobuf-c refuses a length above INT_MAX and a length prefix of more than 5 bytes. */
static bool take_bytes(struct weir_slice *rest, struct weir_slice *bytes)
{
    uint64_t n = 0;
    if (take_varint(rest, PREFIX_BYTES_MAX, &n) == 0 || n > INT_MAX || n > rest->n) {
        return false;
    }
    *bytes = weir_slice(rest->p, (size_t)n);
    *rest = weir_slice(rest->p + n, rest->n - (size_t)n);
    return true;
}

static const char *take_content(struct weir_slice *rest, uint32_t wire_type,
                                struct weir_wire_field *field)
{
    switch (wire_type) {
    case WEIR_WIRE_VARINT:
        return weir_wire_take_varint(rest, &field->value) ? NULL : "a number is truncated";
    case WEIR_WIRE_FIXED64:
        return take_fixed(rest, 8, &field->value) ? NULL : "truncated";
    case WEIR_WIRE_BYTES:
        return take_bytes(rest, &field->bytes) ? NULL : "a length exceeds the message";
    case WEIR_WIRE_FIXED32:
        return take_fixed(rest, 4, &field->value) ? NULL : "truncated";
    case 3:
    case 4:
        return "groups are not supported";
    default:
        return "unknown wire type";
    }
}

bool weir_wire_next(struct weir_slice *rest, struct weir_wire_field *field, const char **fault)
{
    *fault = NULL;
    if (rest->n == 0) {
        return false;
    }
    uint64_t tag = 0;
    if (take_varint(rest, PREFIX_BYTES_MAX, &tag) == 0) {
        *fault = "a field's tag is truncated";
        return false;
    }
    if (tag >> 3 == 0 || tag >> 3 > FIELD_NUMBER_MAX) {
        *fault = "field number out of range";
        return false;
    }
    const uint32_t wire_type = (uint32_t)(tag & 7);
    *field = (struct weir_wire_field){.number = (uint32_t)(tag >> 3),
                                      .type = (enum weir_wire_type)wire_type};
    *fault = take_content(rest, wire_type, field);
    return *fault == NULL;
}

const char *weir_wire_read_entry(struct weir_slice bytes, struct weir_slice *key,
                                 struct weir_slice *value)
{
    *key = weir_slice_of("");
    *value = weir_slice_of("");
    struct weir_wire_field field;
    const char *fault = NULL;
    while (weir_wire_next(&bytes, &field, &fault)) {
        if (field.number != MAP_KEY && field.number != MAP_VALUE) {
            continue;
        }
        if (field.type != WEIR_WIRE_BYTES) {
            return "an entry's key or value is not a string";
        }
        *(field.number == MAP_KEY ? key : value) = field.bytes;
    }
    return fault;
}

static void put(struct weir_wire_writer *writer, const uint8_t *bytes, size_t n)
{
    if (writer->at != NULL && n > 0) {
        memcpy(writer->at + writer->n, bytes, n);
    }
    writer->n += n;
}

void weir_wire_put_varint(struct weir_wire_writer *writer, uint64_t value)
{
    if (writer->at != NULL) {
        (void)weir_wire_write_varint(writer->at + writer->n, value);
    }
    writer->n += weir_wire_varint_bytes(value);
}

void weir_wire_put_tag(struct weir_wire_writer *writer, uint32_t number, enum weir_wire_type type)
{
    weir_wire_put_varint(writer, (uint64_t)number << 3 | (uint64_t)type);
}

void weir_wire_put_bytes(struct weir_wire_writer *writer, uint32_t number, struct weir_slice bytes)
{
    weir_wire_put_tag(writer, number, WEIR_WIRE_BYTES);
    weir_wire_put_varint(writer, bytes.n);
    put(writer, bytes.p, bytes.n);
}

static void put_key_and_value(struct weir_wire_writer *writer, struct weir_slice key,
                              struct weir_slice value)
{
    weir_wire_put_bytes(writer, MAP_KEY, key);
    weir_wire_put_bytes(writer, MAP_VALUE, value);
}

void weir_wire_put_entry(struct weir_wire_writer *writer, uint32_t number, struct weir_slice key,
                         struct weir_slice value)
{
    struct weir_wire_writer counter = {0};
    put_key_and_value(&counter, key, value);
    weir_wire_put_tag(writer, number, WEIR_WIRE_BYTES);
    weir_wire_put_varint(writer, counter.n);
    put_key_and_value(writer, key, value);
}
