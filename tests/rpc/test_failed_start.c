/* A start that fails after its first listener has begun to serve. */
#include "tests/rpc/rpc_fixture.h"

#include "tests/lib/check_main.h"
#include "tests/lib/fake_backend.h"

#include <netdb.h>
#include <nng/protocol/reqrep0/req.h>

static const char first_url[] = "inproc://weir-rpc-test";

/* Replaces the C library's function: blocks the lookup of the second listener's host until the
 * first listener has a call that the store holds, and then fails. */
int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                struct addrinfo **result)
{
    (void)node;
    (void)service;
    (void)hints;
    (void)result;
    fake_gate_wait(1);
    return EAI_NONAME;
}

static struct weir_error err;

static void *start(void *context)
{
    static weir_status st;
    (void)context;
    st = weir_server_start_on(&rpc.config, fake_store_open(1), &rpc.server, &err);
    return &st;
}

static struct weir_slice version_request(void)
{
    static uint8_t room[1024];
    Weir__V1__GetStreamVersionRequest in = WEIR__V1__GET_STREAM_VERSION_REQUEST__INIT;
    in.stream_name = (char *)(uintptr_t) "s-1";
    const struct rpc_request request = {.method = "weir.v1.MessageStore/GetStreamVersion",
                                        .token = ADMIN_TOKEN,
                                        .namespace_id = "default",
                                        .message = &in.base};
    return rpc_pack(&request, room, sizeof room);
}

/* Dials before the listener exists and before the test has another thread: nng initialises itself
 * when it is first used, and ThreadSanitizer reports two concurrent first uses as a race. */
static void connect_when_it_serves(void)
{
    ck_assert_int_eq(nng_req0_open(&rpc.client), 0);
    ck_assert_int_eq(nng_socket_set_ms(rpc.client, NNG_OPT_REQ_RESENDTIME, NNG_DURATION_INFINITE),
                     0);
    ck_assert_int_eq(nng_socket_set_ms(rpc.client, NNG_OPT_RECONNMINT, 1), 0);
    ck_assert_int_eq(nng_dial(rpc.client, first_url, NULL, NNG_FLAG_NONBLOCK), 0);
}

static void wait_until_it_stops(void)
{
    static struct rpc_reply reply;
    do {
        const struct rpc_request request = {.method = "weir.v1.System/GetServerInfo"};
        rpc_call(&request, &reply);
        rpc_free(&reply);
    } while (reply.status == WEIR_OK);
    rpc_assert_status(&reply, WEIR_SHUTTING_DOWN);
}

/* The reply may be lost with the connection. */
static void end_whatever_came(struct rpc_pending *pending)
{
    nng_aio_wait(pending->aio);
    if (nng_aio_result(pending->aio) == 0) {
        nng_msg_free(nng_aio_get_msg(pending->aio));
    }
    nng_aio_free(pending->aio);
    (void)nng_ctx_close(pending->ctx);
}

START_TEST(a_call_that_is_served_ends_before_the_start_has_failed)
{
    static const char *const arguments[] = {
        "--listen", first_url, "--listen", "tcp://late.test:1", "--log-level", "error", NULL};
    static struct rpc_pending pending;
    pthread_t thread;
    void *st = NULL;
    weir_error_init(&err);
    fake_backend_reset();
    fake_gate_shut();
    rpc_configure(arguments);
    connect_when_it_serves();
    ck_assert_int_eq(pthread_create(&thread, NULL, start, NULL), 0);
    rpc_begin(&pending, version_request());
    wait_until_it_stops();
    fake_gate_open();
    ck_assert_int_eq(pthread_join(thread, &st), 0);
    ck_assert_int_eq(*(weir_status *)st, WEIR_BACKEND_UNAVAILABLE);
    ck_assert_str_eq(err.text, "cannot listen on 'tcp://late.test:1': the host has no address");
    end_whatever_came(&pending);
    (void)nng_close(rpc.client);
    weir_config_fini(&rpc.config);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("rpc_failed_start");
    TCase *tcase = tcase_create("listeners");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, a_call_that_is_served_ends_before_the_start_has_failed);
    suite_add_tcase(suite, tcase);
    return check_main(suite);
}
