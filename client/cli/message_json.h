/* Converts any message of the .proto files from and to JSON, by its descriptor.
 *
 * A message is an object with a member for each field that is present, by the field's name in the
 * .proto. Integers of any size are numbers, enum values are their names, a map<string, string> is
 * an object. A bytes field of weir.v1 holds a JSON text, which becomes part of the JSON as it is,
 * not as a string or base64. */
#ifndef WEIR_CLIENT_MESSAGE_JSON_H
#define WEIR_CLIENT_MESSAGE_JSON_H

#include "weir/base/arena.h"
#include "weir/base/fail.h"

#include <protobuf-c/protobuf-c.h>
#include <stdio.h>

/* Reads an object, which need not have been checked, into a message in `arena`. A null member is an
 * absent field, but for a bytes field it is the JSON text null. INVALID_REQUEST on the field at
 * fault, by its path; also for a field given twice, or together with another field of its oneof.
 * Sets *message only on OK. */
weir_status message_from_json(const ProtobufCMessageDescriptor *type, struct weir_slice json,
                              struct weir_arena *arena, ProtobufCMessage **message,
                              struct weir_error *err);

/* Writes the message on one line, without a line end. */
void message_to_json(FILE *out, const ProtobufCMessage *message);

/* Whether the type is the entry of a map<string, string>. */
bool message_is_map_entry(const ProtobufCMessageDescriptor *type);

#endif
