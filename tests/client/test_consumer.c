/* Consumers against a real server: delivery at least once and in order, resuming at the stored
 * position, and parking of messages that cannot be handled. */
#include "tests/client/live.h"
#include "weir/base/fail.h"
#include "weir/base/monotonic.h"

#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define POSITION_STREAM "weirConsumer:position-worker"
#define PARKED_STREAM   "weirConsumer:parked-worker"

enum { SEEN_MAX = 4096 };

/* What a handler has seen and how it should behave. */
struct log {
    int64_t seen[SEEN_MAX];  // global positions, one entry per attempt
    size_t n;
    size_t handled_n;
    size_t stop_after;          // returns WEIR_STOP after this many handled messages
    int64_t failing;            // this stream position fails ...
    uint32_t failing_attempts;  // ... this many times
    enum weir_handled failure;
};

static enum weir_handled handle(void *context, const Weir__V1__Message *message, uint32_t attempt)
{
    struct log *log = context;
    if (log->handled_n == log->stop_after) {
        return WEIR_STOP;
    }
    ck_assert_uint_lt(log->n, SEEN_MAX);
    log->seen[log->n++] = message->global_position;
    if (message->position == log->failing && attempt <= log->failing_attempts) {
        return log->failure;
    }
    log->handled_n++;
    return WEIR_HANDLED;
}

static void run(struct weir_consumer *consumer, struct log *log)
{
    const weir_status st = weir_consumer_run(consumer, handle, log, &live.err);
    ck_assert_msg(st == WEIR_OK, "%s: %s", weir_status_name(st), live.err.text);
}

/* Runs a consumer that stops after `stop_after` messages. The category must hold one message more,
 * at which the handler returns WEIR_STOP. */
static struct log consume(size_t stop_after)
{
    const struct weir_consumer_options options = live_consumer_options("account");
    struct weir_consumer *consumer = live_open_consumer(&options);
    struct log log = {.stop_after = stop_after, .failing = -1};
    run(consumer, &log);
    weir_consumer_close(consumer);
    return log;
}

START_TEST(it_goes_on_where_it_was)
{
    (void)live_write("account-1", 10);
    struct log log = consume(4);
    ck_assert_uint_eq(log.n, 4);
    const int64_t last = log.seen[3];
    log = consume(5);
    ck_assert_uint_eq(log.n, 5);
    ck_assert_int_eq(log.seen[0], last + 1);
}
END_TEST

START_TEST(one_consumer_may_be_run_again)
{
    (void)live_write("account-1", 10);
    const struct weir_consumer_options options = live_consumer_options("account");
    struct weir_consumer *consumer = live_open_consumer(&options);
    struct log log = {.stop_after = 3, .failing = -1};
    run(consumer, &log);
    log.stop_after = 9;
    run(consumer, &log);
    ck_assert_uint_eq(log.n, 9);
    for (size_t i = 1; i < log.n; i++) {
        ck_assert_int_gt(log.seen[i], log.seen[i - 1]);
    }
    ck_assert_int_ge(weir_consumer_position(consumer), log.seen[8] + 1);
    weir_consumer_close(consumer);
}
END_TEST

START_TEST(the_position_is_kept_every_so_many_messages)
{
    (void)live_write("account-1", 11);
    struct weir_consumer_options options = live_consumer_options("account");
    options.commit_messages = 5;
    options.commit_ms = 3600000;
    struct weir_consumer *consumer = live_open_consumer(&options);
    struct log log = {.stop_after = 10, .failing = -1};
    run(consumer, &log);
    /* Positions are stored at the start, after 5 and after 10 messages. */
    ck_assert_int_eq(live_count(POSITION_STREAM), 3);
    weir_consumer_close(consumer);
}
END_TEST

static void *run_thread(void *arg)
{
    struct weir_consumer *consumer = arg;
    struct log log = {.stop_after = SIZE_MAX, .failing = -1};
    struct weir_error err;
    weir_error_init(&err);
    const weir_status st = weir_consumer_run(consumer, handle, &log, &err);
    ck_assert_int_eq(st, WEIR_CANCELLED);
    return (void *)(uintptr_t)log.n;
}

/* Waits, on a subscription instead of a timer, until the stream has `n` messages. */
static void await_count(const char *stream, int64_t n)
{
    struct weir_subscription_options options = WEIR_SUBSCRIPTION_OPTIONS_INIT;
    options.stream_name = stream;
    struct weir_subscription *sub = NULL;
    ck_assert_int_eq(weir_subscription_open(live.client, &options, &sub, &live.err), WEIR_OK);
    for (int64_t i = 0; i < n; i++) {
        const Weir__V1__Message *message = NULL;
        ck_assert_int_eq(weir_subscription_next(sub, 30000, &message, &live.err), WEIR_OK);
        ck_assert_msg(message != NULL, "%s has only %lld messages", stream, (long long)i);
    }
    weir_subscription_close(sub);
}

START_TEST(the_position_is_kept_after_a_while_and_at_the_end)
{
    struct weir_consumer_options options = live_consumer_options("account");
    options.commit_ms = 50;
    struct weir_consumer *consumer = live_open_consumer(&options);
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, run_thread, consumer), 0);
    await_count(POSITION_STREAM, 1);
    (void)live_write("account-1", 1);
    await_count(POSITION_STREAM, 2);
    /* The position is readable from the test's thread. */
    ck_assert_int_ge(weir_consumer_position(consumer), 1);
    weir_consumer_stop(consumer);
    void *n = NULL;
    ck_assert_int_eq(pthread_join(thread, &n), 0);
    ck_assert_uint_eq((uintptr_t)n, 1);
    weir_consumer_close(consumer);
}
END_TEST

START_TEST(a_message_that_fails_is_tried_again_before_the_next)
{
    (void)live_write("account-1", 4);
    const struct weir_consumer_options options = live_consumer_options("account");
    struct weir_consumer *consumer = live_open_consumer(&options);
    struct log log = {.stop_after = 3, .failing = 1, .failing_attempts = 3, .failure = WEIR_FAILED};
    run(consumer, &log);
    ck_assert_uint_eq(log.n, 6);
    for (size_t i = 1; i <= 4; i++) {
        ck_assert_int_eq(log.seen[i], log.seen[1]);
    }
    ck_assert_int_gt(log.seen[5], log.seen[4]);
    ck_assert_int_eq(live_count(PARKED_STREAM), 0);
    weir_consumer_close(consumer);
}
END_TEST

struct failing {
    const struct weir_consumer *consumer;
    int64_t first;  // global position of the message that is handled
    bool is_kept;
};

/* Handles the first message and fails the second, until the first one's position has been stored;
 * then stops. */
static enum weir_handled fail_until_kept(void *context, const Weir__V1__Message *message,
                                         uint32_t attempt)
{
    enum { ATTEMPTS = 1000 };
    struct failing *f = context;
    if (message->position == 0) {
        f->first = message->global_position;
        return WEIR_HANDLED;
    }
    f->is_kept = weir_consumer_position(f->consumer) > f->first;
    return f->is_kept || attempt >= ATTEMPTS ? WEIR_STOP : WEIR_FAILED;
}

START_TEST(the_position_is_kept_while_the_next_message_goes_on_failing)
{
    (void)live_write("account-1", 2);
    struct weir_consumer_options options = live_consumer_options("account");
    options.commit_ms = 1;
    options.max_attempts = UINT32_MAX;
    struct weir_consumer *consumer = live_open_consumer(&options);
    struct failing failing = {.consumer = consumer};
    ck_assert_int_eq(weir_consumer_run(consumer, fail_until_kept, &failing, &live.err), WEIR_OK);
    ck_assert(failing.is_kept);
    weir_consumer_close(consumer);
}
END_TEST

static enum weir_handled list_parked(void *context, const Weir__V1__Message *message,
                                     uint32_t attempt)
{
    struct log *log = context;
    log->seen[log->n++] = message->position;
    ck_assert_uint_eq(attempt, log->failing_attempts);
    return log->failure;
}

START_TEST(a_message_that_goes_on_failing_is_parked_listed_and_replayed)
{
    (void)live_write("account-1", 4);
    struct weir_consumer_options options = live_consumer_options("account");
    options.max_attempts = 2;
    struct weir_consumer *consumer = live_open_consumer(&options);
    struct log log = {.stop_after = 2,
                      .failing = 1,
                      .failing_attempts = UINT32_MAX,
                      .failure = _i == 0 ? WEIR_FAILED : WEIR_PARK};
    run(consumer, &log);
    ck_assert_uint_eq(log.n, _i == 0 ? 4 : 3);
    ck_assert_int_eq(live_count(PARKED_STREAM), 1);

    struct log parked = {.failing_attempts = _i == 0 ? 2 : 1, .failure = WEIR_FAILED};
    ck_assert_int_eq(weir_consumer_replay(consumer, list_parked, &parked, &live.err), WEIR_OK);
    ck_assert_uint_eq(parked.n, 1);
    ck_assert_int_eq(parked.seen[0], 1);
    parked.failure = WEIR_HANDLED;
    ck_assert_int_eq(weir_consumer_replay(consumer, list_parked, &parked, &live.err), WEIR_OK);
    ck_assert_uint_eq(parked.n, 2);
    ck_assert_int_eq(weir_consumer_replay(consumer, list_parked, &parked, &live.err), WEIR_OK);
    ck_assert_uint_eq(parked.n, 2);
    weir_consumer_close(consumer);
}
END_TEST

START_TEST(a_consumer_of_everything_does_not_see_its_own_progress)
{
    struct weir_consumer_options options = live_consumer_options(NULL);
    options.subscription.all = true;
    options.subscription.start = WEIR_START_BEGIN;
    options.commit_messages = 1;
    (void)live_write("account-1", 3);
    struct weir_consumer *consumer = live_open_consumer(&options);
    struct log log = {.stop_after = 2, .failing = -1};
    run(consumer, &log);
    const int64_t positions = live_count(POSITION_STREAM);
    ck_assert_int_eq(positions, 3);
    log.stop_after = 3;
    (void)live_write("other-1", 1);
    run(consumer, &log);
    ck_assert_uint_eq(log.n, 3);
    ck_assert_int_eq(live_count(POSITION_STREAM), 4);
    weir_consumer_close(consumer);
}
END_TEST

struct parking {
    const char *stop_stream;  // stops at the message stop_position of this stream
    int64_t stop_position;
    size_t n;  // messages parked
};

static enum weir_handled park_all(void *context, const Weir__V1__Message *message, uint32_t attempt)
{
    struct parking *parking = context;
    ck_assert_uint_eq(attempt, 1);
    if (message->position == parking->stop_position &&
        strcmp(message->stream_name, parking->stop_stream) == 0) {
        return WEIR_STOP;
    }
    parking->n++;
    return WEIR_PARK;
}

/* Returns the number of messages a consumer parks before it reaches the given message. */
static size_t park_until(struct weir_subscription_options selection, const char *name,
                         const char *stop_stream, int64_t stop_position)
{
    struct weir_consumer_options options = live_consumer_options(NULL);
    options.name = name;
    options.subscription = selection;
    options.subscription.start = WEIR_START_BEGIN;
    struct weir_consumer *consumer = live_open_consumer(&options);
    struct parking parking = {stop_stream, stop_position, 0};
    ck_assert_msg(weir_consumer_run(consumer, park_all, &parking, &live.err) == WEIR_OK, "%s",
                  live.err.text);
    weir_consumer_close(consumer);
    return parking.n;
}

START_TEST(what_consumers_have_parked_is_kept_from_those_of_everything)
{
    struct weir_subscription_options all = WEIR_SUBSCRIPTION_OPTIONS_INIT;
    all.all = true;
    (void)live_write("account-1", 2);
    (void)live_write("end-1", 1);
    ck_assert_uint_eq(park_until(all, "worker", "end-1", 0), 2);
    ck_assert_int_eq(live_count(PARKED_STREAM), 2);
    /* The consumer's own parking records lie between the two messages. */
    (void)live_write("end-1", 1);
    ck_assert_uint_eq(park_until(all, "worker", "end-1", 1), 1);
    ck_assert_uint_eq(park_until(all, "another", "end-1", 1), 3);
}
END_TEST

START_TEST(what_others_have_parked_may_be_asked_for)
{
    struct weir_subscription_options accounts = WEIR_SUBSCRIPTION_OPTIONS_INIT;
    struct weir_subscription_options parked = WEIR_SUBSCRIPTION_OPTIONS_INIT;
    struct weir_subscription_options stream = WEIR_SUBSCRIPTION_OPTIONS_INIT;
    accounts.category = "account";
    parked.category = "weirConsumer:parked";
    stream.stream_name = PARKED_STREAM;
    (void)live_write("account-1", 6);
    ck_assert_uint_eq(park_until(accounts, "worker", "account-1", 4), 4);
    ck_assert_uint_eq(park_until(parked, "alarm", PARKED_STREAM, 2), 2);
    ck_assert_uint_eq(park_until(accounts, "worker", "account-1", 5), 1);
    /* The consumer's own two parking records lie between the messages it parks. */
    ck_assert_uint_eq(park_until(parked, "alarm", PARKED_STREAM, 4), 2);
    ck_assert_uint_eq(park_until(stream, "second", PARKED_STREAM, 3), 3);
}
END_TEST

START_TEST(a_start_at_the_end_does_not_move_with_restarts)
{
    (void)live_write("account-1", 3);
    struct weir_consumer_options options = live_consumer_options("account");
    options.subscription.start = WEIR_START_END;
    options.commit_ms = 3600000;
    struct weir_consumer *consumer = live_open_consumer(&options);
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, run_thread, consumer), 0);
    await_count(POSITION_STREAM, 1);
    weir_consumer_stop(consumer);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    weir_consumer_close(consumer);
    (void)live_write("account-1", 2);
    struct log log = consume(1);
    ck_assert_uint_eq(log.n, 1);
    ck_assert_int_eq(live_count("account-1"), 5);
    ck_assert_int_gt(log.seen[0], 3);
}
END_TEST

START_TEST(another_selector_or_name_is_refused)
{
    (void)live_write("account-1", 2);
    (void)consume(1);
    struct weir_consumer *consumer = NULL;
    struct weir_consumer_options options = live_consumer_options("other");
    ck_assert_int_eq(weir_consumer_open(live.client, &options, &consumer, &live.err),
                     WEIR_PRECONDITION);
    options = live_consumer_options("account");
    options.name = "a+b";
    ck_assert_int_eq(weir_consumer_open(live.client, &options, &consumer, &live.err),
                     WEIR_INVALID_REQUEST);
    ck_assert_ptr_null(consumer);
}
END_TEST

START_TEST(contradictory_options_are_refused_at_once)
{
    struct weir_consumer *consumer = NULL;
    struct weir_consumer_options options = live_consumer_options(NULL);
    ck_assert_int_eq(weir_consumer_open(live.client, &options, &consumer, &live.err),
                     WEIR_INVALID_REQUEST);
    options = live_consumer_options("account");
    options.subscription.all = true;
    ck_assert_int_eq(weir_consumer_open(live.client, &options, &consumer, &live.err),
                     WEIR_INVALID_REQUEST);
    options.subscription.all = false;
    options.subscription.group_member = 2;
    options.subscription.group_size = 2;
    ck_assert_int_eq(weir_consumer_open(live.client, &options, &consumer, &live.err),
                     WEIR_INVALID_REQUEST);
    ck_assert_ptr_null(consumer);
}
END_TEST

/* A first position kept for it would bar the name from what was meant. */
START_TEST(a_selection_that_cannot_be_does_not_take_the_name)
{
    struct weir_consumer *consumer = NULL;
    struct log log = {.stop_after = 0};
    struct weir_consumer_options options = live_consumer_options("account-1");
    weir_status st = weir_consumer_open(live.client, &options, &consumer, &live.err);
    if (st == WEIR_OK) {
        st = weir_consumer_run(consumer, handle, &log, &live.err);
        weir_consumer_close(consumer);
    }
    ck_assert_int_eq(st, WEIR_INVALID_REQUEST);
    ck_assert_str_eq(weir_error_get_detail(&live.err, "field"), "category");
    options.subscription.category = "account";
    ck_assert_msg(weir_consumer_open(live.client, &options, &consumer, &live.err) == WEIR_OK, "%s",
                  live.err.text);
    weir_consumer_close(consumer);
}
END_TEST

START_TEST(the_second_of_two_consumers_of_one_name_ends)
{
    (void)live_write("account-1", 6);
    struct weir_consumer_options options = live_consumer_options("account");
    options.commit_messages = 1;
    struct weir_consumer *first = live_open_consumer(&options);
    struct log log = {.stop_after = 1, .failing = -1};
    run(first, &log);
    struct weir_consumer *second = live_open_consumer(&options);
    struct log other = {.stop_after = 1, .failing = -1};
    run(second, &other);
    log.stop_after = 5;
    ck_assert_int_eq(weir_consumer_run(first, handle, &log, &live.err),
                     WEIR_STREAM_VERSION_CONFLICT);
    ck_assert_uint_eq(log.n, 2);
    ck_assert_int_eq(live.err.status, WEIR_STREAM_VERSION_CONFLICT);
    ck_assert_str_eq(weir_error_get_detail(&live.err, "stream"), POSITION_STREAM);
    weir_consumer_close(first);
    weir_consumer_close(second);
}
END_TEST

/* ---- overload ---- */

/* Waits until the client, which allows one call in flight, is free for the next. */
static void await_room(struct weir_client *client)
{
    const Weir__V1__GetServerInfoRequest request = WEIR__V1__GET_SERVER_INFO_REQUEST__INIT;
    Weir__V1__GetServerInfoResponse *response = NULL;
    struct weir_error err;
    weir_error_init(&err);
    while (weir_system_get_server_info(client, &request, NULL, &response, &err) != WEIR_OK) {
        ck_assert_int_eq(err.status, WEIR_LIMIT_EXCEEDED);
    }
    weir_response_free(response);
}

struct busy {
    struct weir_client *client;
    enum weir_handled outcome;
    size_t n;
};

/* Returns WEIR_STOP at the third message, after the poll for further messages has ended. */
static enum weir_handled handle_busy(void *context, const Weir__V1__Message *message,
                                     uint32_t attempt)
{
    struct busy *busy = context;
    (void)attempt;
    if (message->position < 2) {
        busy->n++;
        return busy->outcome;
    }
    await_room(busy->client);
    return WEIR_STOP;
}

START_TEST(what_a_busy_client_cannot_write_is_written_later)
{
    (void)live_write("account-1", 3);
    struct busy busy = {.client = live_client(1, 0), .outcome = _i == 0 ? WEIR_HANDLED : WEIR_PARK};
    struct weir_consumer_options options = live_consumer_options("account");
    options.subscription.wait_ms = 200;
    options.commit_messages = 1;
    struct weir_consumer *consumer = NULL;
    ck_assert_int_eq(weir_consumer_open(busy.client, &options, &consumer, &live.err), WEIR_OK);
    const weir_status st = weir_consumer_run(consumer, handle_busy, &busy, &live.err);
    ck_assert_msg(st == WEIR_OK, "%s: %s", weir_status_name(st), live.err.text);
    ck_assert_uint_eq(busy.n, 2);
    ck_assert_int_eq(weir_consumer_position(consumer), 3);
    ck_assert_int_eq(live_count(PARKED_STREAM), _i == 0 ? 0 : 2);
    weir_consumer_close(consumer);
    weir_client_close(busy.client);
}
END_TEST

START_TEST(a_first_position_that_could_not_be_kept_is_kept_by_the_next_run)
{
    (void)live_write("account-1", 1);
    struct weir_client *client = live_client(1, 0);
    struct weir_consumer_options options = live_consumer_options("account");
    options.commit_ms = 3600000;
    struct weir_consumer *consumer = NULL;
    ck_assert_int_eq(weir_consumer_open(client, &options, &consumer, &live.err), WEIR_OK);

    struct weir_subscription_options other = WEIR_SUBSCRIPTION_OPTIONS_INIT;
    other.stream_name = "other-1";
    struct weir_subscription *sub = NULL;
    const Weir__V1__Message *message = NULL;
    ck_assert_int_eq(weir_subscription_open(client, &other, &sub, &live.err), WEIR_OK);
    ck_assert_int_eq(weir_subscription_next(sub, 0, &message, &live.err), WEIR_OK);
    struct log log = {.stop_after = 0, .failing = -1};
    ck_assert_int_eq(weir_consumer_run(consumer, handle, &log, &live.err), WEIR_LIMIT_EXCEEDED);
    ck_assert_int_eq(weir_consumer_position(consumer), -1);

    (void)live_write("other-1", 1);
    await_room(client);
    run(consumer, &log);
    ck_assert_int_eq(live_count(POSITION_STREAM), 1);
    ck_assert_int_ge(weir_consumer_position(consumer), 1);
    weir_consumer_close(consumer);
    weir_subscription_close(sub);
    weir_client_close(client);
}
END_TEST

/* ---- selective filters ---- */

enum { MANY = 1000 };

/* Writes MANY messages of another type in one write. */
static void write_others(void)
{
    static char stream[] = "account-1";
    static char type[] = "Other";
    static Weir__V1__NewMessage messages[MANY];
    static Weir__V1__NewMessage *pointers[MANY];
    for (size_t i = 0; i < MANY; i++) {
        weir__v1__new_message__init(&messages[i]);
        messages[i].type = type;
        pointers[i] = &messages[i];
    }
    Weir__V1__WriteMessagesRequest request = WEIR__V1__WRITE_MESSAGES_REQUEST__INIT;
    Weir__V1__WriteMessagesResponse *response = NULL;
    request.stream_name = stream;
    request.messages = pointers;
    request.n_messages = MANY;
    ck_assert_int_eq(
        weir_message_store_write_messages(live.client, &request, NULL, &response, &live.err),
        WEIR_OK);
    weir_response_free(response);
}

/* Runs a consumer for a moment. Returns the position stored afterwards. */
static int64_t run_for_a_moment(const struct weir_consumer_options *options)
{
    struct weir_consumer *consumer = live_open_consumer(options);
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, run_thread, consumer), 0);
    (void)poll(NULL, 0, 100);
    weir_consumer_stop(consumer);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    const int64_t position = weir_consumer_position(consumer);
    weir_consumer_close(consumer);
    return position;
}

START_TEST(what_was_looked_through_in_vain_is_not_looked_through_again)
{
    static const char *const types[] = {"T"};
    struct weir_consumer_options options = live_consumer_options("account");
    options.subscription.types = types;
    options.subscription.types_n = 1;
    options.subscription.wait_ms = 20;
    (void)live_write("account-1", 1);
    write_others();
    (void)live_write("account-1", 1);
    /* The position does not pass the message at which the handler stops. */
    struct weir_consumer *consumer = live_open_consumer(&options);
    struct log log = {.stop_after = 1, .failing = -1};
    run(consumer, &log);
    ck_assert_int_le(weir_consumer_position(consumer), MANY + 2);
    weir_consumer_close(consumer);
    while (run_for_a_moment(&options) < MANY + 3) {
        continue;
    }
    write_others();
    while (run_for_a_moment(&options) < 2 * MANY + 3) {
        continue;
    }
    /* A position already stored is not stored again. */
    const int64_t n = live_count(POSITION_STREAM);
    (void)run_for_a_moment(&options);
    ck_assert_int_eq(live_count(POSITION_STREAM), n);
    ck_assert_int_le(n, 5);
}
END_TEST

/* ---- a store that cannot be written ---- */

weir_status __real_weir_message_store_write_messages(struct weir_client *client,
                                                     const Weir__V1__WriteMessagesRequest *request,
                                                     const struct weir_call_options *options,
                                                     Weir__V1__WriteMessagesResponse **response,
                                                     struct weir_error *err);
weir_status __wrap_weir_message_store_write_messages(struct weir_client *client,
                                                     const Weir__V1__WriteMessagesRequest *request,
                                                     const struct weir_call_options *options,
                                                     Weir__V1__WriteMessagesResponse **response,
                                                     struct weir_error *err);

static struct {
    bool is_full;    // writes to the position stream fail
    int refusal_ms;  // delay before the failure
    int refusals_n;
    int64_t said_us;  // time of the last failure
} disk;

static weir_status refuse_position(const struct weir_call_options *options, struct weir_error *err)
{
    const int64_t pause_us = weir_monotonic_us() - disk.said_us;
    ck_assert(disk.refusals_n == 0 || pause_us >= disk.refusal_ms * INT64_C(1000));
    ck_assert_uint_eq(options->max_attempts, 1);
    ck_assert_uint_eq(options->timeout_ms, 5000);
    (void)poll(NULL, 0, disk.refusal_ms);
    disk.refusals_n++;
    disk.said_us = weir_monotonic_us();
    return weir_fail(err, WEIR_BACKEND_UNAVAILABLE, "the disk is full");
}

weir_status __wrap_weir_message_store_write_messages(struct weir_client *client,
                                                     const Weir__V1__WriteMessagesRequest *request,
                                                     const struct weir_call_options *options,
                                                     Weir__V1__WriteMessagesResponse **response,
                                                     struct weir_error *err)
{
    if (disk.is_full && strcmp(request->stream_name, POSITION_STREAM) == 0) {
        return refuse_position(options, err);
    }
    return __real_weir_message_store_write_messages(client, request, options, response, err);
}

/* Fills the disk from the first message until the last one, at which the handler stops. */
static enum weir_handled fill_disk(void *context, const Weir__V1__Message *message,
                                   uint32_t attempt)
{
    (void)attempt;
    const int64_t *last = context;
    disk.is_full = message->position < *last;
    return disk.is_full ? WEIR_HANDLED : WEIR_STOP;
}

START_TEST(positions_that_cannot_be_kept_do_not_hold_messages_up)
{
    int64_t last = 50;
    memset(&disk, 0, sizeof disk);
    (void)live_write("account-1", (int)last + 1);
    struct weir_consumer_options options = live_consumer_options("account");
    options.commit_messages = 1;
    options.commit_ms = _i == 0 ? 3600000 : 1;
    disk.refusal_ms = _i == 0 ? 0 : 300;
    struct weir_consumer *consumer = live_open_consumer(&options);
    const int64_t began_us = weir_monotonic_us();
    ck_assert_int_eq(weir_consumer_run(consumer, fill_disk, &last, &live.err), WEIR_OK);
    const int64_t took_us = weir_monotonic_us() - began_us;
    ck_assert_int_ge(disk.refusals_n, 1);
    ck_assert_msg(_i == 0 ? disk.refusals_n == 1 : disk.refusals_n <= 1 + took_us / 600000,
                  "%d refusals in %lld us", disk.refusals_n, (long long)took_us);
    /* Positions are stored at the start and at the end. */
    ck_assert_int_eq(live_count(POSITION_STREAM), 2);
    ck_assert_int_eq(weir_consumer_position(consumer), last + 1);
    weir_consumer_close(consumer);
}
END_TEST

/* ---- through restarts ---- */

enum { MESSAGES = 120 };

static void *write_load(void *arg)
{
    (void)arg;
    (void)live_write("account-1", MESSAGES / 2);
    (void)live_write("account-2", MESSAGES / 2);
    return NULL;
}

struct running {
    struct weir_consumer *consumer;
    struct log log;
    weir_status status;
    struct weir_error err;
};

static void *run_to_end(void *arg)
{
    struct running *r = arg;
    weir_error_init(&r->err);
    r->status = weir_consumer_run(r->consumer, handle, &r->log, &r->err);
    return NULL;
}

START_TEST(nothing_is_missed_while_the_server_is_killed_and_restarted)
{
    struct weir_consumer_options options = live_consumer_options("account");
    options.commit_messages = 3;
    static struct running r = {.log = {.stop_after = MESSAGES - 1, .failing = -1}};
    r.consumer = live_open_consumer(&options);
    pthread_t writer;
    pthread_t reader;
    ck_assert_int_eq(pthread_create(&writer, NULL, write_load, NULL), 0);
    ck_assert_int_eq(pthread_create(&reader, NULL, run_to_end, &r), 0);
    /* The server is started from this thread, since it ends with the thread that started it. */
    for (int i = 0; i < 4; i++) {
        await_count("account-1", MESSAGES / 8 * (i + 1));
        live_restart(i % 2 == 0);
    }
    ck_assert_int_eq(pthread_join(writer, NULL), 0);
    ck_assert_int_eq(pthread_join(reader, NULL), 0);
    ck_assert_msg(r.status == WEIR_OK, "%s: %s", weir_status_name(r.status), r.err.text);
    ck_assert_uint_eq(r.log.n, MESSAGES - 1);
    for (size_t i = 1; i < r.log.n; i++) {
        ck_assert_int_gt(r.log.seen[i], r.log.seen[i - 1]);
    }
    weir_consumer_close(r.consumer);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("consumer");
    TCase *tests = tcase_create("consumer");
    tcase_set_timeout(tests, 120);
    tcase_add_checked_fixture(tests, live_setup, live_teardown);
    tcase_add_test(tests, it_goes_on_where_it_was);
    tcase_add_test(tests, one_consumer_may_be_run_again);
    tcase_add_test(tests, the_position_is_kept_every_so_many_messages);
    tcase_add_test(tests, the_position_is_kept_after_a_while_and_at_the_end);
    tcase_add_test(tests, a_message_that_fails_is_tried_again_before_the_next);
    tcase_add_test(tests, the_position_is_kept_while_the_next_message_goes_on_failing);
    tcase_add_loop_test(tests, a_message_that_goes_on_failing_is_parked_listed_and_replayed, 0, 2);
    tcase_add_test(tests, a_consumer_of_everything_does_not_see_its_own_progress);
    tcase_add_test(tests, what_consumers_have_parked_is_kept_from_those_of_everything);
    tcase_add_test(tests, what_others_have_parked_may_be_asked_for);
    tcase_add_test(tests, a_start_at_the_end_does_not_move_with_restarts);
    tcase_add_test(tests, another_selector_or_name_is_refused);
    tcase_add_test(tests, contradictory_options_are_refused_at_once);
    tcase_add_test(tests, a_selection_that_cannot_be_does_not_take_the_name);
    tcase_add_test(tests, the_second_of_two_consumers_of_one_name_ends);
    tcase_add_loop_test(tests, what_a_busy_client_cannot_write_is_written_later, 0, 2);
    tcase_add_test(tests, a_first_position_that_could_not_be_kept_is_kept_by_the_next_run);
    tcase_add_test(tests, what_was_looked_through_in_vain_is_not_looked_through_again);
    tcase_add_loop_test(tests, positions_that_cannot_be_kept_do_not_hold_messages_up, 0, 2);
    tcase_add_test(tests, nothing_is_missed_while_the_server_is_killed_and_restarted);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
