/* The envelope, compared with protobuf-c's encoding and decoding of the same messages. */
#include "tests/lib/check_main.h"
#include "weir/rules/limits.h"
#include "weir/v1/envelope.pb-c.h"
#include "weir/v1/message_store.pb-c.h"
#include "weir/wire/field.h"
#include "weir/wire/frame.h"

#include <stdio.h>
#include <stdlib.h>

enum { ARENA_BYTES = 65536 };

static struct weir_arena arena;
static struct weir_error err;

static void set_up(void)
{
    weir_arena_init(&arena, ARENA_BYTES, 0);
    weir_error_init(&err);
}

static void tear_down(void)
{
    weir_arena_fini(&arena);
}

/* Returns the bytes in an allocation of the exact size, so that AddressSanitizer detects
 * overreads. */
static struct weir_slice exact(const void *bytes, size_t n)
{
    uint8_t *p = weir_arena_bytes(&arena, n);
    ck_assert_ptr_nonnull(p);
    if (n > 0) {
        memcpy(p, bytes, n);
    }
    return weir_slice(p, n);
}

static struct weir_slice packed(const ProtobufCMessage *message)
{
    const size_t n = protobuf_c_message_get_packed_size(message);
    uint8_t *p = weir_arena_bytes(&arena, n);
    ck_assert_ptr_nonnull(p);
    ck_assert_uint_eq(protobuf_c_message_pack(message, p), n);
    return weir_slice(p, n);
}

static void assert_same_bytes(struct weir_slice a, struct weir_slice b)
{
    ck_assert_uint_eq(a.n, b.n);
    ck_assert_mem_eq(a.p, b.p, a.n);
}

static void assert_text(struct weir_slice a, const char *text)
{
    ck_assert_msg(weir_slice_is(a, text), "'%.*s' is not '%s'", WEIR_SLICE_ARG(a), text);
}

static struct weir_slice packed_frame(const struct weir_request_frame *frame,
                                      const ProtobufCMessage *payload)
{
    const size_t payload_n = protobuf_c_message_get_packed_size(payload);
    const size_t n = weir_request_frame_size(frame, payload_n);
    uint8_t *p = weir_arena_bytes(&arena, n);
    ck_assert_ptr_nonnull(p);
    weir_request_frame_pack(frame, payload, payload_n, p);
    return weir_slice(p, n);
}

static void parse_fails(struct weir_slice bytes, const char *field)
{
    struct weir_request_frame frame;
    const weir_status status = weir_request_frame_parse(bytes, &arena, &frame, &err);
    ck_assert_str_eq(weir_status_name(status), "INVALID_REQUEST");
    ck_assert_str_eq(weir_error_get_detail(&err, "field"), field);
    ck_assert_uint_eq(frame.metadata_n, 0);
}

START_TEST(request_is_what_protobuf_writes)
{
    Weir__V1__GetStreamVersionRequest payload = WEIR__V1__GET_STREAM_VERSION_REQUEST__INIT;
    payload.stream_name = "account-1";
    const struct weir_metadata_entry metadata[] = {
        {weir_slice_of("namespace"), weir_slice_of("default")},
        {weir_slice_of("empty"), weir_slice_of("")},
    };
    const struct weir_request_frame frame = {
        .method = weir_slice_of("weir.v1.MessageStore/GetStreamVersion"),
        .token = weir_slice_of("ns_x"),
        .timeout_ms = 5000,
        .metadata_n = 2,
        .metadata = metadata,
    };
    const struct weir_slice ours = packed_frame(&frame, &payload.base);

    Weir__V1__Request *request = weir__v1__request__unpack(NULL, ours.n, ours.p);
    ck_assert_ptr_nonnull(request);
    ck_assert_str_eq(request->method, "weir.v1.MessageStore/GetStreamVersion");
    ck_assert_str_eq(request->token, "ns_x");
    ck_assert_uint_eq(request->timeout_ms, 5000);
    ck_assert_uint_eq(request->n_metadata, 2);
    ck_assert_str_eq(request->metadata[1]->key, "empty");
    ck_assert_uint_eq(request->payload.len, 11);
    assert_same_bytes(packed(&request->base), ours);
    weir__v1__request__free_unpacked(request, NULL);
}
END_TEST

START_TEST(request_leaves_out_what_is_absent)
{
    Weir__V1__GetStreamVersionRequest payload = WEIR__V1__GET_STREAM_VERSION_REQUEST__INIT;
    const struct weir_request_frame nothing = {0};
    ck_assert_uint_eq(weir_request_frame_size(&nothing, 0), 0);
    const struct weir_request_frame frame = {.token = weir_slice_of("")};
    const struct weir_slice bytes = packed_frame(&frame, &payload.base);
    assert_same_bytes(bytes, weir_slice("\x12\x00", 2));
}
END_TEST

START_TEST(request_of_protobuf_is_read)
{
    Weir__V1__Request request = WEIR__V1__REQUEST__INIT;
    Weir__V1__Request__MetadataEntry first = WEIR__V1__REQUEST__METADATA_ENTRY__INIT;
    Weir__V1__Request__MetadataEntry second = WEIR__V1__REQUEST__METADATA_ENTRY__INIT;
    first.key = "traceparent";
    first.value = "00-ab-cd-01";
    second.key = "namespace";
    second.value = "größe";
    Weir__V1__Request__MetadataEntry *entries[] = {&first, &second};
    uint8_t payload[] = {1, 2, 0, 3};
    request.method = "m";
    request.token = "t";
    request.has_timeout_ms = true;
    request.timeout_ms = UINT32_MAX;
    request.n_metadata = 2;
    request.metadata = entries;
    request.has_payload = true;
    request.payload = (ProtobufCBinaryData){sizeof payload, payload};

    struct weir_request_frame frame;
    ck_assert_int_eq(weir_request_frame_parse(packed(&request.base), &arena, &frame, &err),
                     WEIR_OK);
    assert_text(frame.method, "m");
    assert_text(frame.token, "t");
    ck_assert_uint_eq(frame.timeout_ms, UINT32_MAX);
    assert_same_bytes(frame.payload, weir_slice(payload, sizeof payload));
    ck_assert_uint_eq(frame.metadata_n, 2);
    assert_text(weir_request_frame_metadata(&frame, "namespace"), "größe");
    ck_assert_ptr_null(weir_request_frame_metadata(&frame, "other").p);
}
END_TEST

static const struct {
    const char *bytes;
    size_t n;
    const char *token;  // NULL: absent
    const char *value;  // of the metadata entry "k"; NULL: absent
} peeks[] = {{"\x0a\x01m\x12\x02tk\x2a\x7f", 9, "tk", NULL},  // only the beginning of the payload
             {"\x12\x02tk", 4, "tk", NULL},
             {"\x0a\x01m\x2a\x00", 5, NULL, NULL},
             {"\x10\x01\x20\x01", 4, NULL, NULL},  // no texts
             {"\x12\x03tk", 4, NULL, NULL},
             {"", 0, NULL, NULL},
             {"\x22\x06\x0a\x01k\x12\x01v", 8, NULL, "v"},
             {"\x22\x06\x0a\x01l\x12\x01w\x12\x02tk\x22\x06\x0a\x01k\x12\x01v", 20, "tk", "v"},
             {"\x22\x06\x0a\x01l\x12\x01v", 8, NULL, NULL},   // another key
             {"\x22\x06\x0a\x09k\x12\x01v", 8, NULL, NULL}};  // no entry

static void assert_found(struct weir_slice found, const char *expected)
{
    if (expected == NULL) {
        ck_assert_ptr_null(found.p);
    } else {
        assert_text(found, expected);
    }
}

START_TEST(token_and_metadata_are_found_without_parsing)
{
    const struct weir_slice bytes = exact(peeks[_i].bytes, peeks[_i].n);
    struct weir_slice token;
    struct weir_slice value;
    weir_request_frame_peek(bytes, "k", &token, &value);
    assert_found(token, peeks[_i].token);
    assert_found(value, peeks[_i].value);
}
END_TEST

START_TEST(only_the_first_fields_are_looked_at)
{
    enum { LOOKED_AT = 3 + WEIR_METADATA_ENTRIES_MAX };
    uint8_t bytes[2 * LOOKED_AT + 4];
    for (size_t i = 0; i < LOOKED_AT; i++) {
        memcpy(bytes + 2 * i, "\x18\x01", 2);
    }
    memcpy(bytes + 2 * LOOKED_AT, "\x12\x02tk", 4);
    struct weir_slice token;
    struct weir_slice value;
    weir_request_frame_peek(weir_slice(bytes, sizeof bytes), "k", &token, &value);
    ck_assert_ptr_null(token.p);
    weir_request_frame_peek(weir_slice(bytes + 2, sizeof bytes - 2), "k", &token, &value);
    assert_text(token, "tk");
}
END_TEST

START_TEST(request_of_no_bytes_has_no_fields)
{
    struct weir_request_frame frame;
    ck_assert_int_eq(weir_request_frame_parse(exact("", 0), &arena, &frame, &err), WEIR_OK);
    ck_assert_ptr_null(frame.method.p);
    ck_assert_ptr_null(frame.token.p);
    ck_assert_ptr_null(frame.payload.p);
    ck_assert_uint_eq(frame.timeout_ms, 0);
}
END_TEST

START_TEST(last_scalar_counts_and_unknown_fields_do_not)
{
    static const char bytes[] = "\x0a\x01"
                                "a"
                                "\x0a\x01"
                                "b"
                                "\x18\x07\x18\x85\x80\x80\x80\x10"     /* 2^32 + 5 */
                                "\x30\x01"                             /* 6: varint */
                                "\x39\x01\x02\x03\x04\x05\x06\x07\x08" /* 7: 64 bits */
                                "\x45\x01\x02\x03\x04"                 /* 8: 32 bits */
                                "\xfa\xff\xff\xff\x0f\x01x";           /* 2^29-1: bytes */
    struct weir_request_frame frame;
    const struct weir_slice in = exact(bytes, sizeof bytes - 1);
    ck_assert_int_eq(weir_request_frame_parse(in, &arena, &frame, &err), WEIR_OK);
    assert_text(frame.method, "b");
    ck_assert_uint_eq(frame.timeout_ms, 5);
    Weir__V1__Request *request = weir__v1__request__unpack(NULL, in.n, in.p);
    ck_assert_ptr_nonnull(request);
    ck_assert_uint_eq(request->timeout_ms, 5);
    weir__v1__request__free_unpacked(request, NULL);
}
END_TEST

#define BYTES(text) (text), sizeof(text) - 1

static const struct {
    const char *bytes;
    size_t n;
    const char *field;
} bad_requests[] = {
    {BYTES("\x0a"), "request"},  // no length
    {BYTES("\x0a\x05"
           "abcd"),
     "request"},                                         // length beyond the end
    {BYTES("\x0a\x80\x80\x80\x80\x80\x00"), "request"},  // length prefix of six bytes
    {BYTES("\x0a\xff\xff\xff\xff\x0f"), "request"},      // 2^32 - 1 bytes
    {BYTES("\x18"), "request"},                          // no number
    {BYTES("\x18\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), "request"},  // eleven bytes
    {BYTES("\x08\x01"), "request"},                                          // method as a number
    {BYTES("\x1a\x01"
           "a"),
     "request"},                                             // timeout_ms as text
    {BYTES("\x0b\x0c"), "request"},                          // a group
    {BYTES("\x0e"), "request"},                              // wire type 6
    {BYTES("\x02\x00"), "request"},                          // field 0
    {BYTES("\x82\x80\x80\x80\x10\x00"), "request"},          // field 2^29
    {BYTES("\x80"), "request"},                              // a tag that does not end
    {BYTES("\x49\x01\x02\x03\x04\x05\x06\x07"), "request"},  // 64 bits cut short
    {BYTES("\x4d\x01\x02\x03"), "request"},                  // 32 bits cut short
    {BYTES("\x0a\x02\xc0\x80"), "method"},                   // overlong UTF-8
    {BYTES("\x0a\x01\x00"), "method"},
    {BYTES("\x12\x03\xed\xa0\x80"), "token"},                   // a surrogate
    {BYTES("\x22\x03\x0a\x01\xff"), "metadata"},                // key
    {BYTES("\x22\x03\x12\x01\x00"), "metadata"},                // value
    {BYTES("\x22\x02\x08\x01"), "metadata"},                    // key as a number
    {BYTES("\x22\x02\x0a\x05"), "metadata"},                    // entry cut short
    {BYTES("\x22\x03\x0a\x01k\x22\x03\x0a\x01k"), "metadata"},  // twice
    {BYTES("\x22\x00\x22\x00"), "metadata"},                    // the empty key twice
};

START_TEST(bad_request_is_refused_by_field)
{
    parse_fails(exact(bad_requests[_i].bytes, bad_requests[_i].n), bad_requests[_i].field);
}
END_TEST

static struct weir_slice request_with_entries(int n)
{
    struct weir_wire_writer writer = {.at = weir_arena_bytes(&arena, (size_t)n * 16)};
    ck_assert_ptr_nonnull(writer.at);
    for (int i = 0; i < n; i++) {
        const char key[] = {(char)('a' + i / 26), (char)('a' + i % 26), '\0'};
        weir_wire_put_entry(&writer, 4, weir_slice_of(key), weir_slice_of("v"));
    }
    return weir_slice(writer.at, writer.n);
}

START_TEST(metadata_has_a_limit)
{
    struct weir_request_frame frame;
    const struct weir_slice most = request_with_entries(WEIR_METADATA_ENTRIES_MAX);
    ck_assert_int_eq(weir_request_frame_parse(most, &arena, &frame, &err), WEIR_OK);
    ck_assert_uint_eq(frame.metadata_n, WEIR_METADATA_ENTRIES_MAX);
    assert_text(frame.metadata[63].key, "cl");
    parse_fails(request_with_entries(WEIR_METADATA_ENTRIES_MAX + 1), "metadata");
}
END_TEST

START_TEST(request_without_memory_is_limit_exceeded)
{
    const struct weir_slice bytes = request_with_entries(8);
    struct weir_arena small;
    weir_arena_init(&small, 64, 0);
    struct weir_request_frame frame;
    ck_assert_int_eq(weir_request_frame_parse(bytes, &small, &frame, &err), WEIR_LIMIT_EXCEEDED);
    ck_assert_uint_eq(frame.metadata_n, 0);
    weir_arena_fini(&small);
}
END_TEST

/* Every truncation of a valid request. */
START_TEST(no_prefix_of_a_request_is_read_beyond_its_end)
{
    const struct weir_slice whole = request_with_entries(4);
    for (size_t n = 0; n < whole.n; n++) {
        struct weir_request_frame frame;
        const struct weir_slice cut = exact(whole.p, n);
        const weir_status status = weir_request_frame_parse(cut, &arena, &frame, &err);
        ck_assert(status == (n % (whole.n / 4) == 0 ? WEIR_OK : WEIR_INVALID_REQUEST));
    }
}
END_TEST

/* ---- responses ---- */

START_TEST(success_is_what_protobuf_writes)
{
    Weir__V1__GetStreamVersionResponse payload = WEIR__V1__GET_STREAM_VERSION_RESPONSE__INIT;
    payload.has_exists = _i == 1;
    const size_t payload_n = protobuf_c_message_get_packed_size(&payload.base);
    const size_t n = weir_response_ok_size(payload_n);
    uint8_t *ours = weir_arena_bytes(&arena, n);
    weir_response_ok_pack(&payload.base, payload_n, ours);

    Weir__V1__Response *response = weir__v1__response__unpack(NULL, n, ours);
    ck_assert_ptr_nonnull(response);
    ck_assert(response->status->has_code && response->status->code == 0);
    ck_assert_ptr_null(response->status->reason);
    ck_assert(response->has_payload && response->payload.len == payload_n);
    assert_same_bytes(packed(&response->base), weir_slice(ours, n));
    weir__v1__response__free_unpacked(response, NULL);

    struct weir_slice found = {0};
    ck_assert_int_eq(weir_response_parse(weir_slice(ours, n), &found, &err), WEIR_OK);
    ck_assert_ptr_eq(found.p, ours + n - payload_n);
    ck_assert_uint_eq(found.n, payload_n);
}
END_TEST

static struct weir_slice packed_failure(const struct weir_error *failure)
{
    const size_t n = weir_response_error_size(failure);
    uint8_t *p = weir_arena_bytes(&arena, n);
    ck_assert_ptr_nonnull(p);
    weir_response_error_pack(failure, p);
    return weir_slice(p, n);
}

START_TEST(failure_is_what_protobuf_writes)
{
    struct weir_error failure;
    weir_fail_field(&failure, "stream_name", "%s", "müde");
    const struct weir_slice ours = packed_failure(&failure);

    Weir__V1__Response *response = weir__v1__response__unpack(NULL, ours.n, ours.p);
    ck_assert_ptr_nonnull(response);
    ck_assert_int_eq(response->status->code, 3);
    ck_assert_str_eq(response->status->reason, "INVALID_REQUEST");
    ck_assert_str_eq(response->status->message, "stream_name: müde");
    ck_assert_uint_eq(response->status->n_details, 2);
    ck_assert_str_eq(response->status->details[0]->value, "stream_name");
    ck_assert(!response->has_payload);
    assert_same_bytes(packed(&response->base), ours);
    weir__v1__response__free_unpacked(response, NULL);
}
END_TEST

START_TEST(every_status_survives_the_wire)
{
    struct weir_error failure;
    weir_fail(&failure, (weir_status)_i, "text %d", _i);
    weir_error_detail(&failure, "stream", "account-%d", _i);
    weir_error_detail(&failure, "empty", "%s", "");
    struct weir_slice payload = {0};
    const weir_status status = weir_response_parse(packed_failure(&failure), &payload, &err);
    ck_assert_int_eq((int)status, _i);
    ck_assert_int_eq((int)err.status, _i);
    ck_assert_str_eq(err.text, failure.text);
    ck_assert_uint_eq(err.details_n, failure.details_n);
    ck_assert_mem_eq(err.details, failure.details, failure.details_n);
    ck_assert_ptr_null(payload.p);
}
END_TEST

START_TEST(details_go_to_the_area_of_the_caller)
{
    struct weir_error failure;
    weir_fail(&failure, WEIR_STREAM_VERSION_CONFLICT, "many");
    char *area = malloc(100000);
    weir_error_enlarge(&failure, area, 100000);
    for (int i = 0; i < 200; i++) {
        char key[32];
        (void)snprintf(key, sizeof key, "stream.%d", i);
        weir_error_detail(&failure, key, "%0100d", i);
    }
    const struct weir_slice bytes = packed_failure(&failure);
    struct weir_slice payload;
    (void)weir_response_parse(bytes, &payload, &err);
    ck_assert_ptr_nonnull(weir_error_get_detail(&err, "stream.0"));
    ck_assert_ptr_null(weir_error_get_detail(&err, "stream.199"));

    char *larger = malloc(100000);
    weir_error_init(&err);
    weir_error_enlarge(&err, larger, 100000);
    (void)weir_response_parse(bytes, &payload, &err);
    ck_assert_ptr_eq(err.details, larger);
    ck_assert_str_eq(weir_error_get_detail(&err, "stream.199"),
                     weir_error_get_detail(&failure, "stream.199"));
    free(larger);
    free(area);
}
END_TEST

static weir_status parse_response(const char *bytes, size_t n)
{
    struct weir_slice payload;
    return weir_response_parse(exact(bytes, n), &payload, &err);
}

START_TEST(unknown_reason_becomes_a_status_of_its_code)
{
    ck_assert_int_eq(parse_response(BYTES("\x0a\x0b\x08\x0e\x12\x03NEW\x1a\x02hm")),
                     WEIR_BACKEND_UNAVAILABLE);
    ck_assert_str_eq(err.text, "hm (NEW)");
    ck_assert_int_eq(parse_response(BYTES("\x0a\x02\x08\x63")), WEIR_BACKEND_ERROR);
}
END_TEST

/* protobuf merges a message that is sent in parts. */
START_TEST(status_in_parts_is_one_status)
{
    ck_assert_int_eq(parse_response(BYTES("\x0a\x02\x08\x09\x0a\x0e\x12\x0cPRECONDITION"
                                          "\x0a\x06\x22\x04\x0a\x02kk")),
                     WEIR_PRECONDITION);
    ck_assert_str_eq(weir_error_get_detail(&err, "kk"), "");
}
END_TEST

/* A later version of the protocol may add fields of any type. */
START_TEST(unknown_fields_of_the_status_are_passed_over)
{
    ck_assert_int_eq(
        parse_response(BYTES("\x0a\x10\x08\x09\x28\x01\x35zzzz\x1a\x02hm\x3a\x01\x00")),
        WEIR_PRECONDITION);
    ck_assert_str_eq(err.text, "hm ()");
}
END_TEST

START_TEST(a_detail_with_a_long_key_is_left_out)
{
    char key[129];
    memset(key, 'k', 128);
    key[128] = '\0';
    Weir__V1__Response response = WEIR__V1__RESPONSE__INIT;
    Weir__V1__Status status = WEIR__V1__STATUS__INIT;
    Weir__V1__Status__DetailsEntry entry = WEIR__V1__STATUS__DETAILS_ENTRY__INIT;
    Weir__V1__Status__DetailsEntry *details = &entry;
    response.status = &status;
    status.has_code = true;
    status.code = 9;
    status.details = &details;
    status.n_details = 1;
    entry.key = key + 1;
    entry.value = "v";
    struct weir_slice payload;
    struct weir_slice bytes = packed(&response.base);
    ck_assert_int_eq(weir_response_parse(bytes, &payload, &err), WEIR_PRECONDITION);
    ck_assert_str_eq(weir_error_get_detail(&err, key + 1), "v");
    entry.key = key;
    bytes = packed(&response.base);
    ck_assert_int_eq(weir_response_parse(bytes, &payload, &err), WEIR_PRECONDITION);
    ck_assert_uint_eq(err.details_n, 0);
}
END_TEST

START_TEST(details_that_cannot_be_kept_are_left_out)
{
    ck_assert_int_eq(parse_response(BYTES("\x0a\x14\x08\x09"
                                          "\x22\x08\x0a\x01z\x12\x03"
                                          "a\x00"
                                          "b"
                                          "\x22\x06\x0a\x01k\x12\x01v")),
                     WEIR_PRECONDITION);
    ck_assert_ptr_null(weir_error_get_detail(&err, "z"));
    ck_assert_str_eq(weir_error_get_detail(&err, "k"), "v");
}
END_TEST

/* Programs rely on the text of an error to be UTF-8, and a terminal may act on other bytes. */
START_TEST(texts_that_are_not_utf8_are_left_out)
{
    ck_assert_int_eq(parse_response(BYTES("\x0a\x13\x08\x09\x12\x0cPRECONDITION\x1a\x01\x9b")),
                     WEIR_PRECONDITION);
    ck_assert_str_eq(err.text, "");
    ck_assert_int_eq(parse_response(BYTES("\x0a\x09\x08\x0e\x12\x01\x9b\x1a\x02hm")),
                     WEIR_BACKEND_UNAVAILABLE);
    ck_assert_str_eq(err.text, "hm ()");
}
END_TEST

static const struct {
    const char *bytes;
    size_t n;
} bad_responses[] = {
    {BYTES("")},                          // no status
    {BYTES("\x12\x01x")},                 // a payload alone
    {BYTES("\x08\x00")},                  // status as a number
    {BYTES("\x0a\x02\x08\x00\x10\x01")},  // payload as a number
    {BYTES("\x0a\x02\x0a\x00")},          // code as text
    {BYTES("\x0a\x02\x10\x01")},          // reason as a number
    {BYTES("\x0a\x02\x08")},              // cut short
    {BYTES("\x0a\x01\x08")},              // cut short inside
    {BYTES("\x0a\x02\x08\x00\x0a\x01\x08")},
};

START_TEST(bad_response_is_a_backend_error)
{
    ck_assert_int_eq(parse_response(bad_responses[_i].bytes, bad_responses[_i].n),
                     WEIR_BACKEND_ERROR);
    ck_assert_ptr_nonnull(strstr(err.text, "not a weir.v1.Response"));
}
END_TEST

/* Numbers around each power of two. */
START_TEST(a_number_takes_as_many_bytes_as_are_counted)
{
    uint8_t bytes[16];
    const uint64_t power = (uint64_t)1 << _i;
    const uint64_t numbers[] = {power - 1, power, power + 1, UINT64_MAX - power};
    for (size_t i = 0; i < WEIR_COUNTOF(numbers); i++) {
        const uint8_t *end = weir_wire_write_varint(bytes, numbers[i]);
        ck_assert_uint_eq(weir_wire_varint_bytes(numbers[i]), (size_t)(end - bytes));
    }
}
END_TEST

static Suite *frame_suite(void)
{
    Suite *suite = suite_create("frame");
    TCase *requests = tcase_create("requests");
    tcase_add_checked_fixture(requests, set_up, tear_down);
    tcase_add_test(requests, request_is_what_protobuf_writes);
    tcase_add_test(requests, request_leaves_out_what_is_absent);
    tcase_add_test(requests, request_of_protobuf_is_read);
    tcase_add_loop_test(requests, token_and_metadata_are_found_without_parsing, 0,
                        WEIR_COUNTOF(peeks));
    tcase_add_test(requests, only_the_first_fields_are_looked_at);
    tcase_add_test(requests, request_of_no_bytes_has_no_fields);
    tcase_add_test(requests, last_scalar_counts_and_unknown_fields_do_not);
    tcase_add_loop_test(requests, bad_request_is_refused_by_field, 0, WEIR_COUNTOF(bad_requests));
    tcase_add_test(requests, metadata_has_a_limit);
    tcase_add_test(requests, request_without_memory_is_limit_exceeded);
    tcase_add_test(requests, no_prefix_of_a_request_is_read_beyond_its_end);
    suite_add_tcase(suite, requests);
    TCase *responses = tcase_create("responses");
    tcase_add_checked_fixture(responses, set_up, tear_down);
    tcase_add_loop_test(responses, success_is_what_protobuf_writes, 0, 2);
    tcase_add_test(responses, failure_is_what_protobuf_writes);
    tcase_add_loop_test(responses, every_status_survives_the_wire, WEIR_OK + 1, WEIR_STATUS_COUNT);
    tcase_add_test(responses, details_go_to_the_area_of_the_caller);
    tcase_add_test(responses, unknown_reason_becomes_a_status_of_its_code);
    tcase_add_test(responses, status_in_parts_is_one_status);
    tcase_add_test(responses, unknown_fields_of_the_status_are_passed_over);
    tcase_add_test(responses, a_detail_with_a_long_key_is_left_out);
    tcase_add_test(responses, details_that_cannot_be_kept_are_left_out);
    tcase_add_test(responses, texts_that_are_not_utf8_are_left_out);
    tcase_add_loop_test(responses, a_number_takes_as_many_bytes_as_are_counted, 0, 64);
    tcase_add_loop_test(responses, bad_response_is_a_backend_error, 0, WEIR_COUNTOF(bad_responses));
    suite_add_tcase(suite, responses);
    return suite;
}

int main(void)
{
    return check_main(frame_suite());
}
