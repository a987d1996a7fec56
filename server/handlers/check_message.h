/* The checks of a message's data and metadata, for new and imported messages alike. The callers
 * word the failure: a new message is named by the path of its field, an imported one by the number
 * of its record. See request_check.h. Pure functions; nothing blocks. */
#ifndef WEIR_SERVER_CHECK_MESSAGE_H
#define WEIR_SERVER_CHECK_MESSAGE_H

#include "server/calls/call.h"

/* Returns a `bytes` field of a request: an absent slice where the field is not given, an empty one
 * where it is given and empty. */
struct weir_slice weir_request_bytes(protobuf_c_boolean is_given, const ProtobufCBinaryData *bytes);

/* Whether data and metadata together are within --max-message-bytes. */
bool weir_message_fits(const struct weir_call *call, size_t data_n, size_t metadata_n);

/* Returns LIMIT_EXCEEDED for data and metadata that do not fit; `what` names them in the text. */
weir_status weir_fail_message_size(const struct weir_call *call, const char *what, size_t data_n,
                                   size_t metadata_n, struct weir_error *err);

/* Checks that message->data is JSON or absent; INVALID_REQUEST names `field` otherwise. */
weir_status weir_check_data(const struct weir_new_message *message, const char *field,
                            struct weir_error *err);

/* Checks that message->metadata is JSON or absent; INVALID_REQUEST names `field` otherwise. Where
 * the metadata names a correlation stream, its category becomes message->correlation, in the call's
 * arena: reads select by that category. LIMIT_EXCEEDED past the arena's cap. */
weir_status weir_check_metadata(struct weir_call *call, struct weir_new_message *message,
                                const char *field, struct weir_error *err);

#endif
