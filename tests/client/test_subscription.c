/* Subscriptions against a real server: each matching message arrives exactly once and in order,
 * even if the server is restarted. */
#include "tests/client/live.h"
#include "weir/base/monotonic.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { WAIT_MS = 20000 };

static struct weir_subscription *open_sub(const struct weir_subscription_options *options)
{
    struct weir_subscription *sub = NULL;
    ck_assert_msg(weir_subscription_open(live.client, options, &sub, &live.err) == WEIR_OK, "%s",
                  live.err.text);
    return sub;
}

static struct weir_subscription *follow_category(const char *category, enum weir_start start)
{
    struct weir_subscription_options options = WEIR_SUBSCRIPTION_OPTIONS_INIT;
    options.category = category;
    options.start = start;
    options.wait_ms = 5000;
    return open_sub(&options);
}

static const Weir__V1__Message *next(struct weir_subscription *sub)
{
    const Weir__V1__Message *message = NULL;
    const weir_status st = weir_subscription_next(sub, WAIT_MS, &message, &live.err);
    ck_assert_msg(st == WEIR_OK, "%s: %s", weir_status_name(st), live.err.text);
    ck_assert_msg(message != NULL, "no message came");
    return message;
}

static void assert_none(struct weir_subscription *sub)
{
    const Weir__V1__Message *message = NULL;
    ck_assert_int_eq(weir_subscription_next(sub, 0, &message, &live.err), WEIR_OK);
    ck_assert_ptr_null(message);
}

START_TEST(it_begins_at_the_beginning_and_goes_on_live)
{
    (void)live_write("account-1", 3);
    struct weir_subscription *sub = follow_category("account", WEIR_START_DEFAULT);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(next(sub)->position, i);
    }
    assert_none(sub);
    (void)live_write("other-1", 1);
    (void)live_write("account-2", 1);
    const Weir__V1__Message *message = next(sub);
    ck_assert_str_eq(message->stream_name, "account-2");
    ck_assert(message->has_data);
    ck_assert_int_eq(weir_subscription_position(sub), message->global_position + 1);
    weir_subscription_close(sub);
}
END_TEST

START_TEST(the_end_is_where_it_was_opened)
{
    (void)live_write("account-1", 3);
    struct weir_subscription *sub = follow_category("account", WEIR_START_END);
    (void)live_write("account-1", 1);
    ck_assert_int_eq(next(sub)->position, 3);
    weir_subscription_close(sub);

    struct weir_subscription_options options = WEIR_SUBSCRIPTION_OPTIONS_INIT;
    options.all = true;
    sub = open_sub(&options);
    (void)live_write("other-1", 1);
    ck_assert_str_eq(next(sub)->stream_name, "other-1");
    weir_subscription_close(sub);

    options.all = false;
    options.stream_name = "account-1";
    options.start = WEIR_START_END;
    sub = open_sub(&options);
    (void)live_write("account-1", 1);
    ck_assert_int_eq(next(sub)->position, 4);
    weir_subscription_close(sub);

    /* The end of a stream that does not exist. */
    options.stream_name = "none-1";
    sub = open_sub(&options);
    (void)live_write("none-1", 1);
    ck_assert_int_eq(next(sub)->position, 0);
    weir_subscription_close(sub);
}
END_TEST

START_TEST(a_start_position_is_inclusive)
{
    (void)live_write("account-1", 10);
    struct weir_subscription_options options = WEIR_SUBSCRIPTION_OPTIONS_INIT;
    options.stream_name = "account-1";
    options.start = WEIR_START_AT;
    options.position = 7;
    options.batch_size = 2;
    options.headers_only = true;
    struct weir_subscription *sub = open_sub(&options);
    for (int i = 7; i < 10; i++) {
        const Weir__V1__Message *message = next(sub);
        ck_assert_int_eq(message->position, i);
        ck_assert(!message->has_data);
    }
    ck_assert_int_eq(weir_subscription_position(sub), 10);
    weir_subscription_close(sub);
}
END_TEST

static const struct weir_subscription_options contradictory[] = {
    {.all = false},
    {.all = true, .stream_name = "account-1"},
    {.all = true, .category = "account"},
    {.category = ""},
    {.category = "account-1"},
    {.category = "account", .correlation = "wf-1"},
    {.stream_name = ""},
    {.stream_name = "account-1", .group_size = 2},
    {.stream_name = "account-1", .correlation = "wf"},
    {.category = "account", .group_size = 2, .group_member = 2},
    {.category = "account", .group_size = 2, .group_member = -1},
    {.category = "account", .group_size = 0, .group_member = 1},
    {.category = "account", .group_size = -1},
};

START_TEST(contradictory_options_are_refused)
{
    struct weir_subscription *sub = NULL;
    ck_assert_int_eq(weir_subscription_open(live.client, &contradictory[_i], &sub, &live.err),
                     WEIR_INVALID_REQUEST);
    ck_assert_ptr_null(sub);
}
END_TEST

static void write_one(const char *stream, const char *type, const char *metadata)
{
    const struct live_message message = {.stream = stream, .type = type, .metadata = metadata};
    (void)live_append(live.client, &message);
}

/* A stream filtered by type, a category by type and by correlation. */
static const struct {
    const char *stream;
    const char *category;
    const char *type;
    const char *correlation;
    int64_t positions[2];
} filters[] = {
    {.stream = "account-1", .type = "Wanted", .positions = {1, 3}},
    {.category = "account", .type = "Wanted", .positions = {1, 3}},
    {.category = "account", .correlation = "wf", .positions = {2, 3}},
};

START_TEST(it_gives_what_its_filters_select)
{
    struct weir_subscription_options options = WEIR_SUBSCRIPTION_OPTIONS_INIT;
    options.stream_name = filters[_i].stream;
    options.category = filters[_i].category;
    options.types = &filters[_i].type;
    options.types_n = filters[_i].type != NULL;
    options.correlation = filters[_i].correlation;
    write_one("account-1", "Other", "{}");
    write_one("account-1", "Wanted", "{\"correlationStreamName\":\"wfx-1\"}");
    write_one("account-1", "Other", "{\"correlationStreamName\":\"wf-1\"}");
    write_one("account-1", "Wanted", "{\"correlationStreamName\":\"wf-1\"}");
    write_one("account-1", "Other", "{}");
    struct weir_subscription *sub = open_sub(&options);
    for (size_t i = 0; i < 2; i++) {
        ck_assert_int_eq(next(sub)->position, filters[_i].positions[i]);
    }
    /* The position lies after the last examined message. */
    ck_assert_int_eq(weir_subscription_position(sub), filters[_i].stream != NULL ? 5 : 6);
    assert_none(sub);
    weir_subscription_close(sub);
}
END_TEST

/* The position covers every examined message and never lies before the start of the selection. */
START_TEST(its_position_passes_what_it_does_not_select)
{
    struct weir_subscription_options options = WEIR_SUBSCRIPTION_OPTIONS_INIT;
    options.category = "none";
    options.start = WEIR_START_AT;
    options.position = -5;
    options.wait_ms = 20;
    (void)live_write("account-1", 3);
    struct weir_subscription *sub = open_sub(&options);
    ck_assert_int_eq(weir_subscription_position(sub), 1);
    const int64_t until_us = weir_monotonic_us() + WAIT_MS * INT64_C(1000);
    while (weir_subscription_position(sub) == 1) {
        const Weir__V1__Message *message = NULL;
        ck_assert_int_lt(weir_monotonic_us(), until_us);
        ck_assert_int_eq(weir_subscription_next(sub, 50, &message, &live.err), WEIR_OK);
        ck_assert_ptr_null(message);
    }
    ck_assert_int_eq(weir_subscription_position(sub), 4);
    weir_subscription_close(sub);
}
END_TEST

START_TEST(what_the_server_refuses_ends_it)
{
    struct weir_subscription_options options = WEIR_SUBSCRIPTION_OPTIONS_INIT;
    options.category = "account";
    options.types = (const char *const[]){""};
    options.types_n = 1;
    struct weir_subscription *sub = open_sub(&options);
    const Weir__V1__Message *message = NULL;
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(weir_subscription_next(sub, WAIT_MS, &message, &live.err),
                         WEIR_INVALID_REQUEST);
        ck_assert_str_eq(weir_error_get_detail(&live.err, "field"), "types[0]");
    }
    weir_subscription_close(sub);
    options.types_n = 0;
    options.call.token = "nonsense";
    sub = open_sub(&options);
    ck_assert_int_eq(weir_subscription_next(sub, WAIT_MS, &message, &live.err),
                     WEIR_AUTH_INVALID_TOKEN);
    weir_subscription_close(sub);
}
END_TEST

/* Rather than beginning anywhere else. */
START_TEST(it_is_not_opened_where_its_end_is_not_told)
{
    struct weir_subscription_options options = WEIR_SUBSCRIPTION_OPTIONS_INIT;
    struct weir_subscription *sub = NULL;
    options.start = WEIR_START_END;
    options.call.token = "nonsense";
    options.category = _i == 0 ? "account" : NULL;
    options.stream_name = _i == 1 ? "account-1" : NULL;
    options.all = _i == 2;
    ck_assert_int_eq(weir_subscription_open(live.client, &options, &sub, &live.err),
                     WEIR_AUTH_INVALID_TOKEN);
    ck_assert_ptr_null(sub);
}
END_TEST

/* ---- low limits ---- */

static void restart_with(const char *option, const char *value)
{
    live.server.args[2] = option;
    live.server.args[3] = value;
    live_restart(false);
}

/* The last server allows no waiting at all. */
static const char *const low_limits[][2] = {
    {"--max-batch-size", "2"}, {"--max-wait-ms", "1000"}, {"--max-wait-ms", "0"}};

START_TEST(it_asks_for_no_more_than_the_server_allows)
{
    const bool is_stream = _i % 2 == 1;
    restart_with(low_limits[_i / 2][0], low_limits[_i / 2][1]);
    (void)live_write("account-1", 5);
    struct weir_subscription_options options = WEIR_SUBSCRIPTION_OPTIONS_INIT;
    options.category = is_stream ? NULL : "account";
    options.stream_name = is_stream ? "account-1" : NULL;
    struct weir_subscription *sub = open_sub(&options);
    for (int i = 0; i < 5; i++) {
        ck_assert_int_eq(next(sub)->position, i);
    }
    const Weir__V1__Message *message = NULL;
    ck_assert_msg(weir_subscription_next(sub, 200, &message, &live.err) == WEIR_OK, "%s",
                  live.err.text);
    ck_assert_ptr_null(message);
    (void)live_write("account-1", 1);
    ck_assert_int_eq(next(sub)->position, 5);
    weir_subscription_close(sub);
}
END_TEST

START_TEST(a_number_that_was_chosen_is_not_made_smaller)
{
    const Weir__V1__Message *message = NULL;
    struct weir_subscription_options options = WEIR_SUBSCRIPTION_OPTIONS_INIT;
    options.category = "account";
    options.batch_size = 3;
    restart_with("--max-batch-size", "2");
    struct weir_subscription *sub = open_sub(&options);
    ck_assert_int_eq(weir_subscription_next(sub, WAIT_MS, &message, &live.err),
                     WEIR_INVALID_REQUEST);
    ck_assert_str_eq(weir_error_get_detail(&live.err, "field"), "batch_size");
    weir_subscription_close(sub);
    options.batch_size = 0;
    options.wait_ms = 1001;
    restart_with("--max-wait-ms", "1000");
    sub = open_sub(&options);
    ck_assert_int_eq(weir_subscription_next(sub, WAIT_MS, &message, &live.err),
                     WEIR_INVALID_REQUEST);
    ck_assert_str_eq(weir_error_get_detail(&live.err, "field"), "wait_ms");
    weir_subscription_close(sub);
}
END_TEST

/* ---- stopping, closing, restarts ---- */

static void *stop_soon(void *arg)
{
    ck_assert_int_ge(weir_subscription_position(arg), 1);
    weir_subscription_stop(arg);
    return NULL;
}

START_TEST(it_is_stopped_while_it_waits)
{
    enum { LONG_MS = 60000 };
    struct weir_subscription_options options = WEIR_SUBSCRIPTION_OPTIONS_INIT;
    options.category = "account";
    options.wait_ms = LONG_MS;
    struct weir_subscription *sub = open_sub(&options);
    assert_none(sub);
    const int64_t began_us = weir_monotonic_us();
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, stop_soon, sub), 0);
    const Weir__V1__Message *message = NULL;
    ck_assert_int_eq(weir_subscription_next(sub, UINT32_MAX, &message, &live.err), WEIR_CANCELLED);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    ck_assert_int_lt(weir_monotonic_us() - began_us, LONG_MS * INT64_C(1000));
    weir_subscription_close(sub);
}
END_TEST

START_TEST(once_stopped_it_gives_no_more)
{
    (void)live_write("account-1", 3);
    struct weir_subscription *sub = follow_category("account", WEIR_START_BEGIN);
    ck_assert_int_eq(next(sub)->position, 0);
    weir_subscription_stop(sub);
    const Weir__V1__Message *message = NULL;
    ck_assert_int_eq(weir_subscription_next(sub, WAIT_MS, &message, &live.err), WEIR_CANCELLED);
    ck_assert_ptr_null(message);
    ck_assert_int_eq(weir_subscription_position(sub), 2);
    weir_subscription_close(sub);
}
END_TEST

START_TEST(it_may_be_closed_while_a_poll_is_with_the_server)
{
    for (int i = 0; i < 20; i++) {
        struct weir_subscription *sub = follow_category("account", WEIR_START_BEGIN);
        assert_none(sub);
        weir_subscription_close(sub);
    }
    (void)live_write("account-1", 1);
}
END_TEST

START_TEST(it_lives_through_a_restart_of_the_server)
{
    struct weir_subscription *sub = follow_category("account", WEIR_START_BEGIN);
    (void)live_write("account-1", 2);
    ck_assert_int_eq(next(sub)->position, 0);
    ck_assert_int_eq(next(sub)->position, 1);
    assert_none(sub);
    live_restart(_i == 1);
    (void)live_write("account-1", 2);
    ck_assert_int_eq(next(sub)->position, 2);
    ck_assert_int_eq(next(sub)->position, 3);
    weir_subscription_close(sub);
}
END_TEST

/* ---- overload ---- */

START_TEST(it_lives_through_a_server_with_too_many_readers)
{
    (void)live_write("account-1", 1);
    live.server.args[2] = "--max-waiting";
    live.server.args[3] = "0";
    live_restart(false);
    struct weir_subscription *sub = follow_category("account", WEIR_START_BEGIN);
    ck_assert_int_eq(next(sub)->position, 0);
    const Weir__V1__Message *message = NULL;
    ck_assert_msg(weir_subscription_next(sub, 300, &message, &live.err) == WEIR_OK, "%s",
                  live.err.text);
    ck_assert_ptr_null(message);
    /* No poll may wait, so it polls at intervals. */
    (void)live_write("account-1", 1);
    ck_assert_int_eq(next(sub)->position, 1);
    live.server.args[2] = NULL;
    live_restart(false);
    (void)live_write("account-1", 1);
    ck_assert_int_eq(next(sub)->position, 2);
    weir_subscription_close(sub);
}
END_TEST

START_TEST(it_lives_through_a_client_with_too_many_calls)
{
    struct weir_client *client = live_client(1, 0);
    struct weir_subscription_options options = WEIR_SUBSCRIPTION_OPTIONS_INIT;
    struct weir_subscription *first = NULL;
    struct weir_subscription *second = NULL;
    options.category = "account";
    options.wait_ms = 20000;
    ck_assert_int_eq(weir_subscription_open(client, &options, &first, &live.err), WEIR_OK);
    ck_assert_int_eq(weir_subscription_open(client, &options, &second, &live.err), WEIR_OK);
    assert_none(first);
    const Weir__V1__Message *message = NULL;
    ck_assert_msg(weir_subscription_next(second, 100, &message, &live.err) == WEIR_OK, "%s",
                  live.err.text);
    ck_assert_ptr_null(message);
    /* Ends the poll of the first subscription, which makes no further one. */
    (void)live_write("account-1", 1);
    ck_assert_int_eq(next(second)->position, 0);
    weir_subscription_close(first);
    weir_subscription_close(second);
    weir_client_close(client);
}
END_TEST

/* The client connects before it is closed, since nng leaks a connection that is being made at that
 * moment. */
START_TEST(a_poll_that_can_never_be_sent_ends_it)
{
    enum { REQUEST_BYTES = 4096 };
    struct weir_client *client = live_client(0, REQUEST_BYTES);
    (void)live_write_by(client, "account-1", 1);
    char category[REQUEST_BYTES + 1];
    memset(category, 'a', REQUEST_BYTES);
    category[REQUEST_BYTES] = '\0';
    struct weir_subscription_options options = WEIR_SUBSCRIPTION_OPTIONS_INIT;
    struct weir_subscription *sub = NULL;
    options.category = category;
    ck_assert_int_eq(weir_subscription_open(client, &options, &sub, &live.err), WEIR_OK);
    const Weir__V1__Message *message = NULL;
    ck_assert_int_eq(weir_subscription_next(sub, WAIT_MS, &message, &live.err),
                     WEIR_LIMIT_EXCEEDED);
    weir_subscription_close(sub);
    weir_client_close(client);
}
END_TEST

/* ---- many writers ---- */

enum { WRITERS = 4, STREAMS = 5, WRITES = 60 };

static void *write_streams(void *arg)
{
    const int writer = *(const int *)arg;
    for (int i = 0; i < WRITES; i++) {
        char stream[32];
        (void)snprintf(stream, sizeof stream, "load-%d+%d", i % STREAMS, writer);
        (void)live_write(stream, 1);
    }
    return NULL;
}

static void start_writers(pthread_t threads[WRITERS], int numbers[WRITERS])
{
    for (int w = 0; w < WRITERS; w++) {
        numbers[w] = w;
        ck_assert_int_eq(pthread_create(&threads[w], NULL, write_streams, &numbers[w]), 0);
    }
}

/* Reads until `n` messages have arrived, and checks that each is new, ascending, and of a stream
 * that belongs to the member. */
static void read_member(int64_t member, int64_t size, int *n)
{
    struct weir_subscription_options options = WEIR_SUBSCRIPTION_OPTIONS_INIT;
    options.category = "load";
    options.group_member = member;
    options.group_size = size;
    options.batch_size = 7;
    struct weir_subscription *sub = open_sub(&options);
    int64_t last = 0;
    int expected = 0;
    for (int s = 0; s < STREAMS; s++) {
        char stream[32];
        (void)snprintf(stream, sizeof stream, "load-%d", s);
        const bool is_ours = size == 0 || weir_name_member(weir_slice_of(stream), size) == member;
        expected += is_ours ? WRITERS * WRITES / STREAMS : 0;
    }
    for (int i = 0; i < expected; i++) {
        const Weir__V1__Message *message = next(sub);
        ck_assert_int_gt(message->global_position, last);
        last = message->global_position;
        ck_assert(size == 0 ||
                  weir_name_member(weir_slice_of(message->stream_name), size) == member);
    }
    *n += expected;
    weir_subscription_close(sub);
}

START_TEST(every_message_of_many_writers_comes_once_and_in_order)
{
    pthread_t threads[WRITERS];
    int numbers[WRITERS];
    int n = 0;
    start_writers(threads, numbers);
    read_member(0, 0, &n);
    ck_assert_int_eq(n, WRITERS * WRITES);
    for (int w = 0; w < WRITERS; w++) {
        ck_assert_int_eq(pthread_join(threads[w], NULL), 0);
    }
    n = 0;
    read_member(0, 2, &n);
    read_member(1, 2, &n);
    ck_assert_int_eq(n, WRITERS * WRITES);
}
END_TEST

static bool count_three(void *context, const Weir__V1__Message *message)
{
    int *n = context;
    ck_assert_int_eq(message->position, *n);
    return ++*n < 3;
}

START_TEST(the_callback_form_ends_when_the_handler_says_so)
{
    (void)live_write("account-1", 5);
    struct weir_subscription *sub = follow_category("account", WEIR_START_BEGIN);
    int n = 0;
    ck_assert_int_eq(weir_subscription_run(sub, count_three, &n, &live.err), WEIR_OK);
    ck_assert_int_eq(n, 3);
    ck_assert_int_eq(next(sub)->position, 3);
    weir_subscription_close(sub);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("subscription");
    TCase *tests = tcase_create("subscription");
    tcase_set_timeout(tests, 120);
    tcase_add_checked_fixture(tests, live_setup, live_teardown);
    tcase_add_test(tests, it_begins_at_the_beginning_and_goes_on_live);
    tcase_add_test(tests, the_end_is_where_it_was_opened);
    tcase_add_test(tests, a_start_position_is_inclusive);
    tcase_add_loop_test(tests, contradictory_options_are_refused, 0, WEIR_COUNTOF(contradictory));
    tcase_add_loop_test(tests, it_gives_what_its_filters_select, 0, WEIR_COUNTOF(filters));
    tcase_add_test(tests, its_position_passes_what_it_does_not_select);
    tcase_add_test(tests, what_the_server_refuses_ends_it);
    tcase_add_loop_test(tests, it_is_not_opened_where_its_end_is_not_told, 0, 3);
    tcase_add_loop_test(tests, it_asks_for_no_more_than_the_server_allows, 0,
                        2 * WEIR_COUNTOF(low_limits));
    tcase_add_test(tests, a_number_that_was_chosen_is_not_made_smaller);
    tcase_add_test(tests, it_is_stopped_while_it_waits);
    tcase_add_test(tests, once_stopped_it_gives_no_more);
    tcase_add_test(tests, it_may_be_closed_while_a_poll_is_with_the_server);
    tcase_add_loop_test(tests, it_lives_through_a_restart_of_the_server, 0, 2);
    tcase_add_test(tests, it_lives_through_a_server_with_too_many_readers);
    tcase_add_test(tests, it_lives_through_a_client_with_too_many_calls);
    tcase_add_test(tests, a_poll_that_can_never_be_sent_ends_it);
    tcase_add_test(tests, every_message_of_many_writers_comes_once_and_in_order);
    tcase_add_test(tests, the_callback_form_ends_when_the_handler_says_so);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
