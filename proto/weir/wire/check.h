/* Checks a packed message against its type before it is decoded.
 *
 * protobuf-c silently decodes invalid UTF-8, strings with a NUL and unknown enum values, and a
 * small input may decode to a hundred times its size. The check refuses all of that in one pass
 * without allocating, so that decoding a checked message is safe and needs no more memory than
 * weir_wire_memory_max returns. Pure functions. */
#ifndef WEIR_WIRE_CHECK_H
#define WEIR_WIRE_CHECK_H

#include "weir/base/fail.h"

#include <protobuf-c/protobuf-c.h>

enum {
    /* Nested messages, including the outermost. */
    WEIR_WIRE_DEPTH_MAX = 8,
    /* Upper bound of the memory that an element takes when decoded into an arena, in addition to
     * its own bytes: structs, pointers, alignment, protobuf-c's notes. Holds for all types of
     * weir.v1. */
    WEIR_WIRE_ELEMENT_BYTES = 1024
};

/* Returns the most memory that decoding takes after a check with the same `max_elements`. */
static inline size_t weir_wire_memory_max(size_t bytes_n, size_t max_elements)
{
    return bytes_n + (max_elements + 1) * WEIR_WIRE_ELEMENT_BYTES;
}

/* Checks `bytes` as a message of `type`: OK, or INVALID_REQUEST on the field at fault, by its path
 * ("messages[3].type"), on "payload" for the message as a whole. Refuses malformed bytes, groups, a
 * wire type that is not the field's, strings that are not UTF-8 or hold a NUL, unknown enum values,
 * and messages nested deeper than WEIR_WIRE_DEPTH_MAX. Accepts well-formed unknown fields.
 *
 * Also refuses more than `max_elements` elements: each element of a repeated field, each unknown
 * field and each repetition of a singular field counts as one. A submessage that occurs twice is
 * merged, as protobuf demands; merging copies, so the elements that the enclosing message holds by
 * then are counted again.
 *
 * `records`: the repeated field of `type` whose elements are records; a fault in a field of one is
 * INVALID_RECORD with the record's number instead. NULL where there is none. */
weir_status weir_wire_check(struct weir_slice bytes, const ProtobufCMessageDescriptor *type,
                            size_t max_elements, const char *records, struct weir_error *err);

#endif
