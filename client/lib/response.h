/* Decodes the payload of a reply into one block of memory, and checks it against the request. */
#ifndef WEIR_CLIENT_RESPONSE_H
#define WEIR_CLIENT_RESPONSE_H

#include "weir/base/fail.h"

#include <protobuf-c/protobuf-c.h>

/* Decodes `payload`, which need not be trusted, as a message of `type`. The response is one
 * allocation, however many messages it holds, and does not point into the payload;
 * weir_response_free frees it. BACKEND_ERROR if the payload is no such message, BACKEND_UNAVAILABLE
 * when out of memory. */
weir_status response_unpack(const ProtobufCMessageDescriptor *type, struct weir_slice payload,
                            ProtobufCMessage **response, struct weir_error *err);

/* BACKEND_ERROR if the response to a write does not describe each message of the packed request, as
 * callers rely on. OK for responses to all other methods. */
weir_status response_check_written(struct weir_slice request, const ProtobufCMessage *response,
                                   struct weir_error *err);

#endif
