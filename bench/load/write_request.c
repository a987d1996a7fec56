#include "bench/load/write_request.h"

#include "bench/lib/payload.h"

#include <stdlib.h>

enum { ID_BYTES = WEIR_UUID_TEXT + 1 };

static char message_type[] = "Deposited";

bool write_request_init(struct write_request *write, size_t room, size_t data_bytes)
{
    *write = (struct write_request){.data_bytes = data_bytes};
    write->messages = calloc(room, sizeof *write->messages);
    write->pointers = calloc(room, sizeof *write->pointers);
    write->ids = calloc(room, ID_BYTES);
    write->data = calloc(room, data_bytes);
    if (write->messages == NULL || write->pointers == NULL || write->ids == NULL ||
        write->data == NULL) {
        write_request_fini(write);
        return false;
    }
    weir__v1__write_messages_request__init(&write->request);
    write->request.stream_name = write->stream;
    write->request.messages = write->pointers;
    for (size_t m = 0; m < room; m++) {
        Weir__V1__NewMessage *message = &write->messages[m];
        weir__v1__new_message__init(message);
        message->id = write->ids + m * ID_BYTES;
        message->type = message_type;
        message->has_data = true;
        message->data.len = data_bytes;
        message->data.data = (uint8_t *)write->data + m * data_bytes;
        write->pointers[m] = message;
    }
    return true;
}

void write_request_fini(struct write_request *write)
{
    free(write->messages);
    free(write->pointers);
    free(write->ids);
    free(write->data);
}

bool write_request_fill(struct write_request *write, size_t n, uint64_t seed)
{
    write->request.n_messages = n;
    for (size_t m = 0; m < n; m++) {
        struct weir_uuid id;
        if (!weir_uuid_make_v7(&id)) {
            return false;
        }
        weir_uuid_format(&id, write->ids + m * ID_BYTES);
        payload_make(seed, write->data + m * write->data_bytes, write->data_bytes);
        seed = payload_random(&seed);
    }
    return true;
}

void write_request_expect(struct write_request *write, int64_t version)
{
    weir__v1__expectation__init(&write->expectation);
    write->expectation.kind_case = WEIR__V1__EXPECTATION__KIND_EXACT;
    write->expectation.exact = version;
    write->request.expectation = &write->expectation;
}

static const char *check_one(const struct write_request *write,
                             const Weir__V1__WrittenMessage *written, size_t m, int64_t position,
                             int64_t global_before)
{
    if (written->id == NULL || strcmp(written->id, write->ids + m * ID_BYTES) != 0) {
        return "the reply to a write has another message's id";
    }
    if (!written->has_position || written->position != position) {
        return "the positions of a write are not consecutive";
    }
    if (!written->has_global_position || written->global_position <= global_before) {
        return "the global positions of a write do not increase";
    }
    if (!written->has_time_us || written->time_us <= 0) {
        return "the reply to a write has no time";
    }
    return NULL;
}

const char *write_request_check(const struct write_request *write,
                                const Weir__V1__WriteMessagesResponse *response, int64_t least)
{
    if (response->n_written != write->request.n_messages) {
        return "the reply to a write has another number of messages";
    }
    if (response->duplicate) {
        return "a new write was taken for one stored before";
    }
    const int64_t first = response->written[0]->position;
    if (write->request.expectation != NULL && first != write->expectation.exact + 1) {
        return "a write that expected one version was stored after another";
    }
    if (first < least) {
        return "two writes were given the same position";
    }
    const char *wrong = NULL;
    int64_t global_before = 0;
    for (size_t m = 0; wrong == NULL && m < response->n_written; m++) {
        const Weir__V1__WrittenMessage *written = response->written[m];
        wrong = check_one(write, written, m, first + (int64_t)m, global_before);
        global_before = written->global_position;
    }
    return wrong;
}
