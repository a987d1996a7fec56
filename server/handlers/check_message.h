/* The checks of a message's data and metadata, the same for one that is new and one that is
 * imported; what they say of a fault is told by the callers, each in its way. See request_check.h.
 */
#ifndef WEIR_SERVER_CHECK_MESSAGE_H
#define WEIR_SERVER_CHECK_MESSAGE_H

#include "server/calls/call.h"

/* A `bytes` field of a request: absent where it is not given, never where it is empty. */
struct weir_slice weir_request_bytes(protobuf_c_boolean is_given, const ProtobufCBinaryData *bytes);

/* Whether data and metadata together are within the limit; and LIMIT_EXCEEDED, where they are not.
 */
bool weir_message_fits(const struct weir_call *call, size_t data_n, size_t metadata_n);
weir_status weir_fail_message_size(const struct weir_call *call, const char *what, size_t data_n,
                                   size_t metadata_n, struct weir_error *err);

/* Whether message->data, and message->metadata, are JSON or absent; `field` is what a fault is
 * found at. Metadata may name a correlation stream, whose category, which is what reads select by,
 * becomes message->correlation, in the call's arena. */
weir_status weir_check_data(const struct weir_new_message *message, const char *field,
                            struct weir_error *err);
weir_status weir_check_metadata(struct weir_call *call, struct weir_new_message *message,
                                const char *field, struct weir_error *err);

#endif
