/* Reads that may examine much and return little, on a slow store. */
#include "tests/rpc/rpc_fixture.h"

#include "tests/lib/check_main.h"
#include "tests/lib/fake_backend.h"

#include <poll.h>

enum { PENDING_MAX = 4, SESSIONS = 4, SHORT_MS = 50 };

static struct rpc_reply reply;
static struct rpc_pending pending[PENDING_MAX];

static const char *namespace_id = "default";  // of the next requests

static char *a_type[] = {(char *)(uintptr_t) "T"};

static struct weir_slice pack(const char *method, const ProtobufCMessage *message,
                              uint32_t timeout_ms)
{
    static uint8_t room[1024];
    const struct rpc_request request = {.method = method,
                                        .token = ADMIN_TOKEN,
                                        .namespace_id = namespace_id,
                                        .timeout_ms = timeout_ms,
                                        .message = message};
    return rpc_pack(&request, room, sizeof room);
}

/* ---- the reads ---- */

static struct weir_slice of_types(uint32_t timeout_ms)
{
    Weir__V1__GetCategoryMessagesRequest in = WEIR__V1__GET_CATEGORY_MESSAGES_REQUEST__INIT;
    in.types = a_type;
    in.n_types = 1;
    return pack("weir.v1.MessageStore/GetCategoryMessages", &in.base, timeout_ms);
}

/* A read that wants no message, only the position of the newest one of the type. */
static struct weir_slice of_a_start(uint32_t timeout_ms)
{
    Weir__V1__GetCategoryMessagesRequest in = WEIR__V1__GET_CATEGORY_MESSAGES_REQUEST__INIT;
    in.types = a_type;
    in.n_types = 1;
    in.has_batch_size = true;
    in.batch_size = 0;
    in.has_direction = true;
    in.direction = WEIR__V1__DIRECTION__BACKWARD;
    return pack("weir.v1.MessageStore/GetCategoryMessages", &in.base, timeout_ms);
}

static struct weir_slice of_the_last(uint32_t timeout_ms)
{
    Weir__V1__GetLastStreamMessageRequest in = WEIR__V1__GET_LAST_STREAM_MESSAGE_REQUEST__INIT;
    in.stream_name = (char *)(uintptr_t) "s-1";
    in.type = a_type[0];
    return pack("weir.v1.MessageStore/GetLastStreamMessage", &in.base, timeout_ms);
}

static struct weir_slice from_a_global_position(uint32_t timeout_ms)
{
    Weir__V1__GetStreamMessagesRequest in = WEIR__V1__GET_STREAM_MESSAGES_REQUEST__INIT;
    in.stream_name = (char *)(uintptr_t) "s-1";
    in.has_global_position = true;
    in.global_position = 7;
    return pack("weir.v1.MessageStore/GetStreamMessages", &in.base, timeout_ms);
}

/* A read that examines little and waits for a worker like any other call. */
static struct weir_slice of_all(uint32_t timeout_ms)
{
    Weir__V1__GetCategoryMessagesRequest in = WEIR__V1__GET_CATEGORY_MESSAGES_REQUEST__INIT;
    return pack("weir.v1.MessageStore/GetCategoryMessages", &in.base, timeout_ms);
}

static struct weir_slice (*const slow_reads[])(uint32_t timeout_ms) = {
    of_types, of_a_start, of_the_last, from_a_global_position};

/* ---- other calls of the transport thread ---- */

static struct weir_slice of_a_stream(uint32_t timeout_ms)
{
    Weir__V1__GetStreamMessagesRequest in = WEIR__V1__GET_STREAM_MESSAGES_REQUEST__INIT;
    in.stream_name = (char *)(uintptr_t) "s-1";
    return pack("weir.v1.MessageStore/GetStreamMessages", &in.base, timeout_ms);
}

static struct weir_slice of_few(uint32_t timeout_ms)
{
    Weir__V1__GetStreamMessagesRequest in = WEIR__V1__GET_STREAM_MESSAGES_REQUEST__INIT;
    in.stream_name = (char *)(uintptr_t) "s-1";
    in.has_batch_size = true;
    in.batch_size = 1;
    return pack("weir.v1.MessageStore/GetStreamMessages", &in.base, timeout_ms);
}

static struct weir_slice of_a_version(uint32_t timeout_ms)
{
    Weir__V1__GetStreamVersionRequest in = WEIR__V1__GET_STREAM_VERSION_REQUEST__INIT;
    in.stream_name = (char *)(uintptr_t) "s-1";
    return pack("weir.v1.MessageStore/GetStreamVersion", &in.base, timeout_ms);
}

/* Served by a worker only, and without the gate. */
static struct weir_slice of_no_namespace(uint32_t timeout_ms)
{
    Weir__V1__GetNamespaceRequest in = WEIR__V1__GET_NAMESPACE_REQUEST__INIT;
    in.namespace_ = (char *)(uintptr_t) "none";
    return pack("weir.v1.Namespaces/GetNamespace", &in.base, timeout_ms);
}

static struct weir_slice of_streams(uint32_t timeout_ms)
{
    Weir__V1__ListStreamsRequest in = WEIR__V1__LIST_STREAMS_REQUEST__INIT;
    return pack("weir.v1.Namespaces/ListStreams", &in.base, timeout_ms);
}

static struct weir_slice of_categories(uint32_t timeout_ms)
{
    Weir__V1__ListCategoriesRequest in = WEIR__V1__LIST_CATEGORIES_REQUEST__INIT;
    return pack("weir.v1.Namespaces/ListCategories", &in.base, timeout_ms);
}

static struct weir_slice (*const calls_of_the_spot[])(uint32_t timeout_ms) = {
    of_types,    of_a_start,   of_the_last, from_a_global_position, of_all, of_few,
    of_a_stream, of_a_version, of_streams,  of_categories};

/* ---- turns ---- */

static void set_up_with(bool is_local)
{
    static const char *const arguments[] = {"--workers", "2", "--log-level", "error", NULL};
    fake_backend_reset();
    fake.is_local = is_local;
    rpc_start_on(fake_store_open(SESSIONS), arguments);
}

static void set_up(void)
{
    set_up_with(false);
}

static void tear_down(void)
{
    fake_gate_open();
    rpc_stop();
    fake.is_local = false;
}

/* Starts three slow reads: one has the turn, two wait for it. */
static void begin_three(int i, uint32_t last_timeout_ms)
{
    fake_gate_shut();
    rpc_begin(&pending[0], slow_reads[i](0));
    rpc_begin(&pending[1], slow_reads[i](0));
    rpc_begin(&pending[2], slow_reads[i](last_timeout_ms));
    fake_gate_wait(1);
    rpc_wait_in_flight(3);
}

/* Owners of slow reads that wait. */
static size_t waiting_lines(void)
{
    struct weir_slow_reads *reads = &rpc.server->slow_reads;
    size_t n = 0;
    (void)pthread_mutex_lock(&reads->lock);
    for (struct weir_link *at = reads->turns.waiting.next; at != &reads->turns.waiting;
         at = at->next) {
        n++;
    }
    (void)pthread_mutex_unlock(&reads->lock);
    return n;
}

START_TEST(slow_reads_leave_a_worker_for_others)
{
    begin_three(_i, 0);
    rpc_assert_alive();
    fake_gate_open();
    rpc_end_all(pending, 3, WEIR_OK);
}
END_TEST

/* Two reads of namespace `default` wait when the one of `test` comes, and one of them goes first.
 */
START_TEST(namespaces_take_turns)
{
    begin_three(_i, 0);
    namespace_id = "test";
    rpc_begin(&pending[3], slow_reads[_i](0));
    namespace_id = "default";
    rpc_wait_in_flight(4);
    while (waiting_lines() < 2) {
        (void)poll(NULL, 0, 1);
    }
    fake_gate_let_one_through();
    fake_gate_let_one_through();
    fake_gate_let_one_through();
    rpc_end_all(&pending[3], 1, WEIR_OK);
    fake_gate_open();
    rpc_end_all(pending, 3, WEIR_OK);
}
END_TEST

START_TEST(a_long_read_ends_at_its_deadline_though_it_has_no_turn)
{
    begin_three(_i, SHORT_MS);
    rpc_end_all(&pending[2], 1, WEIR_DEADLINE_EXCEEDED);
    fake_gate_open();
    rpc_end_all(pending, 2, WEIR_OK);
    rpc_exchange(slow_reads[_i](0), &reply);  // the turn has not been lost
    rpc_assert_status(&reply, WEIR_OK);
    rpc_free(&reply);
}
END_TEST

/* ---- on the spot ---- */

/* The first call looks the token up and opens the namespace. Its reply leaves before its thread is
 * free. */
static void set_up_local(void)
{
    set_up_with(true);
    rpc_exchange(of_types(0), &reply);
    rpc_assert_status(&reply, WEIR_OK);
    rpc_free(&reply);
    while (rpc_is_spot_taken() || atomic_load(&rpc.server->in_flight) > 0) {
        (void)poll(NULL, 0, 1);
    }
}

static void wait_until_spot_is_free(void)
{
    while (rpc_is_spot_taken()) {
        (void)poll(NULL, 0, 1);
    }
}

/* Makes a slow read move from the transport thread to a worker; it then takes the turn. */
static void leave_the_spot(struct weir_slice request)
{
    fake_gate_shut();
    rpc_begin(&pending[0], request);
    fake_gate_wait(1);
    wait_until_spot_is_free();
    fake_gate_wait(1);  // a worker has the read
    fake_gate_open();
    rpc_end_all(pending, 1, WEIR_OK);
}

START_TEST(what_takes_long_leaves_the_spot)
{
    leave_the_spot(calls_of_the_spot[_i](0));
}
END_TEST

/* The first call occupies the transport thread until its deadline, the others both workers. */
static void take_all_workers(void)
{
    fake_gate_shut();
    rpc_begin(&pending[0], of_a_version(SHORT_MS));
    fake_gate_wait(1);
    rpc_begin(&pending[1], of_a_version(0));
    rpc_begin(&pending[2], of_a_version(0));
    rpc_end_all(pending, 1, WEIR_DEADLINE_EXCEEDED);
    fake_gate_wait(2);
    wait_until_spot_is_free();
}

/* There is one turn, which the first read has when it has left the transport thread. */
START_TEST(reads_that_have_turned_out_long_leave_a_worker_for_others)
{
    fake_gate_shut();
    rpc_begin(&pending[0], of_all(0));
    fake_gate_wait(1);
    wait_until_spot_is_free();
    rpc_begin(&pending[1], of_all(0));
    fake_gate_wait(2);
    wait_until_spot_is_free();
    rpc_exchange(of_no_namespace(0), &reply);
    rpc_assert_status(&reply, WEIR_NAMESPACE_NOT_FOUND);
    rpc_free(&reply);
    fake_gate_open();
    rpc_end_all(pending, 2, WEIR_OK);
}
END_TEST

/* The read has left the transport thread with the turn, and waits for a worker. */
START_TEST(a_long_read_that_has_its_turn_ends_at_its_deadline_though_no_worker_is_free)
{
    take_all_workers();
    rpc_exchange(slow_reads[_i](SHORT_MS), &reply);
    rpc_assert_status(&reply, WEIR_DEADLINE_EXCEEDED);
    rpc_free(&reply);
    fake_gate_open();
    rpc_end_all(&pending[1], 2, WEIR_OK);
    leave_the_spot(slow_reads[_i](0));  // the turn has not been lost
}
END_TEST

int main(void)
{
    const int n = WEIR_COUNTOF(slow_reads);
    Suite *suite = suite_create("rpc_slow_reads");
    TCase *tcase = tcase_create("turns");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_loop_test(tcase, slow_reads_leave_a_worker_for_others, 0, n);
    tcase_add_loop_test(tcase, namespaces_take_turns, 0, n);
    tcase_add_loop_test(tcase, a_long_read_ends_at_its_deadline_though_it_has_no_turn, 0, n);
    suite_add_tcase(suite, tcase);
    tcase = tcase_create("spot");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, set_up_local, tear_down);
    tcase_add_loop_test(tcase, what_takes_long_leaves_the_spot, 0, WEIR_COUNTOF(calls_of_the_spot));
    tcase_add_loop_test(
        tcase, a_long_read_that_has_its_turn_ends_at_its_deadline_though_no_worker_is_free, 0, n);
    tcase_add_test(tcase, reads_that_have_turned_out_long_leave_a_worker_for_others);
    suite_add_tcase(suite, tcase);
    return check_main(suite);
}
