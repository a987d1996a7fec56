/* Small reads on a store that serves them in groups. */
#include "tests/rpc/rpc_fixture.h"

#include "tests/lib/check_main.h"
#include "tests/lib/fake_backend.h"

#include <poll.h>

enum { PENDING_MAX = 16, SESSIONS = 8, SHORT_MS = 300, LONG_MS = 15000 };

static struct rpc_reply reply;
static struct rpc_pending pending[PENDING_MAX];

static void set_up_with(const char *workers)
{
    const char *const arguments[] = {"--workers", workers, "--log-level", "error", NULL};
    fake_backend_reset();
    fake.base.groups_reads = true;
    rpc_start_on(fake_store_open(SESSIONS), arguments);
}

/* One namespace gets six of them. */
static void set_up(void)
{
    set_up_with("8");
}

static void set_up_more_workers_than_leaders(void)
{
    set_up_with("12");
}

static void tear_down(void)
{
    fake_gate_open();
    rpc_stop();
}

static struct weir_slice pack_read(Weir__V1__GetCategoryMessagesRequest *in, int64_t batch,
                                   uint32_t timeout_ms)
{
    static uint8_t room[1024];
    in->category = (char *)(uintptr_t) "s";
    in->has_batch_size = true;
    in->batch_size = batch;
    const struct rpc_request request = {.method = "weir.v1.MessageStore/GetCategoryMessages",
                                        .token = ADMIN_TOKEN,
                                        .namespace_id = "default",
                                        .timeout_ms = timeout_ms,
                                        .message = &in->base};
    return rpc_pack(&request, room, sizeof room);
}

static struct weir_slice category_request_within(int64_t batch, uint32_t timeout_ms)
{
    Weir__V1__GetCategoryMessagesRequest in = WEIR__V1__GET_CATEGORY_MESSAGES_REQUEST__INIT;
    return pack_read(&in, batch, timeout_ms);
}

static struct weir_slice poll_request(void)
{
    Weir__V1__GetCategoryMessagesRequest in = WEIR__V1__GET_CATEGORY_MESSAGES_REQUEST__INIT;
    in.has_wait_ms = true;
    in.wait_ms = LONG_MS;
    return pack_read(&in, 10, 0);
}

static struct weir_slice category_request(int64_t batch)
{
    return category_request_within(batch, 0);
}

static void begin_reads(size_t from, size_t to)
{
    for (size_t i = from; i < to; i++) {
        rpc_begin(&pending[i], category_request(10));
    }
}

/* Waits until the transport thread is free: the reply leaves before the thread has recorded the
 * time and released itself. */
static void wait_for_spot(void)
{
    while (rpc_is_spot_taken()) {
        (void)poll(NULL, 0, 1);
    }
}

/* Makes the store seem quick. The first read is led by a worker, which may record its time at any
 * later moment. */
static void warm_up(void)
{
    for (int i = 0; i < 3; i++) {
        rpc_exchange(category_request(10), &reply);
        rpc_assert_status(&reply, WEIR_OK);
        rpc_free(&reply);
        wait_for_spot();
    }
    (void)pthread_mutex_lock(&fake.mutex);
    fake.read_groups = 0;
    (void)pthread_mutex_unlock(&fake.mutex);
}

/* Returns the number of reads the store was given, and the size of the largest group. */
static size_t count_reads(size_t *most)
{
    size_t n = 0;
    *most = 0;
    (void)pthread_mutex_lock(&fake.mutex);
    for (size_t g = 0; g < fake.read_groups; g++) {
        n += fake.read_group_sizes[g];
        *most = fake.read_group_sizes[g] > *most ? fake.read_group_sizes[g] : *most;
    }
    (void)pthread_mutex_unlock(&fake.mutex);
    return n;
}

/* Returns the size of the largest group among reads that arrive while others are in progress. On a
 * slow machine the store may seem slow, and reads of a slow store are not grouped; the preceding
 * quick reads compensate. */
static size_t most_together(void)
{
    for (int i = 0; i < 100; i++) {
        warm_up();
    }
    fake_gate_shut();
    begin_reads(0, 2);
    fake_gate_wait(1);  // the leader of the previous read may still be finishing
    begin_reads(2, 12);
    rpc_wait_in_flight(12);
    (void)poll(NULL, 0, 5);  // time for the reads to join their lane
    fake_gate_open();
    rpc_end_all(pending, 12, WEIR_OK);
    size_t most = 0;
    ck_assert_uint_eq(count_reads(&most), 12);
    return most;
}

START_TEST(reads_that_come_meanwhile_go_together)
{
    size_t most = 0;
    for (int tries = 0; most <= 4 && tries < 20; tries++) {
        most = most_together();
    }
    ck_assert_uint_gt(most, 4);
}
END_TEST

START_TEST(each_hears_of_a_failure)
{
    warm_up();
    fake_gate_shut();
    begin_reads(0, 8);
    fake_gate_wait(1);
    fake_calls_fail(WEIR_BACKEND_UNAVAILABLE);
    fake_gate_open();
    rpc_end_all(pending, 8, WEIR_BACKEND_UNAVAILABLE);
}
END_TEST

/* Starts reads one after the other, each of which gets a thread of its own as leader; the first
 * gets the transport thread unless the machine is slow. */
static void hang(size_t reads)
{
    for (size_t i = 0; i < reads; i++) {
        begin_reads(i, i + 1);
        fake_gate_wait(i + 1);
        (void)poll(NULL, 0, 40);
    }
}

/* Each hanging read blocks its leader; the next read gets another one. */
START_TEST(a_read_does_not_wait_for_those_that_hang)
{
    warm_up();
    fake_gate_shut();
    hang(5);
    fake_gate_open();
    rpc_end_all(pending, 5, WEIR_OK);
}
END_TEST

/* No later read brings a leader. Where the machine is slow they may seem to hang before. */
START_TEST(reads_queued_before_their_leaders_seem_to_hang_get_another)
{
    warm_up();
    fake_gate_shut();
    begin_reads(0, 1);
    fake_gate_wait(1);  // else a leader could take all reads as its group
    begin_reads(1, 2);
    fake_gate_wait(2);
    begin_reads(2, 6);
    fake_gate_wait(3);
    fake_gate_open();
    rpc_end_all(pending, 6, WEIR_OK);
}
END_TEST

/* Some reads wait for a leader, others for a worker that leads. Reads with more time, and later
 * ones, are served in the end. */
START_TEST(reads_end_at_their_deadline_though_all_leaders_hang)
{
    warm_up();
    fake_gate_shut();
    hang(7);  // on the transport thread and on all workers that the namespace gets
    for (size_t i = 7; i < 15; i++) {
        rpc_begin(&pending[i], category_request_within(10, i % 2 == 1 ? SHORT_MS : 0));
        (void)poll(NULL, 0, 25);
    }
    for (size_t i = 7; i < 15; i += 2) {
        rpc_end_all(&pending[i], 1, WEIR_DEADLINE_EXCEEDED);
    }
    fake_gate_open();
    rpc_end_all(pending, 7, WEIR_OK);
    for (size_t i = 8; i < 15; i += 2) {
        rpc_end_all(&pending[i], 1, WEIR_OK);
    }
    for (size_t i = 0; i < 20; i++) {
        rpc_exchange(category_request(10), &reply);
        rpc_assert_status(&reply, WEIR_OK);
        rpc_free(&reply);
    }
}
END_TEST

/* There are enough workers; the hanging leaders must answer the reads queued behind them. */
START_TEST(a_read_ends_at_its_deadline_though_its_leaders_hang)
{
    warm_up();
    fake_gate_shut();
    hang(8);
    rpc_begin(&pending[8], category_request(10));
    rpc_begin(&pending[9], category_request_within(10, SHORT_MS));
    rpc_end_all(&pending[9], 1, WEIR_DEADLINE_EXCEEDED);
    fake_gate_open();
    rpc_end_all(pending, 9, WEIR_OK);
}
END_TEST

/* ---- on the spot ---- */

/* Returns whether the next read is led by the transport thread that received it. */
static bool is_led_on_the_spot(void)
{
    fake_gate_shut();
    begin_reads(0, 1);
    fake_gate_wait(1);
    const bool is_taken = rpc_is_spot_taken();
    fake_gate_open();
    rpc_end_all(pending, 1, WEIR_OK);
    return is_taken;
}

/* Workers answer the other requests meanwhile. */
START_TEST(a_read_of_a_quick_store_is_led_on_the_spot)
{
    for (int i = 0; i < 100; i++) {
        warm_up();  // compensates for a slow machine
    }
    fake_gate_shut();
    begin_reads(0, 1);
    fake_gate_wait(1);
    ck_assert(rpc_is_spot_taken());
    begin_reads(1, 2);
    fake_gate_wait(2);
    for (size_t i = 0; i < 8; i++) {
        rpc_assert_alive();
    }
    fake_gate_open();
    rpc_end_all(pending, 2, WEIR_OK);
    wait_for_spot();
}
END_TEST

/* The transport cannot release a connection while its thread is blocked. */
START_TEST(what_hangs_on_the_spot_becomes_a_workers)
{
    for (int i = 0; i < 100; i++) {
        warm_up();
    }
    fake_gate_shut();
    begin_reads(0, 1);
    fake_gate_wait(1);
    ck_assert(rpc_is_spot_taken());
    wait_for_spot();
    fake_gate_wait(1);
    fake_gate_open();
    rpc_end_all(pending, 1, WEIR_OK);
}
END_TEST

/* The deadline of the read itself applies. */
START_TEST(what_hangs_on_the_spot_ends_at_its_deadline)
{
    for (int i = 0; i < 100; i++) {
        warm_up();
    }
    fake_gate_shut();
    rpc_begin(&pending[0], category_request_within(10, SHORT_MS));
    rpc_end_all(pending, 1, WEIR_DEADLINE_EXCEEDED);
}
END_TEST

/* Rotates the token, which makes every waiting call of the namespace check again. */
static void rotate_token(void)
{
    Weir__V1__RotateTokenRequest in = WEIR__V1__ROTATE_TOKEN_REQUEST__INIT;
    in.namespace_ = (char *)(uintptr_t) "default";
    const struct rpc_request request = {
        .method = "weir.v1.Namespaces/RotateToken", .token = ADMIN_TOKEN, .message = &in.base};
    rpc_call(&request, &reply);
    rpc_assert_status(&reply, WEIR_OK);
    rpc_free(&reply);
}

/* The next read could block the transport thread too. */
START_TEST(a_read_that_is_woken_on_the_spot_is_the_workers)
{
    for (int i = 0; i < 100; i++) {
        warm_up();
    }
    fake_gate_shut();
    (void)pthread_mutex_lock(&fake.mutex);
    fake.heads_pass = true;  // keeps other calls away from the gate
    (void)pthread_mutex_unlock(&fake.mutex);
    rpc_begin(&pending[0], poll_request());
    fake_gate_wait(1);
    ck_assert(rpc_is_spot_taken());
    rotate_token();
    fake_gate_let_one_through();
    fake_gate_wait(1);  // the poll reads again
    for (int i = 0; i < SHORT_MS && rpc_is_spot_taken(); i++) {
        (void)poll(NULL, 0, 10);
    }
    ck_assert(!rpc_is_spot_taken());
    fake_calls_fail(WEIR_BACKEND_UNAVAILABLE);
    fake_gate_open();
    rpc_end_all(pending, 1, WEIR_BACKEND_UNAVAILABLE);
}
END_TEST

/* The first read may have to connect, although another call has already opened the namespace. */
START_TEST(the_first_read_is_a_workers)
{
    Weir__V1__GetStreamVersionRequest in = WEIR__V1__GET_STREAM_VERSION_REQUEST__INIT;
    in.stream_name = (char *)(uintptr_t) "s-1";
    const struct rpc_request request = {.method = "weir.v1.MessageStore/GetStreamVersion",
                                        .token = ADMIN_TOKEN,
                                        .namespace_id = "default",
                                        .message = &in.base};
    rpc_call(&request, &reply);
    rpc_assert_status(&reply, WEIR_OK);
    rpc_free(&reply);
    ck_assert(!is_led_on_the_spot());
}
END_TEST

START_TEST(reads_of_a_slow_store_are_the_workers)
{
    warm_up();
    fake_gate_shut();
    begin_reads(0, 1);
    fake_gate_wait(1);
    (void)poll(NULL, 0, SHORT_MS);
    fake_gate_open();
    rpc_end_all(pending, 1, WEIR_OK);
    wait_for_spot();
    ck_assert(!is_led_on_the_spot());
}
END_TEST

START_TEST(a_large_read_goes_alone)
{
    warm_up();
    rpc_exchange(category_request(1000), &reply);
    rpc_assert_status(&reply, WEIR_OK);
    rpc_free(&reply);
    size_t most = 0;
    ck_assert_uint_eq(count_reads(&most), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("rpc_reading");
    TCase *tcase = tcase_create("a store that groups reads");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, reads_that_come_meanwhile_go_together);
    tcase_add_test(tcase, each_hears_of_a_failure);
    tcase_add_loop_test(tcase, reads_queued_before_their_leaders_seem_to_hang_get_another, 0, 3);
    tcase_add_test(tcase, a_read_does_not_wait_for_those_that_hang);
    tcase_add_test(tcase, reads_end_at_their_deadline_though_all_leaders_hang);
    tcase_add_test(tcase, a_read_of_a_quick_store_is_led_on_the_spot);
    tcase_add_test(tcase, what_hangs_on_the_spot_becomes_a_workers);
    tcase_add_test(tcase, what_hangs_on_the_spot_ends_at_its_deadline);
    tcase_add_test(tcase, a_read_that_is_woken_on_the_spot_is_the_workers);
    tcase_add_test(tcase, the_first_read_is_a_workers);
    tcase_add_test(tcase, reads_of_a_slow_store_are_the_workers);
    tcase_add_test(tcase, a_large_read_goes_alone);
    suite_add_tcase(suite, tcase);
    tcase = tcase_create("more workers than leaders");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, set_up_more_workers_than_leaders, tear_down);
    tcase_add_test(tcase, a_read_ends_at_its_deadline_though_its_leaders_hang);
    suite_add_tcase(suite, tcase);
    return check_main(suite);
}
