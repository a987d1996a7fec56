#include "tests/rpc/rpc_fixture.h"

#include "server/transport/transport.h"
#include "weir/wire/frame.h"

#include <nng/protocol/reqrep0/req.h>
#include <poll.h>
#include <stdlib.h>

enum { REQUEST_ROOM = 4 * 1024 * 1024 };

struct rpc rpc;

static void parse(const char *const *arguments, const char *default_token)
{
    char *argv[RPC_ARGS_MAX] = {(char *)(uintptr_t) "weir-server"};
    int argc = 1;
    bool has_store = false;
    bool has_listen = false;
    for (size_t i = 0; arguments != NULL && arguments[i] != NULL; i++) {
        has_store = has_store || strcmp(arguments[i], "--store") == 0;
        has_listen = has_listen || strcmp(arguments[i], "--listen") == 0;
        argv[argc++] = (char *)(uintptr_t)arguments[i];
    }
    if (!has_store) {
        argv[argc++] = (char *)(uintptr_t) "--store=sqlite::memory:";
    }
    if (!has_listen) {
        argv[argc++] = (char *)(uintptr_t) "--listen=inproc://weir-rpc-test";
    }
    ck_assert_int_lt(argc, RPC_ARGS_MAX);
    (void)setenv("WEIR_ADMIN_TOKEN", ADMIN_TOKEN, 1);
    (void)setenv("WEIR_DEFAULT_TOKEN", default_token, 1);
    struct weir_error err;
    weir_error_init(&err);
    ck_assert_msg(weir_config_parse(&rpc.config, argc, argv, &err) == WEIR_OK, "%s", err.text);
}

void rpc_configure(const char *const *arguments)
{
    parse(arguments, DEFAULT_TOKEN);
}

static void connect_client(void)
{
    rpc.url = weir_transport_url(rpc.server->transport, 0);
    rpc.client = rpc_connect(rpc.url);
}

void rpc_start(const char *const *arguments)
{
    rpc_start_with_token(arguments, DEFAULT_TOKEN);
}

void rpc_start_with_token(const char *const *arguments, const char *default_token)
{
    struct weir_error err;
    weir_error_init(&err);
    parse(arguments, default_token);
    ck_assert_msg(weir_server_start(&rpc.config, &rpc.server, &err) == WEIR_OK, "%s", err.text);
    connect_client();
}

void rpc_start_on(struct weir_store *store, const char *const *arguments)
{
    struct weir_error err;
    weir_error_init(&err);
    rpc_configure(arguments);
    ck_assert_msg(weir_server_start_on(&rpc.config, store, &rpc.server, &err) == WEIR_OK, "%s",
                  err.text);
    connect_client();
}

void rpc_stop(void)
{
    (void)nng_close(rpc.client);
    if (rpc.server != NULL) {
        ck_assert(weir_server_stop(rpc.server, RPC_TIMEOUT_MS));
        rpc.server = NULL;
    }
    weir_config_fini(&rpc.config);
}

nng_socket rpc_connect(const char *url)
{
    nng_socket socket;
    ck_assert_int_eq(nng_req0_open(&socket), 0);
    ck_assert_int_eq(nng_socket_set_ms(socket, NNG_OPT_REQ_RESENDTIME, NNG_DURATION_INFINITE), 0);
    ck_assert_int_eq(nng_dial(socket, url, NULL, 0), 0);
    return socket;
}

/* ---- exchanges ---- */

static void step_done(void *context)
{
    struct rpc_pending *pending = context;
    atomic_fetch_add(&pending->steps, 1);
}

void rpc_begin(struct rpc_pending *pending, struct weir_slice request)
{
    nng_msg *msg = NULL;
    atomic_init(&pending->steps, 0);
    ck_assert_int_eq(nng_ctx_open(&pending->ctx, rpc.client), 0);
    ck_assert_int_eq(nng_aio_alloc(&pending->aio, step_done, pending), 0);
    ck_assert_int_eq(nng_msg_alloc(&msg, 0), 0);
    ck_assert_int_eq(nng_msg_append(msg, request.n == 0 ? "" : (const void *)request.p, request.n),
                     0);
    nng_aio_set_timeout(pending->aio, RPC_TIMEOUT_MS);
    nng_aio_set_msg(pending->aio, msg);
    nng_ctx_send(pending->ctx, pending->aio);
    nng_aio_wait(pending->aio);
    ck_assert_int_eq(nng_aio_result(pending->aio), 0);
    nng_ctx_recv(pending->ctx, pending->aio);
}

bool rpc_is_done(const struct rpc_pending *pending)
{
    return atomic_load(&pending->steps) == 2;
}

void rpc_end(struct rpc_pending *pending, struct rpc_reply *reply)
{
    nng_aio_wait(pending->aio);
    const int rv = nng_aio_result(pending->aio);
    ck_assert_msg(rv == 0, "no reply: %s", nng_strerror(rv));
    reply->msg = nng_aio_get_msg(pending->aio);
    weir_error_init(&reply->err);
    weir_error_enlarge(&reply->err, reply->details, sizeof reply->details);
    reply->status =
        weir_response_parse(weir_slice(nng_msg_body(reply->msg), nng_msg_len(reply->msg)),
                            &reply->payload, &reply->err);
    nng_aio_free(pending->aio);
    (void)nng_ctx_close(pending->ctx);
}

void rpc_end_all(struct rpc_pending *pending, size_t n, weir_status want)
{
    for (size_t i = 0; i < n; i++) {
        struct rpc_reply reply;
        rpc_end(&pending[i], &reply);
        rpc_assert_status(&reply, want);
        rpc_free(&reply);
    }
}

void rpc_wait_in_flight(size_t n)
{
    while (atomic_load(&rpc.server->in_flight) < n) {
        (void)poll(NULL, 0, 1);
    }
}

bool rpc_is_spot_taken(void)
{
    return atomic_load(&rpc.server->is_spot_taken);
}

void rpc_exchange(struct weir_slice request, struct rpc_reply *reply)
{
    struct rpc_pending pending;
    rpc_begin(&pending, request);
    rpc_end(&pending, reply);
}

void rpc_free(struct rpc_reply *reply)
{
    nng_msg_free(reply->msg);
    reply->msg = NULL;
}

struct weir_slice rpc_pack(const struct rpc_request *request, uint8_t *room, size_t room_n)
{
    const struct weir_metadata_entry entry = {.key = weir_slice_of("namespace"),
                                              .value = weir_slice_of(request->namespace_id)};
    const struct weir_request_frame frame = {
        .method = weir_slice_of(request->method),
        .token = weir_slice_of(request->token),
        .timeout_ms = request->timeout_ms,
        .metadata_n = request->namespace_id == NULL ? 0 : 1,
        .metadata = &entry,
    };
    static const Weir__V1__GetServerInfoRequest nothing = WEIR__V1__GET_SERVER_INFO_REQUEST__INIT;
    const ProtobufCMessage *message = request->message == NULL ? &nothing.base : request->message;
    const size_t payload_n = protobuf_c_message_get_packed_size(message);
    const size_t n = weir_request_frame_size(&frame, payload_n);
    ck_assert_uint_le(n, room_n);
    weir_request_frame_pack(&frame, message, payload_n, room);
    return weir_slice(room, n);
}

void rpc_one_write_init(struct rpc_one_write *write, const char *stream)
{
    weir__v1__write_messages_request__init(&write->in);
    weir__v1__new_message__init(&write->message);
    write->message.type = (char *)(uintptr_t) "T";
    write->messages[0] = &write->message;
    write->in.stream_name = (char *)(uintptr_t)stream;
    write->in.messages = write->messages;
    write->in.n_messages = 1;
}

struct weir_slice rpc_write_request(uint32_t timeout_ms)
{
    static uint8_t room[1024];
    struct rpc_one_write write;
    rpc_one_write_init(&write, "s-1");
    const struct rpc_request request = {.method = "weir.v1.MessageStore/WriteMessages",
                                        .token = ADMIN_TOKEN,
                                        .namespace_id = "default",
                                        .timeout_ms = timeout_ms,
                                        .message = &write.in.base};
    return rpc_pack(&request, room, sizeof room);
}

void rpc_call(const struct rpc_request *request, struct rpc_reply *reply)
{
    uint8_t *room = malloc(REQUEST_ROOM);
    ck_assert_ptr_nonnull(room);
    rpc_exchange(rpc_pack(request, room, REQUEST_ROOM), reply);
    free(room);
}

weir_status rpc_call_as(struct rpc_reply *reply, const char *token, const char *method,
                        const ProtobufCMessage *message)
{
    const struct rpc_request request = {.method = method, .token = token, .message = message};
    rpc_call(&request, reply);
    return reply->status;
}

void rpc_must_call(struct rpc_reply *reply, const char *token, const char *method,
                   const ProtobufCMessage *message)
{
    ck_assert_msg(rpc_call_as(reply, token, method, message) == WEIR_OK, "%s: %s", method,
                  reply->err.text);
}

void *rpc_unpack(struct rpc_reply *reply, const ProtobufCMessageDescriptor *type)
{
    ProtobufCMessage *out =
        protobuf_c_message_unpack(type, NULL, reply->payload.n, reply->payload.p);
    ck_assert_ptr_nonnull(out);
    rpc_free(reply);
    return out;
}

void rpc_free_message(void *message)
{
    protobuf_c_message_free_unpacked(message, NULL);
}

void rpc_assert_alive(void)
{
    static struct rpc_reply reply;
    const struct rpc_request request = {.method = "weir.v1.System/GetServerInfo"};
    rpc_call(&request, &reply);
    rpc_assert_status(&reply, WEIR_OK);
    rpc_free(&reply);
}

void rpc_write(const char *stream, size_t data_n)
{
    static struct rpc_reply reply;
    struct rpc_one_write write;
    rpc_one_write_init(&write, stream);
    ProtobufCBinaryData *data = &write.message.data;
    write.message.has_data = true;
    data->len = data_n;
    data->data = malloc(data_n);
    ck_assert(data->data != NULL && data_n >= 2);
    memset(data->data, 'x', data_n);
    data->data[0] = data->data[data_n - 1] = '"';
    const struct rpc_request request = {.method = "weir.v1.MessageStore/WriteMessages",
                                        .token = DEFAULT_TOKEN,
                                        .message = &write.in.base};
    rpc_call(&request, &reply);
    rpc_assert_status(&reply, WEIR_OK);
    rpc_free(&reply);
    free(data->data);
}
