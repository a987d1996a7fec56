/* The profile `import`: messages that carry their positions. Each slot imports into a stream of its
 * own with consecutive positions. Global positions are consecutive over all slots; since imports
 * run concurrently, they may be stored out of order. */
#include "bench/lib/payload.h"
#include "bench/load/profile.h"
#include "bench/load/streams.h"

#include <stdlib.h>

enum { BATCH = 1000, BATCH_MAX = 10000, ID_BYTES = WEIR_UUID_TEXT + 1 };

static char message_type[] = "Imported";

struct import_slot {
    struct importing *importing;
    struct load_slot *slot;
    Weir__V1__ImportMessagesRequest request;
    Weir__V1__ImportedMessage *messages;
    Weir__V1__ImportedMessage **pointers;
    char *ids;
    char *data;
    char stream[STREAM_NAME_MAX];
    int64_t position;         // next position in the stream
    int64_t global_position;  // last one of the request
};

struct importing {
    struct profile_run *run;
    struct streams streams;  // one for each slot
    struct import_slot *slots;
    atomic_int_fast64_t global_position;  // next free one
};

static bool make_slot(struct import_slot *s, const struct profile_run *run)
{
    const size_t n = (size_t)run->options->batch;
    const size_t data_bytes = (size_t)run->options->data_bytes;
    s->messages = calloc(n, sizeof *s->messages);
    s->pointers = calloc(n, sizeof *s->pointers);
    s->ids = calloc(n, ID_BYTES);
    s->data = calloc(n, data_bytes);
    if (s->messages == NULL || s->pointers == NULL || s->ids == NULL || s->data == NULL) {
        return false;
    }
    weir__v1__import_messages_request__init(&s->request);
    s->request.n_messages = n;
    s->request.messages = s->pointers;
    for (size_t m = 0; m < n; m++) {
        Weir__V1__ImportedMessage *message = &s->messages[m];
        weir__v1__imported_message__init(message);
        message->id = s->ids + m * ID_BYTES;
        message->stream_name = s->stream;
        message->type = message_type;
        message->has_position = true;
        message->has_global_position = true;
        message->has_time_us = true;
        message->has_data = true;
        message->data.len = data_bytes;
        message->data.data = (uint8_t *)s->data + m * data_bytes;
        s->pointers[m] = message;
    }
    return true;
}

/* Finds the last global position, since the namespace may already hold messages. */
static weir_status find_head(struct profile_run *run, int64_t *head, struct weir_error *err)
{
    Weir__V1__GetCategoryMessagesRequest request = WEIR__V1__GET_CATEGORY_MESSAGES_REQUEST__INIT;
    Weir__V1__GetCategoryMessagesResponse *response = NULL;
    request.has_direction = true;
    request.direction = WEIR__V1__DIRECTION__BACKWARD;
    request.has_batch_size = true;
    request.batch_size = 1;
    const weir_status status =
        weir_message_store_get_category_messages(run->clients[0], &request, NULL, &response, err);
    *head = 0;
    if (status == WEIR_OK) {
        *head = response->n_messages > 0 ? response->messages[0]->global_position : 0;
        weir_response_free(response);
    }
    return status;
}

/* Finds the first free position of each slot's stream and the first free global position. */
static weir_status find_positions(struct profile_run *run, struct importing *importing,
                                  struct weir_error *err)
{
    int64_t head = 0;
    weir_status status = streams_learn(&importing->streams, run, err);
    if (status == WEIR_OK && !run->options->is_against_echo) {
        status = find_head(run, &head, err);
    }
    for (size_t s = 0; s < run->slots_n; s++) {
        importing->slots[s].position = streams_first(&importing->streams, s);
    }
    atomic_init(&importing->global_position, head + 1);
    return status;
}

static weir_status prepare(struct profile_run *run, struct weir_error *err)
{
    struct importing *importing = calloc(1, sizeof *importing);
    run->own = importing;
    if (importing != NULL) {
        importing->run = run;
        importing->slots = calloc(run->slots_n, sizeof *importing->slots);
    }
    bool is_ok = importing != NULL && importing->slots != NULL &&
                 streams_init(&importing->streams, run->category, run->slots_n);
    for (size_t s = 0; is_ok && s < run->slots_n; s++) {
        importing->slots[s].importing = importing;
        is_ok = make_slot(&importing->slots[s], run);
        streams_name(&importing->streams, s, importing->slots[s].stream);
    }
    return is_ok ? find_positions(run, importing, err)
                 : weir_fail(err, WEIR_BACKEND_UNAVAILABLE, "out of memory");
}

static const char *check(const struct import_slot *s,
                         const Weir__V1__ImportMessagesResponse *response)
{
    if (response->imported != (int64_t)s->request.n_messages || response->skipped_identical != 0) {
        return "an import of new messages did not import them all";
    }
    return response->max_global_position == s->global_position
               ? NULL
               : "the reply to an import has another global position";
}

static void on_imported(void *context, weir_status status,
                        Weir__V1__ImportMessagesResponse *response, const struct weir_error *err)
{
    struct import_slot *s = context;
    if (status != WEIR_OK) {
        profile_fail(s->slot, LOAD_IMPORT, err);
        return;
    }
    const char *wrong = s->importing->run->options->is_against_echo ? NULL : check(s, response);
    weir_response_free(response);
    if (wrong == NULL) {
        streams_wrote(&s->importing->streams, s->slot->number, s->position - 1,
                      (int64_t)s->request.n_messages);
    }
    const struct load_outcome outcome =
        wrong == NULL ? (struct load_outcome){.op = LOAD_IMPORT, .messages = s->request.n_messages}
                      : profile_wrong_reply(LOAD_IMPORT, wrong);
    load_finish(s->slot, &outcome);
}

static bool fill(struct import_slot *s, const struct load_options *options)
{
    const int64_t n = options->batch;
    const int64_t first = atomic_fetch_add(&s->importing->global_position, n);
    const int64_t now_us = weir_now_us();
    for (int64_t m = 0; m < n; m++) {
        Weir__V1__ImportedMessage *message = &s->messages[m];
        struct weir_uuid id;
        if (!weir_uuid_make_v7(&id)) {
            return false;
        }
        weir_uuid_format(&id, message->id);
        payload_make(payload_random(&s->slot->random), (char *)message->data.data,
                     message->data.len);
        message->position = s->position++;
        message->global_position = first + m;
        message->time_us = now_us;
    }
    s->global_position = first + n - 1;
    return true;
}

static void start(void *context, struct load_slot *slot)
{
    struct profile_run *run = context;
    struct import_slot *s = &((struct importing *)run->own)->slots[slot->number];
    struct weir_error err;
    weir_error_init(&err);
    s->slot = slot;
    weir_status status = WEIR_OK;
    if (!fill(s, run->options)) {
        status = weir_fail(&err, WEIR_BACKEND_ERROR, "cannot get random bytes from the system");
    }
    if (status == WEIR_OK) {
        status = weir_message_store_import_messages_async(profile_client(run, slot), &s->request,
                                                          NULL, on_imported, s, &err);
    }
    if (status != WEIR_OK) {
        profile_fail(slot, LOAD_IMPORT, &err);
    }
}

static void verify(struct profile_run *run)
{
    const struct importing *importing = run->own;
    streams_verify_run(&importing->streams, run);
}

static void free_importing(struct profile_run *run)
{
    struct importing *importing = run->own;
    if (importing == NULL) {
        return;
    }
    for (size_t s = 0; importing->slots != NULL && s < run->slots_n; s++) {
        free(importing->slots[s].messages);
        free(importing->slots[s].pointers);
        free(importing->slots[s].ids);
        free(importing->slots[s].data);
    }
    free(importing->slots);
    streams_fini(&importing->streams);
    free(importing);
}

const struct profile profile_import = {
    .name = "import",
    .doc = "imports of 1,000 messages, a stream for each worker (--batch)",
    .uses = PROFILE_USES_CATEGORY | PROFILE_USES_DATA | PROFILE_USES_BATCH | PROFILE_WRITES_BATCH,
    .batch = BATCH,
    .batch_max = BATCH_MAX,
    .prepare = prepare,
    .start = start,
    .end = verify,
    .free = free_importing,
};
