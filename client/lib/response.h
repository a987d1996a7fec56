/* Decoding a reply's payload into one block of memory. */
#ifndef WEIR_CLIENT_RESPONSE_H
#define WEIR_CLIENT_RESPONSE_H

#include "weir/base/status.h"

#include <protobuf-c/protobuf-c.h>

/* Decodes `payload`, which need not be trusted, as a message of `type`. One allocation, however
 * many messages it holds; released with weir_response_free, which finds the block from the message
 * that lies at its head. The response does not point into the payload. BACKEND_ERROR for a payload
 * that is no such message, BACKEND_UNAVAILABLE without memory. */
weir_status response_unpack(const ProtobufCMessageDescriptor *type, struct weir_slice payload,
                            ProtobufCMessage **response, struct weir_error *err);

/* Whether the response to a write tells of each message that the packed request holds, which its
 * reader relies on; OK for the response of any other method. BACKEND_ERROR where it does not. */
weir_status response_check_written(struct weir_slice request, const ProtobufCMessage *response,
                                   struct weir_error *err);

#endif
