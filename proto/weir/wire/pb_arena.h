/* Decoding protobuf messages into an arena: one message, no frees.
 *
 * What protobuf-c allocates is cut from the arena and goes away with it; its frees do nothing.
 * Never hand such a message to protobuf_c_message_free_unpacked. */
#ifndef WEIR_WIRE_PB_ARENA_H
#define WEIR_WIRE_PB_ARENA_H

#include "weir/base/arena.h"
#include "weir/base/status.h"

#include <protobuf-c/protobuf-c.h>

/* Decodes `bytes`, which weir_wire_check has accepted, as a message of `type` that lives in the
 * arena; it does not point into `bytes`. LIMIT_EXCEEDED past the arena's cap; INVALID_REQUEST for
 * bytes that are no such message. *message is set only on OK. */
weir_status weir_pb_unpack(struct weir_arena *arena, const ProtobufCMessageDescriptor *type,
                           struct weir_slice bytes, ProtobufCMessage **message,
                           struct weir_error *err);

#endif
