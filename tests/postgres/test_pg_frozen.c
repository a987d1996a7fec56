/* A server whose database does not answer while all workers wait for it: a call with less time than
 * they have still ends at its deadline, and all calls of a namespace are one owner's (turns.h). */
#include "tests/lib/check_main.h"
#include "tests/lib/pg_proxy.h"
#include "tests/lib/remove_tree.h"
#include "tests/rpc/rpc_fixture.h"
#include "weir/base/monotonic.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

/* With fewer than four workers one namespace may have all of them. */
enum { WORKERS = 3, LONG_MS = 60 * 1000, SHORT_MS = 300, LIMIT_US = 1500 * 1000 };

static struct pg_proxy *proxy;
static char dir[64];
static struct rpc_pending pending[WORKERS];
static struct rpc_reply reply;

static void begin(void)
{
    char url[256];
    const char *arguments[] = {"--store", url, "--workers", "3", "--log-level", "error", NULL};
    const char *server_dir = getenv("WEIR_TEST_PG_DIR");
    const char *tmp = getenv("TMPDIR");
    ck_assert_msg(server_dir != NULL, "run by tests/lib/with_postgres.sh");
    (void)snprintf(dir, sizeof dir, "%s/weir-pg-test-XXXXXX", tmp == NULL ? "/tmp" : tmp);
    ck_assert_ptr_nonnull(mkdtemp(dir));
    proxy = pg_proxy_start(server_dir, dir);
    (void)snprintf(url, sizeof url, "postgresql://postgres@/weir?host=%s", dir);
    rpc_start(arguments);
    rpc_write("a-1", 10);
}

static void end(void)
{
    pg_proxy_set(proxy, PROXY_PASSES, 0);
    rpc_stop();
    pg_proxy_stop(proxy);
    remove_tree(dir);
}

static struct weir_slice request_of(const char *method, const ProtobufCMessage *message,
                                    uint32_t timeout_ms, uint8_t *room, size_t room_n)
{
    const struct rpc_request request = {
        .method = method, .token = DEFAULT_TOKEN, .timeout_ms = timeout_ms, .message = message};
    return rpc_pack(&request, room, room_n);
}

static struct weir_slice version_request(uint32_t timeout_ms)
{
    static uint8_t room[1024];
    Weir__V1__GetStreamVersionRequest in = WEIR__V1__GET_STREAM_VERSION_REQUEST__INIT;
    in.stream_name = (char *)(uintptr_t) "a-1";
    return request_of("weir.v1.MessageStore/GetStreamVersion", &in.base, timeout_ms, room,
                      sizeof room);
}

static struct weir_slice read_request(uint32_t timeout_ms)
{
    static uint8_t room[1024];
    Weir__V1__GetCategoryMessagesRequest in = WEIR__V1__GET_CATEGORY_MESSAGES_REQUEST__INIT;
    in.category = (char *)(uintptr_t) "a";
    in.has_batch_size = true;
    in.batch_size = 10;
    return request_of("weir.v1.MessageStore/GetCategoryMessages", &in.base, timeout_ms, room,
                      sizeof room);
}

static struct weir_slice write_request(size_t data_n, uint32_t timeout_ms)
{
    static uint8_t room[65536];
    static uint8_t data[32768];
    ck_assert_uint_le(data_n, sizeof data);
    memset(data, '1', data_n);
    Weir__V1__WriteMessagesRequest in = WEIR__V1__WRITE_MESSAGES_REQUEST__INIT;
    Weir__V1__NewMessage message = WEIR__V1__NEW_MESSAGE__INIT;
    Weir__V1__NewMessage *messages[] = {&message};
    message.type = (char *)(uintptr_t) "T";
    message.has_data = true;
    message.data = (ProtobufCBinaryData){data_n, data};
    in.stream_name = (char *)(uintptr_t) "a-1";
    in.messages = messages;
    in.n_messages = 1;
    return request_of("weir.v1.MessageStore/WriteMessages", &in.base, timeout_ms, room,
                      sizeof room);
}

static void assert_ends_in_time(struct weir_slice request)
{
    const int64_t sent_us = weir_monotonic_us();
    rpc_exchange(request, &reply);
    rpc_assert_status(&reply, WEIR_DEADLINE_EXCEEDED);
    ck_assert_int_lt(weir_monotonic_us() - sent_us, LIMIT_US);
    rpc_free(&reply);
}

static void begin_one_for_each_worker(void)
{
    for (size_t i = 0; i < WORKERS; i++) {
        rpc_begin(&pending[i], version_request(LONG_MS));
    }
    rpc_wait_in_flight(WORKERS);
    while (weir_queue_length(&rpc.server->queue) > 0) {
        (void)poll(NULL, 0, 1);
    }
}

START_TEST(a_call_ends_at_its_deadline_though_all_workers_wait_for_the_database)
{
    pg_proxy_set(proxy, PROXY_HOLDS, 0);
    begin_one_for_each_worker();
    assert_ends_in_time(version_request(SHORT_MS));
    assert_ends_in_time(read_request(SHORT_MS));
    assert_ends_in_time(write_request(10, SHORT_MS));
    assert_ends_in_time(write_request(20000, SHORT_MS));
    pg_proxy_set(proxy, PROXY_PASSES, 0);
    rpc_end_all(pending, WORKERS, WEIR_OK);
    rpc_write("a-1", 10);
}
END_TEST

/* The owners that have jobs at the workers or in the queue. */
static size_t owners_of_jobs(struct weir_queue *queue)
{
    size_t n = 0;
    (void)pthread_mutex_lock(&queue->lock);
    for (size_t i = 0; i < WEIR_TURNS_LINES; i++) {
        const struct weir_line *line = &queue->turns.lines[i];
        n += line->running > 0 || !weir_link_is_alone(&line->jobs);
    }
    (void)pthread_mutex_unlock(&queue->lock);
    return n;
}

START_TEST(a_namespace_is_one_owner_whatever_is_called)
{
    struct rpc_pending read;
    pg_proxy_set(proxy, PROXY_HOLDS, 0);
    begin_one_for_each_worker();
    rpc_begin(&read, read_request(LONG_MS));
    while (weir_queue_length(&rpc.server->queue) == 0) {
        (void)poll(NULL, 0, 1);
    }
    ck_assert_uint_eq(owners_of_jobs(&rpc.server->queue), 1);
    pg_proxy_set(proxy, PROXY_PASSES, 0);
    rpc_end_all(pending, WORKERS, WEIR_OK);
    rpc_end_all(&read, 1, WEIR_OK);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pg_frozen");
    TCase *tcase = tcase_create("frozen");
    tcase_set_timeout(tcase, 120);
    tcase_add_checked_fixture(tcase, begin, end);
    tcase_add_test(tcase, a_call_ends_at_its_deadline_though_all_workers_wait_for_the_database);
    tcase_add_test(tcase, a_namespace_is_one_owner_whatever_is_called);
    suite_add_tcase(suite, tcase);
    return check_main(suite);
}
