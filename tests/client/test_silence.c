/* A host that has vanished without closing its connections: they stay open, and nothing arrives any
 * more (client/lib/link.h). */
#include "client/lib/client.h"
#include "tests/client/relay.h"
#include "tests/client/scripted.h"
#include "tests/lib/check_main.h"
#include "weir/base/monotonic.h"

#include <poll.h>
#include <stdatomic.h>

enum { TRIES = 60, CALLS = 8 };

/* Limits for the silence of a socket: SHORT_US is exceeded at once, LONG_US by no test. */
#define SHORT_US INT64_C(1000)
#define LONG_US  INT64_C(3600000000)

static struct relay *relay;
static atomic_int ended_n;  // asynchronous calls that have ended
static atomic_int good_n;   // of those, successful ones
static const struct weir_call_options brief = {.timeout_ms = 200};

static void set_up(void)
{
    scripted_setup();
    atomic_store(&ended_n, 0);
    atomic_store(&good_n, 0);
    scripted.server = fake_server_start(&answer_version, 1);
    relay = relay_start(fake_server_url(scripted.server));
}

static void tear_down(void)
{
    weir_client_close(scripted.client);
    scripted.client = NULL;
    relay_stop(relay);
    scripted_teardown();
}

static struct links *links(void)
{
    return &scripted.client->links;
}

static uint64_t count_sockets(void)
{
    return atomic_load(&links()->number);
}

/* Opens a client and makes one successful call through the relay. */
static void open_client_of_relay(void)
{
    scripted_open_client(relay_url(relay), 10000);
    ck_assert_int_eq(scripted_get_version(NULL, NULL), WEIR_OK);
}

static void call_until_socket(uint64_t number)
{
    for (int i = 0; i < TRIES && count_sockets() < number; i++) {
        ck_assert_int_eq(scripted_get_version(&brief, NULL), WEIR_DEADLINE_EXCEEDED);
    }
    ck_assert_uint_eq(count_sockets(), number);
}

START_TEST(calls_go_over_a_new_connection_after_a_silent_one)
{
    open_client_of_relay();
    relay_silence(relay);
    ck_assert_int_eq(scripted_get_version(&brief, NULL), WEIR_DEADLINE_EXCEEDED);
    weir_status st = WEIR_DEADLINE_EXCEEDED;
    for (int i = 0; i < TRIES && st != WEIR_OK; i++) {
        st = scripted_get_version(&brief, NULL);
    }
    ck_assert_int_eq(st, WEIR_OK);
    ck_assert_uint_ge(relay_connections(relay), 2);
}
END_TEST

/* ---- calls on the silent connection ---- */

static void on_version(void *context, weir_status status,
                       Weir__V1__GetStreamVersionResponse *response, const struct weir_error *err)
{
    (void)context;
    (void)err;
    atomic_fetch_add(&good_n, status == WEIR_OK);
    weir_response_free(response);
    atomic_fetch_add(&ended_n, 1);
}

static void start_call(const struct weir_call_options *options)
{
    char stream[] = "account-1";
    Weir__V1__GetStreamVersionRequest request = WEIR__V1__GET_STREAM_VERSION_REQUEST__INIT;
    request.stream_name = stream;
    ck_assert_int_eq(weir_message_store_get_stream_version_async(scripted.client, &request, options,
                                                                 on_version, NULL, &scripted.err),
                     WEIR_OK);
}

static void await_calls(int n)
{
    while (atomic_load(&ended_n) < n) {
        (void)poll(NULL, 0, 1);
    }
    ck_assert_int_eq(atomic_load(&good_n), n);
}

/* Replaces the socket three times and makes a call over each new one. The first socket must stay
 * open for the call that waits on it, and that is not sent again. */
START_TEST(what_waits_on_a_silent_connection_is_answered_there)
{
    const struct weir_call_options patient = {.timeout_ms = 60000, .max_attempts = 1};
    open_client_of_relay();
    relay_silence(relay);
    start_call(&patient);
    for (uint64_t number = 2; number <= 4; number++) {
        atomic_store(&links()->silence_us, SHORT_US);
        call_until_socket(number);
        ck_assert_int_eq(scripted_get_version(NULL, NULL), WEIR_OK);
        relay_silence(relay);
    }
    ck_assert_int_eq(atomic_load(&ended_n), 0);
    const size_t requests_n = fake_server_requests(scripted.server);
    relay_resume(relay);
    await_calls(1);
    fake_server_await(scripted.server, requests_n + 1);
}
END_TEST

static void on_page(void *context, weir_status status,
                    Weir__V1__GetStreamMessagesResponse *response, const struct weir_error *err)
{
    (void)context;
    (void)err;
    atomic_fetch_add(&good_n, status == WEIR_OK && response->next_position == 41);
    weir_response_free(response);
    atomic_fetch_add(&ended_n, 1);
}

/* The version in the server's answer is the next position in that to a poll. */
static void start_poll(const struct weir_call_options *options)
{
    char stream[] = "account-1";
    Weir__V1__GetStreamMessagesRequest request = WEIR__V1__GET_STREAM_MESSAGES_REQUEST__INIT;
    struct weir_error err;
    weir_error_init(&err);
    request.stream_name = stream;
    request.has_wait_ms = true;
    request.wait_ms = 3000000;
    ck_assert_int_eq(weir_message_store_get_stream_messages_async(scripted.client, &request,
                                                                  options, on_page, NULL, &err),
                     WEIR_OK);
}

/* Its own deadline is far away; once calls are answered again, so is the poll. */
START_TEST(a_long_poll_moves_to_the_new_connection)
{
    scripted.version_response.has_exists = false;
    open_client_of_relay();
    relay_silence(relay);
    atomic_store(&links()->silence_us, SHORT_US);
    start_poll(NULL);
    call_until_socket(2);
    await_calls(1);
}
END_TEST

START_TEST(a_long_poll_that_may_not_be_sent_again_is_answered_where_it_waits)
{
    const struct weir_call_options once = {.max_attempts = 1};
    scripted.version_response.has_exists = false;
    open_client_of_relay();
    relay_silence(relay);
    atomic_store(&links()->silence_us, SHORT_US);
    start_poll(&once);
    call_until_socket(2);
    relay_resume(relay);
    await_calls(1);
}
END_TEST

static _Thread_local bool is_kept;  // this thread waits when it asks for the time
static atomic_bool is_waiting, may_go_on;

int64_t __real_weir_monotonic_us(void);
int64_t __wrap_weir_monotonic_us(void);

/* Relaxed, so that the thread sanitizer sees no order of the threads but the library's. */
int64_t __wrap_weir_monotonic_us(void)
{
    while (is_kept && !atomic_load_explicit(&may_go_on, memory_order_relaxed)) {
        atomic_store_explicit(&is_waiting, true, memory_order_relaxed);
        (void)poll(NULL, 0, 1);
    }
    return __real_weir_monotonic_us();
}

static void *poll_in_thread(void *context)
{
    is_kept = true;
    start_poll(NULL);
    return context;
}

static void await_idle(void)
{
    size_t n = 1;
    while (n > 0) {
        (void)poll(NULL, 0, 1);
        (void)pthread_mutex_lock(&scripted.client->mutex);
        n = scripted.client->in_flight_n;
        (void)pthread_mutex_unlock(&scripted.client->mutex);
    }
}

/* Its thread writes, without a lock, what is read of a poll that waits: the thread sanitizer would
 * tell. The memory is that of a call that has ended. */
START_TEST(a_poll_that_is_being_prepared_is_not_looked_at)
{
    pthread_t thread;
    scripted.version_response.has_exists = false;
    open_client_of_relay();
    start_call(NULL);
    await_calls(1);
    await_idle();
    relay_silence(relay);
    atomic_store(&links()->silence_us, SHORT_US);
    ck_assert_int_eq(pthread_create(&thread, NULL, poll_in_thread, NULL), 0);
    while (!atomic_load_explicit(&is_waiting, memory_order_relaxed)) {
        (void)poll(NULL, 0, 1);
    }
    call_until_socket(2);
    atomic_store_explicit(&may_go_on, true, memory_order_relaxed);
    (void)pthread_join(thread, NULL);
    await_calls(2);
}
END_TEST

/* ---- no silence ---- */

START_TEST(an_answer_ends_the_silence)
{
    open_client_of_relay();
    ck_assert_int_eq(atomic_load(&links()->silent_since_us), 0);
    atomic_store(&links()->silence_us, LONG_US);
    relay_silence(relay);
    ck_assert_int_eq(scripted_get_version(&brief, NULL), WEIR_DEADLINE_EXCEEDED);
    ck_assert_int_ne(atomic_load(&links()->silent_since_us), 0);
    relay_resume(relay);
    ck_assert_int_eq(scripted_get_version(NULL, NULL), WEIR_OK);
    ck_assert_int_eq(atomic_load(&links()->silent_since_us), 0);
    ck_assert_uint_eq(count_sockets(), 1);
}
END_TEST

/* While a large request is in flight the socket may be silent for longer: sending takes time. */
START_TEST(a_large_request_is_given_longer)
{
    open_client_of_relay();
    const struct links_sent small = {.number = 1, .bytes = 100};
    const struct links_sent large = {.number = 1, .bytes = 64 << 20};
    links_note_sent(links(), small);
    atomic_store(&links()->silent_since_us, weir_monotonic_us() - 10000000);
    ck_assert(links_is_silent(links(), small));
    links_note_sent(links(), large);
    ck_assert(!links_is_silent(links(), small));
    links_note_ended(links(), large, false);
    links_note_ended(links(), small, false);
}
END_TEST

/* The server may only be slow. */
START_TEST(a_socket_after_a_silent_one_is_given_longer)
{
    open_client_of_relay();
    relay_silence(relay);
    atomic_store(&links()->silence_us, SHORT_US);
    call_until_socket(2);
    ck_assert_int_eq(atomic_load(&links()->silence_us), 2 * SHORT_US);
    ck_assert_int_eq(scripted_get_version(NULL, NULL), WEIR_OK);
    ck_assert_int_gt(atomic_load(&links()->silence_us), 1000 * SHORT_US);
}
END_TEST

/* ---- no connection ---- */

/* TCP retries at growing intervals if nothing comes back at all. */
START_TEST(a_socket_that_never_connects_is_replaced)
{
    open_client_of_relay();
    relay_close(relay);
    weir_client_close(scripted.client);
    scripted_open_client(relay_url(relay), 10000);
    atomic_store(&links()->waiting_since_us, weir_monotonic_us() - 10000000);
    ck_assert(links_has_waited(links()));
    links_replace_lost(links(), UINT64_MAX);
    ck_assert_uint_eq(count_sockets(), 1);
    atomic_store(&links()->waiting_since_us, weir_monotonic_us() - 40000000);
    ck_assert(links_has_waited(links()));
    links_replace_lost(links(), UINT64_MAX);
    ck_assert_uint_eq(count_sockets(), 2);
    relay_open(relay);
    ck_assert_int_eq(scripted_get_version(NULL, NULL), WEIR_OK);
}
END_TEST

static bool is_replaced_after(int64_t waited_us)
{
    const uint64_t before = count_sockets();
    atomic_store(&links()->waiting_since_us, weir_monotonic_us() - waited_us);
    ck_assert(links_has_waited(links()));
    links_replace_lost(links(), UINT64_MAX);
    return count_sockets() > before;
}

/* nng dials a Unix domain socket no more once it has met a server at its end there. */
START_TEST(a_unix_socket_that_never_connects_is_replaced_soon_and_then_more_rarely)
{
    scripted_open_client("ipc:///nonexistent/weir", 10000);
    ck_assert(is_replaced_after(2000000));
    ck_assert(!is_replaced_after(2000000));
    ck_assert(is_replaced_after(4000000));
    for (int64_t waited_us = 8000000; waited_us <= 32000000; waited_us *= 2) {
        ck_assert(is_replaced_after(waited_us));
    }
    for (int i = 0; i < 3; i++) {
        ck_assert(!is_replaced_after(28000000));
        ck_assert(is_replaced_after(31000000));
    }
}
END_TEST

/* A request that waits for a connection has not been sent, so the wait does not count as an
 * attempt. */
START_TEST(what_waits_for_a_connection_goes_on_waiting_on_another_socket)
{
    const struct weir_call_options single = {.timeout_ms = 60000, .max_attempts = 1};
    open_client_of_relay();
    relay_close(relay);
    while (scripted_get_version(&brief, NULL) != WEIR_BACKEND_UNAVAILABLE ||
           strstr(scripted.err.text, "no free connection") == NULL) {
    }
    for (int i = 0; i < CALLS; i++) {
        start_call(&single);
        (void)poll(NULL, 0, 50);
    }
    while (count_sockets() == 1 && atomic_load(&ended_n) == 0) {
        (void)poll(NULL, 0, 1);
    }
    relay_open(relay);
    await_calls(CALLS);
    ck_assert_uint_eq(count_sockets(), 2);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("silence");
    TCase *tests = tcase_create("silence");
    tcase_set_timeout(tests, 120);
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, calls_go_over_a_new_connection_after_a_silent_one);
    tcase_add_test(tests, what_waits_on_a_silent_connection_is_answered_there);
    tcase_add_test(tests, a_long_poll_moves_to_the_new_connection);
    tcase_add_test(tests, a_long_poll_that_may_not_be_sent_again_is_answered_where_it_waits);
    tcase_add_test(tests, a_poll_that_is_being_prepared_is_not_looked_at);
    tcase_add_test(tests, an_answer_ends_the_silence);
    tcase_add_test(tests, a_large_request_is_given_longer);
    tcase_add_test(tests, a_socket_after_a_silent_one_is_given_longer);
    tcase_add_test(tests, a_socket_that_never_connects_is_replaced);
    tcase_add_test(tests, a_unix_socket_that_never_connects_is_replaced_soon_and_then_more_rarely);
    tcase_add_test(tests, what_waits_for_a_connection_goes_on_waiting_on_another_socket);
    suite_add_tcase(suite, tests);
    return check_main(suite);
}
