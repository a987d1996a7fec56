/* An operation takes what has been acknowledged when it starts as its lower bound, and checks its
 * reply against that bound: concurrent writers of the same stream may only have added to it. The
 * callback of a write records it as acknowledged. */
#include "bench/load/operations.h"

#include "bench/lib/clock.h"
#include "bench/lib/payload.h"
#include "bench/load/read_check.h"

#include <stdlib.h>

/* ---- making ---- */

weir_status operations_init(struct operations *operations, const struct profile_run *run,
                            size_t room, struct weir_error *err)
{
    const size_t data_bytes = (size_t)run->options->data_bytes;
    *operations = (struct operations){run, calloc(run->slots_n, sizeof *operations->slots)};
    bool is_ok = operations->slots != NULL;
    for (size_t s = 0; is_ok && s < run->slots_n; s++) {
        operations->slots[s].all = operations;
        is_ok = write_request_init(&operations->slots[s].write, room, data_bytes);
    }
    if (!is_ok) {
        return weir_fail(err, WEIR_BACKEND_UNAVAILABLE, "out of memory");
    }
    return WEIR_OK;
}

void operations_fini(struct operations *operations)
{
    for (size_t s = 0; operations->slots != NULL && s < operations->run->slots_n; s++) {
        write_request_fini(&operations->slots[s].write);
    }
    free(operations->slots);
    operations->slots = NULL;
}

struct operation *operations_of(struct operations *operations, struct load_slot *slot,
                                struct streams *streams, const char *token)
{
    struct operation *operation = &operations->slots[slot->number];
    operation->slot = slot;
    operation->streams = streams;
    operation->stream = payload_random(&slot->random) % streams->n;
    operation->token = token;
    operation->step_ns = 0;
    return operation;
}

static struct weir_client *client_of(const struct operation *operation)
{
    return profile_client(operation->all->run, operation->slot);
}

static bool is_checked(const struct operation *operation)
{
    return !operation->all->run->options->is_against_echo;
}

static void finish(struct operation *operation, enum load_op op, size_t messages, const char *wrong)
{
    const struct load_outcome outcome =
        wrong == NULL
            ? (struct load_outcome){.op = op, .step_ns = operation->step_ns, .messages = messages}
            : profile_wrong_reply(op, wrong);
    load_finish(operation->slot, &outcome);
}

/* ---- writing ---- */

static void on_written(void *context, weir_status status, Weir__V1__WriteMessagesResponse *response,
                       const struct weir_error *err)
{
    struct operation *operation = context;
    if (status == WEIR_STREAM_VERSION_CONFLICT && operation->write.request.expectation != NULL) {
        const struct load_outcome outcome = {
            .op = LOAD_WRITE, .step_ns = operation->step_ns, .is_conflict = true};
        load_finish(operation->slot, &outcome);
        return;
    }
    if (status != WEIR_OK) {
        profile_fail(operation->slot, LOAD_WRITE, err);
        return;
    }
    const size_t n = operation->write.request.n_messages;
    const char *wrong = NULL;
    if (is_checked(operation)) {
        wrong = write_request_check(&operation->write, response, operation->from);
    }
    if (is_checked(operation) && wrong == NULL) {
        streams_wrote(operation->streams, operation->stream, response->written[n - 1]->position,
                      (int64_t)n);
    }
    weir_response_free(response);
    finish(operation, LOAD_WRITE, n, wrong);
}

static void send_write(struct operation *operation, size_t n, uint64_t seed)
{
    struct weir_error err;
    struct weir_call_options options = WEIR_CALL_OPTIONS_INIT;
    options.token = operation->token;
    weir_error_init(&err);
    streams_name(operation->streams, operation->stream, operation->write.stream);
    weir_status status = WEIR_OK;
    if (!write_request_fill(&operation->write, n, seed)) {
        status = weir_fail(&err, WEIR_BACKEND_ERROR, "cannot get random bytes from the system");
    }
    if (status == WEIR_OK) {
        status = weir_message_store_write_messages_async(
            client_of(operation), &operation->write.request, &options, on_written, operation, &err);
    }
    if (status != WEIR_OK) {
        profile_fail(operation->slot, LOAD_WRITE, &err);
    }
}

void operation_write(struct operation *operation, size_t n, uint64_t seed)
{
    /* Writes acknowledged before this one starts must have lower positions. */
    operation->from = streams_version(operation->streams, operation->stream) + 1;
    send_write(operation, n, seed);
}

/* ---- reading ---- */

static void on_read(void *context, weir_status status,
                    Weir__V1__GetStreamMessagesResponse *response, const struct weir_error *err)
{
    struct operation *operation = context;
    if (status != WEIR_OK) {
        profile_fail(operation->slot, LOAD_READ, err);
        return;
    }
    const struct read_reply reply = READ_REPLY(response);
    const char *wrong = is_checked(operation)
                            ? read_check_stream(&reply, operation->read_stream, operation->from,
                                                operation->least, operation->most)
                            : read_check_contents(&reply);
    weir_response_free(response);
    finish(operation, LOAD_READ, reply.n, wrong);
}

void operation_read(struct operation *operation, size_t batch)
{
    const int64_t first = streams_first(operation->streams, operation->stream);
    const int64_t end = streams_version(operation->streams, operation->stream) + 1;
    const uint64_t chance = payload_random(&operation->slot->random);
    operation->from = end > first ? first + (int64_t)(chance % (uint64_t)(end - first)) : first;
    const size_t left = (size_t)(end - operation->from);
    operation->least = left < batch ? left : batch;
    operation->most = batch;

    struct weir_error err;
    struct weir_call_options options = WEIR_CALL_OPTIONS_INIT;
    Weir__V1__GetStreamMessagesRequest request = WEIR__V1__GET_STREAM_MESSAGES_REQUEST__INIT;
    weir_error_init(&err);
    options.token = operation->token;
    streams_name(operation->streams, operation->stream, operation->read_stream);
    request.stream_name = operation->read_stream;
    request.has_position = true;
    request.position = operation->from;
    request.has_batch_size = true;
    request.batch_size = (int64_t)batch;
    if (weir_message_store_get_stream_messages_async(client_of(operation), &request, &options,
                                                     on_read, operation, &err) != WEIR_OK) {
        profile_fail(operation->slot, LOAD_READ, &err);
    }
}

/* ---- conditional writes ---- */

static void on_version(void *context, weir_status status,
                       Weir__V1__GetStreamVersionResponse *response, const struct weir_error *err)
{
    struct operation *operation = context;
    if (status != WEIR_OK) {
        profile_fail(operation->slot, LOAD_VERSION, err);
        return;
    }
    const int64_t version = response->version;
    const bool is_wrong = is_checked(operation) && version < operation->from - 1;
    weir_response_free(response);
    if (is_wrong) {
        finish(operation, LOAD_VERSION, 0, "a version is below that of an acknowledged write");
        return;
    }
    load_record(operation->slot->load, LOAD_VERSION, operation->step_ns, 0);
    operation->step_ns = clock_ns();
    operation->from = version + 1;
    write_request_expect(&operation->write, version);
    send_write(operation, 1, payload_random(&operation->slot->random));
}

void operation_write_conditionally(struct operation *operation)
{
    struct weir_error err;
    Weir__V1__GetStreamVersionRequest request = WEIR__V1__GET_STREAM_VERSION_REQUEST__INIT;
    weir_error_init(&err);
    operation->step_ns = clock_ns();
    operation->from = streams_version(operation->streams, operation->stream) + 1;
    streams_name(operation->streams, operation->stream, operation->read_stream);
    request.stream_name = operation->read_stream;
    if (weir_message_store_get_stream_version_async(client_of(operation), &request, NULL,
                                                    on_version, operation, &err) != WEIR_OK) {
        profile_fail(operation->slot, LOAD_VERSION, &err);
    }
}
