/* Long polls: what wakes them and what does not, and that nothing is left behind. */
#include "tests/rpc/polls.h"

#include "server/namespaces/tenants.h"
#include "server/transport/transport_int.h"
#include "tests/lib/check_main.h"
#include "weir/base/monotonic.h"
#include "weir/rules/stream_name.h"

#include <poll.h>
#include <stdio.h>

enum { MANY = POLLS_MAX, CALLS_MAX = 64, ONE_AFTER_ANOTHER = 1500 };

static struct rpc_reply reply;

static void set_up(void)
{
    static const char *const arguments[] = {"--workers",     "2",    "--max-calls", "64",
                                            "--max-waiting", "3001", NULL};
    rpc_start(arguments);
}

/* ---- waiting ---- */

START_TEST(what_is_there_is_answered_at_once)
{
    put("a-1");
    begin(0, &(struct poll_of){.stream = "a-1", .wait_ms = LONG_MS});
    end_with(0, 1, 1);
    begin(0, &(struct poll_of){.category = "", .from = 1, .wait_ms = LONG_MS});
    end_with(0, 1, 2);
    ck_assert_uint_eq(atomic_load(&rpc.server->waiting), 0);
}
END_TEST

static const struct {
    struct poll_of of;
    const char *others[4];  // streams whose writes must not wake the poll
    const char *its;        // stream whose write wakes the poll
    int64_t next_position;
} watches[] = {
    {{.stream = "a-1"}, {"a-2", "a", "b-1"}, "a-1", 1},
    {{.stream = "a"}, {"a-1", "b"}, "a", 1},
    {{.category = "a"}, {"b-1", "aa-1", "a:x-1", "-a"}, "a-9", 6},
    {{.category = "a"}, {"b-1"}, "a", 3},
    {{.category = ""}, {NULL}, "x", 2},
    /* Of two members the first has a-1; streams without an id belong to none. */
    {{.category = "a", .group_member = 0, .group_size = 2}, {"a-2", "a"}, "a-1", 4},
};

START_TEST(a_write_wakes_those_whom_it_concerns)
{
    struct poll_of of = watches[_i].of;
    of.wait_ms = LONG_MS;
    if (of.group_size > 0) {
        ck_assert_int_eq(weir_name_member(weir_slice_of("a-1"), 2), 0);
        ck_assert_int_eq(weir_name_member(weir_slice_of("a-2"), 2), 1);
    }
    begin(0, &of);
    wait_until(1);
    for (size_t i = 0; i < 4 && watches[_i].others[i] != NULL; i++) {
        put(watches[_i].others[i]);
        ck_assert(!rpc_is_done(&pending[0]));
    }
    wait_until(1);
    ck_assert(!rpc_is_done(&pending[0]));
    put(watches[_i].its);
    end_with(0, 1, watches[_i].next_position);
    wait_until(0);
}
END_TEST

START_TEST(types_and_correlation_are_waited_for)
{
    begin(0, &(struct poll_of){.category = "a", .wait_ms = LONG_MS, .type = "Wanted"});
    begin(1, &(struct poll_of){.category = "a", .wait_ms = LONG_MS, .correlation = "wf"});
    wait_until(2);
    write_as(DEFAULT_TOKEN, "a-1", "Unwanted", NULL);
    write_as(DEFAULT_TOKEN, "a-1", "Unwanted", "{\"correlationStreamName\":\"other-1\"}");
    wait_until(2);
    write_as(DEFAULT_TOKEN, "a-1", "Unwanted", "{\"correlationStreamName\":\"wf-1\"}");
    end_with(1, 1, 4);
    wait_until(1);
    write_as(DEFAULT_TOKEN, "a-1", "Wanted", NULL);
    end_with(0, 1, 5);
}
END_TEST

START_TEST(each_of_several_types_is_waited_for)
{
    const struct poll_of of = {
        .category = "a", .wait_ms = LONG_MS, .type = "Wanted", .other_type = "Wanted too"};
    /* Waits out the check for other servers' writes, so that the write below wakes the poll. */
    begin(1, &(struct poll_of){.stream = "b-1", .wait_ms = 500});
    end_with(1, 0, 0);
    begin(0, &of);
    wait_until(1);
    write_as(DEFAULT_TOKEN, "a-1", "Unwanted", NULL);
    write_as(DEFAULT_TOKEN, "a-1", "Wanted too", NULL);
    end_with(0, 1, 3);
    begin(0, &of);
    end_with(0, 1, 3);
}
END_TEST

START_TEST(a_wait_ends_in_time_and_says_what_was_examined)
{
    put("a-1");
    put("b-1");
    const int64_t before_us = weir_monotonic_us();
    begin(0, &(struct poll_of){.category = "c", .from = 1, .wait_ms = 50});
    begin(1, &(struct poll_of){.stream = "a-1", .from = 1, .wait_ms = 50});
    begin(2, &(struct poll_of){.stream = "a-1", .from = 7, .wait_ms = 50});
    end_with(0, 0, 3);
    ck_assert_int_ge(weir_monotonic_us() - before_us, 50000);
    end_with(1, 0, 1);
    end_with(2, 0, 7);
    wait_until(0);
}
END_TEST

START_TEST(the_answer_comes_within_the_deadline)
{
    const int64_t before_us = weir_monotonic_us();
    begin(0, &(struct poll_of){.stream = "a-1", .wait_ms = LONG_MS, .timeout_ms = 400});
    end_with(0, 0, 0);
    ck_assert_int_lt(weir_monotonic_us() - before_us, 400000);
}
END_TEST

/* No more polls than calls are allowed in flight: on a busy machine perhaps none waits yet when the
 * last one arrives. */
START_TEST(waits_of_many_lengths_end_each_in_its_time)
{
    enum { WAITS = 60 };
    int64_t sent_us[WAITS];
    for (size_t i = 0; i < WAITS; i++) {
        sent_us[i] = weir_monotonic_us();
        begin(i, &(struct poll_of){.stream = "a-1", .wait_ms = (uint32_t)(1 + i * 37 % 300)});
    }
    for (size_t i = 0; i < WAITS; i++) {
        end_with(i, 0, 0);
        ck_assert_int_ge(weir_monotonic_us() - sent_us[i], (int64_t)(1 + i * 37 % 300) * 1000);
    }
    wait_until(0);
}
END_TEST

/* A wait is counted by its end; its duration says nothing about the server and is not recorded. */
START_TEST(a_wait_is_counted_and_not_timed)
{
    const size_t method = weir_method_find(weir_slice_of("weir.v1.MessageStore/GetStreamMessages"));
    struct weir_method_metrics *counted = &rpc.server->metrics.methods[method];
    struct weir_histogram_view view;
    begin(0, &(struct poll_of){.stream = "a-1", .wait_ms = 1000});
    end_with(0, 0, 0);
    begin(0, &(struct poll_of){.stream = "a-1", .wait_ms = LONG_MS});
    wait_until(1);
    put("a-1");
    end_with(0, 1, 1);
    wait_until(0);
    ck_assert_uint_eq(atomic_load(&counted->outcomes[WEIR_OK]), 2);
    weir_histogram_read(&counted->latency, &weir_scale_latency, &view);
    ck_assert_uint_eq(view.cumulative[weir_scale_latency.n], 0);
}
END_TEST

/* Messages before the requested global position must not end the wait. */
START_TEST(a_start_by_global_position_stays_the_bound)
{
    begin(0, &(struct poll_of){.stream = "a-1", .from_global = 3, .wait_ms = LONG_MS});
    wait_until(1);
    put("a-1");
    put("a-1");
    wait_until(1);
    put("a-1");
    end_with(0, 1, 3);
}
END_TEST

/* The request carries an unknown field that exceeds the room for a waiting read. */
START_TEST(a_request_too_large_to_be_kept_is_refused)
{
    enum { UNKNOWN_BYTES = 33000 };
    static uint8_t room[UNKNOWN_BYTES + 4096];
    const struct weir_slice request =
        pack_poll(&(struct poll_of){.stream = "a-1", .wait_ms = LONG_MS});
    memcpy(room, request.p, request.n);
    memcpy(room + request.n, "\x7a\xe8\x81\x02", 4);
    rpc_begin(&pending[0], weir_slice(room, request.n + 4 + UNKNOWN_BYTES));
    end_failed(0, WEIR_LIMIT_EXCEEDED);
}
END_TEST

START_TEST(an_empty_batch_waits_for_nothing)
{
    static uint8_t room[512];
    Weir__V1__GetStreamMessagesRequest in = WEIR__V1__GET_STREAM_MESSAGES_REQUEST__INIT;
    in.stream_name = (char *)(uintptr_t) "a-1";
    in.has_batch_size = in.has_wait_ms = true;
    in.wait_ms = LONG_MS;
    const struct rpc_request request = {.method = "weir.v1.MessageStore/GetStreamMessages",
                                        .token = DEFAULT_TOKEN,
                                        .message = &in.base};
    rpc_begin(&pending[0], rpc_pack(&request, room, sizeof room));
    end_with(0, 0, 0);
}
END_TEST

/* ---- many ---- */

/* For each read that waits the server has one more exchange. */
static void wait_until_nobody_is_parked(void)
{
    const int64_t until_us = weir_monotonic_us() + RPC_TIMEOUT_MS * 1000;
    while (atomic_load(&rpc.server->transport->parked) != 0) {
        ck_assert_int_lt(weir_monotonic_us(), until_us);
        (void)poll(NULL, 0, 1);
    }
}

START_TEST(thousands_wait_and_hold_up_nobody)
{
    for (size_t i = 0; i < MANY; i++) {
        char stream[32];
        (void)snprintf(stream, sizeof stream, "a-%zu", i);
        begin(i, &(struct poll_of){.stream = stream, .wait_ms = LONG_MS});
        if (i % 32 == 31) {
            wait_until(i + 1);
        }
    }
    wait_until(MANY);
    ck_assert_uint_eq(atomic_load(&rpc.server->transport->parked), MANY);
    rpc_assert_alive();
    put("a-77");
    end_with(77, 1, 1);
    wait_until(MANY - 1);
    for (size_t i = 0; i < MANY; i++) {
        char stream[32];
        (void)snprintf(stream, sizeof stream, "a-%zu", i);
        if (i != 77) {
            put(stream);
            end_with(i, 1, 1);
        }
    }
    wait_until(0);
    wait_until_nobody_is_parked();
}
END_TEST

START_TEST(one_write_wakes_thousands)
{
    for (size_t i = 0; i < MANY; i++) {
        begin(i, &(struct poll_of){.category = "a", .wait_ms = LONG_MS});
        if (i % 32 == 31) {
            wait_until(i + 1);
        }
    }
    wait_until(MANY);
    put("a-1");
    for (size_t i = 0; i < MANY; i++) {
        end_with(i, 1, 2);
    }
    wait_until(0);
}
END_TEST

START_TEST(one_wait_too_many_is_refused)
{
    for (size_t i = 0; i < 3; i++) {
        begin(i, &(struct poll_of){.stream = "a-1", .from = i == 2, .wait_ms = LONG_MS});
    }
    wait_until(3);
    rpc.server->waiting_places.most_of_one = 3;
    begin(3, &(struct poll_of){.stream = "a-1", .wait_ms = LONG_MS});
    end_failed(3, WEIR_LIMIT_EXCEEDED);
    /* Calls that need not wait are still answered, long polls that find something among them. */
    put("b-1");
    begin(3, &(struct poll_of){.stream = "a-1", .wait_ms = 0});
    end_with(3, 0, 0);
    begin(3, &(struct poll_of){.stream = "b-1", .wait_ms = LONG_MS});
    end_with(3, 1, 1);
    rpc.server->waiting_places.most_of_one = 0;
    begin(3, &(struct poll_of){.category = "b", .wait_ms = LONG_MS});
    end_with(3, 1, 2);
    begin(3, &(struct poll_of){.category = "b", .from = 2, .wait_ms = LONG_MS});
    end_failed(3, WEIR_LIMIT_EXCEEDED);
    put("a-1");
    end_with(0, 1, 1);
    end_with(1, 1, 1);
    /* A wait that has begun goes on: the third one was woken and has found nothing. */
    wait_until(1);
    put("a-1");
    end_with(2, 1, 2);
}
END_TEST

/* The admin token counts as another owner than the namespace's own. */
START_TEST(those_of_one_namespace_leave_places_to_others)
{
    rpc.server->waiting_places.most_of_one = 3;
    for (size_t i = 0; i < 3; i++) {
        begin(i, &(struct poll_of){.stream = "a-1", .wait_ms = LONG_MS});
    }
    wait_until(3);
    begin(3, &(struct poll_of){.stream = "a-1", .wait_ms = LONG_MS});
    end_failed(3, WEIR_LIMIT_EXCEEDED);
    const struct poll_of others = {
        .stream = "a-1", .wait_ms = LONG_MS, .token = ADMIN_TOKEN, .namespace_id = "default"};
    begin(3, &others);
    wait_until(4);
    begin(4, &others);
    end_failed(4, WEIR_LIMIT_EXCEEDED);
    put("a-1");
    for (size_t i = 0; i < 4; i++) {
        end_with(i, 1, 1);
    }
    wait_until(0);
    ck_assert_uint_eq(atomic_load(&rpc.server->waiting_places.taken), 0);
}
END_TEST

/* A poll whose reply has been sent does not count as waiting, although the server may still be
 * finishing it. */
START_TEST(as_many_waits_as_there_may_be_are_never_refused)
{
    rpc.server->waiting_places.most_of_one = 1;
    for (size_t i = 0; i < ONE_AFTER_ANOTHER; i++) {
        begin(0, &(struct poll_of){.stream = "a-1", .wait_ms = 1});
        end_with(0, 0, 0);
    }
}
END_TEST

/* Chained polls next to a writer: a commit between a read and its wait must not be missed. */
static atomic_bool is_writer_done;

static void *write_many(void *context)
{
    const int n = *(int *)context;
    nng_socket socket = rpc_connect(rpc.url);
    static uint8_t room[1024];
    struct rpc_one_write write;
    rpc_one_write_init(&write, "chain-1");
    const struct rpc_request request = {.method = "weir.v1.MessageStore/WriteMessages",
                                        .token = DEFAULT_TOKEN,
                                        .message = &write.in.base};
    const struct weir_slice bytes = rpc_pack(&request, room, sizeof room);
    for (int i = 0; i < n; i++) {
        nng_msg *msg = NULL;
        void *body = (void *)(uintptr_t)bytes.p;
        if (nng_send(socket, body, bytes.n, 0) != 0 || nng_recvmsg(socket, &msg, 0) != 0) {
            break;
        }
        nng_msg_free(msg);
    }
    (void)nng_close(socket);
    atomic_store(&is_writer_done, true);
    return NULL;
}

START_TEST(chained_polls_miss_nothing_and_never_oversleep)
{
    int n = 2000;
    pthread_t writer;
    atomic_store(&is_writer_done, false);
    ck_assert_int_eq(pthread_create(&writer, NULL, write_many, &n), 0);
    int64_t next = 0;
    while (next < n) {
        const int64_t before_us = weir_monotonic_us();
        begin(0, &(struct poll_of){.stream = "chain-1", .from = next, .wait_ms = LONG_MS});
        rpc_end(&pending[0], &reply);
        rpc_assert_status(&reply, WEIR_OK);
        Weir__V1__GetStreamMessagesResponse *out =
            weir__v1__get_stream_messages_response__unpack(NULL, reply.payload.n, reply.payload.p);
        ck_assert_ptr_nonnull(out);
        ck_assert_uint_ge(out->n_messages, 1);
        for (size_t i = 0; i < out->n_messages; i++) {
            ck_assert_int_eq(out->messages[i]->position, next++);
        }
        ck_assert_int_eq(out->next_position, next);
        weir__v1__get_stream_messages_response__free_unpacked(out, NULL);
        rpc_free(&reply);
        ck_assert_int_lt(weir_monotonic_us() - before_us, 10 * 1000 * 1000);
    }
    ck_assert_int_eq(pthread_join(writer, NULL), 0);
    ck_assert(atomic_load(&is_writer_done));
}
END_TEST

/* ---- ends ---- */

START_TEST(deletion_ends_the_wait)
{
    create_tenant();
    begin(0, &(struct poll_of){.stream = "a-1", .wait_ms = LONG_MS, .token = TENANT});
    begin(1, &(struct poll_of){.stream = "a-1", .wait_ms = LONG_MS});
    wait_until(2);
    delete_tenant();
    end_failed(0, WEIR_AUTH_UNAUTHORIZED);
    wait_until(1);
    put("a-1");
    end_with(1, 1, 1);
}
END_TEST

START_TEST(rotation_ends_the_wait)
{
    create_tenant();
    begin(0, &(struct poll_of){.stream = "a-1", .wait_ms = LONG_MS, .token = TENANT});
    wait_until(1);
    rotate_tenant();
    end_failed(0, WEIR_AUTH_UNAUTHORIZED);
    /* A poll with the new token keeps waiting and is woken. */
    begin(0, &(struct poll_of){.stream = "a-1", .wait_ms = LONG_MS, .token = FRESH});
    wait_until(1);
    write_as(FRESH, "a-1", "T", NULL);
    end_with(0, 1, 1);
}
END_TEST

START_TEST(an_import_wakes)
{
    begin(0, &(struct poll_of){.category = "a", .wait_ms = LONG_MS});
    wait_until(1);
    Weir__V1__ImportMessagesRequest in = WEIR__V1__IMPORT_MESSAGES_REQUEST__INIT;
    Weir__V1__ImportedMessage record = WEIR__V1__IMPORTED_MESSAGE__INIT;
    Weir__V1__ImportedMessage *records[] = {&record};
    record.id = (char *)(uintptr_t) "11111111-1111-4111-8111-111111111111";
    record.stream_name = (char *)(uintptr_t) "a-1";
    record.type = (char *)(uintptr_t) "T";
    record.has_position = record.has_global_position = record.has_time_us = true;
    record.global_position = 1000;
    in.messages = records;
    in.n_messages = 1;
    const struct rpc_request request = {.method = "weir.v1.MessageStore/ImportMessages",
                                        .token = DEFAULT_TOKEN,
                                        .message = &in.base};
    rpc_call(&request, &reply);
    rpc_assert_status(&reply, WEIR_OK);
    rpc_free(&reply);
    end_with(0, 1, 1001);
}
END_TEST

START_TEST(stopping_ends_the_wait)
{
    begin(0, &(struct poll_of){.stream = "a-1", .wait_ms = LONG_MS});
    begin(1, &(struct poll_of){.category = "a", .wait_ms = LONG_MS});
    wait_until(2);
    const int64_t before_us = weir_monotonic_us();
    ck_assert(weir_server_stop(rpc.server, RPC_TIMEOUT_MS));
    rpc.server = NULL;
    ck_assert_int_lt(weir_monotonic_us() - before_us, 5 * 1000 * 1000);
    end_failed(0, WEIR_SHUTTING_DOWN);
    end_failed(1, WEIR_SHUTTING_DOWN);
}
END_TEST

START_TEST(a_client_that_went_away_is_noticed)
{
    nng_socket mine = rpc.client;
    rpc.client = rpc_connect(rpc.url);
    for (size_t i = 0; i < 20; i++) {
        begin(i, &(struct poll_of){.stream = "a-1", .wait_ms = LONG_MS});
    }
    wait_until(20);
    (void)nng_close(rpc.client);
    for (size_t i = 0; i < 20; i++) {
        nng_aio_free(pending[i].aio);
    }
    rpc.client = mine;
    wait_until(0);
    /* The exchanges are usable again, and the waits are counted out. */
    rpc_assert_alive();
    rpc.server->waiting_places.most_of_one = 1;
    begin(0, &(struct poll_of){.stream = "a-1", .wait_ms = LONG_MS});
    wait_until(1);
    put("a-1");
    end_with(0, 1, 1);
}
END_TEST

/* ---- without memory ---- */

static atomic_bool has_no_call;  // no memory for another call
static atomic_bool has_no_peer;  // no memory for another peer

void *__real_malloc(size_t n);
void *__wrap_malloc(size_t n);

void *__wrap_malloc(size_t n)
{
    return n == sizeof(struct weir_call) && atomic_load(&has_no_call) ? NULL : __real_malloc(n);
}

void *__real_calloc(size_t n, size_t each);
void *__wrap_calloc(size_t n, size_t each);

void *__wrap_calloc(size_t n, size_t each)
{
    return each == sizeof(struct weir_peer) && atomic_load(&has_no_peer) ? NULL
                                                                         : __real_calloc(n, each);
}

static void use_up_calls(struct weir_call **calls, size_t *n)
{
    atomic_store(&has_no_call, true);
    while ((calls[*n] = weir_calls_take(&rpc.server->calls)) != NULL) {
        (*n)++;
        ck_assert_uint_lt(*n, CALLS_MAX);
    }
}

/* Without a peer entry the server would not learn that the connection has ended, so the poll must
 * not wait. */
START_TEST(a_connection_that_came_without_memory_is_closed_when_it_is_to_wait)
{
    (void)nng_close(rpc.client);
    atomic_store(&has_no_peer, true);
    rpc.client = rpc_connect(rpc.url);
    rpc_assert_alive();
    begin(0, &(struct poll_of){.stream = "a-1", .wait_ms = LONG_MS});
    nng_aio_wait(pending[0].aio);
    atomic_store(&has_no_peer, false);
    ck_assert_int_eq(nng_aio_result(pending[0].aio), NNG_ECONNRESET);
    nng_aio_free(pending[0].aio);
    (void)nng_ctx_close(pending[0].ctx);
    rpc_assert_alive();
}
END_TEST

START_TEST(a_read_that_is_woken_without_memory_is_counted_once)
{
    struct weir_call *calls[CALLS_MAX];
    size_t n = 0;
    begin(0, &(struct poll_of){.stream = "a-1", .wait_ms = LONG_MS});
    wait_until(1);
    use_up_calls(calls, &n);
    weir_tenants_forget(rpc.server->tenants, weir_slice_of("default"));  // forces a new lookup
    end_failed(0, WEIR_BACKEND_UNAVAILABLE);
    ck_assert_uint_eq(atomic_load(&rpc.server->metrics.refused[WEIR_BACKEND_UNAVAILABLE]), 1);
    atomic_store(&has_no_call, false);
    while (n > 0) {
        weir_calls_give_back(&rpc.server->calls, calls[--n]);
    }
    wait_until(0);
    ck_assert_uint_eq(atomic_load(&rpc.server->waiting_places.taken), 0);
    put("a-1");
}
END_TEST

static Suite *waiting_suite(void)
{
    Suite *suite = suite_create("waiting");
    TCase *tcase = tcase_create("waiting");
    tcase_set_timeout(tcase, 120);
    tcase_add_checked_fixture(tcase, set_up, rpc_stop);
    tcase_add_test(tcase, what_is_there_is_answered_at_once);
    tcase_add_loop_test(tcase, a_write_wakes_those_whom_it_concerns, 0, (int)WEIR_COUNTOF(watches));
    tcase_add_test(tcase, types_and_correlation_are_waited_for);
    tcase_add_test(tcase, each_of_several_types_is_waited_for);
    tcase_add_test(tcase, a_wait_ends_in_time_and_says_what_was_examined);
    tcase_add_test(tcase, the_answer_comes_within_the_deadline);
    tcase_add_test(tcase, waits_of_many_lengths_end_each_in_its_time);
    tcase_add_test(tcase, a_wait_is_counted_and_not_timed);
    tcase_add_test(tcase, a_start_by_global_position_stays_the_bound);
    tcase_add_test(tcase, a_request_too_large_to_be_kept_is_refused);
    tcase_add_test(tcase, an_empty_batch_waits_for_nothing);
    tcase_add_test(tcase, thousands_wait_and_hold_up_nobody);
    tcase_add_test(tcase, one_write_wakes_thousands);
    tcase_add_test(tcase, one_wait_too_many_is_refused);
    tcase_add_test(tcase, those_of_one_namespace_leave_places_to_others);
    tcase_add_test(tcase, as_many_waits_as_there_may_be_are_never_refused);
    tcase_add_test(tcase, chained_polls_miss_nothing_and_never_oversleep);
    tcase_add_test(tcase, deletion_ends_the_wait);
    tcase_add_test(tcase, rotation_ends_the_wait);
    tcase_add_test(tcase, an_import_wakes);
    tcase_add_test(tcase, stopping_ends_the_wait);
    tcase_add_test(tcase, a_client_that_went_away_is_noticed);
    tcase_add_test(tcase, a_connection_that_came_without_memory_is_closed_when_it_is_to_wait);
    tcase_add_test(tcase, a_read_that_is_woken_without_memory_is_counted_once);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return check_main(waiting_suite());
}
