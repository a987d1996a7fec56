/* Clients that do not read the replies to their requests. */
#include "tests/rpc/bare.h"
#include "tests/rpc/rpc_fixture.h"

#include "server/namespaces/tenants.h"
#include "server/transport/transport_int.h"
#include "tests/lib/check_main.h"
#include "tests/lib/fake_backend.h"
#include "weir/base/monotonic.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { DATA_BYTES = 512 * 1024 };

static struct weir_slice pack(const char *method, const ProtobufCMessage *in)
{
    static uint8_t room[1024];
    const struct rpc_request request = {.method = method, .token = DEFAULT_TOKEN, .message = in};
    return rpc_pack(&request, room, sizeof room);
}

static struct weir_slice read_request(void)
{
    Weir__V1__GetStreamMessagesRequest in = WEIR__V1__GET_STREAM_MESSAGES_REQUEST__INIT;
    in.stream_name = (char *)(uintptr_t) "big-1";
    return pack("weir.v1.MessageStore/GetStreamMessages", &in.base);
}

/* Times a call of another client, which may be refused as one too many but must not wait. */
static int64_t time_another(void)
{
    static struct rpc_reply reply;
    const int64_t before_us = weir_monotonic_us();
    const struct rpc_request request = {.method = "weir.v1.System/GetServerInfo"};
    rpc_call(&request, &reply);
    ck_assert(reply.status == WEIR_OK || reply.status == WEIR_LIMIT_EXCEEDED);
    rpc_free(&reply);
    return weir_monotonic_us() - before_us;
}

static size_t connections(void)
{
    struct weir_peers *peers = &rpc.server->transport->peers;
    (void)pthread_mutex_lock(&peers->lock);
    const size_t n = peers->n;
    (void)pthread_mutex_unlock(&peers->lock);
    return n;
}

/* Counts on the server's side; the client may still see data in the socket buffers. */
static void wait_for_connections(size_t n)
{
    const int64_t until_us = weir_monotonic_us() + RPC_TIMEOUT_MS * 1000;
    while (connections() != n) {
        ck_assert_int_lt(weir_monotonic_us(), until_us);
        (void)poll(NULL, 0, 10);
    }
}

static void wait_for_hangup(int fd)
{
    static uint8_t sink[65536];
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
    while (poll(&poll_fd, 1, RPC_TIMEOUT_MS) > 0) {
        if (recv(fd, sink, sizeof sink, 0) <= 0) {
            return;
        }
    }
    ck_abort_msg("the connection is still open");
}

START_TEST(a_client_that_does_not_read_holds_up_nobody_and_is_closed)
{
    static const char *const arguments[] = {"--max-calls", "64",    "--listen", "tcp://127.0.0.1:0",
                                            "--log-level", "error", NULL};
    rpc_start(arguments);
    rpc_write("big-1", DATA_BYTES);
    const int fd = bare_connect(rpc.url);
    /* Requests far more replies than the server has exchanges. */
    int64_t slowest_us = 0;
    for (uint32_t i = 0; i < 400; i++) {
        bare_send(fd, i, read_request());
        if (i % 8 == 0) {
            const int64_t took_us = time_another();
            slowest_us = took_us > slowest_us ? took_us : slowest_us;
        }
    }
    ck_assert_int_lt(slowest_us, 5 * 1000 * 1000);
    wait_for_connections(1);
    wait_for_hangup(fd);
    (void)close(fd);
    rpc_assert_alive();
}
END_TEST

/* A client with few unread replies is closed after a timeout. */
START_TEST(a_client_that_stops_reading_is_closed_after_a_while)
{
    static const char *const arguments[] = {"--listen", "tcp://127.0.0.1:0", "--log-level", "error",
                                            NULL};
    rpc_start(arguments);
    rpc_write("big-1", DATA_BYTES);
    const int fd = bare_connect(rpc.url);
    for (uint32_t i = 0; i < 40; i++) {
        bare_send(fd, i, read_request());
    }
    wait_for_connections(2);
    wait_for_connections(1);
    wait_for_hangup(fd);
    (void)close(fd);
    rpc_assert_alive();
}
END_TEST

static const struct weir_method_metrics *of_reads(void)
{
    return &rpc.server->metrics
                .methods[weir_method_find(weir_slice_of("weir.v1.MessageStore/GetStreamMessages"))];
}

/* Returns whether exactly `n` reads have been answered or refused. */
static bool are_dealt_with(uint32_t n)
{
    const _Atomic uint64_t *outcomes = of_reads()->outcomes;
    return atomic_load(&outcomes[WEIR_OK]) + atomic_load(&outcomes[WEIR_LIMIT_EXCEEDED]) == n;
}

static bool is_exhausted(void)
{
    return atomic_load(&rpc.server->transport->receiving) == 0;
}

/* Each client leaves a few replies unread; together they exceed the server's exchanges. The clients
 * ask in turn, so that no request is refused. */
START_TEST(many_clients_that_do_not_read_hold_up_nobody)
{
    enum { CLIENTS = 12, REPLIES = 28 };
    static const char *const arguments[] = {"--max-calls", "64",    "--listen", "tcp://127.0.0.1:0",
                                            "--log-level", "error", NULL};
    int fds[CLIENTS];
    rpc_start(arguments);
    rpc_write("big-1", DATA_BYTES);
    for (size_t c = 0; c < CLIENTS; c++) {
        fds[c] = bare_connect(rpc.url);
    }
    for (uint32_t i = 0; i < CLIENTS * REPLIES && !is_exhausted(); i++) {
        bare_send(fds[i % CLIENTS], i, read_request());
        while (!are_dealt_with(i + 1) && !is_exhausted()) {
            (void)poll(NULL, 0, 1);
        }
    }
    ck_assert(is_exhausted());
    ck_assert_int_lt(time_another(), 5 * 1000 * 1000);
    for (size_t c = 0; c < CLIENTS; c++) {
        (void)close(fds[c]);
    }
    wait_for_connections(1);
    rpc_assert_alive();
}
END_TEST

/* Sends another read: the first `n` at once, then one whenever all have been answered or refused.
 * Earlier reads may have been refused while the kernel still had room for replies. No counter shows
 * this: a request on its way is not in flight yet, and more replies than the server has exchanges
 * would make it close the connection. */
static void ask_on(int fd, uint32_t *sent, uint32_t n)
{
    if (*sent < n || are_dealt_with(*sent)) {
        bare_send(fd, (*sent)++, read_request());
    } else {
        (void)poll(NULL, 0, 1);
    }
}

/* Starts a server whose replies hold only one of the messages. Returns a connection. */
static int start_with_a_full_reply(void)
{
    static const char *const arguments[] = {"--max-reply-bytes",
                                            "65536",
                                            "--max-message-bytes",
                                            "65536",
                                            "--listen",
                                            "tcp://127.0.0.1:0",
                                            "--log-level",
                                            "error",
                                            NULL};
    rpc_start(arguments);
    rpc_write("big-1", 60000);
    return bare_connect(rpc.url);
}

/* Many small requests for large replies: the server must limit the replies it holds. */
START_TEST(what_is_not_read_is_bounded)
{
    enum { REQUESTS = 400, REPLY_BYTES = 65536, ROOM = 8 + 40 };
    const int fd = start_with_a_full_reply();
    const atomic_size_t *held = &rpc.server->transport->peers.unread_bytes;
    size_t most = 0;
    uint32_t sent = 0;
    const int64_t until_us = weir_monotonic_us() + RPC_TIMEOUT_MS * 1000;
    while (sent < REQUESTS || most <= REPLY_BYTES || !are_dealt_with(sent)) {
        ck_assert_int_lt(weir_monotonic_us(), until_us);
        ask_on(fd, &sent, REQUESTS);
        most = atomic_load(held) > most ? atomic_load(held) : most;
    }
    ck_assert_uint_lt(most, ROOM * REPLY_BYTES);
    (void)time_another();
    (void)close(fd);
    wait_for_connections(1);
    /* Its replies are discarded afterwards. */
    while (atomic_load(held) != 0) {
        ck_assert_int_lt(weir_monotonic_us(), until_us);
        (void)poll(NULL, 0, 1);
    }
    rpc_assert_alive();
}
END_TEST

/* Connects the clients and sends one request each, in turn. Returns the number of answered
 * requests. */
static size_t ask_once_each(int *fds, uint32_t clients)
{
    for (uint32_t c = 0; c < clients; c++) {
        fds[c] = bare_connect(rpc.url);
        bare_send(fds[c], 0, read_request());
        while (!are_dealt_with(c + 1)) {
            (void)poll(NULL, 0, 1);
        }
    }
    return atomic_load(&of_reads()->outcomes[WEIR_OK]);
}

/* One unread reply per connection, which nng reports as sent: together they exceed what the server
 * may hold. The server frees them when their clients disconnect, or after a timeout. */
START_TEST(one_unread_reply_of_each_connection_is_too_much)
{
    enum { CLIENTS = 72, MESSAGES = 16, REPLIES_IN_ALL = 64, REPLY_BYTES = MESSAGES * DATA_BYTES };
    /* After this time the server closes the first connections, which makes room. */
    enum { PATIENCE_US = 9 * 1000 * 1000 };
    static const char *const arguments[] = {
        "--max-reply-bytes", "8388608",           "--log-level", "error",
        "--listen",          "tcp://127.0.0.1:0", NULL};
    int fds[CLIENTS];
    rpc_start(arguments);
    const atomic_size_t *held = &rpc.server->transport->peers.unread_bytes;
    for (size_t i = 0; i < MESSAGES; i++) {
        rpc_write("big-1", DATA_BYTES - 1024);
    }
    const int64_t from_us = weir_monotonic_us();
    const size_t answered = ask_once_each(fds, CLIENTS);
    ck_assert_uint_ge(answered, REPLIES_IN_ALL);
    if (weir_monotonic_us() - from_us < PATIENCE_US) {
        ck_assert_uint_le(answered, REPLIES_IN_ALL + 2);
        ck_assert_uint_gt(atomic_load(held), (REPLIES_IN_ALL - 1) * (size_t)REPLY_BYTES);
    }
    for (size_t c = 0; c < CLIENTS / 2; c++) {
        (void)close(fds[c]);
    }
    wait_for_connections(1 + CLIENTS - answered);
    ck_assert_uint_lt(atomic_load(held), REPLY_BYTES);
    for (size_t c = CLIENTS / 2; c < CLIENTS; c++) {
        (void)close(fds[c]);
    }
    wait_for_connections(1);
    rpc_assert_alive();
}
END_TEST

/* The client whose reply has gone has sent nothing since, and no look has noticed it. */
START_TEST(what_has_been_read_by_now_is_no_reason_to_refuse)
{
    static const struct weir_remote remote = {.family = NNG_AF_UNSPEC};
    enum { NO_PIPE = 0 };
    const size_t too_much = (size_t)1 << 40;
    rpc_start((const char *const[]){NULL});
    struct weir_peers *peers = &rpc.server->transport->peers;
    ck_assert(weir_peers_add(peers, NO_PIPE, 0, true, &remote));
    struct weir_peer *peer = weir_peers_find(peers, NO_PIPE);
    weir_peer_sends(peer, too_much, 0);
    weir_peer_sent(peer, too_much, 0);
    ck_assert_uint_eq(weir_peer_unread(peer), too_much);
    rpc_assert_alive();
    ck_assert_uint_eq(weir_peer_unread(peer), 0);
    weir_peer_release(peer);
    weir_peers_remove(peers, NO_PIPE);
}
END_TEST

static struct weir_slice write_request(void)
{
    struct rpc_one_write write;
    rpc_one_write_init(&write, "s-1");
    return pack("weir.v1.MessageStore/WriteMessages", &write.in.base);
}

static struct weir_slice write_streams_request(void)
{
    Weir__V1__WriteStreamsRequest in = WEIR__V1__WRITE_STREAMS_REQUEST__INIT;
    Weir__V1__StreamWrite write = WEIR__V1__STREAM_WRITE__INIT;
    Weir__V1__StreamWrite *writes[] = {&write};
    struct rpc_one_write one;
    rpc_one_write_init(&one, "s-2");
    write.stream_name = one.in.stream_name;
    write.messages = one.messages;
    write.n_messages = 1;
    in.writes = writes;
    in.n_writes = 1;
    return pack("weir.v1.MessageStore/WriteStreams", &in.base);
}

/* The reply to a write is small, so a client may still write when its reads are refused. */
START_TEST(a_client_that_does_not_read_may_write)
{
    enum { REQUESTS = 400 };
    const int fd = start_with_a_full_reply();
    const _Atomic uint64_t *refused = &of_reads()->outcomes[WEIR_LIMIT_EXCEEDED];
    const int64_t until_us = weir_monotonic_us() + RPC_TIMEOUT_MS * 1000;
    uint32_t sent = 0;
    while (atomic_load(refused) == 0 || !are_dealt_with(sent)) {
        ck_assert_int_lt(weir_monotonic_us(), until_us);
        ask_on(fd, &sent, REQUESTS);
    }
    bare_send(fd, sent, write_request());
    bare_send(fd, sent + 1, write_streams_request());
    while (atomic_load(&rpc.server->metrics.messages_written) < 3) {
        ck_assert_int_lt(weir_monotonic_us(), until_us);
        (void)poll(NULL, 0, 1);
    }
    (void)close(fd);
    wait_for_connections(1);
    rpc_assert_alive();
}
END_TEST

/* ---- grouped reads ---- */

enum { REPLY_MAX_BYTES = 1024 * 1024, SESSIONS = 2 };

static struct weir_slice small_read_request(void)
{
    static uint8_t room[1024];
    Weir__V1__GetStreamMessagesRequest in = WEIR__V1__GET_STREAM_MESSAGES_REQUEST__INIT;
    in.stream_name = (char *)(uintptr_t) "big-1";
    in.has_batch_size = true;
    in.batch_size = 1;
    const struct rpc_request request = {.method = "weir.v1.MessageStore/GetStreamMessages",
                                        .token = ADMIN_TOKEN,
                                        .namespace_id = "default",
                                        .message = &in.base};
    return rpc_pack(&request, room, sizeof room);
}

/* Makes the store count as quick, however long the gate is shut, since reads of a slow store are
 * not grouped, and makes the registry entry stay fresh. */
static void make_store_quick(void)
{
    struct weir_arena arena;
    struct weir_error err;
    struct weir_tenant_lookup lookup = {.max_age_us = INT64_MAX / 2, .deadline_us = INT64_MAX};
    weir_arena_init(&arena, 65536, 0);
    weir_error_init(&err);
    const weir_status st =
        weir_tenants_find(rpc.server->tenants, weir_slice_of("default"), &arena, &lookup, &err);
    ck_assert_int_eq(st, WEIR_OK);
    (void)pthread_mutex_lock(&lookup.tenant->reads.lock);
    lookup.tenant->reads.us_per_read = INT64_MIN / 2;
    (void)pthread_mutex_unlock(&lookup.tenant->reads.lock);
    lookup.tenant->read_at_us = INT64_MAX / 2;
    weir_tenant_release(lookup.tenant);
    weir_arena_fini(&arena);
}

/* Starts the server; the first read opens the namespace. */
static void start_with_groups(void)
{
    static struct rpc_reply reply;
    static const char *const arguments[] = {"--max-reply-bytes",
                                            "1048576",
                                            "--max-message-bytes",
                                            "1048576",
                                            "--workers",
                                            "1",
                                            "--listen",
                                            "tcp://127.0.0.1:0",
                                            "--log-level",
                                            "error",
                                            NULL};
    fake_backend_reset();
    fake.base.groups_reads = true;
    rpc_start_on(fake_store_open(SESSIONS), arguments);
    rpc_exchange(small_read_request(), &reply);
    rpc_assert_status(&reply, WEIR_OK);
    rpc_free(&reply);
    while (atomic_load(&rpc.server->in_flight) > 0) {
        (void)poll(NULL, 0, 1);
    }
    make_store_quick();
    (void)pthread_mutex_lock(&fake.mutex);
    fake.row_bytes = REPLY_MAX_BYTES - 1024;
    (void)pthread_mutex_unlock(&fake.mutex);
}

static size_t largest_group(void)
{
    size_t most = 0;
    (void)pthread_mutex_lock(&fake.mutex);
    for (size_t g = 0; g < fake.read_groups; g++) {
        most = fake.read_group_sizes[g] > most ? fake.read_group_sizes[g] : most;
    }
    (void)pthread_mutex_unlock(&fake.mutex);
    return most;
}

/* No reply is unread yet when the reads arrive. */
START_TEST(what_is_not_read_is_bounded_though_reads_go_together)
{
    enum { READS = 40, REPLIES_MAX = 8 + 8, ANSWERED_BEFORE = 1 };
    start_with_groups();
    const int fd = bare_connect(rpc.url);
    fake_gate_shut();
    for (uint32_t i = 0; i < READS; i++) {
        bare_send(fd, i, small_read_request());
    }
    rpc_wait_in_flight(READS);
    (void)poll(NULL, 0, 300);  // time for the reads to join their lane
    fake_gate_open();
    while (!are_dealt_with(ANSWERED_BEFORE + READS)) {
        (void)poll(NULL, 0, 1);
    }
    ck_assert_uint_gt(largest_group(), REPLIES_MAX);
    ck_assert_uint_le(atomic_load(&of_reads()->outcomes[WEIR_OK]), ANSWERED_BEFORE + REPLIES_MAX);
    (void)close(fd);
    wait_for_connections(1);
    rpc_assert_alive();
}
END_TEST

static Suite *unread_suite(void)
{
    Suite *suite = suite_create("unread");
    TCase *tcase = tcase_create("unread");
    tcase_set_timeout(tcase, 120);
    tcase_add_checked_fixture(tcase, NULL, rpc_stop);
    tcase_add_test(tcase, a_client_that_does_not_read_holds_up_nobody_and_is_closed);
    tcase_add_test(tcase, many_clients_that_do_not_read_hold_up_nobody);
    tcase_add_test(tcase, what_is_not_read_is_bounded);
    tcase_add_test(tcase, what_is_not_read_is_bounded_though_reads_go_together);
    tcase_add_test(tcase, what_has_been_read_by_now_is_no_reason_to_refuse);
    tcase_add_test(tcase, one_unread_reply_of_each_connection_is_too_much);
    tcase_add_test(tcase, a_client_that_does_not_read_may_write);
    tcase_add_test(tcase, a_client_that_stops_reading_is_closed_after_a_while);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return check_main(unread_suite());
}
