/* The reply checks of weir-load: for each check, a reply that is correct except for one fault. */
#include "bench/lib/end_signals.h"
#include "bench/lib/payload.h"
#include "bench/load/read_check.h"
#include "bench/load/subscribers.h"
#include "bench/load/write_request.h"

#include "tests/client/fake_server.h"
#include "tests/lib/check_main.h"

#include <signal.h>
#include <string.h>

enum { DATA_BYTES = 64, MESSAGES = 3 };

/* ---- writes ---- */

static struct write_request write_of;
static Weir__V1__WriteMessagesResponse response;
static Weir__V1__WrittenMessage written[MESSAGES];
static Weir__V1__WrittenMessage *written_pointers[MESSAGES];

/* A write to a stream of version 4, and the reply if another write came before. */
static void write_setup(void)
{
    ck_assert(write_request_init(&write_of, MESSAGES, DATA_BYTES));
    ck_assert(write_request_fill(&write_of, MESSAGES, 7));
    weir__v1__write_messages_response__init(&response);
    for (int m = 0; m < MESSAGES; m++) {
        weir__v1__written_message__init(&written[m]);
        written[m].id = write_of.messages[m].id;
        written[m].has_position = written[m].has_global_position = written[m].has_time_us = true;
        written[m].position = 6 + m;
        written[m].global_position = 20 + 2 * m;
        written[m].time_us = 1;
        written_pointers[m] = &written[m];
    }
    response.n_written = MESSAGES;
    response.written = written_pointers;
}

static void write_teardown(void)
{
    write_request_fini(&write_of);
}

START_TEST(a_write_may_stand_anywhere_behind_what_was_acknowledged)
{
    ck_assert_ptr_null(write_request_check(&write_of, &response, 5));
    ck_assert_ptr_null(write_request_check(&write_of, &response, 6));
    ck_assert_ptr_nonnull(write_request_check(&write_of, &response, 7));
}
END_TEST

START_TEST(a_write_that_expects_a_version_stands_right_behind_it)
{
    write_request_expect(&write_of, 5);
    ck_assert_ptr_null(write_request_check(&write_of, &response, 6));
    write_request_expect(&write_of, 4);
    ck_assert_ptr_nonnull(write_request_check(&write_of, &response, 5));
}
END_TEST

static void lose_one(void)
{
    response.n_written = MESSAGES - 1;
}
static void be_duplicate(void)
{
    response.has_duplicate = response.duplicate = true;
}
static void swap_ids(void)
{
    written[0].id = write_of.messages[1].id;
    written[1].id = write_of.messages[0].id;
}
static void lose_id(void)
{
    written[1].id = NULL;
}
static void leave_gap(void)
{
    written[2].position++;
}
static void lose_position(void)
{
    written[2].has_position = false;
}
static void repeat_global_position(void)
{
    written[1].global_position = written[0].global_position;
}
static void lose_global_position(void)
{
    written[1].has_global_position = false;
}
static void lose_time(void)
{
    written[1].has_time_us = false;
}
static void (*const write_faults[])(void) = {lose_one,
                                             be_duplicate,
                                             swap_ids,
                                             lose_id,
                                             leave_gap,
                                             lose_position,
                                             repeat_global_position,
                                             lose_global_position,
                                             lose_time};

START_TEST(a_wrong_answer_to_a_write_is_seen)
{
    write_faults[_i]();
    ck_assert_ptr_nonnull(write_request_check(&write_of, &response, 5));
}
END_TEST

/* ---- reads ---- */

static char data[MESSAGES][DATA_BYTES];
static Weir__V1__Message messages[MESSAGES];
static Weir__V1__Message *message_pointers[MESSAGES];
static struct read_reply reply;
static char id[] = "01890a5d-ac96-774b-bcce-b302099a8057";
static char type[] = "Deposited";
static char stream[] = "load-000001";
static char other_stream[] = "load-000002";
static char other_category[] = "other-000001";
static const int64_t positions[] = {20, 22, 24};

/* Messages 5 to 7 of a stream, at the global positions above. */
static void read_setup(void)
{
    for (int m = 0; m < MESSAGES; m++) {
        Weir__V1__Message *message = &messages[m];
        payload_make((uint64_t)m, data[m], DATA_BYTES);
        weir__v1__message__init(message);
        message->id = id;
        message->type = type;
        message->stream_name = stream;
        message->has_position = message->has_global_position = true;
        message->has_time_us = message->has_data = true;
        message->position = 5 + m;
        message->global_position = positions[m];
        message->data = (ProtobufCBinaryData){DATA_BYTES, (uint8_t *)data[m]};
        message_pointers[m] = message;
    }
    reply = (struct read_reply){message_pointers, MESSAGES, false};
}

static const char *check_stream(size_t least)
{
    return read_check_stream(&reply, stream, 5, least, MESSAGES);
}

static const char *check_positions(size_t n)
{
    return read_check_positions(&reply, "load", positions, n);
}

static const char *check_category(int64_t from, int64_t group_size)
{
    const struct read_check_category expected = {
        .category = "load",
        .most = MESSAGES,
        .from = from,
        .member = group_size == 0 ? 0 : weir_name_member(weir_slice_of(stream), group_size),
        .group_size = group_size};
    return read_check_category(&reply, &expected);
}

START_TEST(what_was_asked_for_is_right)
{
    ck_assert_ptr_null(read_check_contents(&reply));
    ck_assert_ptr_null(check_stream(MESSAGES));
    ck_assert_ptr_null(check_stream(1));
    ck_assert_ptr_null(check_positions(MESSAGES));
    ck_assert_ptr_null(check_category(20, 0));
    ck_assert_ptr_null(check_category(1, 7));
}
END_TEST

START_TEST(too_few_and_too_many_messages_are_seen)
{
    const struct read_check_category fewer = {.category = "load", .most = MESSAGES - 1, .from = 1};
    ck_assert_ptr_nonnull(check_positions(MESSAGES - 1));
    ck_assert_ptr_nonnull(read_check_stream(&reply, stream, 5, 1, MESSAGES - 1));
    ck_assert_ptr_nonnull(read_check_category(&reply, &fewer));
    reply.n--;
    ck_assert_ptr_nonnull(check_stream(MESSAGES));
    ck_assert_ptr_nonnull(check_positions(MESSAGES));
}
END_TEST

START_TEST(a_reply_that_was_cut_off_may_be_short_but_not_empty)
{
    reply.is_truncated = true;
    reply.n = 1;
    ck_assert_ptr_null(check_stream(MESSAGES));
    ck_assert_ptr_null(check_positions(MESSAGES));
    reply.n = 0;
    ck_assert_ptr_nonnull(check_stream(0));
    ck_assert_ptr_nonnull(check_positions(MESSAGES));
}
END_TEST

static void lose_message_id(void)
{
    messages[1].id = NULL;
}
static void lose_stream(void)
{
    messages[1].stream_name = NULL;
}
static void lose_type(void)
{
    messages[1].type = NULL;
}
static void lose_place(void)
{
    messages[1].has_position = false;
}
static void lose_global_place(void)
{
    messages[1].has_global_position = false;
}
static void lose_moment(void)
{
    messages[1].has_time_us = false;
}
static void lose_data(void)
{
    messages[1].has_data = false;
}
static void cut_data(void)
{
    messages[1].data.len--;
}
static void change_data(void)
{
    data[1][DATA_BYTES - 10] ^= 1;
}
static void (*const content_faults[])(void) = {lose_message_id, lose_stream,       lose_type,
                                               lose_place,      lose_global_place, lose_moment,
                                               lose_data,       cut_data,          change_data};

START_TEST(a_message_that_is_not_whole_is_seen_by_every_check)
{
    content_faults[_i]();
    ck_assert_ptr_nonnull(read_check_contents(&reply));
    ck_assert_ptr_nonnull(check_stream(MESSAGES));
    ck_assert_ptr_nonnull(check_positions(MESSAGES));
    ck_assert_ptr_nonnull(check_category(1, 0));
}
END_TEST

START_TEST(a_gap_in_a_stream_is_seen)
{
    messages[2].position++;
    ck_assert_ptr_nonnull(check_stream(MESSAGES));
}
END_TEST

START_TEST(a_message_of_elsewhere_is_seen)
{
    messages[2].stream_name = other_stream;
    ck_assert_ptr_nonnull(check_stream(MESSAGES));
    ck_assert_ptr_null(check_positions(MESSAGES));
    messages[2].stream_name = other_category;
    ck_assert_ptr_nonnull(check_positions(MESSAGES));
    ck_assert_ptr_nonnull(check_category(1, 0));
}
END_TEST

START_TEST(another_place_in_the_category_is_seen)
{
    messages[1].global_position = 23;
    ck_assert_ptr_nonnull(check_positions(MESSAGES));
    ck_assert_ptr_null(check_category(1, 0));
    messages[1].global_position = 20;
    ck_assert_ptr_nonnull(check_category(1, 0));
}
END_TEST

START_TEST(messages_before_the_place_asked_for_are_seen)
{
    ck_assert_ptr_nonnull(check_category(21, 0));
    ck_assert_ptr_nonnull(read_check_stream(&reply, stream, 6, MESSAGES, MESSAGES));
}
END_TEST

/* Two streams that belong to different members. */
START_TEST(another_members_message_is_seen)
{
    ck_assert_int_ne(weir_name_member(weir_slice_of(stream), 7),
                     weir_name_member(weir_slice_of(other_stream), 7));
    messages[2].stream_name = other_stream;
    ck_assert_ptr_nonnull(check_category(1, 7));
    ck_assert_ptr_null(check_category(1, 0));
}
END_TEST

/* ---- final contents ---- */

static Weir__V1__GetStreamVersionResponse version_response;
static const struct fake_action answer = {FAKE_ANSWER, &version_response.base, NULL};
static struct weir_error refused;
static const struct fake_action refuse = {FAKE_FAIL, NULL, &refused};
static const struct fake_action keep_silent = {FAKE_SILENCE, NULL, NULL};
static struct fake_server *server;
static struct weir_client *client;
static struct load load;
static const struct load_settings settings = {.slots = 1};
static const struct load_work work;
static struct streams streams;

/* Two streams with three acknowledged messages each, the last at position 2. */
static void verify_setup(void)
{
    struct weir_error err;
    weir_error_init(&err);
    weir_error_init(&refused);
    (void)weir_fail(&refused, WEIR_BACKEND_ERROR, "broken");
    weir__v1__get_stream_version_response__init(&version_response);
    version_response.has_exists = version_response.exists = version_response.has_version = true;
    version_response.version = 2;
    ck_assert_int_eq(load_init(&load, &settings, &work, &err), WEIR_OK);
    ck_assert(streams_init(&streams, "load", 2));
    for (size_t s = 0; s < 2; s++) {
        streams_wrote(&streams, s, 0, 1);
        streams_wrote(&streams, s, 2, 2);
    }
}

static void verify_teardown(void)
{
    weir_client_close(client);
    fake_server_stop(server);
    streams_fini(&streams);
    load_fini(&load);
}

static const char *verify(const struct fake_action *script)
{
    struct weir_client_options options = WEIR_CLIENT_OPTIONS_INIT;
    struct weir_error err;
    weir_error_init(&err);
    server = fake_server_start(script, 1);
    options.url = fake_server_url(server);
    ck_assert_int_eq(weir_client_open(&options, &client, &err), WEIR_OK);
    return streams_verify(&streams, client, NULL, &load);
}

static void error_is(const char *reason, uint64_t n)
{
    ck_assert_uint_eq(load.errors_n, 1);
    ck_assert_str_eq(load.errors[0].reason, reason);
    ck_assert_uint_eq(load.errors[0].n, n);
}

START_TEST(streams_that_hold_what_was_acknowledged_are_right)
{
    ck_assert_ptr_null(verify(&answer));
    ck_assert_uint_eq(load.errors_n, 0);
    ck_assert_uint_eq(fake_server_requests(server), 2);
}
END_TEST

/* One message too few, one too many. */
START_TEST(a_stream_of_another_length_is_seen)
{
    version_response.version += _i == 0 ? -1 : 1;
    ck_assert_ptr_null(verify(&answer));
    error_is("WRONG_COUNT", 2);
}
END_TEST

START_TEST(a_message_that_was_acknowledged_and_not_counted_is_seen)
{
    streams_wrote(&streams, 1, 1, 1);
    ck_assert_ptr_null(verify(&answer));
    error_is("WRONG_COUNT", 1);
}
END_TEST

START_TEST(a_stream_that_cannot_be_asked_for_is_an_error)
{
    ck_assert_ptr_nonnull(verify(&refuse));
    error_is("BACKEND_ERROR", 1);
}
END_TEST

START_TEST(a_signal_ends_what_is_asked_for_at_the_end)
{
    end_signals_block();
    (void)raise(SIGINT);
    ck_assert_ptr_nonnull(verify(&answer));
    ck_assert_uint_eq(load.errors_n, 0);
    ck_assert_uint_eq(fake_server_requests(server), 0);
}
END_TEST

/* Two subscribers whose polls are never answered. */
START_TEST(a_signal_ends_the_wait_for_subscribers)
{
    struct subscribers subscribers;
    struct weir_client_options options = WEIR_CLIENT_OPTIONS_INIT;
    struct weir_error err;
    weir_error_init(&err);
    end_signals_block();
    server = fake_server_start(&keep_silent, 1);
    options.url = fake_server_url(server);
    ck_assert_int_eq(weir_client_open(&options, &client, &err), WEIR_OK);
    struct profile_run run = {.load = &load, .clients = &client, .clients_n = 1};
    ck_assert(subscribers_begin(&subscribers, &run, "load", 2));
    (void)raise(SIGINT);
    ck_assert_ptr_nonnull(subscribers_wait(&subscribers, 1, 60));
    ck_assert_uint_eq(load.errors_n, 0);
    ck_assert_ptr_null(subscribers_wait(&subscribers, 1, 0.1));
    error_is("WRONG_COUNT", 2);
    subscribers_end(&subscribers);
    weir_client_close(client);
    client = NULL;
    subscribers_free(&subscribers);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("load_checks");
    TCase *writes = tcase_create("writes");
    tcase_add_checked_fixture(writes, write_setup, write_teardown);
    tcase_add_test(writes, a_write_may_stand_anywhere_behind_what_was_acknowledged);
    tcase_add_test(writes, a_write_that_expects_a_version_stands_right_behind_it);
    tcase_add_loop_test(writes, a_wrong_answer_to_a_write_is_seen, 0,
                        (int)(sizeof write_faults / sizeof write_faults[0]));
    suite_add_tcase(suite, writes);
    TCase *reads = tcase_create("reads");
    tcase_add_checked_fixture(reads, read_setup, NULL);
    tcase_add_test(reads, what_was_asked_for_is_right);
    tcase_add_test(reads, too_few_and_too_many_messages_are_seen);
    tcase_add_test(reads, a_reply_that_was_cut_off_may_be_short_but_not_empty);
    tcase_add_loop_test(reads, a_message_that_is_not_whole_is_seen_by_every_check, 0,
                        (int)(sizeof content_faults / sizeof content_faults[0]));
    tcase_add_test(reads, a_gap_in_a_stream_is_seen);
    tcase_add_test(reads, a_message_of_elsewhere_is_seen);
    tcase_add_test(reads, another_place_in_the_category_is_seen);
    tcase_add_test(reads, messages_before_the_place_asked_for_are_seen);
    tcase_add_test(reads, another_members_message_is_seen);
    suite_add_tcase(suite, reads);
    TCase *ends = tcase_create("ends");
    tcase_add_checked_fixture(ends, verify_setup, verify_teardown);
    tcase_add_test(ends, streams_that_hold_what_was_acknowledged_are_right);
    tcase_add_loop_test(ends, a_stream_of_another_length_is_seen, 0, 2);
    tcase_add_test(ends, a_message_that_was_acknowledged_and_not_counted_is_seen);
    tcase_add_test(ends, a_stream_that_cannot_be_asked_for_is_an_error);
    tcase_add_test(ends, a_signal_ends_what_is_asked_for_at_the_end);
    tcase_add_test(ends, a_signal_ends_the_wait_for_subscribers);
    suite_add_tcase(suite, ends);
    return check_main(suite);
}
