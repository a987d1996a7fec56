/* The streams in which consumers keep their positions and parked messages. The tests write some
 * entries themselves, as another run, or an interrupted one, would have left them. */
#include "tests/client/live.h"
#include "weir/base/monotonic.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define POSITION_STREAM "weirConsumer:position-worker"
#define PARKED_STREAM   "weirConsumer:parked-worker"

enum { DATA_BYTES = 512, SEEN_MAX = 16, LONG_MS = 60000 };

static void append(const char *stream, const char *type, const char *data)
{
    const struct live_message message = {.stream = stream, .type = type, .data = data};
    (void)live_append(live.client, &message);
}

/* Appends a copy of the message at a position. */
static void append_again(const char *stream, int64_t position)
{
    Weir__V1__GetStreamMessagesRequest request = WEIR__V1__GET_STREAM_MESSAGES_REQUEST__INIT;
    Weir__V1__GetStreamMessagesResponse *response = NULL;
    char data[DATA_BYTES];
    char type[64];
    request.stream_name = (char *)(uintptr_t)stream;
    request.has_position = true;
    request.position = position;
    ck_assert_int_eq(
        weir_message_store_get_stream_messages(live.client, &request, NULL, &response, &live.err),
        WEIR_OK);
    ck_assert_uint_ge(response->n_messages, 1);
    const Weir__V1__Message *message = response->messages[0];
    (void)snprintf(type, sizeof type, "%s", message->type);
    (void)snprintf(data, sizeof data, "%.*s", (int)message->data.len,
                   (const char *)message->data.data);
    weir_response_free(response);
    append(stream, type, data);
}

/* Options of a consumer that stores its position only when it stops. */
static struct weir_consumer_options options_of(const char *category)
{
    struct weir_consumer_options options = live_consumer_options(category);
    options.commit_ms = 3600000;
    return options;
}

/* What a handler has seen, and its result for one position and for all others. */
struct seen {
    int64_t positions[SEEN_MAX];
    size_t n;
    size_t stop_after;
    enum weir_handled outcome;
    int64_t fails_at;  // position for which the handler fails instead
};

static enum weir_handled handle(void *context, const Weir__V1__Message *message, uint32_t attempt)
{
    struct seen *seen = context;
    (void)attempt;
    if (seen->n == seen->stop_after) {
        return WEIR_STOP;
    }
    ck_assert_uint_lt(seen->n, SEEN_MAX);
    seen->positions[seen->n++] = message->position;
    return message->position == seen->fails_at ? WEIR_FAILED : seen->outcome;
}

static struct seen seen_of(enum weir_handled outcome, size_t stop_after)
{
    return (struct seen){.outcome = outcome, .stop_after = stop_after, .fails_at = -1};
}

static void run(struct weir_consumer *consumer, struct seen *seen)
{
    const weir_status st = weir_consumer_run(consumer, handle, seen, &live.err);
    ck_assert_msg(st == WEIR_OK, "%s: %s", weir_status_name(st), live.err.text);
}

/* Runs a consumer that handles or parks `n` messages. */
static void consume(const struct weir_consumer_options *options, enum weir_handled outcome,
                    size_t n)
{
    struct seen seen = seen_of(outcome, n);
    struct weir_consumer *consumer = live_open_consumer(options);
    run(consumer, &seen);
    weir_consumer_close(consumer);
}

/* ---- options ---- */

static enum weir_handled stop_at_selected(void *context, const Weir__V1__Message *message,
                                          uint32_t attempt)
{
    (void)attempt;
    ck_assert_str_eq(message->stream_name, "account-1");
    *(bool *)context = true;
    return WEIR_STOP;
}

/* The caller's texts change after the consumer has been opened, to what selects other messages. */
START_TEST(it_keeps_copies_of_its_options)
{
    static const char of_wf[] = "{\"correlationStreamName\":\"wf-1\"}";
    static const char of_xx[] = "{\"correlationStreamName\":\"xx-1\"}";
    const struct live_message messages[] = {
        {"xxxxxxx-1", "T", "1", of_wf}, {"xxxxxxxxx", "T", "1", of_wf},
        {"account-2", "x", "1", of_wf}, {"account-3", "T", "1", of_xx},
        {"account-1", "T", "1", of_wf}, {"account-1", "x", "1", of_wf},
    };
    for (size_t i = 0; i < WEIR_COUNTOF(messages); i++) {
        (void)live_append(live.client, &messages[i]);
    }
    char category[] = "account";
    char stream[] = "account-1";
    char correlation[] = "wf";
    char type[] = "T";
    const char *types[] = {type};
    char token[sizeof live.server.default_token];
    (void)snprintf(token, sizeof token, "%s", live.server.default_token);
    struct weir_consumer_options options = options_of(_i == 0 ? category : NULL);
    options.subscription.stream_name = _i == 0 ? NULL : stream;
    options.subscription.correlation = _i == 0 ? correlation : NULL;
    options.subscription.types = types;
    options.subscription.types_n = 1;
    options.subscription.call.token = token;
    struct weir_consumer *consumer = live_open_consumer(&options);
    memset(token, 'x', strlen(token));
    memset(category, 'x', sizeof category - 1);
    memset(stream, 'x', sizeof stream - 1);
    memset(correlation, 'x', sizeof correlation - 1);
    memset(type, 'x', sizeof type - 1);
    types[0] = category;
    bool is_seen = false;
    ck_assert_msg(weir_consumer_run(consumer, stop_at_selected, &is_seen, &live.err) == WEIR_OK,
                  "%s", live.err.text);
    ck_assert(is_seen);
    weir_consumer_close(consumer);
}
END_TEST

/* The consumer's first position is the end of its category, which nobody tells it any more. */
START_TEST(a_run_that_finds_no_start_fails)
{
    struct weir_consumer_options options = options_of("account");
    options.subscription.start = WEIR_START_END;
    struct weir_consumer *consumer = live_open_consumer(&options);
    char of_default[] = "default";
    Weir__V1__RotateTokenRequest request = WEIR__V1__ROTATE_TOKEN_REQUEST__INIT;
    Weir__V1__RotateTokenResponse *response = NULL;
    request.namespace_ = of_default;
    ck_assert_int_eq(
        weir_namespaces_rotate_token(live.client, &request, NULL, &response, &live.err), WEIR_OK);
    weir_response_free(response);
    struct seen seen = seen_of(WEIR_HANDLED, 0);
    ck_assert_int_eq(weir_consumer_run(consumer, handle, &seen, &live.err), WEIR_AUTH_UNAUTHORIZED);
    ck_assert_int_eq(weir_consumer_position(consumer), -1);
    weir_consumer_close(consumer);
}
END_TEST

/* ---- names ---- */

static weir_status try_name(const char *name)
{
    struct weir_consumer_options options = options_of("account");
    struct weir_consumer *consumer = NULL;
    options.name = name;
    const weir_status st = weir_consumer_open(live.client, &options, &consumer, &live.err);
    weir_consumer_close(consumer);
    return st;
}

START_TEST(a_name_has_its_bounds)
{
    char name[202];
    memset(name, 'n', 201);
    name[201] = '\0';
    ck_assert_int_eq(try_name(name), WEIR_INVALID_REQUEST);
    ck_assert_str_eq(weir_error_get_detail(&live.err, "field"), "name");
    ck_assert_int_eq(try_name(name + 1), WEIR_OK);
    ck_assert_int_eq(try_name(""), WEIR_INVALID_REQUEST);
    ck_assert_int_eq(try_name(NULL), WEIR_INVALID_REQUEST);
    ck_assert_int_eq(try_name("\xff"), WEIR_INVALID_REQUEST);
    ck_assert_str_eq(weir_error_get_detail(&live.err, "field"), "name");
}
END_TEST

/* ---- positions ---- */

START_TEST(each_member_of_a_group_has_a_position_of_its_own)
{
    char stream[] = "account-0";
    for (int i = 0; i < 8; i++) {
        stream[8] = (char)('0' + i);
        (void)live_write(stream, 2);
    }
    for (int64_t member = 0; member < 2; member++) {
        struct weir_consumer_options options = options_of("account");
        options.subscription.group_size = 2;
        options.subscription.group_member = member;
        consume(&options, WEIR_HANDLED, 2);
    }
    ck_assert_int_eq(live_count(POSITION_STREAM "+0of2"), 2);
    ck_assert_int_eq(live_count(POSITION_STREAM "+1of2"), 2);
    ck_assert_int_eq(live_count(POSITION_STREAM), 0);
}
END_TEST

START_TEST(a_stream_is_begun_again_as_long_as_nothing_of_it_was_handled)
{
    (void)live_write("account-1", 1);
    struct weir_consumer_options options = options_of(NULL);
    options.subscription.stream_name = "account-1";
    for (int i = 0; i < 2; i++) {
        consume(&options, WEIR_HANDLED, 0);
        struct weir_consumer *consumer = live_open_consumer(&options);
        ck_assert_int_eq(weir_consumer_position(consumer), 0);
        weir_consumer_close(consumer);
        ck_assert_int_eq(live_count(POSITION_STREAM), 1);
    }
}
END_TEST

static const char *const damaged[] = {
    "{\"position\":-1,\"selector\":{\"category\":\"account\"},\"instance\":\"i\"}",
    "{\"selector\":{\"category\":\"account\"},\"instance\":\"i\"}",
    "{\"position\":1,\"selector\":{\"category\":\"account\"}}",
    "{\"position\":1.5,\"selector\":{\"category\":\"account\"},\"instance\":\"i\"}",
    "[1]",
};

START_TEST(a_position_that_no_consumer_wrote_is_refused)
{
    const struct weir_consumer_options options = options_of("account");
    struct weir_consumer *consumer = NULL;
    append(POSITION_STREAM, "PositionKept", damaged[_i]);
    ck_assert_int_eq(weir_consumer_open(live.client, &options, &consumer, &live.err),
                     WEIR_DATA_CORRUPT);
    ck_assert_ptr_null(consumer);
}
END_TEST

static enum weir_handled handle_and_repeat(void *context, const Weir__V1__Message *message,
                                           uint32_t attempt)
{
    const enum weir_handled outcome = handle(context, message, attempt);
    if (outcome == WEIR_HANDLED && message->position == 0) {
        append_again(POSITION_STREAM, 0);
    }
    return outcome;
}

/* A stored position whose reply was lost until the call gave up is recognised as the consumer's
 * own, not as another consumer's. */
START_TEST(a_position_that_was_thought_lost_is_its_own)
{
    (void)live_write("account-1", 4);
    struct weir_consumer_options options = options_of("account");
    options.commit_messages = 1;
    struct weir_consumer *consumer = live_open_consumer(&options);
    struct seen seen = seen_of(WEIR_HANDLED, 3);
    const weir_status st = weir_consumer_run(consumer, handle_and_repeat, &seen, &live.err);
    ck_assert_msg(st == WEIR_OK, "%s: %s", weir_status_name(st), live.err.text);
    ck_assert_int_eq(live_count(POSITION_STREAM), 5);
    weir_consumer_close(consumer);
}
END_TEST

/* ---- stopping ---- */

START_TEST(one_that_was_stopped_runs_no_more)
{
    (void)live_write("account-1", 1);
    const struct weir_consumer_options options = options_of("account");
    struct weir_consumer *consumer = live_open_consumer(&options);
    struct seen seen = seen_of(WEIR_HANDLED, 1);
    weir_consumer_stop(consumer);
    ck_assert_int_eq(weir_consumer_run(consumer, handle, &seen, &live.err), WEIR_CANCELLED);
    ck_assert_uint_eq(seen.n, 0);
    weir_consumer_close(consumer);
}
END_TEST

static void *stop(void *consumer)
{
    weir_consumer_stop(consumer);
    return NULL;
}

struct stopping {
    struct weir_consumer *consumer;
    enum weir_handled outcome;
    bool is_server_stopped;
    pthread_t thread;
};

static enum weir_handled handle_and_stop(void *context, const Weir__V1__Message *message,
                                         uint32_t attempt)
{
    struct stopping *stopping = context;
    (void)message;
    ck_assert_uint_eq(attempt, 1);
    if (stopping->is_server_stopped) {
        ck_assert_int_eq(server_stop(&live.server), 0);
    }
    ck_assert_int_eq(pthread_create(&stopping->thread, NULL, stop, stopping->consumer), 0);
    return stopping->outcome;
}

/* The consumer is stopped between two attempts, and while the server of its parking call is
 * down. */
START_TEST(it_is_stopped_while_it_pauses)
{
    (void)live_write("account-1", 1);
    struct weir_consumer_options options = options_of("account");
    options.first_delay_ms = options.max_delay_ms = LONG_MS;
    options.subscription.call.timeout_ms = 6000;
    struct stopping stopping = {.consumer = live_open_consumer(&options),
                                .outcome = _i == 0 ? WEIR_FAILED : WEIR_PARK,
                                .is_server_stopped = _i == 1};
    const int64_t began_us = weir_monotonic_us();
    ck_assert_int_eq(weir_consumer_run(stopping.consumer, handle_and_stop, &stopping, &live.err),
                     WEIR_CANCELLED);
    ck_assert_int_lt(weir_monotonic_us() - began_us, LONG_MS * INT64_C(1000));
    ck_assert_int_eq(pthread_join(stopping.thread, NULL), 0);
    weir_consumer_close(stopping.consumer);
    if (stopping.is_server_stopped) {
        server_start(&live.server);
    }
}
END_TEST

/* ---- parked messages ---- */

/* After a crash between parking and storing the position, the message is handled and parked
 * again. */
START_TEST(what_is_parked_again_is_no_second_entry)
{
    (void)live_write("account-1", 3);
    struct weir_consumer_options options = options_of("account");
    consume(&options, WEIR_PARK, 1);
    append_again(POSITION_STREAM, 0);
    consume(&options, WEIR_PARK, 1);
    ck_assert_int_eq(live_count(PARKED_STREAM), 1);
    /* Parked again after a different number of attempts. */
    append_again(POSITION_STREAM, 0);
    options.max_attempts = 2;
    consume(&options, WEIR_FAILED, 2);
    ck_assert_int_eq(live_count(PARKED_STREAM), 1);
}
END_TEST

static void replay(struct weir_consumer *consumer, struct seen *seen, size_t n)
{
    ck_assert_int_eq(weir_consumer_replay(consumer, handle, seen, &live.err), WEIR_OK);
    ck_assert_uint_eq(seen->n, n);
}

START_TEST(what_was_replayed_in_any_order_is_settled)
{
    (void)live_write("account-1", 4);
    const struct weir_consumer_options options = options_of("account");
    consume(&options, WEIR_PARK, 3);
    struct weir_consumer *consumer = live_open_consumer(&options);
    struct seen seen = seen_of(WEIR_HANDLED, SIZE_MAX);
    seen.fails_at = 0;
    replay(consumer, &seen, 3);
    seen = seen_of(WEIR_HANDLED, SIZE_MAX);
    replay(consumer, &seen, 1);
    ck_assert_int_eq(seen.positions[0], 0);
    replay(consumer, &seen, 1);
    weir_consumer_close(consumer);
}
END_TEST

START_TEST(a_replay_ends_when_the_handler_says_so)
{
    (void)live_write("account-1", 4);
    const struct weir_consumer_options options = options_of("account");
    consume(&options, WEIR_PARK, 3);
    struct weir_consumer *consumer = live_open_consumer(&options);
    struct seen seen = seen_of(WEIR_STOP, SIZE_MAX);
    replay(consumer, &seen, 1);
    ck_assert_int_eq(live_count(PARKED_STREAM), 3);
    weir_consumer_close(consumer);
}
END_TEST

/* The message after the missing one must not be taken for the parked message; behind that of
 * another stream there is none. */
START_TEST(a_parked_message_that_is_gone_stays_parked)
{
    Weir__V1__ImportedMessage record = WEIR__V1__IMPORTED_MESSAGE__INIT;
    Weir__V1__ImportedMessage *records[] = {&record};
    Weir__V1__ImportMessagesRequest request = WEIR__V1__IMPORT_MESSAGES_REQUEST__INIT;
    Weir__V1__ImportMessagesResponse *response = NULL;
    record.id = (char *)(uintptr_t) "11111111-1111-4111-8111-111111111111";
    record.stream_name = (char *)(uintptr_t) "account-1";
    record.type = (char *)(uintptr_t) "T";
    record.has_position = record.has_global_position = record.has_time_us = true;
    record.position = 7;
    record.global_position = 1;
    request.messages = records;
    request.n_messages = 1;
    ck_assert_int_eq(
        weir_message_store_import_messages(live.client, &request, NULL, &response, &live.err),
        WEIR_OK);
    weir_response_free(response);
    append(PARKED_STREAM, "Parked",
           "{\"stream\":\"account-1\",\"pos\":5,\"gpos\":1,\"attempts\":1}");
    append(PARKED_STREAM, "Parked",
           "{\"stream\":\"account-2\",\"pos\":0,\"gpos\":2,\"attempts\":1}");
    const struct weir_consumer_options options = options_of("account");
    struct weir_consumer *consumer = live_open_consumer(&options);
    struct seen seen = seen_of(WEIR_HANDLED, SIZE_MAX);
    replay(consumer, &seen, 0);
    ck_assert_int_eq(live_count(PARKED_STREAM), 2);
    weir_consumer_close(consumer);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("consumer_streams");
    TCase *tests = tcase_create("consumer_streams");
    tcase_set_timeout(tests, 120);
    tcase_add_checked_fixture(tests, live_setup, live_teardown);
    tcase_add_loop_test(tests, it_keeps_copies_of_its_options, 0, 2);
    tcase_add_test(tests, a_run_that_finds_no_start_fails);
    tcase_add_test(tests, a_name_has_its_bounds);
    tcase_add_test(tests, each_member_of_a_group_has_a_position_of_its_own);
    tcase_add_test(tests, a_stream_is_begun_again_as_long_as_nothing_of_it_was_handled);
    tcase_add_loop_test(tests, a_position_that_no_consumer_wrote_is_refused, 0,
                        WEIR_COUNTOF(damaged));
    tcase_add_test(tests, a_position_that_was_thought_lost_is_its_own);
    tcase_add_test(tests, one_that_was_stopped_runs_no_more);
    tcase_add_loop_test(tests, it_is_stopped_while_it_pauses, 0, 2);
    tcase_add_test(tests, what_is_parked_again_is_no_second_entry);
    tcase_add_test(tests, what_was_replayed_in_any_order_is_settled);
    tcase_add_test(tests, a_replay_ends_when_the_handler_says_so);
    tcase_add_test(tests, a_parked_message_that_is_gone_stays_parked);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
