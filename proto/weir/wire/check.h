/* Checks a packed message against its type before it is decoded.
 *
 * protobuf-c decodes invalid UTF-8, strings cut at a NUL and enum values nobody knows without a
 * word, and small input can decode to a hundred times its size. One pass over the bytes, which
 * allocates nothing, refuses all of that, so that decoding afterwards meets only what is in order
 * and needs no more memory than weir_wire_memory_max says. Pure functions. */
#ifndef WEIR_WIRE_CHECK_H
#define WEIR_WIRE_CHECK_H

#include "weir/base/status.h"

#include <protobuf-c/protobuf-c.h>

enum {
    /* Messages inside messages, the outermost included. */
    WEIR_WIRE_DEPTH_MAX = 8,
    /* What an element costs when it is decoded into an arena, beside its own bytes: structs,
     * pointers, alignment and protobuf-c's notes. True of every type of weir.v1. */
    WEIR_WIRE_ELEMENT_BYTES = 1024
};

/* The most memory that decoding takes after a check with the same `max_elements`. */
static inline size_t weir_wire_memory_max(size_t bytes_n, size_t max_elements)
{
    return bytes_n + (max_elements + 1) * WEIR_WIRE_ELEMENT_BYTES;
}

/* OK, or INVALID_REQUEST on the field at fault, by path ("messages[3].type"); on "payload" for the
 * message as a whole. Refused are bytes that are not well-formed, groups, a wire type that is not
 * the field's, strings that are not UTF-8 or hold a NUL, unknown enum values, messages nested
 * deeper than WEIR_WIRE_DEPTH_MAX. Unknown fields are accepted if well-formed.
 *
 * Nor are more than `max_elements` elements accepted: each element of a repeated field, each
 * unknown field and each repetition of a field that is not repeated counts as one. A message given
 * twice in one place is merged as protobuf demands; merging copies, so what the enclosing message
 * held by then is counted again. */
weir_status weir_wire_check(struct weir_slice bytes, const ProtobufCMessageDescriptor *type,
                            size_t max_elements, struct weir_error *err);

#endif
