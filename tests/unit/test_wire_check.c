/* What the wire check refuses before decoding, and that everything it accepts can be decoded. */
#include "tests/lib/check_main.h"
#include "weir/v1/message_store.pb-c.h"
#include "weir/v1/namespaces.pb-c.h"
#include "weir/v1/system.pb-c.h"
#include "weir/wire/check.h"
#include "weir/wire/pb_arena.h"

#include <google/protobuf/descriptor.pb-c.h>
#include <stdio.h>
#include <stdlib.h>

#define BYTES(text) (text), sizeof(text) - 1

static struct weir_error err;
static uint8_t *copy;  // the bytes of the last check, in an allocation of the exact size

static void set_up(void)
{
    weir_error_init(&err);
    copy = NULL;
}

static void tear_down(void)
{
    free(copy);
}

static weir_status check_bytes(const ProtobufCMessageDescriptor *type, size_t max_elements,
                               const void *bytes, size_t n)
{
    free(copy);
    copy = malloc(n == 0 ? 1 : n);
    ck_assert_ptr_nonnull(copy);
    memcpy(copy, bytes, n);
    return weir_wire_check(weir_slice(copy, n), type, max_elements, NULL, &err);
}

/* Checks that the bytes are accepted, decodable by protobuf-c, and within the promised memory. */
static void accepts(const ProtobufCMessageDescriptor *type, size_t max_elements, const void *bytes,
                    size_t n)
{
    ck_assert_msg(check_bytes(type, max_elements, bytes, n) == WEIR_OK, "%s", err.text);
    struct weir_arena arena;
    weir_arena_init(&arena, weir_wire_memory_max(n, max_elements), 0);
    ProtobufCMessage *message = NULL;
    const weir_status status = weir_pb_unpack(&arena, type, weir_slice(copy, n), &message, &err);
    ck_assert_msg(status == WEIR_OK, "%s", err.text);
    ck_assert_ptr_eq(message->descriptor, type);
    weir_arena_fini(&arena);
}

static const struct {
    const ProtobufCMessageDescriptor *type;
    const char *bytes;
    size_t n;
    const char *field;
} refused[] = {
    /* stream_name */
    {&weir__v1__get_stream_version_request__descriptor, BYTES("\x0a\x02\xc3\x28"), "stream_name"},
    {&weir__v1__get_stream_version_request__descriptor,
     BYTES("\x0a\x03"
           "a\x00"
           "b"),
     "stream_name"},
    {&weir__v1__get_stream_version_request__descriptor, BYTES("\x08\x01"), "stream_name"},
    {&weir__v1__get_stream_version_request__descriptor, BYTES("\x0d\x01\x02\x03\x04"),
     "stream_name"},
    /* the message itself */
    {&weir__v1__get_stream_version_request__descriptor,
     BYTES("\x0a\x05"
           "abc"),
     "payload"},
    {&weir__v1__get_stream_version_request__descriptor,
     BYTES("\x0a\x04"
           "abc"),
     "payload"},
    {&weir__v1__get_stream_version_request__descriptor, BYTES("\x0b\x0c"), "payload"},
    {&weir__v1__get_stream_version_request__descriptor, BYTES("\x7b\x7c"), "payload"},
    {&weir__v1__get_stream_version_request__descriptor, BYTES("\x00\x00"), "payload"},
    {&weir__v1__list_categories_request__descriptor, BYTES("\x08"), "payload"},
    /* position, direction, headers_only, types */
    {&weir__v1__get_stream_messages_request__descriptor,
     BYTES("\x12\x01"
           "1"),
     "position"},
    {&weir__v1__get_stream_messages_request__descriptor, BYTES("\x28\x02"), "direction"},
    {&weir__v1__get_stream_messages_request__descriptor,
     BYTES("\x28\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), "direction"},
    {&weir__v1__get_stream_messages_request__descriptor, BYTES("\x42\x01\x01"), "headers_only"},
    {&weir__v1__get_stream_messages_request__descriptor,
     BYTES("\x32\x01"
           "a\x32\x01\xff"),
     "types[1]"},
    /* nested */
    {&weir__v1__write_messages_request__descriptor,
     BYTES("\x12\x00\x0a\x01s\x12\x00\x12\x00\x12\x05\x0a\x00\x12\x01\x80"), "messages[3].type"},
    {&weir__v1__write_messages_request__descriptor, BYTES("\x12\x00\x12\x02\x12\x09"),
     "messages[1]"},
    {&weir__v1__write_messages_request__descriptor, BYTES("\x1a\x02\x0a\x00"), "expectation.exact"},
    {&weir__v1__write_streams_request__descriptor,
     BYTES("\x0a\x00\x0a\x06\x12\x00\x12\x02\x08\x01"), "writes[1].messages[1].id"},
    /* packed numbers and maps */
    {&weir__v1__histogram__descriptor,
     BYTES("\x1a\x07"
           "1234567"),
     "bounds[0]"},
    {&weir__v1__histogram__descriptor, BYTES("\x20\x01\x22\x02\x01\x80"), "cumulative_counts[1]"},
    {&weir__v1__metric__descriptor, BYTES("\x12\x03\x0a\x01\xff"), "labels[0].key"},
    {&google__protobuf__descriptor_proto__descriptor, BYTES("\x2a\x02\x0a\x05"),
     "extension_range[0]"},
};

START_TEST(refuses_by_path)
{
    const weir_status status =
        check_bytes(refused[_i].type, 1000, refused[_i].bytes, refused[_i].n);
    ck_assert_str_eq(weir_status_name(status), "INVALID_REQUEST");
    ck_assert_str_eq(weir_error_get_detail(&err, "field"), refused[_i].field);
    ck_assert_str_ne(weir_error_get_detail(&err, "reason"), "");
}
END_TEST

static const struct {
    const ProtobufCMessageDescriptor *type;
    const char *bytes;
    size_t n;
    size_t elements;  // exact number counted
} accepted[] = {
    {&weir__v1__get_stream_version_request__descriptor, BYTES(""), 0},
    {&weir__v1__get_stream_version_request__descriptor, BYTES("\x0a\x02\xc3\xa4"), 0},
    {&weir__v1__list_categories_request__descriptor, BYTES(""), 0},
    /* Repeated scalars, unknown fields of every kind */
    {&weir__v1__get_stream_version_request__descriptor,
     BYTES("\x0a\x01"
           "a\x0a\x01"
           "b"),
     1},
    {&weir__v1__list_categories_request__descriptor,
     BYTES("\x08\x01\x11"
           "12345678\x1a\x02\xff\x00\x25"
           "1234"),
     4},
    /* Both values of an enum, a bool other than 0 and 1, -1 in ten bytes */
    {&weir__v1__get_stream_messages_request__descriptor, BYTES("\x28\x00\x28\x01\x40\x07"), 1},
    {&weir__v1__get_stream_messages_request__descriptor,
     BYTES("\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), 0},
    /* Repeated messages, a message in parts, a oneof with two members */
    {&weir__v1__write_messages_request__descriptor, BYTES("\x12\x00\x12\x00\x12\x00"), 3},
    {&weir__v1__write_messages_request__descriptor, BYTES("\x1a\x02\x08\x05\x1a\x02\x10\x01"), 1},
    {&weir__v1__write_messages_request__descriptor, BYTES("\x1a\x04\x08\x05\x10\x01"), 0},
    /* Numbers one by one, packed, and both */
    {&weir__v1__histogram__descriptor,
     BYTES("\x1a\x10"
           "1234567812345678\x19"
           "12345678"),
     3},
    {&weir__v1__histogram__descriptor, BYTES("\x20\x01\x22\x04\x01\x80\x01\x05"), 4},
    {&weir__v1__histogram__descriptor, BYTES("\x22\x00\x1a\x00"), 0},
    {&google__protobuf__source_code_info__location__descriptor,
     BYTES("\x0a\x03\x01\x02\x03\x08\x04"), 4},
    /* Merging a message with three elements copies them */
    {&weir__v1__metric__descriptor, BYTES("\x22\x06\x20\x01\x20\x02\x20\x03\x22\x02\x20\x04"),
     3 + 1 + 3 + 1},
    {&weir__v1__metric__descriptor, BYTES("\x12\x04\x0a\x00\x12\x00"), 1},
};

START_TEST(accepts_and_counts)
{
    const size_t n = accepted[_i].n;
    const size_t elements = accepted[_i].elements;
    accepts(accepted[_i].type, elements, accepted[_i].bytes, n);
    if (elements > 0) {
        ck_assert_int_eq(check_bytes(accepted[_i].type, elements - 1, accepted[_i].bytes, n),
                         WEIR_INVALID_REQUEST);
        char reason[64];
        (void)snprintf(reason, sizeof reason, "more than %zu elements in the message",
                       elements - 1);
        ck_assert_str_eq(weir_error_get_detail(&err, "reason"), reason);
    }
}
END_TEST

/* A typical client request, cut at every byte: refused or accepted, never read beyond its end. */
START_TEST(no_prefix_is_read_beyond_its_end)
{
    static const char whole[] = "\x0a\x01s\x12\x0a\x0a\x01i\x12\x01t\x1a\x02{}\x1a\x02\x08\x07";
    for (size_t n = 0; n < sizeof whole; n++) {
        const weir_status status =
            check_bytes(&weir__v1__write_messages_request__descriptor, 10, whole, n);
        const bool is_whole_fields = n == 0 || n == 3 || n == 15 || n == 19;
        ck_assert_msg((status == WEIR_OK) == is_whole_fields, "%zu bytes: %s", n, err.text);
    }
}
END_TEST

/* DescriptorProto.nested_type (3) is a DescriptorProto, the only type that nests without a
 * limit. */
static size_t nest(uint8_t *out, size_t levels)
{
    size_t n = 0;
    for (size_t i = 1; i < levels; i++) {
        memmove(out + 2, out, n);
        out[0] = 0x1a;
        out[1] = (uint8_t)n;
        n += 2;
    }
    return n;
}

START_TEST(nesting_has_a_limit)
{
    uint8_t bytes[64];
    size_t n = nest(bytes, WEIR_WIRE_DEPTH_MAX);
    const ProtobufCMessageDescriptor *type = &google__protobuf__descriptor_proto__descriptor;
    ck_assert_int_eq(check_bytes(type, 100, bytes, n), WEIR_OK);
    n = nest(bytes, WEIR_WIRE_DEPTH_MAX + 1);
    ck_assert_int_eq(check_bytes(type, 100, bytes, n), WEIR_INVALID_REQUEST);
    ck_assert_ptr_nonnull(strstr(err.text, "nested"));
}
END_TEST

/* 2 MB of empty messages would take 200 MB when decoded. */
START_TEST(many_empty_messages_are_refused)
{
    enum { MESSAGES = 100000 };
    uint8_t *bytes = malloc(MESSAGES * 2);
    ck_assert_ptr_nonnull(bytes);
    for (size_t i = 0; i < MESSAGES; i++) {
        bytes[2 * i] = 0x12;
        bytes[2 * i + 1] = 0;
    }
    const ProtobufCMessageDescriptor *type = &weir__v1__write_messages_request__descriptor;
    ck_assert_int_eq(check_bytes(type, MESSAGES - 1, bytes, MESSAGES * 2), WEIR_INVALID_REQUEST);
    accepts(type, MESSAGES, bytes, MESSAGES * 2);
    free(bytes);
}
END_TEST

static weir_status check_records(const char *bytes, size_t n)
{
    return weir_wire_check(weir_slice((const uint8_t *)bytes, n),
                           &weir__v1__import_messages_request__descriptor, 10, "messages", &err);
}

/* The second record's stream_name holds a NUL; a record as a whole has no field to name. */
START_TEST(a_fault_in_a_record_is_told_by_its_number)
{
    static const char field[] = "\x0a\x00\x0a\x05\x12\x03"
                                "a\0b";
    static const char whole[] = "\x0a\x00\x0a\x01\x12";
    ck_assert_int_eq(check_records(field, sizeof field - 1), WEIR_INVALID_RECORD);
    ck_assert_str_eq(weir_error_get_detail(&err, "record"), "2");
    ck_assert_str_eq(weir_error_get_detail(&err, "reason"),
                     "stream_name: must be UTF-8 text without U+0000");
    ck_assert_int_eq(check_records(whole, sizeof whole - 1), WEIR_INVALID_REQUEST);
    ck_assert_str_eq(weir_error_get_detail(&err, "field"), "messages[1]");
}
END_TEST

/* A recursive type with a field name of 60 bytes. */
static const ProtobufCMessageDescriptor long_named;
static const ProtobufCIntRange one_field[] = {{1, 0}, {0, 1}};
static const ProtobufCFieldDescriptor long_name = {
    .name = "a_name_of_sixty_bytes_which_is_longer_than_any_field_of_ours",
    .id = 1,
    .label = PROTOBUF_C_LABEL_OPTIONAL,
    .type = PROTOBUF_C_TYPE_MESSAGE,
    .descriptor = &long_named,
};
static const ProtobufCMessageDescriptor long_named = {
    .magic = PROTOBUF_C__MESSAGE_DESCRIPTOR_MAGIC,
    .name = "LongNamed",
    .n_fields = 1,
    .fields = &long_name,
    .n_field_ranges = 1,
    .field_ranges = one_field,
};

START_TEST(long_paths_are_cut)
{
    static const char nested[] = "\x0a\x0b\x0a\x09\x0a\x07\x0a\x05\x0a\x03\x0a\x01\x0a";
    ck_assert_int_eq(check_bytes(&long_named, 100, nested, sizeof nested - 1),
                     WEIR_INVALID_REQUEST);
    const char *field = weir_error_get_detail(&err, "field");
    ck_assert_ptr_nonnull(field);
    ck_assert_uint_eq(strlen(field), 255);
    ck_assert_mem_eq(field, long_name.name, 60);
}
END_TEST

static Suite *wire_check_suite(void)
{
    Suite *suite = suite_create("wire_check");
    TCase *checks = tcase_create("checks");
    tcase_add_checked_fixture(checks, set_up, tear_down);
    tcase_add_loop_test(checks, refuses_by_path, 0, WEIR_COUNTOF(refused));
    tcase_add_loop_test(checks, accepts_and_counts, 0, WEIR_COUNTOF(accepted));
    tcase_add_test(checks, no_prefix_is_read_beyond_its_end);
    tcase_add_test(checks, nesting_has_a_limit);
    tcase_add_test(checks, many_empty_messages_are_refused);
    tcase_add_test(checks, a_fault_in_a_record_is_told_by_its_number);
    tcase_add_test(checks, long_paths_are_cut);
    suite_add_tcase(suite, checks);
    return suite;
}

int main(void)
{
    return check_main(wire_check_suite());
}
