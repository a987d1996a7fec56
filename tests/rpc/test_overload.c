/* Behaviour when the store hangs or fails, when there is more work than the server can do, and when
 * the server is stopped in the middle. */
#include "tests/rpc/rpc_fixture.h"

#include "tests/lib/check_main.h"
#include "tests/lib/fake_backend.h"
#include "weir/base/monotonic.h"

#include <poll.h>

enum { PENDING_MAX = 16, SESSIONS = 4, SHORT_MS = 50, ONE_AFTER_ANOTHER = 3000 };

static struct rpc_reply reply;
static struct rpc_pending pending[PENDING_MAX];

static void set_up(void)
{
    static const char *const arguments[] = {"--workers",   "2",     "--max-calls", "4",
                                            "--log-level", "error", NULL};
    fake_backend_reset();
    rpc_start_on(fake_store_open(SESSIONS), arguments);
}

static void tear_down(void)
{
    fake_gate_open();
    rpc_stop();
}

static struct weir_slice version_request_in(const char *namespace_id, uint32_t timeout_ms)
{
    static uint8_t room[1024];
    Weir__V1__GetStreamVersionRequest in = WEIR__V1__GET_STREAM_VERSION_REQUEST__INIT;
    in.stream_name = (char *)(uintptr_t) "s-1";
    const struct rpc_request request = {.method = "weir.v1.MessageStore/GetStreamVersion",
                                        .token = ADMIN_TOKEN,
                                        .namespace_id = namespace_id,
                                        .timeout_ms = timeout_ms,
                                        .message = &in.base};
    return rpc_pack(&request, room, sizeof room);
}

static struct weir_slice version_request(uint32_t timeout_ms)
{
    return version_request_in("default", timeout_ms);
}

static void begin_reads(size_t from, size_t to)
{
    for (size_t i = from; i < to; i++) {
        rpc_begin(&pending[i], version_request(0));
    }
}

static weir_status try_read(void)
{
    rpc_exchange(version_request(0), &reply);
    return reply.status;
}

/* ---- overload ---- */

START_TEST(a_call_too_many_is_refused_at_once)
{
    fake_gate_shut();
    begin_reads(0, 4);
    rpc_wait_in_flight(4);
    ck_assert_int_eq(try_read(), WEIR_LIMIT_EXCEEDED);
    ck_assert_str_eq(weir_error_get_detail(&reply.err, "limit"), "4");
    ck_assert_str_eq(weir_error_get_detail(&reply.err, "queue"), "calls in flight");
    ck_assert_ptr_nonnull(weir_error_get_detail(&reply.err, "actual"));
    rpc_free(&reply);
    fake_gate_open();
    rpc_end_all(pending, 4, WEIR_OK);
    ck_assert_int_eq(try_read(), WEIR_OK);
    rpc_free(&reply);
}
END_TEST

START_TEST(a_call_too_many_of_one_namespace_leaves_places_to_others)
{
    fake_gate_shut();
    begin_reads(0, 4);
    rpc_wait_in_flight(4);
    ck_assert_int_eq(try_read(), WEIR_LIMIT_EXCEEDED);
    rpc_free(&reply);
    rpc_begin(&pending[4], version_request_in("test", 0));
    rpc_wait_in_flight(5);
    ck_assert_int_eq(try_read(), WEIR_LIMIT_EXCEEDED);
    rpc_free(&reply);
    fake_gate_open();
    rpc_end_all(pending, 5, WEIR_OK);
}
END_TEST

/* A call whose reply has been sent is not in flight any more, although the server may still be
 * finishing it. */
START_TEST(as_many_calls_as_there_may_be_are_never_refused)
{
    static const char *const arguments[] = {"--max-calls", "1", NULL};
    rpc_start(arguments);
    const struct rpc_request request = {.method = "weir.v1.System/GetServerInfo"};
    for (size_t i = 0; i < ONE_AFTER_ANOTHER; i++) {
        rpc_call(&request, &reply);
        rpc_assert_status(&reply, WEIR_OK);
        rpc_free(&reply);
    }
}
END_TEST

enum { MOST_BYTES = 65536 };  // of a request

/* Returns a read request of `size` bytes, most of them in an unknown field. */
static struct weir_slice padded_request(size_t size, uint32_t timeout_ms)
{
    static uint8_t room[MOST_BYTES];
    const struct weir_slice request = version_request(timeout_ms);
    const size_t n = size - request.n - 5;
    ck_assert(n > 16384 && size <= sizeof room);
    memcpy(room, request.p, request.n);
    uint8_t *at = room + request.n;
    *at++ = 0xa2;
    *at++ = 0x06;
    *at++ = (uint8_t)(0x80 | (n & 0x7f));
    *at++ = (uint8_t)(0x80 | (n >> 7 & 0x7f));
    *at++ = (uint8_t)(n >> 14);
    memset(at, 0, n);
    return weir_slice(room, request.n + n + 5);
}

START_TEST(bytes_too_many_are_refused_at_once)
{
    static const char *const arguments[] = {
        "--workers", "2", "--max-request-bytes", "65536", "--max-message-bytes", "65536", NULL};
    fake_backend_reset();
    rpc_start_on(fake_store_open(SESSIONS), arguments);
    fake_gate_shut();
    for (size_t i = 0; i < 4; i++) {
        rpc_begin(&pending[i], padded_request(MOST_BYTES, 0));
    }
    rpc_wait_in_flight(4);
    rpc_exchange(padded_request(MOST_BYTES, 0), &reply);
    rpc_assert_status(&reply, WEIR_LIMIT_EXCEEDED);
    ck_assert_str_eq(weir_error_get_detail(&reply.err, "limit"), "262144");
    ck_assert_str_eq(weir_error_get_detail(&reply.err, "queue"), "bytes of requests in flight");
    rpc_free(&reply);
    /* A small request still fits, though there are as many bytes as there may be. */
    rpc_begin(&pending[4], version_request(0));
    rpc_wait_in_flight(5);
    fake_gate_open();
    rpc_end_all(pending, 5, WEIR_OK);
}
END_TEST

START_TEST(a_store_that_hangs_is_told_from_a_full_queue)
{
    fake_gate_shut();
    begin_reads(0, 4);
    rpc_wait_in_flight(4);
    weir_status st = WEIR_LIMIT_EXCEEDED;
    const int64_t until_us = weir_monotonic_us() + 10 * 1000 * 1000;
    while (st == WEIR_LIMIT_EXCEEDED && weir_monotonic_us() < until_us) {
        st = try_read();
        rpc_free(&reply);
        (void)poll(NULL, 0, 20);
    }
    ck_assert_int_eq(st, WEIR_BACKEND_UNAVAILABLE);
    fake_gate_open();
    rpc_end_all(pending, 4, WEIR_OK);
}
END_TEST

START_TEST(a_call_whose_deadline_passed_in_the_queue_is_not_begun)
{
    fake_gate_shut();
    begin_reads(0, 2);
    fake_gate_wait(2);
    const int64_t sent_us = weir_monotonic_us();
    rpc_begin(&pending[2], version_request(1));
    rpc_wait_in_flight(3);
    while (weir_monotonic_us() < sent_us + 5000) {
        (void)poll(NULL, 0, 1);
    }
    fake_gate_open();
    rpc_end_all(pending, 2, WEIR_OK);
    rpc_end(&pending[2], &reply);
    rpc_assert_status(&reply, WEIR_DEADLINE_EXCEEDED);
    rpc_free(&reply);
}
END_TEST

/* Checks that the request ends at its deadline while calls with more time block all workers. */
static void assert_ends_in_time(struct weir_slice request)
{
    uint8_t copy[32768];
    ck_assert_uint_le(request.n, sizeof copy);
    memcpy(copy, request.p, request.n);
    request.p = copy;
    fake_gate_shut();
    begin_reads(0, 2);
    fake_gate_wait(2);
    const int64_t sent_us = weir_monotonic_us();
    rpc_exchange(request, &reply);
    rpc_assert_status(&reply, WEIR_DEADLINE_EXCEEDED);
    ck_assert_int_ge(weir_monotonic_us() - sent_us, SHORT_MS * 1000);
    rpc_free(&reply);
    fake_gate_open();
    rpc_end_all(pending, 2, WEIR_OK);
}

START_TEST(a_call_ends_at_its_deadline_though_no_worker_is_free)
{
    assert_ends_in_time(version_request(SHORT_MS));
}
END_TEST

START_TEST(a_large_call_ends_at_its_deadline_though_no_worker_is_free)
{
    assert_ends_in_time(padded_request(17000, SHORT_MS));
}
END_TEST

START_TEST(a_write_ends_at_its_deadline_though_no_worker_is_free)
{
    rpc_exchange(rpc_write_request(0), &reply);  // loads the tenant and opens the namespace
    rpc_assert_status(&reply, WEIR_OK);
    rpc_free(&reply);
    assert_ends_in_time(rpc_write_request(SHORT_MS));
    rpc_exchange(rpc_write_request(0), &reply);
    rpc_assert_status(&reply, WEIR_OK);
    rpc_free(&reply);
    ck_assert_uint_eq(fake.groups, 2);
}
END_TEST

/* Calls with more time are served later, in order. */
START_TEST(who_has_time_left_keeps_his_place)
{
    fake_gate_shut();
    begin_reads(0, 2);
    fake_gate_wait(2);
    rpc_begin(&pending[2], padded_request(17000, 0));
    rpc_wait_in_flight(3);
    rpc_exchange(version_request(SHORT_MS), &reply);
    rpc_assert_status(&reply, WEIR_DEADLINE_EXCEEDED);
    rpc_free(&reply);
    while (weir_queue_length(&rpc.server->queue) != 1) {
        (void)poll(NULL, 0, 1);
    }
    fake_gate_open();
    rpc_end_all(pending, 3, WEIR_OK);
}
END_TEST

/* ---- a store that fails ---- */

START_TEST(the_stores_own_words_stay_in_the_log)
{
    fake_calls_fail(WEIR_BACKEND_ERROR);
    ck_assert_int_eq(try_read(), WEIR_BACKEND_ERROR);
    const char *ref = weir_error_get_detail(&reply.err, "ref");
    ck_assert_ptr_nonnull(ref);
    ck_assert_ptr_nonnull(strstr(reply.err.text, ref));
    ck_assert_ptr_null(strstr(reply.err.text, "as the test wants it"));
    rpc_free(&reply);
    fake_calls_fail(WEIR_BACKEND_UNAVAILABLE);
    ck_assert_int_eq(try_read(), WEIR_BACKEND_UNAVAILABLE);
    ck_assert_ptr_null(strstr(reply.err.text, "as the test wants it"));
    rpc_free(&reply);
    fake_calls_fail(WEIR_OK);
    ck_assert_int_eq(try_read(), WEIR_OK);
    rpc_free(&reply);
}
END_TEST

static weir_status fail_to_find(struct weir_namespace_record *record, struct weir_error *err)
{
    (void)record;
    return weir_fail(err, WEIR_BACKEND_ERROR, "as the test wants it");
}

/* Whether the token is valid is unknown, so the caller may retry. */
START_TEST(a_registry_that_fails_says_nothing_about_a_token)
{
    Weir__V1__GetStreamVersionRequest in = WEIR__V1__GET_STREAM_VERSION_REQUEST__INIT;
    in.stream_name = (char *)(uintptr_t) "s-1";
    const struct rpc_request requests[] = {
        {.method = "weir.v1.MessageStore/GetStreamVersion",
         .token = "ns_dGVzdA_0000000000000000000000000000000000000000000000000000000000000000",
         .message = &in.base},
        {.method = "weir.v1.MessageStore/GetStreamVersion",
         .token = ADMIN_TOKEN,
         .namespace_id = "test",
         .message = &in.base},
    };
    fake.find = fail_to_find;
    for (size_t i = 0; i < WEIR_COUNTOF(requests); i++) {
        rpc_call(&requests[i], &reply);
        rpc_assert_status(&reply, WEIR_BACKEND_UNAVAILABLE);
        rpc_free(&reply);
    }
}
END_TEST

static struct weir_slice health_request(void)
{
    static uint8_t room[64];
    const struct rpc_request request = {.method = "weir.v1.System/CheckHealth"};
    return rpc_pack(&request, room, sizeof room);
}

/* Returns whether the reply says SERVING, and frees the reply. */
static bool is_serving(void)
{
    rpc_assert_status(&reply, WEIR_OK);
    Weir__V1__CheckHealthResponse *health =
        rpc_unpack(&reply, &weir__v1__check_health_response__descriptor);
    const bool is = health->status == WEIR__V1__CHECK_HEALTH_RESPONSE__SERVING_STATUS__SERVING;
    ck_assert(is || health->status == WEIR__V1__CHECK_HEALTH_RESPONSE__SERVING_STATUS__NOT_SERVING);
    rpc_free_message(health);
    return is;
}

START_TEST(health_says_not_serving_and_succeeds)
{
    fake_calls_fail(WEIR_BACKEND_UNAVAILABLE);
    rpc_exchange(health_request(), &reply);
    ck_assert(!is_serving());
}
END_TEST

START_TEST(many_who_ask_for_health_are_one_to_the_store)
{
    enum { MANY = 200 };
    const int64_t before_us = weir_monotonic_us();
    for (size_t i = 0; i < MANY; i++) {
        rpc_exchange(health_request(), &reply);
        ck_assert(is_serving());
    }
    ck_assert_uint_le(fake.pings, 1 + (size_t)((weir_monotonic_us() - before_us) / 500000));
}
END_TEST

/* There are two workers, one of which must remain free. */
START_TEST(a_store_that_hangs_holds_one_of_those_who_ask_for_health)
{
    fake_gate_shut();
    rpc_begin(&pending[0], health_request());
    fake_gate_wait(1);
    for (size_t i = 1; i < 4; i++) {
        rpc_exchange(health_request(), &reply);
        ck_assert(is_serving());  // as at the last ping, when the store was opened
    }
    ck_assert_uint_eq(fake.pings, 1);
    rpc_end(&pending[0], &reply);
    ck_assert(!is_serving());
}
END_TEST

/* Simulates a hung disk, which ignores deadlines. */
START_TEST(a_store_that_never_answers_is_not_serving)
{
    enum { PING_MS = 1000 };
    fake.is_ping_endless = true;
    fake_gate_shut();
    rpc_begin(&pending[0], health_request());
    fake_gate_wait(1);
    (void)poll(NULL, 0, PING_MS + 1);
    rpc_exchange(health_request(), &reply);
    ck_assert(!is_serving());
    ck_assert_uint_eq(fake.pings, 1);
    fake_gate_open();
    rpc_end(&pending[0], &reply);
    ck_assert(is_serving());
}
END_TEST

START_TEST(writes_that_wait_become_one_group)
{
    const struct weir_slice bytes = rpc_write_request(0);
    fake_gate_shut();
    rpc_begin(&pending[0], bytes);
    fake_gate_wait(1);
    for (size_t i = 1; i < 4; i++) {
        rpc_begin(&pending[i], bytes);
    }
    rpc_wait_in_flight(4);
    /* The other worker moves the writes from the queue to the lane while the first waits at the
     * gate. */
    while (weir_queue_length(&rpc.server->queue) > 0) {
        (void)poll(NULL, 0, 1);
    }
    fake_gate_open();
    rpc_end_all(pending, 4, WEIR_OK);
    ck_assert_uint_ge(fake.groups, 2);
    ck_assert_uint_eq(fake.group_sizes[0], 1);
}
END_TEST

/* ---- on the spot ---- */

static void set_up_local(void)
{
    static const char *const arguments[] = {"--workers",   "2",     "--max-calls", "4",
                                            "--log-level", "error", NULL};
    fake_backend_reset();
    fake.is_local = true;
    rpc_start_on(fake_store_open(SESSIONS), arguments);
    /* The first call looks the token up and opens the namespace. Its reply leaves before its thread
     * is free. */
    ck_assert_int_eq(try_read(), WEIR_OK);
    rpc_free(&reply);
    while (rpc_is_spot_taken() || atomic_load(&rpc.server->in_flight) > 0) {
        (void)poll(NULL, 0, 1);
    }
}

static void tear_down_local(void)
{
    tear_down();
    fake.is_local = false;
}

static size_t count_at_gate(void)
{
    (void)pthread_mutex_lock(&fake.mutex);
    const size_t n = fake.at_gate;
    (void)pthread_mutex_unlock(&fake.mutex);
    return n;
}

START_TEST(one_call_at_a_time_blocks_a_thread_of_the_transport)
{
    fake_gate_shut();
    begin_reads(0, 4);
    fake_gate_wait(3);
    rpc_wait_in_flight(4);
    ck_assert(rpc_is_spot_taken());
    /* The server still receives requests and answers those that need no worker. */
    for (size_t i = 0; i < 8; i++) {
        ck_assert_int_eq(try_read(), WEIR_LIMIT_EXCEEDED);
        rpc_free(&reply);
    }
    ck_assert_uint_eq(count_at_gate(), 3);
    fake_gate_open();
    rpc_end_all(pending, 4, WEIR_OK);
}
END_TEST

/* For example an old file that is being migrated: only its own namespace waits. */
START_TEST(a_namespace_that_is_opened_for_long_holds_one_worker)
{
    (void)pthread_mutex_lock(&fake.mutex);
    fake.opens_wait = true;
    (void)pthread_mutex_unlock(&fake.mutex);
    fake_gate_shut();
    rpc_begin(&pending[0], version_request_in("test", 0));
    fake_gate_wait(1);
    while (rpc_is_spot_taken()) {
        (void)poll(NULL, 0, 1);
    }
    rpc_begin(&pending[1], version_request_in("test", 0));
    rpc_begin(&pending[2], version_request_in("test", 0));
    rpc_end_all(&pending[1], 2, WEIR_BACKEND_UNAVAILABLE);
    rpc_begin(&pending[1], version_request(0));
    rpc_begin(&pending[2], version_request(0));
    fake_gate_wait(3);  // one on the transport thread, one on the other worker
    fake_gate_open();
    rpc_end_all(pending, 3, WEIR_OK);
}
END_TEST

START_TEST(workers_serve_while_the_spot_is_blocked)
{
    fake_gate_shut();
    begin_reads(0, 1);
    fake_gate_wait(1);
    for (size_t i = 0; i < 8; i++) {
        rpc_assert_alive();
    }
    fake_gate_open();
    rpc_end_all(pending, 1, WEIR_OK);
}
END_TEST

/* It may take as long as the disk does. */
START_TEST(a_health_check_leaves_the_spot_free)
{
    fake_gate_shut();
    rpc_begin(&pending[0], health_request());
    fake_gate_wait(1);
    ck_assert(!rpc_is_spot_taken());
    fake_gate_open();
    rpc_end(&pending[0], &reply);
    ck_assert(is_serving());
}
END_TEST

START_TEST(a_leader_on_the_spot_hands_on_what_has_queued_up)
{
    const struct weir_slice bytes = rpc_write_request(0);
    fake_gate_shut();
    rpc_begin(&pending[0], bytes);
    fake_gate_wait(1);
    ck_assert(rpc_is_spot_taken());
    for (size_t i = 1; i < 4; i++) {
        rpc_begin(&pending[i], bytes);
    }
    rpc_wait_in_flight(4);
    fake_gate_open();
    rpc_end_all(pending, 4, WEIR_OK);
    ck_assert_uint_ge(fake.groups, 2);
    ck_assert_uint_eq(fake.group_sizes[0], 1);
}
END_TEST

/* ---- stopping ---- */

static atomic_bool is_stopped;

static void *stop(void *context)
{
    (void)context;
    atomic_store(&is_stopped, weir_server_stop(rpc.server, RPC_TIMEOUT_MS));
    return NULL;
}

START_TEST(stopping_answers_what_is_in_flight_and_refuses_the_rest)
{
    pthread_t thread;
    fake_gate_shut();
    begin_reads(0, 2);
    fake_gate_wait(2);
    ck_assert_int_eq(pthread_create(&thread, NULL, stop, NULL), 0);
    while (!atomic_load(&rpc.server->is_stopping)) {
        (void)poll(NULL, 0, 1);
    }
    ck_assert_int_eq(try_read(), WEIR_SHUTTING_DOWN);
    rpc_free(&reply);
    fake_gate_open();
    rpc_end_all(pending, 2, WEIR_OK);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    ck_assert(atomic_load(&is_stopped));
    rpc.server = NULL;
}
END_TEST

START_TEST(stopping_gives_up_on_a_store_that_hangs)
{
    fake_gate_shut();
    begin_reads(0, 1);
    fake_gate_wait(1);
    ck_assert(!weir_server_stop(rpc.server, 10));
    fake_gate_open();
    rpc_end_all(pending, 1, WEIR_OK);
}
END_TEST

static Suite *overload_suite(void)
{
    Suite *suite = suite_create("overload");
    TCase *tcase = tcase_create("store");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, a_call_too_many_is_refused_at_once);
    tcase_add_test(tcase, a_call_too_many_of_one_namespace_leaves_places_to_others);
    tcase_add_test(tcase, a_store_that_hangs_is_told_from_a_full_queue);
    tcase_add_test(tcase, a_call_whose_deadline_passed_in_the_queue_is_not_begun);
    tcase_add_test(tcase, a_call_ends_at_its_deadline_though_no_worker_is_free);
    tcase_add_test(tcase, a_large_call_ends_at_its_deadline_though_no_worker_is_free);
    tcase_add_test(tcase, a_write_ends_at_its_deadline_though_no_worker_is_free);
    tcase_add_test(tcase, who_has_time_left_keeps_his_place);
    tcase_add_test(tcase, the_stores_own_words_stay_in_the_log);
    tcase_add_test(tcase, a_registry_that_fails_says_nothing_about_a_token);
    tcase_add_test(tcase, health_says_not_serving_and_succeeds);
    tcase_add_test(tcase, many_who_ask_for_health_are_one_to_the_store);
    tcase_add_test(tcase, a_store_that_hangs_holds_one_of_those_who_ask_for_health);
    tcase_add_test(tcase, a_store_that_never_answers_is_not_serving);
    tcase_add_test(tcase, writes_that_wait_become_one_group);
    tcase_add_test(tcase, stopping_answers_what_is_in_flight_and_refuses_the_rest);
    tcase_add_test(tcase, stopping_gives_up_on_a_store_that_hangs);
    suite_add_tcase(suite, tcase);
    tcase = tcase_create("spot");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, set_up_local, tear_down_local);
    tcase_add_test(tcase, one_call_at_a_time_blocks_a_thread_of_the_transport);
    tcase_add_test(tcase, a_namespace_that_is_opened_for_long_holds_one_worker);
    tcase_add_test(tcase, workers_serve_while_the_spot_is_blocked);
    tcase_add_test(tcase, a_health_check_leaves_the_spot_free);
    tcase_add_test(tcase, a_leader_on_the_spot_hands_on_what_has_queued_up);
    tcase_add_test(tcase, stopping_answers_what_is_in_flight_and_refuses_the_rest);
    suite_add_tcase(suite, tcase);
    tcase = tcase_create("bytes");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, NULL, tear_down);
    tcase_add_test(tcase, as_many_calls_as_there_may_be_are_never_refused);
    tcase_add_test(tcase, bytes_too_many_are_refused_at_once);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return check_main(overload_suite());
}
