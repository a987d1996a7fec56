#include "tests/rpc/polls.h"

#include "weir/base/monotonic.h"

#include <poll.h>

struct rpc_pending pending[POLLS_MAX];

static struct rpc_reply reply;

/* ---- requests ---- */

struct weir_slice pack_poll(const struct poll_of *of)
{
    static uint8_t room[2048];
    Weir__V1__GetStreamMessagesRequest stream = WEIR__V1__GET_STREAM_MESSAGES_REQUEST__INIT;
    Weir__V1__GetCategoryMessagesRequest category = WEIR__V1__GET_CATEGORY_MESSAGES_REQUEST__INIT;
    Weir__V1__ConsumerGroup group = WEIR__V1__CONSUMER_GROUP__INIT;
    char *types[] = {(char *)(uintptr_t)of->type, (char *)(uintptr_t)of->other_type};
    struct rpc_request request = {.method = "weir.v1.MessageStore/GetStreamMessages",
                                  .token = of->token == NULL ? DEFAULT_TOKEN : of->token,
                                  .namespace_id = of->namespace_id,
                                  .timeout_ms = of->timeout_ms,
                                  .message = &stream.base};
    stream.stream_name = (char *)(uintptr_t)of->stream;
    stream.has_position = of->from_global == 0;
    stream.has_global_position = of->from_global != 0;
    stream.global_position = of->from_global;
    category.has_position = true;
    stream.position = category.position = of->from;
    stream.has_wait_ms = category.has_wait_ms = true;
    stream.wait_ms = category.wait_ms = of->wait_ms;
    stream.types = category.types = types;
    stream.n_types = category.n_types = of->type == NULL ? 0 : of->other_type == NULL ? 1 : 2;
    if (of->category != NULL) {
        category.category = (char *)(uintptr_t)of->category;
        category.correlation = (char *)(uintptr_t)of->correlation;
        group.has_member = group.has_size = true;
        group.member = of->group_member;
        group.size = of->group_size;
        category.consumer_group = of->group_size > 0 ? &group : NULL;
        request.method = "weir.v1.MessageStore/GetCategoryMessages";
        request.message = &category.base;
    }
    return rpc_pack(&request, room, sizeof room);
}

void begin(size_t i, const struct poll_of *of)
{
    rpc_begin(&pending[i], pack_poll(of));
}

void write_as(const char *token, const char *stream, const char *type, const char *metadata)
{
    struct rpc_one_write write;
    rpc_one_write_init(&write, stream);
    write.message.type = (char *)(uintptr_t)type;
    write.message.has_metadata = metadata != NULL;
    write.message.metadata.data = (uint8_t *)(uintptr_t)metadata;
    write.message.metadata.len = metadata == NULL ? 0 : strlen(metadata);
    const struct rpc_request request = {
        .method = "weir.v1.MessageStore/WriteMessages", .token = token, .message = &write.in.base};
    rpc_call(&request, &reply);
    rpc_assert_status(&reply, WEIR_OK);
    rpc_free(&reply);
}

void put(const char *stream)
{
    write_as(DEFAULT_TOKEN, stream, "T", NULL);
}

/* ---- outcomes ---- */

void wait_until(size_t waiting)
{
    const int64_t until_us = weir_monotonic_us() + RPC_TIMEOUT_MS * 1000;
    while (atomic_load(&rpc.server->waiting) != waiting ||
           atomic_load(&rpc.server->in_flight) != 0) {
        ck_assert_int_lt(weir_monotonic_us(), until_us);
        (void)poll(NULL, 0, 1);
    }
}

void end_with(size_t i, size_t n_messages, int64_t next_position)
{
    rpc_end(&pending[i], &reply);
    rpc_assert_status(&reply, WEIR_OK);
    Weir__V1__GetStreamMessagesResponse *out =
        weir__v1__get_stream_messages_response__unpack(NULL, reply.payload.n, reply.payload.p);
    ck_assert_ptr_nonnull(out);
    ck_assert_uint_eq(out->n_messages, n_messages);
    ck_assert_int_eq(out->next_position, next_position);
    weir__v1__get_stream_messages_response__free_unpacked(out, NULL);
    rpc_free(&reply);
}

void end_failed(size_t i, weir_status want)
{
    rpc_end(&pending[i], &reply);
    rpc_assert_status(&reply, want);
    rpc_free(&reply);
}

/* ---- a separate namespace ---- */

static void call_admin(const char *method, const ProtobufCMessage *message)
{
    const struct rpc_request request = {.method = method, .token = ADMIN_TOKEN, .message = message};
    rpc_call(&request, &reply);
    rpc_assert_status(&reply, WEIR_OK);
    rpc_free(&reply);
}

void create_tenant(void)
{
    Weir__V1__CreateNamespaceRequest in = WEIR__V1__CREATE_NAMESPACE_REQUEST__INIT;
    in.namespace_ = (char *)(uintptr_t) "tenant";
    in.token = (char *)(uintptr_t)TENANT;
    call_admin("weir.v1.Namespaces/CreateNamespace", &in.base);
}

void delete_tenant(void)
{
    Weir__V1__DeleteNamespaceRequest in = WEIR__V1__DELETE_NAMESPACE_REQUEST__INIT;
    in.namespace_ = (char *)(uintptr_t) "tenant";
    call_admin("weir.v1.Namespaces/DeleteNamespace", &in.base);
}

void rotate_tenant(void)
{
    Weir__V1__RotateTokenRequest in = WEIR__V1__ROTATE_TOKEN_REQUEST__INIT;
    in.namespace_ = (char *)(uintptr_t) "tenant";
    in.new_token = (char *)(uintptr_t)FRESH;
    call_admin("weir.v1.Namespaces/RotateToken", &in.base);
}
