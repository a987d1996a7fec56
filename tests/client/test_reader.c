/* Complete reads against a real server with small reply limits: a reader returns what one call
 * without a reply limit would. */
#include "tests/client/live.h"
#include "weir/base/monotonic.h"

#include <stdio.h>
#include <stdlib.h>

enum { MESSAGES = 2300, PADDING = 600 };

/* A reply limit of 64 KiB holds about a hundred of these messages. */
static void setup(void)
{
    live_setup_with("--max-reply-bytes", "65536");
}

/* Writes `hundreds` times a hundred messages with `padding` bytes each, alternately to two
 * streams. */
static void write_hundreds(int hundreds, size_t padding)
{
    char data[PADDING + 3];
    const size_t n = padding + 2;
    memset(data, 'x', sizeof data);
    data[0] = data[n - 1] = '"';
    char type[] = "T";
    Weir__V1__NewMessage message = WEIR__V1__NEW_MESSAGE__INIT;
    message.type = type;
    message.has_data = true;
    message.data.data = (uint8_t *)data;
    message.data.len = n;
    Weir__V1__NewMessage *messages[100];
    for (size_t i = 0; i < 100; i++) {
        messages[i] = &message;
    }
    for (int i = 0; i < hundreds; i++) {
        char stream[] = "account-0";
        stream[8] = (char)('0' + i % 2);
        Weir__V1__WriteMessagesRequest request = WEIR__V1__WRITE_MESSAGES_REQUEST__INIT;
        request.stream_name = stream;
        request.messages = messages;
        request.n_messages = 100;
        Weir__V1__WriteMessagesResponse *response = NULL;
        ck_assert_msg(weir_message_store_write_messages(live.client, &request, NULL, &response,
                                                        &live.err) == WEIR_OK,
                      "%s", live.err.text);
        weir_response_free(response);
    }
}

static void write_all(void)
{
    write_hundreds(MESSAGES / 100, PADDING);
}

static Weir__V1__GetCategoryMessagesRequest category_request(int64_t batch)
{
    static char category[] = "account";
    Weir__V1__GetCategoryMessagesRequest request = WEIR__V1__GET_CATEGORY_MESSAGES_REQUEST__INIT;
    request.category = category;
    request.has_batch_size = batch != INT64_MAX;
    request.batch_size = batch;
    return request;
}

static struct weir_reader *open_category(const Weir__V1__GetCategoryMessagesRequest *request)
{
    struct weir_reader *reader = NULL;
    ck_assert_int_eq(weir_reader_open_category(live.client, request, NULL, &reader, &live.err),
                     WEIR_OK);
    return reader;
}

/* Reads to the end and checks that the global positions are first, first + step, … Returns the
 * number of messages. */
static int64_t read_all(struct weir_reader *reader, int64_t first, int64_t step)
{
    int64_t n = 0;
    for (;;) {
        const Weir__V1__Message *message = NULL;
        const weir_status st = weir_reader_next(reader, &message, &live.err);
        ck_assert_msg(st == WEIR_OK, "%s", live.err.text);
        if (message == NULL) {
            return n;
        }
        ck_assert_int_eq(message->global_position, first + n * step);
        ck_assert_int_eq(weir_reader_position(reader), message->global_position + step);
        n++;
    }
}

START_TEST(a_raw_call_shows_that_its_reply_was_cut)
{
    write_all();
    const Weir__V1__GetCategoryMessagesRequest request = category_request(1000);
    Weir__V1__GetCategoryMessagesResponse *response = NULL;
    ck_assert_int_eq(
        weir_message_store_get_category_messages(live.client, &request, NULL, &response, &live.err),
        WEIR_OK);
    ck_assert(response->truncated);
    ck_assert_uint_lt(response->n_messages, 200);
    weir_response_free(response);
}
END_TEST

static const struct {
    int64_t batch;  // INT64_MAX: not set
    int64_t n;
} batches[] = {{-1, MESSAGES}, {INT64_MAX, 1000}, {1500, 1500}, {1, 1}, {0, 0}, {9999, MESSAGES}};

START_TEST(a_reader_gives_the_whole_batch)
{
    write_all();
    for (size_t i = 0; i < WEIR_COUNTOF(batches); i++) {
        Weir__V1__GetCategoryMessagesRequest request = category_request(batches[i].batch);
        struct weir_reader *reader = open_category(&request);
        /* The reader does not need the request after it has been opened. */
        request.category = NULL;
        ck_assert_int_eq(weir_reader_position(reader), -1);
        ck_assert_int_eq(read_all(reader, 1, 1), batches[i].n);
        ck_assert_int_eq(weir_reader_position(reader), batches[i].n + 1);
        weir_reader_close(reader);
    }
}
END_TEST

START_TEST(backward_ends_with_the_first_message)
{
    write_all();
    Weir__V1__GetCategoryMessagesRequest request = category_request(-1);
    request.has_direction = true;
    request.direction = WEIR__V1__DIRECTION__BACKWARD;
    struct weir_reader *reader = open_category(&request);
    ck_assert_int_eq(read_all(reader, MESSAGES, -1), MESSAGES);
    weir_reader_close(reader);
}
END_TEST

START_TEST(a_stream_is_read_from_a_global_position_on)
{
    write_all();
    char stream[] = "account-1";
    Weir__V1__GetStreamMessagesRequest request = WEIR__V1__GET_STREAM_MESSAGES_REQUEST__INIT;
    request.stream_name = stream;
    request.has_global_position = true;
    request.global_position = 301;
    request.has_batch_size = true;
    request.batch_size = -1;
    for (int backward = 0; backward < 2; backward++) {
        struct weir_reader *reader = NULL;
        request.has_direction = true;
        request.direction =
            backward == 1 ? WEIR__V1__DIRECTION__BACKWARD : WEIR__V1__DIRECTION__FORWARD;
        ck_assert_int_eq(weir_reader_open_stream(live.client, &request, NULL, &reader, &live.err),
                         WEIR_OK);
        int64_t expected = 100;
        int64_t n = 0;
        const Weir__V1__Message *message = NULL;
        while (weir_reader_next(reader, &message, &live.err) == WEIR_OK && message != NULL) {
            ck_assert_int_eq(message->position, expected);
            expected += backward == 1 ? -1 : 1;
            n++;
        }
        ck_assert_int_eq(live.err.status, WEIR_OK);
        ck_assert_int_eq(n, backward == 1 ? 101 : MESSAGES / 200 * 100 - 100);
        weir_reader_close(reader);
    }
}
END_TEST

START_TEST(a_page_that_fails_is_tried_again)
{
    write_all();
    const Weir__V1__GetCategoryMessagesRequest request = category_request(-1);
    struct weir_call_options options = WEIR_CALL_OPTIONS_INIT;
    options.timeout_ms = 200;
    struct weir_reader *reader = NULL;
    ck_assert_int_eq(weir_reader_open_category(live.client, &request, &options, &reader, &live.err),
                     WEIR_OK);
    const Weir__V1__Message *message = NULL;
    weir_status st = WEIR_OK;
    do {
        st = weir_reader_next(reader, &message, &live.err);
    } while (st == WEIR_DEADLINE_EXCEEDED);  // a busy machine may need longer for a page
    ck_assert_int_eq(st, WEIR_OK);
    ck_assert_int_eq(server_stop(&live.server), 0);
    int64_t last = message->global_position;
    while (st == WEIR_OK && message != NULL) {
        last = message->global_position;
        st = weir_reader_next(reader, &message, &live.err);
    }
    ck_assert_int_eq(st, WEIR_BACKEND_UNAVAILABLE);
    ck_assert_int_eq(weir_reader_position(reader), last + 1);
    server_start(&live.server);
    /* The client reconnects at its own pace. */
    do {
        st = weir_reader_next(reader, &message, &live.err);
    } while (st == WEIR_BACKEND_UNAVAILABLE || st == WEIR_DEADLINE_EXCEEDED);
    ck_assert_int_eq(st, WEIR_OK);
    ck_assert_int_eq(message->global_position, last + 1);
    weir_reader_close(reader);
}
END_TEST

START_TEST(what_the_server_refuses_comes_from_next)
{
    Weir__V1__GetCategoryMessagesRequest request = category_request(-2);
    struct weir_reader *reader = open_category(&request);
    const Weir__V1__Message *message = NULL;
    ck_assert_int_eq(weir_reader_next(reader, &message, &live.err), WEIR_INVALID_REQUEST);
    ck_assert_str_eq(weir_error_get_detail(&live.err, "field"), "batch_size");
    ck_assert_ptr_null(message);
    weir_reader_close(reader);
}
END_TEST

/* ---- full pages ---- */

/* The client requests 1,000 messages; this server returns at most 125 per page. */
static void setup_small_batches(void)
{
    live_setup_with("--max-batch-size", "125");
}

/* The first page may wait for messages. After the last page, which is full, nothing arrives and the
 * reader must not wait. */
START_TEST(a_reader_that_waits_does_not_wait_at_the_end)
{
    enum { LONG_MS = 60000 };
    write_hundreds(10, 1);
    Weir__V1__GetCategoryMessagesRequest category = category_request(-1);
    category.has_wait_ms = true;
    category.wait_ms = LONG_MS;
    const int64_t began_us = weir_monotonic_us();
    struct weir_reader *reader = open_category(&category);
    ck_assert_int_eq(read_all(reader, 1, 1), 1000);
    weir_reader_close(reader);
    char stream[] = "account-1";
    Weir__V1__GetStreamMessagesRequest request = WEIR__V1__GET_STREAM_MESSAGES_REQUEST__INIT;
    request.stream_name = stream;
    request.has_batch_size = request.has_wait_ms = true;
    request.batch_size = -1;
    request.wait_ms = LONG_MS;
    ck_assert_int_eq(weir_reader_open_stream(live.client, &request, NULL, &reader, &live.err),
                     WEIR_OK);
    const Weir__V1__Message *message = NULL;
    do {
        ck_assert_int_eq(weir_reader_next(reader, &message, &live.err), WEIR_OK);
    } while (message != NULL);
    ck_assert_int_eq(weir_reader_position(reader), 500);
    ck_assert_int_lt(weir_monotonic_us() - began_us, LONG_MS * INT64_C(1000));
    weir_reader_close(reader);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("reader");
    TCase *tests = tcase_create("reader");
    tcase_set_timeout(tests, 120);
    tcase_add_checked_fixture(tests, setup, live_teardown);
    tcase_add_test(tests, a_raw_call_shows_that_its_reply_was_cut);
    tcase_add_test(tests, a_reader_gives_the_whole_batch);
    tcase_add_test(tests, backward_ends_with_the_first_message);
    tcase_add_test(tests, a_stream_is_read_from_a_global_position_on);
    tcase_add_test(tests, a_page_that_fails_is_tried_again);
    tcase_add_test(tests, what_the_server_refuses_comes_from_next);
    suite_add_tcase(suite, tests);
    tests = tcase_create("full_pages");
    tcase_set_timeout(tests, 120);
    tcase_add_checked_fixture(tests, setup_small_batches, live_teardown);
    tcase_add_test(tests, a_reader_that_waits_does_not_wait_at_the_end);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
