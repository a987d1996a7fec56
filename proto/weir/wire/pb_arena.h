/* Decodes protobuf messages into an arena: protobuf-c allocates from the arena, and its frees do
 * nothing. Such a message must not be passed to protobuf_c_message_free_unpacked. */
#ifndef WEIR_WIRE_PB_ARENA_H
#define WEIR_WIRE_PB_ARENA_H

#include "weir/base/arena.h"
#include "weir/base/fail.h"

#include <protobuf-c/protobuf-c.h>

/* Decodes `bytes`, which weir_wire_check has accepted, as a message of `type`. The message lives in
 * the arena and does not point into `bytes`. LIMIT_EXCEEDED beyond the arena's cap, INVALID_REQUEST
 * for bytes that are no such message, BACKEND_UNAVAILABLE when out of memory. Sets *message only on
 * OK. */
weir_status weir_pb_unpack(struct weir_arena *arena, const ProtobufCMessageDescriptor *type,
                           struct weir_slice bytes, ProtobufCMessage **message,
                           struct weir_error *err);

#endif
