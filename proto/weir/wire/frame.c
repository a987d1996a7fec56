#include "weir/wire/frame.h"

#include "weir/rules/limits.h"
#include "weir/rules/utf8.h"
#include "weir/wire/field.h"

#include <assert.h>
#include <inttypes.h>

/* Field numbers of envelope.proto. */
enum {
    REQUEST_METHOD = 1,
    REQUEST_TOKEN = 2,
    REQUEST_TIMEOUT_MS = 3,
    REQUEST_METADATA = 4,
    REQUEST_PAYLOAD = 5,
    RESPONSE_STATUS = 1,
    RESPONSE_PAYLOAD = 2,
    STATUS_CODE = 1,
    STATUS_REASON = 2,
    STATUS_MESSAGE = 3,
    STATUS_DETAILS = 4
};

/* All that stand before the payload. */
enum { PEEK_FIELDS = 3 + WEIR_METADATA_ENTRIES_MAX };

/* ---- Requests, parsed by the server ---- */

struct request_parser {
    struct weir_request_frame *frame;
    struct weir_metadata_entry metadata[WEIR_METADATA_ENTRIES_MAX];
    size_t metadata_n;
    struct weir_error *err;
};

static weir_status take_string(struct weir_slice bytes, const char *name, struct weir_slice *out,
                               struct weir_error *err)
{
    if (!weir_utf8_is_valid(bytes)) {
        return weir_fail_field(err, name, "must be UTF-8 text without U+0000");
    }
    *out = bytes;
    return WEIR_OK;
}

static weir_status take_metadata(struct request_parser *parser, struct weir_slice bytes)
{
    if (parser->metadata_n == WEIR_COUNTOF(parser->metadata)) {
        return weir_fail_field(parser->err, "metadata", "more than %d entries",
                               WEIR_METADATA_ENTRIES_MAX);
    }
    struct weir_metadata_entry *entry = &parser->metadata[parser->metadata_n];
    const char *fault = weir_wire_read_entry(bytes, &entry->key, &entry->value);
    if (fault != NULL) {
        return weir_fail_field(parser->err, "metadata", "%s", fault);
    }
    if (!weir_utf8_is_valid(entry->key) || !weir_utf8_is_valid(entry->value)) {
        return weir_fail_field(parser->err, "metadata", "must be UTF-8 text without U+0000");
    }
    for (size_t i = 0; i < parser->metadata_n; i++) {
        if (weir_slice_equal(parser->metadata[i].key, entry->key)) {
            return weir_fail_field(parser->err, "metadata", "'%.*s' is given twice",
                                   WEIR_SLICE_ARG(entry->key));
        }
    }
    parser->metadata_n++;
    return WEIR_OK;
}

static weir_status take_request_field(struct request_parser *parser,
                                      const struct weir_wire_field *field)
{
    if (field->number < REQUEST_METHOD || field->number > REQUEST_PAYLOAD) {
        return WEIR_OK;
    }
    const enum weir_wire_type expected =
        field->number == REQUEST_TIMEOUT_MS ? WEIR_WIRE_VARINT : WEIR_WIRE_BYTES;
    if (field->type != expected) {
        return weir_fail_field(parser->err, "request", "field %" PRIu32 " has the wrong wire type",
                               field->number);
    }
    switch (field->number) {
    case REQUEST_METHOD:
        return take_string(field->bytes, "method", &parser->frame->method, parser->err);
    case REQUEST_TOKEN:
        return take_string(field->bytes, "token", &parser->frame->token, parser->err);
    case REQUEST_TIMEOUT_MS:
        /* protobuf keeps the low 32 bits of what is sent for a uint32. */
        parser->frame->timeout_ms = (uint32_t)field->value;
        return WEIR_OK;
    case REQUEST_METADATA:
        return take_metadata(parser, field->bytes);
    default:
        parser->frame->payload = field->bytes;
        return WEIR_OK;
    }
}

static weir_status keep_metadata(struct request_parser *parser, struct weir_arena *arena)
{
    if (parser->metadata_n == 0) {
        return WEIR_OK;
    }
    struct weir_metadata_entry *kept = weir_arena_array(arena, parser->metadata_n, sizeof *kept);
    if (kept == NULL) {
        return weir_arena_fail(arena, parser->err);
    }
    memcpy(kept, parser->metadata, parser->metadata_n * sizeof *kept);
    parser->frame->metadata = kept;
    parser->frame->metadata_n = parser->metadata_n;
    return WEIR_OK;
}

weir_status weir_request_frame_parse(struct weir_slice bytes, struct weir_arena *arena,
                                     struct weir_request_frame *frame, struct weir_error *err)
{
    *frame = (struct weir_request_frame){0};
    struct request_parser parser;
    parser.frame = frame;
    parser.metadata_n = 0;
    parser.err = err;
    struct weir_wire_field field;
    const char *fault = NULL;
    while (weir_wire_next(&bytes, &field, &fault)) {
        const weir_status status = take_request_field(&parser, &field);
        if (status != WEIR_OK) {
            return status;
        }
    }
    if (fault != NULL) {
        return weir_fail_field(err, "request", "%s", fault);
    }
    return keep_metadata(&parser, arena);
}

static void peek_metadata(struct weir_slice entry, const char *key, struct weir_slice *value)
{
    struct weir_slice found_key;
    struct weir_slice found;
    if (weir_wire_read_entry(entry, &found_key, &found) == NULL && weir_slice_is(found_key, key)) {
        *value = found;
    }
}

void weir_request_frame_peek(struct weir_slice bytes, const char *key, struct weir_slice *token,
                             struct weir_slice *value)
{
    struct weir_wire_field field;
    const char *fault = NULL;
    *token = weir_slice(NULL, 0);
    *value = weir_slice(NULL, 0);
    for (int i = 0; i < PEEK_FIELDS && weir_wire_next(&bytes, &field, &fault); i++) {
        if (field.type == WEIR_WIRE_BYTES && field.number == REQUEST_TOKEN) {
            *token = field.bytes;
        } else if (field.type == WEIR_WIRE_BYTES && field.number == REQUEST_METADATA) {
            peek_metadata(field.bytes, key, value);
        }
    }
}

struct weir_slice weir_request_frame_metadata(const struct weir_request_frame *frame,
                                              const char *key)
{
    for (size_t i = 0; i < frame->metadata_n; i++) {
        if (weir_slice_is(frame->metadata[i].key, key)) {
            return frame->metadata[i].value;
        }
    }
    return weir_slice(NULL, 0);
}

/* ---- Requests, written by the client library ---- */

/* Writes everything before the payload's bytes. Leaves out the tag of an empty payload. */
static void put_request(struct weir_wire_writer *writer, const struct weir_request_frame *frame,
                        size_t payload_n)
{
    if (frame->method.p != NULL) {
        weir_wire_put_bytes(writer, REQUEST_METHOD, frame->method);
    }
    if (frame->token.p != NULL) {
        weir_wire_put_bytes(writer, REQUEST_TOKEN, frame->token);
    }
    if (frame->timeout_ms != 0) {
        weir_wire_put_tag(writer, REQUEST_TIMEOUT_MS, WEIR_WIRE_VARINT);
        weir_wire_put_varint(writer, frame->timeout_ms);
    }
    for (size_t i = 0; i < frame->metadata_n; i++) {
        weir_wire_put_entry(writer, REQUEST_METADATA, frame->metadata[i].key,
                            frame->metadata[i].value);
    }
    if (payload_n > 0) {
        weir_wire_put_tag(writer, REQUEST_PAYLOAD, WEIR_WIRE_BYTES);
        weir_wire_put_varint(writer, payload_n);
    }
}

static void pack_payload(const ProtobufCMessage *payload, size_t payload_n, uint8_t *out)
{
    const size_t packed_n = protobuf_c_message_pack(payload, out);
    assert(packed_n == payload_n);
    (void)packed_n;
    (void)payload_n;
}

size_t weir_request_frame_size(const struct weir_request_frame *frame, size_t payload_n)
{
    struct weir_wire_writer counter = {0};
    put_request(&counter, frame, payload_n);
    return counter.n + payload_n;
}

uint8_t *weir_request_frame_head(const struct weir_request_frame *frame, size_t payload_n,
                                 uint8_t *out)
{
    struct weir_wire_writer writer = {.at = out};
    put_request(&writer, frame, payload_n);
    return out + writer.n;
}

void weir_request_frame_pack(const struct weir_request_frame *frame,
                             const ProtobufCMessage *payload, size_t payload_n, uint8_t *out)
{
    pack_payload(payload, payload_n, weir_request_frame_head(frame, payload_n, out));
}

/* ---- Responses, written by the server ---- */

/* Writes everything before the payload's bytes. Writes the tag of an empty payload too: its
 * presence belongs to a success. */
static void put_ok(struct weir_wire_writer *writer, size_t payload_n)
{
    static const uint8_t status[] = {STATUS_CODE << 3 | WEIR_WIRE_VARINT, 0};
    weir_wire_put_bytes(writer, RESPONSE_STATUS, weir_slice(status, sizeof status));
    weir_wire_put_tag(writer, RESPONSE_PAYLOAD, WEIR_WIRE_BYTES);
    weir_wire_put_varint(writer, payload_n);
}

size_t weir_response_ok_size(size_t payload_n)
{
    struct weir_wire_writer counter = {0};
    put_ok(&counter, payload_n);
    return counter.n + payload_n;
}

uint8_t *weir_response_ok_head(size_t payload_n, uint8_t *out)
{
    struct weir_wire_writer writer = {.at = out};
    put_ok(&writer, payload_n);
    return out + writer.n;
}

void weir_response_ok_pack(const ProtobufCMessage *payload, size_t payload_n, uint8_t *out)
{
    pack_payload(payload, payload_n, weir_response_ok_head(payload_n, out));
}

static void put_status(struct weir_wire_writer *writer, const struct weir_error *err)
{
    weir_wire_put_tag(writer, STATUS_CODE, WEIR_WIRE_VARINT);
    weir_wire_put_varint(writer, (uint64_t)weir_status_grpc(err->status));
    weir_wire_put_bytes(writer, STATUS_REASON, weir_slice_of(weir_status_name(err->status)));
    weir_wire_put_bytes(writer, STATUS_MESSAGE, weir_slice_of(err->text));
    size_t at = 0;
    const char *key = NULL;
    const char *value = NULL;
    while (weir_error_next_detail(err, &at, &key, &value)) {
        weir_wire_put_entry(writer, STATUS_DETAILS, weir_slice_of(key), weir_slice_of(value));
    }
}

static void put_failure(struct weir_wire_writer *writer, const struct weir_error *err)
{
    assert(err->status != WEIR_OK);
    struct weir_wire_writer counter = {0};
    put_status(&counter, err);
    weir_wire_put_tag(writer, RESPONSE_STATUS, WEIR_WIRE_BYTES);
    weir_wire_put_varint(writer, counter.n);
    put_status(writer, err);
}

size_t weir_response_error_size(const struct weir_error *err)
{
    struct weir_wire_writer counter = {0};
    put_failure(&counter, err);
    return counter.n;
}

void weir_response_error_pack(const struct weir_error *err, uint8_t *out)
{
    struct weir_wire_writer writer = {.at = out};
    put_failure(&writer, err);
}

/* ---- Responses, parsed by the client library ---- */

enum {
    /* Details with longer keys are left out; the server's have at most 20 bytes. */
    DETAIL_KEY_BYTES_MAX = 127
};

/* Returns the first status with a gRPC code, for the reason of a newer server. */
static weir_status status_of_code(int32_t code)
{
    for (unsigned s = WEIR_OK + 1; s < WEIR_STATUS_COUNT; s++) {
        if (weir_status_grpc((weir_status)s) == code) {
            return (weir_status)s;
        }
    }
    return WEIR_BACKEND_ERROR;
}

static weir_status fail_reply(struct weir_error *err, const char *fault)
{
    return weir_fail(err, WEIR_BACKEND_ERROR, "the reply is not a weir.v1.Response: %s", fault);
}

/* The status fields of a reply. */
struct wire_status {
    int32_t code;
    struct weir_slice reason;
    struct weir_slice message;
};

/* Parses one occurrence of the status; the fields of several occurrences add up, as in protobuf. */
static const char *parse_status(struct weir_slice bytes, struct wire_status *status)
{
    struct weir_wire_field field;
    const char *fault = NULL;
    while (weir_wire_next(&bytes, &field, &fault)) {
        if (field.number < STATUS_CODE || field.number > STATUS_DETAILS) {
            continue;
        }
        if ((field.number == STATUS_CODE) != (field.type == WEIR_WIRE_VARINT) ||
            (field.type != WEIR_WIRE_VARINT && field.type != WEIR_WIRE_BYTES)) {
            return "a field of the status has the wrong wire type";
        }
        if (field.number == STATUS_CODE) {
            status->code = (int32_t)(uint32_t)field.value;
        } else if (field.number == STATUS_REASON) {
            status->reason = field.bytes;
        } else if (field.number == STATUS_MESSAGE) {
            status->message = field.bytes;
        }
    }
    return fault;
}

/* Adds a detail to `err`. Skips one with a NUL in its value: errors keep values NUL-terminated. */
static void take_detail(struct weir_slice bytes, struct weir_error *err)
{
    struct weir_slice key;
    struct weir_slice value;
    char text[DETAIL_KEY_BYTES_MAX + 1];
    if (weir_wire_read_entry(bytes, &key, &value) != NULL || key.n >= sizeof text ||
        !weir_utf8_is_valid(key) || !weir_utf8_is_valid(value)) {
        return;
    }
    memcpy(text, key.p, key.n);
    text[key.n] = '\0';
    weir_error_detail_slice(err, text, value);
}

static void take_details(struct weir_slice status_bytes, struct weir_error *err)
{
    struct weir_wire_field field;
    const char *fault = NULL;
    while (weir_wire_next(&status_bytes, &field, &fault)) {
        if (field.number == STATUS_DETAILS) {
            take_detail(field.bytes, err);
        }
    }
}

/* Leaves out a text that is not UTF-8, as take_detail does: errors hold nothing else. */
static struct weir_slice utf8_or_none(struct weir_slice text)
{
    return weir_utf8_is_valid(text) ? text : weir_slice(NULL, 0);
}

static weir_status take_failure(const struct wire_status *status, struct weir_error *err)
{
    char *area = err->details;
    const size_t area_n = err->details_cap;
    const struct weir_slice reason = utf8_or_none(status->reason);
    const struct weir_slice message = utf8_or_none(status->message);
    weir_status known = weir_status_from_name(reason);
    if (known != WEIR_OK && weir_slice_is(reason, weir_status_name(known))) {
        (void)weir_fail(err, known, "%.*s", WEIR_SLICE_ARG(message));
    } else {
        known = status_of_code(status->code);
        (void)weir_fail(err, known, "%.*s (%.*s)", WEIR_SLICE_ARG(message), WEIR_SLICE_ARG(reason));
    }
    if (area != err->inline_details) {
        weir_error_enlarge(err, area, area_n);
    }
    return known;
}

weir_status weir_response_parse(struct weir_slice bytes, struct weir_slice *payload,
                                struct weir_error *err)
{
    struct wire_status status = {0};
    struct weir_slice found = weir_slice_of("");
    struct weir_slice rest = bytes;
    bool has_status = false;
    struct weir_wire_field field;
    const char *fault = NULL;
    while (fault == NULL && weir_wire_next(&rest, &field, &fault)) {
        if (field.number != RESPONSE_STATUS && field.number != RESPONSE_PAYLOAD) {
            continue;
        }
        if (field.type != WEIR_WIRE_BYTES) {
            return fail_reply(err, "a field has the wrong wire type");
        }
        if (field.number == RESPONSE_PAYLOAD) {
            found = field.bytes;
        } else {
            has_status = true;
            fault = parse_status(field.bytes, &status);
        }
    }
    if (fault != NULL || !has_status) {
        return fail_reply(err, fault != NULL ? fault : "the status is missing");
    }
    if (status.code == 0) {
        *payload = found;
        return WEIR_OK;
    }
    const weir_status outcome = take_failure(&status, err);
    rest = bytes;
    while (weir_wire_next(&rest, &field, &fault)) {
        if (field.number == RESPONSE_STATUS) {
            take_details(field.bytes, err);
        }
    }
    return outcome;
}
