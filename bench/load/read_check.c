#include "bench/load/read_check.h"

#include "bench/lib/payload.h"

const char *read_check_message(const Weir__V1__Message *message, uint64_t *seed)
{
    if (message->id == NULL || message->stream_name == NULL || message->type == NULL ||
        !message->has_position || !message->has_global_position || !message->has_time_us) {
        return "a message lacks a field";
    }
    if (!message->has_data || !payload_check(message->data.data, message->data.len, seed)) {
        return "a message's data differ from what was written";
    }
    return NULL;
}

const char *read_check_contents(const struct read_reply *reply)
{
    const char *wrong = NULL;
    for (size_t m = 0; wrong == NULL && m < reply->n; m++) {
        wrong = read_check_message(reply->messages[m], NULL);
    }
    return wrong;
}

static const char *check_number(const struct read_reply *reply, size_t least, size_t most)
{
    if (reply->n < (reply->is_truncated ? 1 : least)) {
        return "a read returned fewer messages than there are";
    }
    return reply->n > most ? "a read returned more messages than requested" : NULL;
}

const char *read_check_stream(const struct read_reply *reply, const char *stream, int64_t from,
                              size_t least, size_t most)
{
    const char *wrong = check_number(reply, least, most);
    for (size_t m = 0; wrong == NULL && m < reply->n; m++) {
        const Weir__V1__Message *message = reply->messages[m];
        wrong = read_check_message(message, NULL);
        if (wrong == NULL && strcmp(message->stream_name, stream) != 0) {
            wrong = "a read returned a message of another stream";
        }
        if (wrong == NULL && message->position != from + (int64_t)m) {
            wrong = "a read left out a position";
        }
    }
    return wrong;
}

static bool is_of_category(const Weir__V1__Message *message, const char *category)
{
    return weir_slice_is(weir_name_category(weir_slice_of(message->stream_name)), category);
}

const char *read_check_positions(const struct read_reply *reply, const char *category,
                                 const int64_t *positions, size_t positions_n)
{
    const char *wrong = check_number(reply, positions_n, positions_n);
    for (size_t m = 0; wrong == NULL && m < reply->n; m++) {
        const Weir__V1__Message *message = reply->messages[m];
        wrong = read_check_message(message, NULL);
        if (wrong == NULL && message->global_position != positions[m]) {
            wrong = "a read returned another message than requested";
        }
        if (wrong == NULL && !is_of_category(message, category)) {
            wrong = "a read returned a message of another category";
        }
    }
    return wrong;
}

const char *read_check_category(const struct read_reply *reply,
                                const struct read_check_category *expected)
{
    int64_t least = expected->from;
    const char *wrong = check_number(reply, 0, expected->most);
    for (size_t m = 0; wrong == NULL && m < reply->n; m++) {
        const Weir__V1__Message *message = reply->messages[m];
        wrong = read_check_message(message, NULL);
        if (wrong == NULL && message->global_position < least) {
            wrong = "a read is not in the order of global positions";
        }
        if (wrong == NULL && !is_of_category(message, expected->category)) {
            wrong = "a read returned a message of another category";
        }
        if (wrong == NULL && expected->group_size > 0 &&
            weir_name_member(weir_slice_of(message->stream_name), expected->group_size) !=
                expected->member) {
            wrong = "a read returned a message of another group member";
        }
        least = message->global_position + 1;
    }
    return wrong;
}
