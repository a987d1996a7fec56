/* Which nng threads a burst of replies wakes (nng_tasks.c, nng_wakes.c), with an nng socket, whose
 * callbacks run on those threads, and plain sockets as clients. */
#include "server/transport/nng_tasks.h"

#include "tests/lib/check_main.h"

#include <arpa/inet.h>
#include <nng/protocol/reqrep0/rep.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    REPLIES = 4,
    QUIET_MS = 100,  // time for nng to do everything it was woken for
    ATTEMPTS = 100,
    GREETING_BYTES = 8,
    REQUEST_BYTES = 12,  // a length and the request's id
};

static nng_socket rep;
static struct reply {
    int client;
    nng_ctx ctx;
    nng_aio *aio;
    sem_t done;
} replies[REPLIES];

static atomic_int told;     // replies reported as sent
static atomic_bool blocks;  // the first callback blocks
static sem_t go_on;

static void quiet(void)
{
    const struct timespec nap = {.tv_nsec = QUIET_MS * 1000L * 1000};
    (void)nanosleep(&nap, NULL);
}

/* Callback on an nng thread. */
static void received_or_sent(void *context)
{
    struct reply *reply = context;
    if (atomic_exchange(&blocks, false)) {
        (void)sem_wait(&go_on);
    }
    atomic_fetch_add(&told, 1);
    (void)sem_post(&reply->done);
}

static int connect_to(uint16_t port)
{
    static const uint8_t greeting[GREETING_BYTES] = {0, 'S', 'P', 0, 0, 0x30, 0, 0};
    uint8_t answer[GREETING_BYTES];
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = port};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int client = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_eq(connect(client, (struct sockaddr *)&address, sizeof address), 0);
    ck_assert_int_eq(write(client, greeting, sizeof greeting), GREETING_BYTES);
    ck_assert_int_eq(recv(client, answer, sizeof answer, MSG_WAITALL), GREETING_BYTES);
    return client;
}

/* Sends a request and receives it in the reply's context. */
static void ask(struct reply *reply)
{
    static const uint8_t request[REQUEST_BYTES] = {[7] = 4, [8] = 0x80, [11] = 1};
    nng_ctx_recv(reply->ctx, reply->aio);
    ck_assert_int_eq(write(reply->client, request, sizeof request), REQUEST_BYTES);
    ck_assert_int_eq(sem_wait(&reply->done), 0);
    ck_assert_int_eq(nng_aio_result(reply->aio), 0);
}

static void open_socket(void)
{
    nng_listener listener;
    nng_sockaddr address;
    ck_assert_int_eq(nng_rep0_open(&rep), 0);
    ck_assert_int_eq(nng_listen(rep, "tcp://127.0.0.1:0", &listener, 0), 0);
    ck_assert_int_eq(nng_listener_get_addr(listener, NNG_OPT_LOCADDR, &address), 0);
    ck_assert_int_eq(sem_init(&go_on, 0, 0), 0);
    for (int i = 0; i < REPLIES; i++) {
        struct reply *reply = &replies[i];
        reply->client = connect_to(address.s_in.sa_port);
        ck_assert_int_eq(sem_init(&reply->done, 0, 0), 0);
        ck_assert_int_eq(nng_ctx_open(&reply->ctx, rep), 0);
        ck_assert_int_eq(nng_aio_alloc(&reply->aio, received_or_sent, reply), 0);
        ask(reply);
    }
    quiet();
    atomic_store(&told, 0);
}

static void close_socket(void)
{
    for (int i = 0; i < REPLIES; i++) {
        nng_aio_free(replies[i].aio);
        (void)close(replies[i].client);
        (void)sem_destroy(&replies[i].done);
    }
    (void)nng_close(rep);
    (void)sem_destroy(&go_on);
}

/* Sends all replies, each in the message of its request. */
static void send_replies(void)
{
    for (int i = 0; i < REPLIES; i++) {
        weir_nng_tasks_send(replies[i].ctx, replies[i].aio);
    }
}

static void assert_all_arrive(void)
{
    for (int i = 0; i < REPLIES; i++) {
        uint8_t answer[REQUEST_BYTES];
        ck_assert_int_eq(recv(replies[i].client, answer, sizeof answer, MSG_WAITALL),
                         REQUEST_BYTES);
    }
}

static void assert_all_are_told(void)
{
    for (int i = 0; i < REPLIES; i++) {
        ck_assert_int_eq(sem_wait(&replies[i].done), 0);
    }
    ck_assert_int_eq(atomic_load(&told), REPLIES);
}

/* Waits for all callbacks but the blocked one. */
static void await_all_but_one(void)
{
    for (int i = 0; atomic_load(&told) < REPLIES - 1 && i < ATTEMPTS; i++) {
        quiet();
    }
    ck_assert_int_eq(atomic_load(&told), REPLIES - 1);
}

START_TEST(a_burst_wakes_nobody_before_its_end)
{
    weir_nng_tasks_burst_begin();
    send_replies();
    assert_all_arrive();
    quiet();
    ck_assert_int_eq(atomic_load(&told), 0);
    weir_nng_tasks_burst_end();
    assert_all_are_told();
}
END_TEST

START_TEST(without_a_burst_each_reply_wakes_somebody)
{
    atomic_store(&blocks, true);
    send_replies();
    await_all_but_one();
    (void)sem_post(&go_on);
    assert_all_are_told();
}
END_TEST

START_TEST(a_burst_wakes_another_behind_one_that_is_held_up)
{
    atomic_store(&blocks, true);
    weir_nng_tasks_burst_begin();
    send_replies();
    weir_nng_tasks_burst_end();
    await_all_but_one();
    (void)sem_post(&go_on);
    assert_all_are_told();
}
END_TEST

static Suite *nng_wakes_suite(void)
{
    Suite *suite = suite_create("nng_wakes");
    TCase *tcase = tcase_create("bursts");
    tcase_add_checked_fixture(tcase, open_socket, close_socket);
    tcase_add_test(tcase, a_burst_wakes_nobody_before_its_end);
    tcase_add_test(tcase, without_a_burst_each_reply_wakes_somebody);
    tcase_add_test(tcase, a_burst_wakes_another_behind_one_that_is_held_up);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return check_main(nng_wakes_suite());
}
