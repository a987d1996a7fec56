/* The protobuf wire format, one field at a time: a reader that every parser of foreign bytes uses,
 * and a writer that can also just count. Pure functions; nothing is copied by the reader. */
#ifndef WEIR_WIRE_FIELD_H
#define WEIR_WIRE_FIELD_H

#include "weir/base/slice.h"

/* As they stand on the wire. The two kinds of groups have no constant: they are refused. */
enum weir_wire_type {
    WEIR_WIRE_VARINT = 0,
    WEIR_WIRE_FIXED64 = 1,
    WEIR_WIRE_BYTES = 2,
    WEIR_WIRE_FIXED32 = 5
};

struct weir_wire_field {
    uint32_t number;  // 1..2^29-1
    enum weir_wire_type type;
    uint64_t value;           // of a varint (modulo 2^64) or a fixed field
    struct weir_slice bytes;  // of WEIR_WIRE_BYTES; never absent
};

/* Takes the next field off the front of `rest`. False at the end, with *fault NULL, and for bytes
 * that are no field, with *fault saying why. What is refused protobuf-c would refuse as well;
 * beyond that only field numbers outside protobuf's range are. */
bool weir_wire_next(struct weir_slice *rest, struct weir_wire_field *field, const char **fault);

/* Takes a varint of at most 10 bytes off the front of `rest`; false if there is none. */
bool weir_wire_take_varint(struct weir_slice *rest, uint64_t *value);

/* Of a varint: one for each seven bits, also for 0. The division is by 64 in place of 63, which
 * comes to the same for the numbers that there are and is a shift. */
static inline size_t weir_wire_varint_bytes(uint64_t value)
{
    const unsigned highest_bit = 63U - (unsigned)__builtin_clzll(value | 1);
    return (highest_bit * 9 + 73) / 64;
}

/* Writes a varint where there is room for it; gives the place behind it. */
static inline uint8_t *weir_wire_write_varint(uint8_t *at, uint64_t value)
{
    while (value >= 0x80) {
        *at++ = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    *at = (uint8_t)value;
    return at + 1;
}

/* Writes at `at`, or only counts where `at` is NULL. The caller has sized its buffer by counting
 * the same calls. */
struct weir_wire_writer {
    uint8_t *at;
    size_t n;  // bytes so far
};

void weir_wire_put_varint(struct weir_wire_writer *writer, uint64_t value);
void weir_wire_put_tag(struct weir_wire_writer *writer, uint32_t number, enum weir_wire_type type);

/* Tag, length and bytes. */
void weir_wire_put_bytes(struct weir_wire_writer *writer, uint32_t number, struct weir_slice bytes);

/* An entry of a map<string, string>. */
void weir_wire_put_entry(struct weir_wire_writer *writer, uint32_t number, struct weir_slice key,
                         struct weir_slice value);

#endif
