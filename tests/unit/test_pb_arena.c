/* protobuf-c decoding into an arena. */
#include "tests/lib/check_main.h"
#include "weir/v1/message_store.pb-c.h"
#include "weir/wire/pb_arena.h"

#include <stdlib.h>

static struct weir_error err;

static void set_up(void)
{
    weir_error_init(&err);
}

/* Makes malloc fail from a point that the test chooses. */
static bool is_out_of_memory;
void *__real_malloc(size_t n);
void *__wrap_malloc(size_t n);

void *__wrap_malloc(size_t n)
{
    return is_out_of_memory ? NULL : __real_malloc(n);
}

#define TYPE (&weir__v1__write_messages_request__descriptor)

/* Two messages and an unknown field. */
static const uint8_t request[] = "\x0a\x09"
                                 "account-1"
                                 "\x12\x0a\x12\x04Open\x1a\x02{}"
                                 "\x12\x05\x12\x03"
                                 "Put"
                                 "\x78\x01";
enum { REQUEST_BYTES = sizeof request - 1 };

START_TEST(message_lives_in_the_arena)
{
    struct weir_arena arena;
    weir_arena_init(&arena, 4096, 0);
    uint8_t *bytes = malloc(REQUEST_BYTES);
    ck_assert_ptr_nonnull(bytes);
    memcpy(bytes, request, REQUEST_BYTES);
    ProtobufCMessage *message = NULL;
    const weir_status status =
        weir_pb_unpack(&arena, TYPE, weir_slice(bytes, REQUEST_BYTES), &message, &err);
    free(bytes);
    ck_assert_int_eq(status, WEIR_OK);
    const Weir__V1__WriteMessagesRequest *write = (const Weir__V1__WriteMessagesRequest *)message;
    ck_assert_str_eq(write->stream_name, "account-1");
    ck_assert_uint_eq(write->n_messages, 2);
    ck_assert_str_eq(write->messages[0]->type, "Open");
    ck_assert_mem_eq(write->messages[0]->data.data, "{}", 2);
    ck_assert_str_eq(write->messages[1]->type, "Put");
    ck_assert(!write->messages[1]->has_data);
    ck_assert_uint_eq(message->n_unknown_fields, 1);
    /* Everything is in the arena: nothing else needs to be freed, as the leak check confirms. */
    weir_arena_fini(&arena);
}
END_TEST

/* Each cap that is too small fails in another allocation. */
START_TEST(every_cap_is_kept)
{
    size_t cap = 0;
    weir_status status = WEIR_LIMIT_EXCEEDED;
    for (; status != WEIR_OK; cap++) {
        struct weir_arena arena;
        weir_arena_init(&arena, cap, 0);
        ProtobufCMessage *message = NULL;
        status = weir_pb_unpack(&arena, TYPE, weir_slice(request, REQUEST_BYTES), &message, &err);
        ck_assert(status == WEIR_OK || status == WEIR_LIMIT_EXCEEDED);
        ck_assert((message != NULL) == (status == WEIR_OK));
        ck_assert_uint_le(arena.used_bytes, cap);
        weir_arena_fini(&arena);
    }
    ck_assert_uint_gt(cap, REQUEST_BYTES);
}
END_TEST

/* The message is not at fault, and the condition is temporary. */
START_TEST(without_memory_the_server_is_not_available)
{
    struct weir_arena arena;
    weir_arena_init(&arena, 4096, 0);
    ProtobufCMessage *message = NULL;
    is_out_of_memory = true;
    const weir_status status =
        weir_pb_unpack(&arena, TYPE, weir_slice(request, REQUEST_BYTES), &message, &err);
    is_out_of_memory = false;
    ck_assert_int_eq(status, WEIR_BACKEND_UNAVAILABLE);
    ck_assert_ptr_null(message);
    ck_assert_str_eq(err.text, "out of memory");
    weir_arena_fini(&arena);
}
END_TEST

START_TEST(bytes_of_something_else_are_refused)
{
    struct weir_arena arena;
    weir_arena_init(&arena, 4096, 0);
    ProtobufCMessage *message = NULL;
    const weir_status status = weir_pb_unpack(&arena, TYPE,
                                              weir_slice("\x0a\x05"
                                                         "abc",
                                                         5),
                                              &message, &err);
    ck_assert_int_eq(status, WEIR_INVALID_REQUEST);
    ck_assert_str_eq(err.text, "payload: not a WriteMessagesRequest");
    ck_assert_ptr_null(message);
    weir_arena_fini(&arena);
}
END_TEST

static Suite *pb_arena_suite(void)
{
    Suite *suite = suite_create("pb_arena");
    TCase *decoding = tcase_create("decoding");
    tcase_add_checked_fixture(decoding, set_up, NULL);
    tcase_add_test(decoding, message_lives_in_the_arena);
    tcase_add_test(decoding, every_cap_is_kept);
    tcase_add_test(decoding, without_memory_the_server_is_not_available);
    tcase_add_test(decoding, bytes_of_something_else_are_refused);
    suite_add_tcase(suite, decoding);
    return suite;
}

int main(void)
{
    return check_main(pb_arena_suite());
}
