#include "bench/read/reader.h"

#include "weir/v1/message_store.pb-c.h"
#include "weir/wire/frame.h"
#include "weir/wire/pb_arena.h"

enum { CHECK_CAP_BYTES = 64 * 1024 * 1024 };

static struct weir_slice bytes_of(protobuf_c_boolean is_there, ProtobufCBinaryData data)
{
    /* An empty field that is present has a NULL pointer. */
    return is_there ? weir_slice(data.data == NULL ? (const uint8_t *)"" : data.data, data.len)
                    : weir_slice(NULL, 0);
}

static bool row_of(const Weir__V1__Message *message, struct weir_row *row)
{
    *row = (struct weir_row){.stream = weir_slice_of(message->stream_name),
                             .type = weir_slice_of(message->type),
                             .data = bytes_of(message->has_data, message->data),
                             .metadata = bytes_of(message->has_metadata, message->metadata),
                             .position = message->position,
                             .global_position = message->global_position,
                             .time_us = message->time_us};
    return message->has_position && message->has_global_position && message->has_time_us &&
           weir_uuid_parse(weir_slice_of(message->id), &row->id);
}

static weir_status compare(const struct read_plan *plan, size_t start,
                           const Weir__V1__GetCategoryMessagesResponse *response,
                           struct weir_error *err)
{
    if (response->n_messages != plan->rows) {
        return weir_fail(err, WEIR_BACKEND_ERROR, "%zu messages were requested, %zu came",
                         plan->rows, response->n_messages);
    }
    for (size_t i = 0; i < plan->rows; i++) {
        struct weir_row row;
        const char *differs = "a field that is missing";
        if (row_of(response->messages[i], &row)) {
            differs = dataset_compare(plan->selection->messages[plan->first[start] + i], &row);
        }
        if (differs != NULL) {
            return weir_fail(err, WEIR_BACKEND_ERROR,
                             "message %zu of a read is not the one requested: it differs in %s", i,
                             differs);
        }
    }
    return WEIR_OK;
}

static weir_status check_message(const struct read_plan *plan, size_t start, nng_msg *message,
                                 struct weir_error *err)
{
    struct weir_arena arena;
    weir_arena_init(&arena, CHECK_CAP_BYTES, 0);
    struct weir_slice payload;
    ProtobufCMessage *response = NULL;
    weir_status status =
        weir_response_parse(weir_slice(nng_msg_body(message), nng_msg_len(message)), &payload, err);
    if (status == WEIR_OK) {
        status = weir_pb_unpack(&arena, &weir__v1__get_category_messages_response__descriptor,
                                payload, &response, err);
    }
    if (status == WEIR_OK) {
        status = compare(plan, start, (Weir__V1__GetCategoryMessagesResponse *)response, err);
    }
    weir_arena_fini(&arena);
    return status;
}

/* The floor returns no messages; checks the number of rows and the size of their text instead. */
static weir_status check_sizes(const struct read_plan *plan, size_t start,
                               const struct read_reply *reply, struct weir_error *err)
{
    uint64_t least = 0;
    for (size_t i = 0; i < plan->rows; i++) {
        least += plan->selection->messages[plan->first[start] + i]->data_n;
    }
    if (reply->rows != plan->rows || reply->text_bytes < least) {
        return weir_fail(err, WEIR_BACKEND_ERROR, "the floor has seen %zu rows instead of %zu",
                         reply->rows, plan->rows);
    }
    return WEIR_OK;
}

weir_status reader_check(const struct read_plan *plan, size_t start, const struct read_reply *reply,
                         struct weir_error *err)
{
    return reply->message == NULL ? check_sizes(plan, start, reply, err)
                                  : check_message(plan, start, reply->message, err);
}
