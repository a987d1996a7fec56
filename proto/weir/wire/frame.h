/* The envelope: converts weir.v1.Request and weir.v1.Response to and from bytes without a copy.
 *
 * The server parses requests and writes responses; the client library does the reverse. Parsed
 * slices point into the parsed bytes. Writers get the payload's packed size, so that the caller can
 * allocate an exact buffer and pack the payload straight into its tail. The bytes written are those
 * that protobuf-c would write for the same message. All functions are pure. */
#ifndef WEIR_WIRE_FRAME_H
#define WEIR_WIRE_FRAME_H

#include "weir/base/arena.h"
#include "weir/base/fail.h"

#include <protobuf-c/protobuf-c.h>

struct weir_metadata_entry {
    struct weir_slice key;
    struct weir_slice value;
};

struct weir_request_frame {
    struct weir_slice method;                    // absent if not given
    struct weir_slice token;                     // absent if not given
    struct weir_slice payload;                   // of parsed frames only; absent means empty
    uint32_t timeout_ms;                         // 0 = none
    size_t metadata_n;                           // at most WEIR_METADATA_ENTRIES_MAX
    const struct weir_metadata_entry *metadata;  // with distinct keys
};

/* Parses a request; allocates the array of metadata entries in `arena`. INVALID_REQUEST on the
 * field `request` for bytes that are no Request, else on the field that breaks a rule: strings are
 * UTF-8 without NUL, metadata keys are distinct. Skips unknown fields; of repeated scalars the last
 * one counts. On failure *frame holds what was read so far, for the log: method, maybe without
 * metadata. */
weir_status weir_request_frame_parse(struct weir_slice bytes, struct weir_arena *arena,
                                     struct weir_request_frame *frame, struct weir_error *err);

/* Finds the token of a request that is not parsed yet, and the value of the metadata entry `key`,
 * at a small cost however long the request. Either is absent where it is not among the first
 * fields, where every protobuf library puts it. Checks nothing. */
void weir_request_frame_peek(struct weir_slice bytes, const char *key, struct weir_slice *token,
                             struct weir_slice *value);

/* Returns the value of a metadata entry; absent if there is none. */
struct weir_slice weir_request_frame_metadata(const struct weir_request_frame *frame,
                                              const char *key);

/* Returns the size of the packed request with a payload of `payload_n` bytes; ignores
 * frame->payload. */
size_t weir_request_frame_size(const struct weir_request_frame *frame, size_t payload_n);

/* Writes the request, exactly weir_request_frame_size bytes. `payload_n` is
 * protobuf_c_message_get_packed_size(payload). */
void weir_request_frame_pack(const struct weir_request_frame *frame,
                             const ProtobufCMessage *payload, size_t payload_n, uint8_t *out);

/* Writes a request without its payload, for a payload that is packed already. Returns the address
 * for its `payload_n` bytes, the last ones of `out`. */
uint8_t *weir_request_frame_head(const struct weir_request_frame *frame, size_t payload_n,
                                 uint8_t *out);

/* Size and bytes of a successful response: status code 0 and a payload. */
size_t weir_response_ok_size(size_t payload_n);
void weir_response_ok_pack(const ProtobufCMessage *payload, size_t payload_n, uint8_t *out);

/* Writes a successful response without its payload, for a payload that is not packed by protobuf-c.
 * Returns the address for its `payload_n` bytes, the last ones of `out`. */
uint8_t *weir_response_ok_head(size_t payload_n, uint8_t *out);

/* Size and bytes of a failure: gRPC code, reason, message and details of `err`, whose status is not
 * OK. */
size_t weir_response_error_size(const struct weir_error *err);
void weir_response_error_pack(const struct weir_error *err, uint8_t *out);

/* Parses a response and returns the call's outcome: OK with *payload (never absent, maybe empty),
 * or the server's failure, recorded in `err`. An unknown reason becomes the first status with the
 * same gRPC code, and its name is kept in the text. Bytes that are no Response are BACKEND_ERROR.
 * Details go into the area of `err`, which the caller may have enlarged; those that do not fit are
 * left out, as are texts and details that are not UTF-8. */
weir_status weir_response_parse(struct weir_slice bytes, struct weir_slice *payload,
                                struct weir_error *err);

#endif
