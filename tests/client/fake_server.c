/* One thread receives requests on a REP socket, one at a time, records each one and executes the
 * script's action for its number. The thread checks every LOOK_MS whether to stop, and closes the
 * socket itself. */
#include "tests/client/fake_server.h"

#include "weir/base/arena.h"
#include "weir/base/monotonic.h"
#include "weir/wire/frame.h"

#include <check.h>
#include <nng/nng.h>
#include <nng/protocol/reqrep0/rep.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { AWAIT_S = 10, CLOSE_WAIT_MS = 5000, LOOK_MS = 20, LATE_MS = 20 };

struct fake_server {
    nng_socket socket;
    char url[64];
    struct fake_action script[FAKE_SCRIPT_MAX];
    size_t script_n;
    pthread_t thread;
    pthread_mutex_t mutex;  // guards the requests and the members below
    pthread_cond_t came;
    bool is_stopped;
    bool is_closed;
    struct fake_request requests[FAKE_REQUESTS_MAX];
    size_t requests_n;
};

static void take_text(char *to, size_t size, struct weir_slice from)
{
    (void)snprintf(to, size, "%.*s", WEIR_SLICE_ARG(from));
}

static size_t keep_request(struct fake_server *server, struct weir_slice bytes)
{
    struct weir_arena arena;
    struct weir_error err;
    struct weir_request_frame frame;
    weir_arena_init(&arena, 1 << 20, 0);
    weir_error_init(&err);
    if (weir_request_frame_parse(bytes, &arena, &frame, &err) != WEIR_OK) {
        (void)fprintf(stderr, "fake server: %s\n", err.text);
        abort();
    }
    (void)pthread_mutex_lock(&server->mutex);
    const size_t i = server->requests_n++;
    if (i < FAKE_REQUESTS_MAX) {
        struct fake_request *r = &server->requests[i];
        take_text(r->method, sizeof r->method, frame.method);
        take_text(r->token, sizeof r->token, frame.token);
        take_text(r->namespace_id, sizeof r->namespace_id,
                  weir_request_frame_metadata(&frame, "namespace"));
        take_text(r->trace, sizeof r->trace, weir_request_frame_metadata(&frame, "traceparent"));
        r->timeout_ms = frame.timeout_ms;
        r->payload = malloc(frame.payload.n + 1);
        r->payload_n = frame.payload.n;
        if (frame.payload.n > 0) {
            memcpy(r->payload, frame.payload.p, frame.payload.n);
        }
    }
    (void)pthread_cond_broadcast(&server->came);
    (void)pthread_mutex_unlock(&server->mutex);
    weir_arena_fini(&arena);
    return i;
}

static nng_msg *make_reply(const struct fake_action *action)
{
    nng_msg *msg = NULL;
    if (action->kind != FAKE_FAIL) {
        const size_t n = protobuf_c_message_get_packed_size(action->response);
        (void)nng_msg_alloc(&msg, weir_response_ok_size(n));
        weir_response_ok_pack(action->response, n, nng_msg_body(msg));
    } else {
        (void)nng_msg_alloc(&msg, weir_response_error_size(action->failure));
        weir_response_error_pack(action->failure, nng_msg_body(msg));
    }
    return msg;
}

static void serve(struct fake_server *server, nng_msg *request)
{
    const size_t i = keep_request(server, weir_slice(nng_msg_body(request), nng_msg_len(request)));
    const nng_pipe pipe = nng_msg_get_pipe(request);
    nng_msg_free(request);
    const struct fake_action *action =
        &server->script[i < server->script_n ? i : server->script_n - 1];
    if (action->kind == FAKE_DISCONNECT) {
        (void)nng_pipe_close(pipe);
    } else if (action->kind != FAKE_SILENCE) {
        if (action->kind == FAKE_ANSWER_LATE) {
            (void)poll(NULL, 0, LATE_MS);
        }
        nng_msg *reply = make_reply(action);
        if (nng_sendmsg(server->socket, reply, 0) != 0) {
            nng_msg_free(reply);
        }
    }
}

static bool is_stopped(struct fake_server *server)
{
    (void)pthread_mutex_lock(&server->mutex);
    const bool stopped = server->is_stopped;
    (void)pthread_mutex_unlock(&server->mutex);
    return stopped;
}

static void *run(void *arg)
{
    struct fake_server *server = arg;
    while (!is_stopped(server)) {
        nng_msg *request = NULL;
        if (nng_recvmsg(server->socket, &request, 0) == 0) {
            serve(server, request);
        }
    }
    (void)nng_close(server->socket);
    (void)pthread_mutex_lock(&server->mutex);
    server->is_closed = true;
    (void)pthread_cond_broadcast(&server->came);
    (void)pthread_mutex_unlock(&server->mutex);
    return NULL;
}

struct fake_server *fake_server_start(const struct fake_action *script, size_t script_n)
{
    struct fake_server *server = calloc(1, sizeof *server);
    ck_assert_ptr_nonnull(server);
    ck_assert_uint_le(script_n, FAKE_SCRIPT_MAX);
    memcpy(server->script, script, script_n * sizeof *script);
    server->script_n = script_n;
    (void)pthread_mutex_init(&server->mutex, NULL);
    weir_cond_init(&server->came);
    nng_listener listener;
    int port = 0;
    ck_assert_int_eq(nng_rep0_open(&server->socket), 0);
    ck_assert_int_eq(nng_socket_set_ms(server->socket, NNG_OPT_RECVTIMEO, LOOK_MS), 0);
    ck_assert_int_eq(nng_listen(server->socket, "tcp://127.0.0.1:0", &listener, 0), 0);
    ck_assert_int_eq(nng_listener_get_int(listener, NNG_OPT_TCP_BOUND_PORT, &port), 0);
    (void)snprintf(server->url, sizeof server->url, "tcp://127.0.0.1:%d", port);
    ck_assert_int_eq(pthread_create(&server->thread, NULL, run, server), 0);
    return server;
}

/* Waits until the server thread has closed its socket. Closing a connection that the client has
 * closed can hang in nng, and then hangs every other connection of the process (see
 * client/lib/link.c). These tests do not test that; the caller then detaches the thread. */
static bool await_closed(struct fake_server *server)
{
    const int64_t until_us = weir_monotonic_us() + CLOSE_WAIT_MS * 1000;
    bool goes_on = true;
    (void)pthread_mutex_lock(&server->mutex);
    server->is_stopped = true;
    while (!server->is_closed && goes_on) {
        goes_on = weir_cond_wait_until(&server->came, &server->mutex, until_us);
    }
    const bool is_closed = server->is_closed;
    (void)pthread_mutex_unlock(&server->mutex);
    return is_closed;
}

void fake_server_stop(struct fake_server *server)
{
    if (!await_closed(server)) {
        (void)pthread_detach(server->thread);
        return;
    }
    (void)pthread_join(server->thread, NULL);
    for (size_t i = 0; i < server->requests_n && i < FAKE_REQUESTS_MAX; i++) {
        free(server->requests[i].payload);
    }
    (void)pthread_cond_destroy(&server->came);
    (void)pthread_mutex_destroy(&server->mutex);
    free(server);
}

const char *fake_server_url(const struct fake_server *server)
{
    return server->url;
}

size_t fake_server_requests(struct fake_server *server)
{
    (void)pthread_mutex_lock(&server->mutex);
    const size_t n = server->requests_n;
    (void)pthread_mutex_unlock(&server->mutex);
    return n;
}

const struct fake_request *fake_server_request(struct fake_server *server, size_t i)
{
    ck_assert_uint_lt(i, fake_server_requests(server));
    return &server->requests[i];
}

void fake_server_await(struct fake_server *server, size_t n)
{
    const int64_t until_us = weir_monotonic_us() + AWAIT_S * INT64_C(1000000);
    (void)pthread_mutex_lock(&server->mutex);
    bool goes_on = true;
    while (server->requests_n < n && goes_on) {
        goes_on = weir_cond_wait_until(&server->came, &server->mutex, until_us);
    }
    (void)pthread_mutex_unlock(&server->mutex);
    ck_assert_msg(goes_on, "only %zu of %zu requests came", server->requests_n, n);
}
