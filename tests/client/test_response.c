/* Responses in one block of memory: the number of allocations, and the handling of bytes that are
 * not a response. The linker's --wrap replaces malloc. */
#include "client/lib/response.h"
#include "client/weir.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

void *__real_malloc(size_t n);
void *__wrap_malloc(size_t n);

/* Check allocates too, so tests read the counter as soon as a call returns. */
static size_t allocations;
static size_t allocated_bytes;
static size_t used_allocations;
static size_t used_bytes;
static size_t failing;  // number of the allocation to fail; 0: none

void *__wrap_malloc(size_t n)
{
    allocations++;
    allocated_bytes += n;
    return allocations == failing ? NULL : __real_malloc(n);
}

/* Returns a packed reply with `n` messages, which the caller frees. */
static uint8_t *pack_reply(size_t n, size_t *size)
{
    Weir__V1__GetStreamMessagesResponse reply = WEIR__V1__GET_STREAM_MESSAGES_RESPONSE__INIT;
    Weir__V1__Message *messages = calloc(n, sizeof *messages);
    Weir__V1__Message **pointers = calloc(n, sizeof *pointers);
    static char id[] = "018f0000-0000-7000-8000-000000000000";
    static char stream[] = "account-123";
    static char type[] = "Deposited";
    static uint8_t data[] = "{\"amount\": 5, \"currency\": \"EUR\"}";
    for (size_t i = 0; i < n; i++) {
        weir__v1__message__init(&messages[i]);
        messages[i].id = id;
        messages[i].stream_name = stream;
        messages[i].type = type;
        messages[i].has_position = true;
        messages[i].position = (int64_t)i;
        messages[i].has_data = true;
        messages[i].data.data = data;
        messages[i].data.len = sizeof data - 1;
        pointers[i] = &messages[i];
    }
    reply.messages = pointers;
    reply.n_messages = n;
    reply.has_next_position = true;
    reply.next_position = (int64_t)n;
    *size = weir__v1__get_stream_messages_response__get_packed_size(&reply);
    uint8_t *bytes = calloc(1, *size + 1);
    (void)weir__v1__get_stream_messages_response__pack(&reply, bytes);
    free(messages);
    free(pointers);
    return bytes;
}

static weir_status unpack_as(const ProtobufCMessageDescriptor *type, struct weir_slice bytes,
                             ProtobufCMessage **message, struct weir_error *err)
{
    weir_error_init(err);
    *message = NULL;
    allocations = 0;
    allocated_bytes = 0;
    const weir_status st = response_unpack(type, bytes, message, err);
    used_allocations = allocations;
    used_bytes = allocated_bytes;
    return st;
}

static weir_status unpack(struct weir_slice bytes, Weir__V1__GetStreamMessagesResponse **out,
                          struct weir_error *err)
{
    ProtobufCMessage *message = NULL;
    const weir_status st =
        unpack_as(&weir__v1__get_stream_messages_response__descriptor, bytes, &message, err);
    *out = (Weir__V1__GetStreamMessagesResponse *)message;
    return st;
}

START_TEST(one_allocation_however_many_messages)
{
    static const size_t counts[] = {0, 1, 10, 100, 1000, 10000};
    struct weir_error err;
    for (size_t c = 0; c < WEIR_COUNTOF(counts); c++) {
        size_t size = 0;
        uint8_t *bytes = pack_reply(counts[c], &size);
        Weir__V1__GetStreamMessagesResponse *reply = NULL;
        ck_assert_int_eq(unpack(weir_slice(bytes, size), &reply, &err), WEIR_OK);
        ck_assert_uint_eq(used_allocations, 1);
        ck_assert_uint_eq(reply->n_messages, counts[c]);
        ck_assert_int_eq(reply->next_position, (int64_t)counts[c]);
        for (size_t i = 0; i < counts[c]; i++) {
            ck_assert_int_eq(reply->messages[i]->position, (int64_t)i);
            ck_assert_str_eq(reply->messages[i]->stream_name, "account-123");
        }
        weir_response_free(reply);
        free(bytes);
    }
}
END_TEST

START_TEST(every_kind_of_field_has_its_room)
{
    Weir__V1__Histogram histogram = WEIR__V1__HISTOGRAM__INIT;
    double bounds[300];
    uint64_t counts[300];
    for (size_t i = 0; i < 300; i++) {
        bounds[i] = (double)i;
        counts[i] = i;
    }
    histogram.bounds = bounds;
    histogram.n_bounds = 300;
    histogram.cumulative_counts = counts;
    histogram.n_cumulative_counts = 300;
    uint8_t bytes[8192];
    const size_t n = weir__v1__histogram__pack(&histogram, bytes);
    struct weir_error err;
    ProtobufCMessage *message = NULL;
    ck_assert_int_eq(
        unpack_as(&weir__v1__histogram__descriptor, weir_slice(bytes, n), &message, &err), WEIR_OK);
    ck_assert_uint_eq(used_allocations, 1);
    ck_assert_uint_eq(((Weir__V1__Histogram *)message)->cumulative_counts[299], 299);
    weir_response_free(message);
}
END_TEST

START_TEST(unknown_fields_are_kept_within_the_block)
{
    /* Unknown fields of a newer server: 15 (a number) and 16 (bytes). */
    static const uint8_t bytes[] = {0x78, 0x01, 0x82, 0x01, 0x03, 'a', 'b', 'c'};
    struct weir_error err;
    Weir__V1__GetStreamMessagesResponse *reply = NULL;
    ck_assert_int_eq(unpack(weir_slice(bytes, sizeof bytes), &reply, &err), WEIR_OK);
    ck_assert_uint_eq(used_allocations, 1);
    ck_assert_uint_eq(reply->base.n_unknown_fields, 2);
    weir_response_free(reply);
}
END_TEST

START_TEST(bytes_cut_short_are_an_error)
{
    size_t size = 0;
    uint8_t *bytes = pack_reply(3, &size);
    struct weir_error err;
    size_t refused = 0;
    for (size_t n = 1; n < size; n++) {
        Weir__V1__GetStreamMessagesResponse *reply = NULL;
        const weir_status st = unpack(weir_slice(bytes, n), &reply, &err);
        ck_assert(st == WEIR_OK || st == WEIR_BACKEND_ERROR);
        refused += st == WEIR_BACKEND_ERROR ? 1 : 0;
        weir_response_free(reply);
    }
    ck_assert_uint_gt(refused, size - 8);
    free(bytes);
}
END_TEST

START_TEST(small_bytes_that_want_much_memory_are_refused)
{
    enum { N = 200000 };
    uint8_t *bytes = calloc(N, 2);
    for (size_t i = 0; i < N; i++) {
        bytes[2 * i] = 0x0a;  // an empty message
    }
    struct weir_error err;
    Weir__V1__GetStreamMessagesResponse *reply = NULL;
    ck_assert_int_eq(unpack(weir_slice(bytes, (size_t)2 * N), &reply, &err), WEIR_BACKEND_ERROR);
    ck_assert_uint_lt(used_bytes, 4096);
    free(bytes);
}
END_TEST

START_TEST(no_memory_is_an_error)
{
    size_t size = 0;
    uint8_t *bytes = pack_reply(10, &size);
    struct weir_error err;
    Weir__V1__GetStreamMessagesResponse *reply = NULL;
    failing = 1;
    ck_assert_int_eq(unpack(weir_slice(bytes, size), &reply, &err), WEIR_BACKEND_UNAVAILABLE);
    failing = 0;
    ck_assert_ptr_null(reply);
    free(bytes);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("response");
    TCase *unpacking = tcase_create("unpacking");
    tcase_add_test(unpacking, one_allocation_however_many_messages);
    tcase_add_test(unpacking, every_kind_of_field_has_its_room);
    tcase_add_test(unpacking, unknown_fields_are_kept_within_the_block);
    tcase_add_test(unpacking, bytes_cut_short_are_an_error);
    tcase_add_test(unpacking, small_bytes_that_want_much_memory_are_refused);
    tcase_add_test(unpacking, no_memory_is_an_error);
    suite_add_tcase(suite, unpacking);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
