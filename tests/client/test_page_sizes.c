/* How many messages a subscription asks for: more and more while it catches up and pages come soon,
 * and one after a page that did not come in time. */
#include "tests/client/scripted.h"
#include "tests/lib/check_main.h"
#include "weir/base/monotonic.h"

#include <stdatomic.h>

enum { REPLIES_MAX = 5, MESSAGES_MAX = 4096, LATE = 0, TIMEOUT_S = 3600 };

/* Replies by their numbers of messages, and the numbers that the polls ask for. */
struct course {
    uint32_t chosen;  // by the caller; 0 = the default
    int64_t takes_s;  // each reply
    size_t replies_n;
    size_t replies[REPLIES_MAX];
    int64_t asked[REPLIES_MAX + 1];
};

static const struct course courses[] = {
    {0, 0, 4, {256, 512, 1000, 1000}, {256, 512, 1000, 1000, 1000}},  // it catches up
    {0, 0, 2, {255, 1}, {256, 256, 256}},
    {0, 0, 4, {LATE, 1, 2, 3}, {256, 1, 2, 4, 4}},
    {0, 0, 3, {256, LATE, 1}, {256, 512, 1, 2}},
    {3, 0, 5, {3, LATE, 1, 2, 3}, {3, 3, 1, 2, 3, 3}},
    {0, TIMEOUT_S / 4 - 100, 2, {256, 512}, {256, 512, 1000}},
    {0, TIMEOUT_S / 4, 2, {256, 256}, {256, 256, 256}},  // a larger one might be too late
};

static Weir__V1__Message messages[MESSAGES_MAX];
static Weir__V1__Message *pointers[MESSAGES_MAX];
static Weir__V1__GetStreamMessagesResponse pages[REPLIES_MAX];
static struct fake_action script[REPLIES_MAX + 1];
static struct weir_error late;

/* ---- the time ---- */

static _Thread_local bool is_reader;   // the thread that starts the polls
static atomic_int_least64_t ahead_us;  // on the threads that take the replies

int64_t __real_weir_monotonic_us(void);
int64_t __wrap_weir_monotonic_us(void);

int64_t __wrap_weir_monotonic_us(void)
{
    return __real_weir_monotonic_us() + (is_reader ? 0 : atomic_load(&ahead_us));
}

/* ---- the script ---- */

static void make_messages(void)
{
    for (size_t i = 0; i < MESSAGES_MAX; i++) {
        weir__v1__message__init(&messages[i]);
        messages[i].id = (char *)(uintptr_t) "01000000-0000-7000-8000-000000000000";
        messages[i].stream_name = (char *)(uintptr_t) "account-1";
        messages[i].type = (char *)(uintptr_t) "T";
        messages[i].has_position = true;
        messages[i].position = (int64_t)i;
        pointers[i] = &messages[i];
    }
}

/* Returns the number of messages in all replies. */
static size_t make_script(const struct course *course)
{
    size_t given = 0;
    weir_error_init(&late);
    (void)weir_fail(&late, WEIR_DEADLINE_EXCEEDED, "too late");
    for (size_t i = 0; i < course->replies_n; i++) {
        const size_t n = course->replies[i];
        weir__v1__get_stream_messages_response__init(&pages[i]);
        pages[i].messages = pointers + given;
        pages[i].n_messages = n;
        given += n;
        pages[i].has_next_position = true;
        pages[i].next_position = (int64_t)given;
        script[i] = n == LATE ? (struct fake_action){FAKE_FAIL, NULL, &late}
                              : (struct fake_action){FAKE_ANSWER, &pages[i].base, NULL};
    }
    script[course->replies_n] = keep_silent;
    return given;
}

static int64_t asked(size_t i)
{
    const struct fake_request *request = fake_server_request(scripted.server, i);
    Weir__V1__GetStreamMessagesRequest *poll =
        weir__v1__get_stream_messages_request__unpack(NULL, request->payload_n, request->payload);
    ck_assert_ptr_nonnull(poll);
    const int64_t n = poll->batch_size;
    weir__v1__get_stream_messages_request__free_unpacked(poll, NULL);
    return n;
}

/* One attempt for each poll, so that a late reply ends it at once. */
START_TEST(a_subscription_asks_for_as_much_as_comes_in_time)
{
    const struct course *course = &courses[_i];
    is_reader = true;
    atomic_store(&ahead_us, course->takes_s * 1000000);
    make_messages();
    const size_t given = make_script(course);
    scripted_start(script, course->replies_n + 1);
    struct weir_subscription_options options = WEIR_SUBSCRIPTION_OPTIONS_INIT;
    options.stream_name = "account-1";
    options.batch_size = course->chosen;
    options.call.max_attempts = 1;
    options.call.timeout_ms = TIMEOUT_S * 1000;
    struct weir_subscription *sub = NULL;
    ck_assert_int_eq(weir_subscription_open(scripted.client, &options, &sub, &scripted.err),
                     WEIR_OK);
    for (size_t i = 0; i < given; i++) {
        const Weir__V1__Message *message = NULL;
        ck_assert_int_eq(weir_subscription_next(sub, UINT32_MAX, &message, &scripted.err), WEIR_OK);
        ck_assert_int_eq(message->position, (int64_t)i);
    }
    fake_server_await(scripted.server, course->replies_n + 1);
    for (size_t i = 0; i <= course->replies_n; i++) {
        ck_assert_int_eq(asked(i), course->asked[i]);
    }
    weir_subscription_close(sub);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("page sizes");
    TCase *tests = tcase_create("page sizes");
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, scripted_setup, scripted_teardown);
    tcase_add_loop_test(tests, a_subscription_asks_for_as_much_as_comes_in_time, 0,
                        WEIR_COUNTOF(courses));
    suite_add_tcase(suite, tests);
    return check_main(suite);
}
