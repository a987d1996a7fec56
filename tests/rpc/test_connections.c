/* Connections over sockets, and the keys by which the server knows them. */
#include "server/transport/partial_messages.h"
#include "server/transport/peers.h"
#include "server/transport/transport_int.h"
#include "tests/rpc/bare.h"
#include "tests/rpc/rpc_fixture.h"

#include "tests/lib/check_main.h"
#include "tests/lib/fake_backend.h"
#include "tests/lib/remove_tree.h"
#include "weir/base/monotonic.h"
#include "weir/base/slice.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { KINDS = 3 };

static char directory[64];

static void set_up(void)
{
    static char ipc_url[96];
    (void)snprintf(directory, sizeof directory, "/tmp/weir-connections-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(directory));
    (void)snprintf(ipc_url, sizeof ipc_url, "ipc://%s/socket", directory);
    const char *const arguments[] = {
        "--listen", "tcp://127.0.0.1:0", "--listen", "ws://127.0.0.1:0/weir", "--listen", ipc_url,
        NULL};
    rpc_start(arguments);
}

static void tear_down(void)
{
    rpc_stop();
    remove_tree(directory);
}

/* Stores the keys of all connections. Returns their number. */
static size_t read_keys(weir_connection_key *keys, size_t max)
{
    struct weir_peers *peers = &rpc.server->transport->peers;
    size_t n = 0;
    (void)pthread_mutex_lock(&peers->lock);
    for (size_t i = 0; i < WEIR_PEERS_BUCKETS; i++) {
        const struct weir_peer *peer = peers->buckets[i];
        for (; peer != NULL && n < max; peer = peer->next) {
            keys[n++] = peer->key;
        }
    }
    (void)pthread_mutex_unlock(&peers->lock);
    return n;
}

static nng_socket others[KINDS - 1];
static weir_connection_key keys[KINDS + 1];

/* Opens a connection of each kind. That of the fixture's client is the first. */
static void connect_each_kind(void)
{
    for (size_t i = 0; i < WEIR_COUNTOF(others); i++) {
        others[i] = rpc_connect(weir_transport_url(rpc.server->transport, i + 1));
    }
    const int64_t until_us = weir_monotonic_us() + RPC_TIMEOUT_MS * 1000;
    size_t n = 0;
    while ((n = read_keys(keys, WEIR_COUNTOF(keys))) < KINDS) {
        ck_assert_int_lt(weir_monotonic_us(), until_us);
        (void)poll(NULL, 0, 1);
    }
    ck_assert_uint_eq(n, KINDS);
}

static void close_others(void)
{
    for (size_t i = 0; i < WEIR_COUNTOF(others); i++) {
        (void)nng_close(others[i]);
    }
}

START_TEST(each_kind_of_connection_has_a_key)
{
    connect_each_kind();
    for (size_t i = 0; i < KINDS; i++) {
        ck_assert_uint_ne(keys[i], 0);
        ck_assert_uint_ne(keys[i], keys[(i + 1) % KINDS]);
        ck_assert(!weir_pending_is_over(keys[i]));
    }
    close_others();
}
END_TEST

static struct weir_slice info_request(void)
{
    static uint8_t room[64];
    const struct rpc_request request = {.method = "weir.v1.System/GetServerInfo"};
    return rpc_pack(&request, room, sizeof room);
}

/* Makes a call by each of the connections. */
static void use_each_kind(void)
{
    const struct weir_slice request = info_request();
    for (size_t i = 0; i < KINDS; i++) {
        const nng_socket socket = i == 0 ? rpc.client : others[i - 1];
        nng_msg *msg = NULL;
        ck_assert_int_eq(nng_send(socket, (void *)(uintptr_t)request.p, request.n, 0), 0);
        ck_assert_int_eq(nng_recvmsg(socket, &msg, 0), 0);
        nng_msg_free(msg);
    }
}

/* The connection that has sent nothing is the youngest. The other ones go on, which shows when they
 * are used: nng would connect again. */
START_TEST(a_connection_may_be_idle_once_its_handshake_is_over)
{
    char byte = 0;
    connect_each_kind();
    weir_partial_limit(0, 100 * 1000);
    const int silent = bare_open(weir_transport_url(rpc.server->transport, 1));
    ck_assert_int_eq(recv(silent, &byte, 1, 0), 0);
    weir_partial_limit(0, 0);
    use_each_kind();
    for (size_t i = 0; i < KINDS; i++) {
        ck_assert(!weir_pending_is_over(keys[i]));
    }
    (void)close(silent);
    close_others();
}
END_TEST

/* ---- without memory for a reply ---- */

static atomic_bool is_out_of_memory;
static atomic_uint closed_by_nng;

int __real_nng_msg_alloc(nng_msg **msg, size_t n);
int __wrap_nng_msg_alloc(nng_msg **msg, size_t n);
int __real_nng_pipe_close(nng_pipe pipe);
int __wrap_nng_pipe_close(nng_pipe pipe);

int __wrap_nng_msg_alloc(nng_msg **msg, size_t n)
{
    return atomic_load(&is_out_of_memory) ? NNG_ENOMEM : __real_nng_msg_alloc(msg, n);
}

int __wrap_nng_pipe_close(nng_pipe pipe)
{
    atomic_fetch_add(&closed_by_nng, 1);
    return __real_nng_pipe_close(pipe);
}

/* The fixture's own client uses inproc, since the server's wrapped calls would apply to a socket of
 * the test's process too. */
static const char *const by_tcp[] = {
    "--listen", "inproc://weir-rpc-test", "--listen", "tcp://127.0.0.1:0", "--log-level", "error",
    NULL};

static int connect_bare(void)
{
    return bare_connect(weir_transport_url(rpc.server->transport, 1));
}

static void start_by_tcp(void)
{
    rpc_start(by_tcp);
}

/* The client must not wait for a reply forever, and nng learns of the end from the socket. */
START_TEST(a_connection_without_a_reply_is_ended)
{
    const int fd = connect_bare();
    atomic_store(&closed_by_nng, 0);
    atomic_store(&is_out_of_memory, true);
    bare_send(fd, 1, info_request());
    ck_assert(!bare_receive(fd));
    atomic_store(&is_out_of_memory, false);
    while (weir_transport_connections(rpc.server->transport) > 1) {
        (void)poll(NULL, 0, 1);
    }
    ck_assert_uint_eq(atomic_load(&closed_by_nng), 0);
    (void)close(fd);
    rpc_assert_alive();
}
END_TEST

/* ---- a restarted write ---- */

static void start_fake(void)
{
    fake_backend_reset();
    rpc_start_on(fake_store_open(4), by_tcp);
}

static void stop_fake(void)
{
    fake_gate_open();
    rpc_stop();
}

/* Makes a write find its namespace gone, restart on a worker and wait at the gate. An earlier write
 * makes the server read the registry first. */
static void begin_write_twice(int fd)
{
    bare_send(fd, 1, rpc_write_request(0));
    ck_assert(bare_receive(fd));
    fake_gate_shut();
    bare_send(fd, 2, rpc_write_request(0));
    fake_gate_wait(1);
    fake_calls_fail(WEIR_NAMESPACE_NOT_FOUND);
    fake_gate_let_one_through();
    fake_gate_wait(1);
    fake_calls_fail(WEIR_OK);
}

static int64_t time_info(int fd)
{
    const int64_t before_us = weir_monotonic_us();
    bare_send(fd, 3, info_request());
    ck_assert(bare_receive(fd));
    return weir_monotonic_us() - before_us;
}

/* With MSG_MORE the kernel holds data back for 200 ms. */
START_TEST(replies_are_not_held_for_a_write_that_is_begun_again)
{
    enum { ATTEMPTS = 8, HELD_US = 150 * 1000 };
    const int fd = connect_bare();
    begin_write_twice(fd);
    int64_t quickest_us = INT64_MAX;
    for (size_t i = 0; i < ATTEMPTS && quickest_us >= HELD_US; i++) {
        const int64_t took_us = time_info(fd);
        quickest_us = took_us < quickest_us ? took_us : quickest_us;
    }
    ck_assert_int_lt(quickest_us, HELD_US);
    fake_gate_open();
    ck_assert(bare_receive(fd));
    (void)close(fd);
    rpc_assert_alive();
}
END_TEST

static Suite *connections_suite(void)
{
    Suite *suite = suite_create("connections");
    TCase *tcase = tcase_create("keys");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, each_kind_of_connection_has_a_key);
    tcase_add_test(tcase, a_connection_may_be_idle_once_its_handshake_is_over);
    suite_add_tcase(suite, tcase);
    tcase = tcase_create("without memory");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, start_by_tcp, rpc_stop);
    tcase_add_test(tcase, a_connection_without_a_reply_is_ended);
    suite_add_tcase(suite, tcase);
    tcase = tcase_create("a write that is begun again");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, start_fake, stop_fake);
    tcase_add_test(tcase, replies_are_not_held_for_a_write_that_is_begun_again);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return check_main(connections_suite());
}
