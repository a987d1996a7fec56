#include "server/handlers/request_check.h"

#include "weir/rules/limits.h"
#include "weir/rules/stream_name.h"

#include <stdio.h>

weir_status weir_check_known_stream(const char *text, struct weir_slice *name,
                                    struct weir_error *err)
{
    return weir_check_stream_name(text, WEIR_STREAM_NAME_BYTES_MAX, "stream_name", name, err);
}

/* The fields that the requests of both reads have. */
struct read_fields {
    bool has_batch_size;
    int64_t batch_size;
    bool is_backward;
    bool is_headers_only;
    char *const *types;
    size_t types_n;
    uint32_t wait_ms;
};

/* The fields that requests of both types have, under the same names. */
#define READ_FIELDS_OF(request)                                                                \
    {                                                                                          \
        .has_batch_size = (request)->has_batch_size, .batch_size = (request)->batch_size,      \
        .is_backward =                                                                         \
            (request)->has_direction && (request)->direction == WEIR__V1__DIRECTION__BACKWARD, \
        .is_headers_only = (request)->has_headers_only && (request)->headers_only,             \
        .types = (request)->types, .types_n = (request)->n_types,                              \
        .wait_ms = (request)->has_wait_ms ? (request)->wait_ms : 0,                            \
    }

/* A batch of -1 asks for everything: the reply then holds at most one full batch, and says so where
 * more is left. So does a read without a batch where the default is more than a full batch, because
 * a client that counts on the default takes a smaller reply for the end of the stream. */
static weir_status check_batch(const struct weir_call *call, const struct read_fields *in,
                               struct weir_query *query, struct weir_error *err)
{
    const int64_t most = weir_call_limits(call)->batch_size;
    int64_t batch = WEIR_BATCH_DEFAULT <= most ? WEIR_BATCH_DEFAULT : -1;
    if (in->has_batch_size) {
        batch = in->batch_size;
    }
    if (batch < -1 || batch > most) {
        return weir_fail_field(err, "batch_size",
                               "%lld is out of range: must be -1 to %lld (--max-batch-size)",
                               (long long)batch, (long long)most);
    }
    query->is_unlimited = batch == -1;
    query->max_messages = batch == -1 ? most : batch;
    return WEIR_OK;
}

static weir_status check_one_type(const char *text, size_t at, struct weir_slice *type,
                                  struct weir_error *err)
{
    *type = weir_slice_of(text);
    if (type->n == 0 || type->n > WEIR_TYPE_BYTES_MAX) {
        char path[32];
        (void)snprintf(path, sizeof path, "types[%zu]", at);
        return weir_fail_field(err, path, "length of %zu bytes is out of range: must be 1 to %d",
                               type->n, WEIR_TYPE_BYTES_MAX);
    }
    return WEIR_OK;
}

static weir_status check_types(struct weir_call *call, const struct read_fields *in,
                               struct weir_query *query, struct weir_error *err)
{
    if (in->types_n > WEIR_READ_TYPES_MAX) {
        return weir_fail_field(err, "types", "%zu types are too many: must be at most %d",
                               in->types_n, WEIR_READ_TYPES_MAX);
    }
    if (in->types_n == 0) {
        return WEIR_OK;
    }
    struct weir_slice *types = weir_arena_array(&call->arena, in->types_n, sizeof *types);
    if (types == NULL) {
        return weir_call_is_too_large(call, err);
    }
    for (size_t i = 0; i < in->types_n; i++) {
        const weir_status st = check_one_type(in->types[i], i, &types[i], err);
        if (st != WEIR_OK) {
            return st;
        }
    }
    query->types = types;
    query->types_n = in->types_n;
    return WEIR_OK;
}

static weir_status check_wait(const struct weir_call *call, const struct read_fields *in,
                              struct weir_error *err)
{
    const int64_t most = weir_call_limits(call)->wait_ms;
    if (in->wait_ms > most) {
        return weir_fail_field(err, "wait_ms",
                               "%u is out of range: must be at most %lld (--max-wait-ms)",
                               (unsigned)in->wait_ms, (long long)most);
    }
    if (in->wait_ms > 0 && in->is_backward) {
        return weir_fail_field(err, "wait_ms", "a backward read cannot wait");
    }
    return WEIR_OK;
}

static weir_status check_read_fields(struct weir_call *call, const struct read_fields *in,
                                     struct weir_query *query, struct weir_error *err)
{
    query->is_backward = in->is_backward;
    query->is_headers_only = in->is_headers_only;
    query->max_bytes = (size_t)weir_call_limits(call)->reply_bytes;
    query->deadline_us = call->deadline_us;
    weir_status st = check_batch(call, in, query, err);
    if (st == WEIR_OK) {
        st = check_types(call, in, query, err);
    }
    return st == WEIR_OK ? check_wait(call, in, err) : st;
}

/* A read without a start begins at the first or, backward, at the newest message. */
static void set_start(struct weir_query *query, bool has_start, int64_t start, int64_t first)
{
    query->from = has_start ? start : first;
    query->is_from_newest = !has_start && query->is_backward;
}

weir_status weir_check_stream_read(struct weir_call *call,
                                   const Weir__V1__GetStreamMessagesRequest *request,
                                   struct weir_query *query, uint32_t *wait_ms,
                                   struct weir_error *err)
{
    const struct read_fields in = READ_FIELDS_OF(request);
    *query = (struct weir_query){.selector = WEIR_SELECT_STREAM};
    weir_status st = weir_check_known_stream(request->stream_name, &query->name, err);
    if (st == WEIR_OK && request->has_position && request->has_global_position) {
        return weir_fail_field(err, "global_position",
                               "position and global_position cannot both be given");
    }
    if (st == WEIR_OK) {
        st = check_read_fields(call, &in, query, err);
    }
    query->is_from_global = request->has_global_position;
    set_start(query, request->has_position || request->has_global_position,
              request->has_position ? request->position : request->global_position, 0);
    *wait_ms = in.wait_ms;
    return st;
}

/* Member and size are given both or not at all; the error names the faulty field. */
static weir_status check_group(const Weir__V1__ConsumerGroup *group, struct weir_query *query,
                               struct weir_error *err)
{
    if (group == NULL || (!group->has_member && !group->has_size)) {
        return WEIR_OK;
    }
    if (!group->has_size || group->size < 1) {
        return weir_fail_field(err, "consumer_group.size",
                               group->has_size ? "must be at least 1"
                                               : "required together with member");
    }
    if (!group->has_member || group->member < 0 || group->member >= group->size) {
        return weir_fail_field(err, "consumer_group.member",
                               group->has_member ? "must be from 0 to size - 1"
                                                 : "required together with size");
    }
    query->group_member = group->member;
    query->group_size = group->size;
    return WEIR_OK;
}

static weir_status check_category_name(const char *text, int most, const char *field,
                                       struct weir_slice *name, struct weir_error *err)
{
    *name = weir_slice_of(text);
    if (name->n > (size_t)most) {
        return weir_fail_field(err, field, "%zu bytes are too long: must be at most %d", name->n,
                               most);
    }
    if (name->p != NULL && !weir_name_is_category(*name)) {
        return weir_fail_field(err, field, "a category must not contain '-'");
    }
    return WEIR_OK;
}

weir_status weir_check_category_read(struct weir_call *call,
                                     const Weir__V1__GetCategoryMessagesRequest *request,
                                     struct weir_query *query, uint32_t *wait_ms,
                                     struct weir_error *err)
{
    const struct read_fields in = READ_FIELDS_OF(request);
    *query = (struct weir_query){.selector = WEIR_SELECT_ALL};
    weir_status st = check_category_name(request->category, WEIR_STREAM_NAME_BYTES_MAX, "category",
                                         &query->name, err);
    if (st == WEIR_OK) {
        st = check_category_name(request->correlation, WEIR_CORRELATION_BYTES_MAX, "correlation",
                                 &query->correlation, err);
    }
    if (st == WEIR_OK) {
        st = check_group(request->consumer_group, query, err);
    }
    if (st == WEIR_OK) {
        st = check_read_fields(call, &in, query, err);
    }
    if (query->name.n > 0) {
        query->selector = WEIR_SELECT_CATEGORY;
    }
    set_start(query, request->has_position, request->position, 1);
    *wait_ms = in.wait_ms;
    return st;
}

weir_status weir_check_last_read(struct weir_call *call,
                                 const Weir__V1__GetLastStreamMessageRequest *request,
                                 struct weir_query *query, struct weir_error *err)
{
    *query = (struct weir_query){.selector = WEIR_SELECT_STREAM, .deadline_us = call->deadline_us};
    const weir_status st = weir_check_known_stream(request->stream_name, &query->name, err);
    if (st != WEIR_OK || request->type == NULL || request->type[0] == '\0') {
        return st;
    }
    struct weir_slice *type = weir_arena_array(&call->arena, 1, sizeof *type);
    if (type == NULL) {
        return weir_call_is_too_large(call, err);
    }
    *type = weir_slice_of(request->type);
    if (type->n > WEIR_TYPE_BYTES_MAX) {
        return weir_fail_field(err, "type", "%zu bytes are too long: must be at most %d", type->n,
                               WEIR_TYPE_BYTES_MAX);
    }
    query->types = type;
    query->types_n = 1;
    return WEIR_OK;
}
