#include "bench/read/grown.h"

#include "weir/wire/frame.h"

#include <stdlib.h>

enum { FIRST_ROOM = 4 };

static bool make_room(struct grown *grown)
{
    if (grown->n < grown->room) {
        return true;
    }
    const size_t room = grown->room == 0 ? FIRST_ROOM : 2 * grown->room;
    Weir__V1__Message **messages = realloc(grown->messages, room * sizeof *messages);
    if (messages != NULL) {
        grown->messages = messages;
        grown->room = room;
    }
    return messages != NULL;
}

Weir__V1__Message *grown_add(struct grown *grown)
{
    Weir__V1__Message *message = make_room(grown) ? malloc(sizeof *message) : NULL;
    if (message != NULL) {
        weir__v1__message__init(message);
        grown->messages[grown->n++] = message;
    }
    return message;
}

char *grown_text(const void *bytes, size_t n)
{
    char *text = malloc(n + 1);
    if (text != NULL) {
        memcpy(text, bytes, n);
        text[n] = '\0';
    }
    return text;
}

char *grown_id(const void *bytes)
{
    struct weir_uuid id;
    char *text = malloc(WEIR_UUID_TEXT + 1);
    if (text != NULL) {
        memcpy(id.bytes, bytes, sizeof id.bytes);
        weir_uuid_format(&id, text);
    }
    return text;
}

bool grown_data(const void *bytes, size_t n, protobuf_c_boolean *is_there,
                ProtobufCBinaryData *data)
{
    *is_there = true;
    data->len = n;
    data->data = malloc(n);
    if (data->data != NULL) {
        memcpy(data->data, bytes, n);
    }
    return data->data != NULL;
}

weir_status grown_pack(const struct grown *grown, nng_msg **message, struct weir_error *err)
{
    Weir__V1__GetCategoryMessagesResponse response;
    weir__v1__get_category_messages_response__init(&response);
    response.n_messages = grown->n;
    response.messages = grown->messages;
    response.has_next_position = true;
    response.next_position = grown->n > 0 ? grown->messages[grown->n - 1]->global_position + 1 : 0;
    response.has_truncated = true;
    const size_t n = protobuf_c_message_get_packed_size(&response.base);
    uint8_t *payload = malloc(n);
    if (payload == NULL || nng_msg_alloc(message, weir_response_ok_size(n)) != 0) {
        free(payload);
        return weir_fail(err, WEIR_BACKEND_UNAVAILABLE, "out of memory");
    }
    (void)protobuf_c_message_pack(&response.base, payload);
    memcpy(weir_response_ok_head(n, nng_msg_body(*message)), payload, n);
    free(payload);
    return WEIR_OK;
}

static void free_message(Weir__V1__Message *message)
{
    free(message->id);
    free(message->stream_name);
    free(message->type);
    free(message->data.data);
    free(message->metadata.data);
    free(message);
}

void grown_free(struct grown *grown)
{
    for (size_t i = 0; i < grown->n; i++) {
        free_message(grown->messages[i]);
    }
    free(grown->messages);
}
