/* Any message of the .proto files as JSON, by its descriptor alone.
 *
 * An object with a member for each field that is there, by the field's name in the .proto. Integers
 * are numbers whatever their size, enum values their names, a map<string, string> is an object. A
 * bytes field of weir.v1 holds a JSON text, which stands there as it is: no string, no base64. */
#ifndef WEIR_CLIENT_MESSAGE_JSON_H
#define WEIR_CLIENT_MESSAGE_JSON_H

#include "weir/base/arena.h"
#include "weir/base/status.h"

#include <protobuf-c/protobuf-c.h>
#include <stdio.h>

/* Reads an object, which need not have been checked, into a message that lives in `arena`. A member
 * that is null is an absent field, except that a bytes field then holds the JSON text null.
 * INVALID_REQUEST on the field at fault, by path, which may be one that is given twice, or beside
 * another of its oneof. *message is set only on OK. */
weir_status message_from_json(const ProtobufCMessageDescriptor *type, struct weir_slice json,
                              struct weir_arena *arena, ProtobufCMessage **message,
                              struct weir_error *err);

/* Writes the message on one line, without a line end. */
void message_to_json(FILE *out, const ProtobufCMessage *message);

/* Whether the type is the entry of a map<string, string>. */
bool message_is_map_entry(const ProtobufCMessageDescriptor *type);

#endif
