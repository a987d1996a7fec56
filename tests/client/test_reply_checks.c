/* Incorrect replies: each one is an error, and no reader loops forever because of one. */
#include "tests/client/scripted.h"
#include "tests/lib/check_main.h"
#include "weir/v1/envelope.pb-c.h"

static void name(Weir__V1__Message *message)
{
    message->id = (char *)(uintptr_t) "00000000-0000-4000-8000-000000000001";
    message->stream_name = (char *)(uintptr_t) "account-1";
    message->type = (char *)(uintptr_t) "Opened";
}

START_TEST(a_reply_that_is_no_reply_is_an_error)
{
    Weir__V1__Request other = WEIR__V1__REQUEST__INIT;
    other.has_timeout_ms = true;
    char text[] = "\xff";
    other.method = text;
    const struct fake_action answer = {FAKE_ANSWER, &other.base, NULL};
    scripted_start(&answer, 1);
    ck_assert_int_eq(scripted_get_version(NULL, NULL), WEIR_BACKEND_ERROR);
    ck_assert_uint_eq(fake_server_requests(scripted.server), 1);
}
END_TEST

static const size_t wrong_counts[] = {0, 1, 3};

START_TEST(a_write_whose_reply_does_not_tell_of_each_message_is_an_error)
{
    scripted.write_response.n_written = wrong_counts[_i];
    scripted_start(&answer_write, 1);
    ck_assert_int_eq(scripted_write_two(), WEIR_BACKEND_ERROR);
    ck_assert_uint_eq(fake_server_requests(scripted.server), 1);
}
END_TEST

/* The number of results, and of messages in the second result, instead of two and one. */
static const size_t wrong_results[][2] = {{0, 0}, {1, 0}, {2, 0}, {2, 2}, {3, 1}};

START_TEST(so_is_one_to_several_streams)
{
    Weir__V1__StreamWritten results[3] = {WEIR__V1__STREAM_WRITTEN__INIT,
                                          WEIR__V1__STREAM_WRITTEN__INIT,
                                          WEIR__V1__STREAM_WRITTEN__INIT};
    Weir__V1__StreamWritten *pointers[] = {&results[0], &results[1], &results[2]};
    results[1].n_written = wrong_results[_i][1];
    results[1].written = scripted.write_response.written;
    Weir__V1__WriteStreamsResponse response = WEIR__V1__WRITE_STREAMS_RESPONSE__INIT;
    response.n_results = wrong_results[_i][0];
    response.results = pointers;
    const struct fake_action answer = {FAKE_ANSWER, &response.base, NULL};
    scripted_start(&answer, 1);
    ck_assert_int_eq(scripted_write_to_streams(), WEIR_BACKEND_ERROR);
}
END_TEST

/* Forward and backward: two pages that advance, then one that does not. */
START_TEST(a_read_whose_replies_lead_nowhere_ends)
{
    Weir__V1__GetCategoryMessagesResponse pages[3];
    struct fake_action script[3];
    static const int64_t next[2][3] = {{5, 9, 9}, {9, 5, 5}};
    for (size_t i = 0; i < 3; i++) {
        weir__v1__get_category_messages_response__init(&pages[i]);
        pages[i].has_truncated = true;
        pages[i].truncated = true;
        pages[i].has_next_position = true;
        pages[i].next_position = next[_i][i];
        script[i] = (struct fake_action){FAKE_ANSWER, &pages[i].base, NULL};
    }
    scripted_start(script, 3);
    Weir__V1__GetCategoryMessagesRequest request = WEIR__V1__GET_CATEGORY_MESSAGES_REQUEST__INIT;
    request.has_direction = true;
    request.direction = _i == 0 ? WEIR__V1__DIRECTION__FORWARD : WEIR__V1__DIRECTION__BACKWARD;
    struct weir_reader *reader = NULL;
    ck_assert_int_eq(
        weir_reader_open_category(scripted.client, &request, NULL, &reader, &scripted.err),
        WEIR_OK);
    for (size_t n = 3; n < 5; n++) {
        const Weir__V1__Message *message = NULL;
        ck_assert_int_eq(weir_reader_next(reader, &message, &scripted.err), WEIR_BACKEND_ERROR);
        ck_assert_ptr_null(message);
        ck_assert_uint_eq(fake_server_requests(scripted.server), n);
    }
    weir_reader_close(reader);
}
END_TEST

/* With and without messages: a page that advances, an empty page that stays in place, and a page
 * that does not advance. */
START_TEST(a_subscription_whose_replies_lead_nowhere_ends)
{
    static Weir__V1__Message message = WEIR__V1__MESSAGE__INIT;
    static Weir__V1__Message *messages[] = {&message};
    name(&message);
    Weir__V1__GetCategoryMessagesResponse pages[3];
    struct fake_action script[3];
    const int64_t next[3] = {9, 9, _i == 0 ? 9 : 8};
    for (size_t i = 0; i < 3; i++) {
        weir__v1__get_category_messages_response__init(&pages[i]);
        pages[i].has_next_position = true;
        pages[i].next_position = next[i];
        pages[i].n_messages = _i == 0 && i != 1 ? 1 : 0;
        pages[i].messages = messages;
        script[i] = (struct fake_action){FAKE_ANSWER, &pages[i].base, NULL};
    }
    scripted_start(script, 3);
    struct weir_subscription_options options = WEIR_SUBSCRIPTION_OPTIONS_INIT;
    options.category = "account";
    struct weir_subscription *sub = NULL;
    ck_assert_int_eq(weir_subscription_open(scripted.client, &options, &sub, &scripted.err),
                     WEIR_OK);
    const Weir__V1__Message *given = NULL;
    if (_i == 0) {
        ck_assert_int_eq(weir_subscription_next(sub, UINT32_MAX, &given, &scripted.err), WEIR_OK);
        ck_assert_ptr_nonnull(given);
    }
    for (size_t n = 0; n < 2; n++) {
        ck_assert_int_eq(weir_subscription_next(sub, UINT32_MAX, &given, &scripted.err),
                         WEIR_BACKEND_ERROR);
        ck_assert_int_eq(weir_subscription_position(sub), 9);
        ck_assert_uint_eq(fake_server_requests(scripted.server), 3);
    }
    weir_subscription_close(sub);
}
END_TEST

/* The positions of two messages in a page and its next position, with the expected outcome. */
struct order {
    bool is_backward;
    int64_t at[2];
    int64_t next;
    weir_status status;
};

static const struct order orders[] = {
    {false, {5, 8}, 9, WEIR_OK},
    {false, {5, 5}, 9, WEIR_BACKEND_ERROR},
    {false, {6, 5}, 9, WEIR_BACKEND_ERROR},
    {false, {5, 9}, 9, WEIR_BACKEND_ERROR},
    {false, {5, INT64_MAX}, INT64_MAX, WEIR_BACKEND_ERROR},
    {false, {5, INT64_MAX}, INT64_MIN, WEIR_BACKEND_ERROR},
    {true, {8, 5}, 4, WEIR_OK},
    {true, {5, 5}, 1, WEIR_BACKEND_ERROR},
    {true, {5, 6}, 1, WEIR_BACKEND_ERROR},
    {true, {5, 1}, 1, WEIR_BACKEND_ERROR},
    {true, {5, INT64_MIN}, INT64_MIN, WEIR_BACKEND_ERROR},
};

/* Starts a server that answers a read with such a page. A truncated one is followed by another. */
static void start_page(const struct order *order, bool is_truncated)
{
    static Weir__V1__Message message[2] = {WEIR__V1__MESSAGE__INIT, WEIR__V1__MESSAGE__INIT};
    static Weir__V1__Message *messages[2] = {&message[0], &message[1]};
    static Weir__V1__GetCategoryMessagesResponse page;
    static struct fake_action script;
    weir__v1__get_category_messages_response__init(&page);
    for (size_t i = 0; i < 2; i++) {
        name(&message[i]);
        message[i].has_global_position = true;
        message[i].global_position = order->at[i];
    }
    page.n_messages = 2;
    page.messages = messages;
    page.has_next_position = true;
    page.next_position = order->next;
    page.has_truncated = true;
    page.truncated = is_truncated;
    script = (struct fake_action){FAKE_ANSWER, &page.base, NULL};
    scripted_start(&script, 1);
}

START_TEST(messages_of_a_read_that_are_not_in_order_are_an_error)
{
    const struct order *order = &orders[(size_t)_i % WEIR_COUNTOF(orders)];
    start_page(order, (size_t)_i >= WEIR_COUNTOF(orders));
    Weir__V1__GetCategoryMessagesRequest request = WEIR__V1__GET_CATEGORY_MESSAGES_REQUEST__INIT;
    request.has_position = true;
    request.position = order->is_backward ? 9 : 4;
    request.has_direction = true;
    request.direction =
        order->is_backward ? WEIR__V1__DIRECTION__BACKWARD : WEIR__V1__DIRECTION__FORWARD;
    struct weir_reader *reader = NULL;
    const Weir__V1__Message *message = NULL;
    ck_assert_int_eq(
        weir_reader_open_category(scripted.client, &request, NULL, &reader, &scripted.err),
        WEIR_OK);
    ck_assert_int_eq(weir_reader_next(reader, &message, &scripted.err), order->status);
    ck_assert_int_eq(message != NULL, order->status == WEIR_OK);
    weir_reader_close(reader);
}
END_TEST

START_TEST(so_are_those_of_a_subscription)
{
    const struct order *order = &orders[_i];
    if (order->is_backward) {
        return;
    }
    start_page(order, false);
    struct weir_subscription_options options = WEIR_SUBSCRIPTION_OPTIONS_INIT;
    options.category = "account";
    struct weir_subscription *sub = NULL;
    const Weir__V1__Message *message = NULL;
    ck_assert_int_eq(weir_subscription_open(scripted.client, &options, &sub, &scripted.err),
                     WEIR_OK);
    ck_assert_int_eq(weir_subscription_next(sub, UINT32_MAX, &message, &scripted.err),
                     order->status);
    ck_assert_int_eq(message != NULL, order->status == WEIR_OK);
    weir_subscription_close(sub);
}
END_TEST

/* Reads the first message of a stream, which the replies do not give. */
static weir_status read_first(void)
{
    Weir__V1__GetStreamMessagesRequest request = WEIR__V1__GET_STREAM_MESSAGES_REQUEST__INIT;
    request.stream_name = (char *)(uintptr_t) "account-1";
    struct weir_reader *reader = NULL;
    const Weir__V1__Message *given = NULL;
    ck_assert_int_eq(
        weir_reader_open_stream(scripted.client, &request, NULL, &reader, &scripted.err), WEIR_OK);
    const weir_status status = weir_reader_next(reader, &given, &scripted.err);
    ck_assert_ptr_null(given);
    weir_reader_close(reader);
    return status;
}

/* A message without id, stream or type. */
START_TEST(a_message_that_does_not_say_what_it_is_is_an_error)
{
    Weir__V1__Message message = WEIR__V1__MESSAGE__INIT;
    Weir__V1__Message *messages[] = {&message};
    Weir__V1__GetStreamMessagesResponse page = WEIR__V1__GET_STREAM_MESSAGES_RESPONSE__INIT;
    name(&message);
    *(_i == 0 ? &message.id : _i == 1 ? &message.stream_name : &message.type) = NULL;
    page.messages = messages;
    page.n_messages = 1;
    page.has_next_position = true;
    page.next_position = 1;
    const struct fake_action answer = {FAKE_ANSWER, &page.base, NULL};
    scripted_start(&answer, 1);
    ck_assert_int_eq(read_first(), WEIR_BACKEND_ERROR);
}
END_TEST

/* Of a stream and of the whole namespace. */
START_TEST(an_end_without_a_position_behind_it_is_an_error)
{
    static const struct order last = {false, {INT64_MAX, INT64_MAX}, 0, WEIR_OK};
    struct weir_subscription_options options = WEIR_SUBSCRIPTION_OPTIONS_INIT;
    options.start = WEIR_START_END;
    options.all = _i == 1;
    if (_i == 0) {
        options.stream_name = "account-1";
        scripted.version_response.version = INT64_MAX;
        scripted_start(&answer_version, 1);
    } else {
        start_page(&last, false);
    }
    struct weir_subscription *sub = NULL;
    ck_assert_int_eq(weir_subscription_open(scripted.client, &options, &sub, &scripted.err),
                     WEIR_BACKEND_ERROR);
    ck_assert_ptr_null(sub);
}
END_TEST

/* A server names the field that it refuses. Without that the library has nothing to adapt. */
START_TEST(a_refusal_that_names_no_field_is_the_outcome)
{
    struct weir_error refusal;
    weir_error_init(&refusal);
    (void)weir_fail(&refusal, WEIR_INVALID_REQUEST, "no");
    const struct fake_action refuse = {FAKE_FAIL, NULL, &refusal};
    scripted_start(&refuse, 1);
    ck_assert_int_eq(read_first(), WEIR_INVALID_REQUEST);
    ck_assert_uint_eq(fake_server_requests(scripted.server), 1);
}
END_TEST

static Suite *reply_checks_suite(void)
{
    Suite *suite = suite_create("reply checks");
    TCase *checks = tcase_create("reply checks");
    tcase_set_timeout(checks, 60);
    tcase_add_checked_fixture(checks, scripted_setup, scripted_teardown);
    tcase_add_test(checks, a_reply_that_is_no_reply_is_an_error);
    tcase_add_loop_test(checks, a_write_whose_reply_does_not_tell_of_each_message_is_an_error, 0,
                        WEIR_COUNTOF(wrong_counts));
    tcase_add_loop_test(checks, so_is_one_to_several_streams, 0, WEIR_COUNTOF(wrong_results));
    tcase_add_loop_test(checks, a_read_whose_replies_lead_nowhere_ends, 0, 2);
    tcase_add_loop_test(checks, a_subscription_whose_replies_lead_nowhere_ends, 0, 2);
    tcase_add_loop_test(checks, messages_of_a_read_that_are_not_in_order_are_an_error, 0,
                        2 * WEIR_COUNTOF(orders));
    tcase_add_loop_test(checks, so_are_those_of_a_subscription, 0, WEIR_COUNTOF(orders));
    tcase_add_loop_test(checks, a_message_that_does_not_say_what_it_is_is_an_error, 0, 3);
    tcase_add_loop_test(checks, an_end_without_a_position_behind_it_is_an_error, 0, 2);
    tcase_add_test(checks, a_refusal_that_names_no_field_is_the_outcome);
    suite_add_tcase(suite, checks);
    return suite;
}

int main(void)
{
    return check_main(reply_checks_suite());
}
