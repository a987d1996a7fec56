/* The envelope: weir.v1.Request and weir.v1.Response to and from bytes without a copy.
 *
 * The server parses requests and writes responses, the client library the other way round. Parsed
 * slices point into the bytes that were parsed and live as long as those. Writers are told the
 * payload's packed size, so that the caller allocates its buffer once, exactly, and the payload is
 * packed straight into the buffer's tail. What is written is what protobuf-c would write of the
 * same message, byte for byte. All functions are pure. */
#ifndef WEIR_WIRE_FRAME_H
#define WEIR_WIRE_FRAME_H

#include "weir/base/arena.h"
#include "weir/base/status.h"

#include <protobuf-c/protobuf-c.h>

struct weir_metadata_entry {
    struct weir_slice key;
    struct weir_slice value;
};

struct weir_request_frame {
    struct weir_slice method;                    // absent if not given
    struct weir_slice token;                     // absent if not given
    struct weir_slice payload;                   // parsed frames only; absent is the same as empty
    uint32_t timeout_ms;                         // 0 = none
    size_t metadata_n;                           // at most WEIR_METADATA_ENTRIES_MAX
    const struct weir_metadata_entry *metadata;  // keys differ from each other
};

/* Parses a request; the array of metadata entries is cut from `arena`. INVALID_REQUEST on field
 * `request` for bytes that are no Request, otherwise on the field that breaks a rule: strings are
 * UTF-8 without NUL, no metadata key stands twice. Unknown fields are skipped, the last of repeated
 * scalars counts. On failure *frame holds what was read until then (method and metadata for the
 * log; `metadata_n` may be 0). */
weir_status weir_request_frame_parse(struct weir_slice bytes, struct weir_arena *arena,
                                     struct weir_request_frame *frame, struct weir_error *err);

/* The value of one metadata entry; absent if there is none. */
struct weir_slice weir_request_frame_metadata(const struct weir_request_frame *frame,
                                              const char *key);

/* Size of the packed request whose payload takes `payload_n` bytes; frame->payload does not count.
 */
size_t weir_request_frame_size(const struct weir_request_frame *frame, size_t payload_n);

/* Writes exactly weir_request_frame_size bytes. `payload_n` is
 * protobuf_c_message_get_packed_size(payload). */
void weir_request_frame_pack(const struct weir_request_frame *frame,
                             const ProtobufCMessage *payload, size_t payload_n, uint8_t *out);

/* Writes all of a request but its payload and returns where its `payload_n` bytes go, the last ones
 * of `out`: for a payload that is packed already. */
uint8_t *weir_request_frame_head(const struct weir_request_frame *frame, size_t payload_n,
                                 uint8_t *out);

/* A success: status code 0 and a payload. */
size_t weir_response_ok_size(size_t payload_n);
void weir_response_ok_pack(const ProtobufCMessage *payload, size_t payload_n, uint8_t *out);

/* Writes all of a success but its payload and returns where its `payload_n` bytes go, the last ones
 * of `out`: for a payload that something else than protobuf-c packs. */
uint8_t *weir_response_ok_head(size_t payload_n, uint8_t *out);

/* A failure: gRPC code, reason, message and details of `err`, whose status is not OK. */
size_t weir_response_error_size(const struct weir_error *err);
void weir_response_error_pack(const struct weir_error *err, uint8_t *out);

/* Parses a response and returns the call's outcome: OK with *payload (never absent, maybe empty),
 * or the server's failure, put into `err`. A reason that this program does not know becomes the
 * first status of the same gRPC code, its name kept in the text. Bytes that are no Response are
 * BACKEND_ERROR. Details go to the area that `err` had before, so that a caller who wants more than
 * fit into an error enlarges it first; what does not fit is left out. */
weir_status weir_response_parse(struct weir_slice bytes, struct weir_slice *payload,
                                struct weir_error *err);

#endif
