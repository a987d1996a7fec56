#include "client/lib/consumer_entry.h"

#include "weir/rules/json_text.h"

#include <inttypes.h>
#include <stdlib.h>

struct weir_slice consumer_find_member(struct weir_slice json, const char *name)
{
    struct weir_slice key;
    struct weir_slice value;
    struct weir_slice found = {NULL, 0};
    size_t at = 0;
    while (weir_json_next_member(json, &at, &key, &value)) {
        if (weir_slice_is(key, name)) {
            found = value;
        }
    }
    return found;
}

bool consumer_take_number(struct weir_slice json, const char *name, int64_t *number)
{
    const struct weir_slice value = consumer_find_member(json, name);
    char text[32];
    if (value.p == NULL || value.n >= sizeof text) {
        return false;
    }
    memcpy(text, value.p, value.n);
    text[value.n] = '\0';
    char *end = NULL;
    *number = strtoll(text, &end, 10);
    return *end == '\0' && end != text;
}

bool consumer_take_text(struct weir_slice json, const char *name, char *text, size_t size)
{
    /* The longest escape of a byte is \u00XX, six characters. */
    uint8_t unescaped[6 * WEIR_STREAM_NAME_BYTES_MAX + 2];
    const struct weir_slice value = consumer_find_member(json, name);
    size_t n = 0;
    if (value.n > sizeof unescaped || !weir_json_unescape(value, unescaped, &n) || n >= size) {
        return false;
    }
    memcpy(text, unescaped, n);
    text[n] = '\0';
    return true;
}

weir_status consumer_take_data(const Weir__V1__Message *message, struct weir_slice *data,
                               struct weir_error *err)
{
    *data = weir_slice(message->data.data, message->data.len);
    if (!message->has_data) {
        return consumer_fail_corrupt(message, err);
    }
    const weir_status st = weir_json_check(*data, "data", NULL, err);
    return st == WEIR_OK || st == WEIR_BACKEND_UNAVAILABLE ? st
                                                           : consumer_fail_corrupt(message, err);
}

weir_status consumer_fail_corrupt(const Weir__V1__Message *message, struct weir_error *err)
{
    (void)weir_fail(err, WEIR_DATA_CORRUPT,
                    "message %" PRId64 " of stream '%s' was not written by a consumer",
                    message->position, message->stream_name);
    weir_error_detail(err, "global_position", "%" PRId64, message->global_position);
    return WEIR_DATA_CORRUPT;
}

weir_status consumer_append(struct consumer_streams *s, const struct consumer_entry *entry,
                            struct weir_error *err)
{
    Weir__V1__NewMessage message = WEIR__V1__NEW_MESSAGE__INIT;
    Weir__V1__NewMessage *messages[] = {&message};
    message.id = entry->id;
    message.type = entry->type;
    message.has_data = true;
    message.data.data = (uint8_t *)(uintptr_t)entry->data;
    message.data.len = strlen(entry->data);
    Weir__V1__WriteMessagesRequest request = WEIR__V1__WRITE_MESSAGES_REQUEST__INIT;
    request.stream_name = entry->stream;
    request.messages = messages;
    request.n_messages = 1;
    request.expectation = entry->expectation;
    Weir__V1__WriteMessagesResponse *response = NULL;
    const weir_status st =
        weir_message_store_write_messages(s->client, &request, entry->call, &response, err);
    if (st == WEIR_OK && entry->position != NULL) {
        *entry->position = response->written[0]->position;
    }
    weir_response_free(response);
    return st;
}
