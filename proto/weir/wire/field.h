/* The protobuf wire format, one field at a time: a reader for untrusted bytes, which copies
 * nothing, and a writer that can also just count. Pure functions. */
#ifndef WEIR_WIRE_FIELD_H
#define WEIR_WIRE_FIELD_H

#include "weir/base/slice.h"

/* Wire types by their numbers. Groups are refused and have no constant. */
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
 * that are no field, with the reason in *fault. Refuses nothing that protobuf-c would accept,
 * except field numbers outside protobuf's range. */
bool weir_wire_next(struct weir_slice *rest, struct weir_wire_field *field, const char **fault);

/* Reads an entry of a map<string, string>; an absent key or value is "". Returns NULL, or what is
 * wrong. */
const char *weir_wire_read_entry(struct weir_slice bytes, struct weir_slice *key,
                                 struct weir_slice *value);

/* Takes a varint of at most 10 bytes off the front of `rest`; false if there is none. */
bool weir_wire_take_varint(struct weir_slice *rest, uint64_t *value);

/* Returns the length of a varint: one byte for each seven bits, one byte for 0. The division by 64,
 * a shift, gives the same as the exact one by 63 for every possible bit. */
static inline size_t weir_wire_varint_bytes(uint64_t value)
{
    const unsigned highest_bit = 63U - (unsigned)__builtin_clzll(value | 1);
    return (highest_bit * 9 + 73) / 64;
}

/* Writes a varint, for which the caller has made room; returns the address behind it. */
static inline uint8_t *weir_wire_write_varint(uint8_t *at, uint64_t value)
{
    while (value >= 0x80) {
        *at++ = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    *at = (uint8_t)value;
    return at + 1;
}

/* Writes at `at`, or only counts if `at` is NULL. The caller sizes its buffer by counting the same
 * calls first. */
struct weir_wire_writer {
    uint8_t *at;
    size_t n;  // bytes so far
};

void weir_wire_put_varint(struct weir_wire_writer *writer, uint64_t value);
void weir_wire_put_tag(struct weir_wire_writer *writer, uint32_t number, enum weir_wire_type type);

/* Writes a field of bytes: tag, length and bytes. */
void weir_wire_put_bytes(struct weir_wire_writer *writer, uint32_t number, struct weir_slice bytes);

/* Writes an entry of a map<string, string>. */
void weir_wire_put_entry(struct weir_wire_writer *writer, uint32_t number, struct weir_slice key,
                         struct weir_slice value);

#endif
