/* The profiles that read messages written before the load starts. */
#include "bench/lib/payload.h"
#include "bench/load/filling.h"
#include "bench/load/read_check.h"

#include <stdio.h>
#include <stdlib.h>

enum { BATCH = 100, BATCH_MAX = 10000 };

/* A read in flight. */
struct reading_slot {
    struct load_slot *slot;
    struct reading *reading;
    char stream[STREAM_NAME_MAX];
    int64_t from;  // position in the stream, or global position of a group member
    size_t first;  // category: index of the first expected global position
    size_t expected;
    int64_t member;  // of the consumer group
    size_t share;    // messages in the category for this member
    size_t passed;   // messages since the member last started at the beginning
};

struct reading {
    const struct profile_run *run;
    struct filling filling;
    struct reading_slot *slots;
};

static weir_status prepare(struct profile_run *run, struct weir_error *err)
{
    struct reading *reading = calloc(1, sizeof *reading);
    run->own = reading;
    if (reading == NULL) {
        return weir_fail(err, WEIR_BACKEND_UNAVAILABLE, "out of memory");
    }
    reading->run = run;
    reading->slots = calloc(run->slots_n, sizeof *reading->slots);
    if (reading->slots == NULL) {
        return weir_fail(err, WEIR_BACKEND_UNAVAILABLE, "out of memory");
    }
    for (size_t s = 0; s < run->slots_n; s++) {
        reading->slots[s] = (struct reading_slot){
            .reading = reading, .from = 1, .member = (int64_t)s % run->options->group_size};
    }
    if (run->options->is_against_echo) {
        return WEIR_OK;
    }
    return filling_make(&reading->filling, run, (size_t)run->options->messages, err);
}

static void free_reading(struct profile_run *run)
{
    struct reading *reading = run->own;
    if (reading != NULL) {
        filling_fini(&reading->filling);
        free(reading->slots);
        free(reading);
    }
}

static struct reading_slot *take_slot(struct profile_run *run, struct load_slot *slot)
{
    struct reading *reading = run->own;
    struct reading_slot *r = &reading->slots[slot->number];
    r->slot = slot;
    return r;
}

static void finish(struct reading_slot *r, size_t messages, const char *wrong)
{
    const struct load_outcome outcome =
        wrong == NULL ? (struct load_outcome){.op = LOAD_READ, .messages = messages}
                      : profile_wrong_reply(LOAD_READ, wrong);
    load_finish(r->slot, &outcome);
}

/* Chooses where a full batch can start: at random, or as late as possible for --newest. */
static size_t choose_first(struct reading_slot *r, size_t there)
{
    const struct load_options *options = r->reading->run->options;
    const size_t batch = (size_t)options->batch;
    if (there <= batch) {
        return 0;
    }
    return options->is_newest ? there - batch
                              : payload_random(&r->slot->random) % (there - batch + 1);
}

/* ---- a stream ---- */

static void on_stream(void *context, weir_status status,
                      Weir__V1__GetStreamMessagesResponse *response, const struct weir_error *err)
{
    struct reading_slot *r = context;
    if (status != WEIR_OK) {
        profile_fail(r->slot, LOAD_READ, err);
        return;
    }
    const struct read_reply reply = READ_REPLY(response);
    const char *wrong = r->reading->run->options->is_against_echo
                            ? read_check_contents(&reply)
                            : read_check_stream(&reply, r->stream, r->from, r->expected,
                                                (size_t)r->reading->run->options->batch);
    weir_response_free(response);
    finish(r, reply.n, wrong);
}

static void start_stream(void *context, struct load_slot *slot)
{
    struct profile_run *run = context;
    struct reading_slot *r = take_slot(run, slot);
    const struct streams *streams = &r->reading->filling.streams;
    Weir__V1__GetStreamMessagesRequest request = WEIR__V1__GET_STREAM_MESSAGES_REQUEST__INIT;
    struct weir_error err;
    weir_error_init(&err);
    const size_t batch = (size_t)run->options->batch;
    (void)snprintf(r->stream, sizeof r->stream, "%s-000000", run->category);
    if (streams->n > 0) {
        const size_t stream = payload_random(&slot->random) % streams->n;
        const int64_t first = streams_first(streams, stream);
        const size_t there = (size_t)(streams_version(streams, stream) + 1 - first);
        streams_name(streams, stream, r->stream);
        r->from = first + (int64_t)choose_first(r, there);
        r->expected = there < batch ? there : batch;
    }
    request.stream_name = r->stream;
    request.has_position = true;
    request.position = r->from;
    request.has_batch_size = true;
    request.batch_size = run->options->batch;
    if (weir_message_store_get_stream_messages_async(profile_client(run, slot), &request, NULL,
                                                     on_stream, r, &err) != WEIR_OK) {
        profile_fail(slot, LOAD_READ, &err);
    }
}

/* ---- a category ---- */

static void on_category(void *context, weir_status status,
                        Weir__V1__GetCategoryMessagesResponse *response,
                        const struct weir_error *err)
{
    struct reading_slot *r = context;
    if (status != WEIR_OK) {
        profile_fail(r->slot, LOAD_READ, err);
        return;
    }
    const struct read_reply reply = READ_REPLY(response);
    const struct reading *reading = r->reading;
    const char *wrong =
        reading->run->options->is_against_echo
            ? read_check_contents(&reply)
            : read_check_positions(&reply, reading->run->category,
                                   reading->filling.positions + r->first, r->expected);
    weir_response_free(response);
    finish(r, reply.n, wrong);
}

static void start_category(void *context, struct load_slot *slot)
{
    struct profile_run *run = context;
    struct reading_slot *r = take_slot(run, slot);
    const struct filling *filling = &r->reading->filling;
    Weir__V1__GetCategoryMessagesRequest request = WEIR__V1__GET_CATEGORY_MESSAGES_REQUEST__INIT;
    struct weir_error err;
    weir_error_init(&err);
    r->first = choose_first(r, filling->n);
    r->expected = (size_t)run->options->batch;
    request.category = run->category;
    request.has_position = true;
    request.position = filling->n > 0 ? filling->positions[r->first] : 1;
    request.has_batch_size = true;
    request.batch_size = run->options->batch;
    if (weir_message_store_get_category_messages_async(profile_client(run, slot), &request, NULL,
                                                       on_category, r, &err) != WEIR_OK) {
        profile_fail(slot, LOAD_READ, &err);
    }
}

/* ---- a member of a consumer group ---- */

/* Counts the messages that each member must have received at the end of the category. Done before
 * the load: a reply's latency would hold the time for it. */
static weir_status prepare_group(struct profile_run *run, struct weir_error *err)
{
    const weir_status status = prepare(run, err);
    if (status != WEIR_OK) {
        return status;
    }
    struct reading *reading = run->own;
    const struct streams *streams = &reading->filling.streams;
    size_t *shares = calloc((size_t)run->options->group_size, sizeof *shares);
    if (shares == NULL) {
        return weir_fail(err, WEIR_BACKEND_UNAVAILABLE, "out of memory");
    }
    for (size_t s = 0; s < streams->n; s++) {
        char name[STREAM_NAME_MAX];
        streams_name(streams, s, name);
        shares[weir_name_member(weir_slice_of(name), run->options->group_size)] +=
            (size_t)(streams_version(streams, s) + 1);
    }
    for (size_t s = 0; s < run->slots_n; s++) {
        reading->slots[s].share = shares[reading->slots[s].member];
    }
    free(shares);
    return WEIR_OK;
}

/* Continues the member after its last read, or restarts it at the end of the category. */
static const char *move_on(struct reading_slot *r,
                           const Weir__V1__GetCategoryMessagesResponse *response)
{
    const char *wrong = NULL;
    r->passed += response->n_messages;
    r->from = response->next_position;
    if ((int64_t)response->n_messages < r->reading->run->options->batch && !response->truncated) {
        wrong = r->passed == r->share ? NULL : "a group member was not given all of its messages";
        r->passed = 0;
        r->from = 1;
    }
    return wrong;
}

static void on_group(void *context, weir_status status,
                     Weir__V1__GetCategoryMessagesResponse *response, const struct weir_error *err)
{
    struct reading_slot *r = context;
    if (status != WEIR_OK) {
        profile_fail(r->slot, LOAD_READ, err);
        return;
    }
    const struct load_options *options = r->reading->run->options;
    const struct read_reply reply = READ_REPLY(response);
    const char *wrong = NULL;
    if (options->is_against_echo) {
        wrong = read_check_contents(&reply);
    } else {
        const struct read_check_category expected = {r->reading->run->category,
                                                     (size_t)options->batch, r->from, r->member,
                                                     options->group_size};
        wrong = read_check_category(&reply, &expected);
        wrong = wrong == NULL ? move_on(r, response) : wrong;
    }
    weir_response_free(response);
    finish(r, reply.n, wrong);
}

static void start_group(void *context, struct load_slot *slot)
{
    struct profile_run *run = context;
    struct reading_slot *r = take_slot(run, slot);
    Weir__V1__GetCategoryMessagesRequest request = WEIR__V1__GET_CATEGORY_MESSAGES_REQUEST__INIT;
    Weir__V1__ConsumerGroup group = WEIR__V1__CONSUMER_GROUP__INIT;
    struct weir_error err;
    weir_error_init(&err);
    group.has_member = true;
    group.member = r->member;
    group.has_size = true;
    group.size = run->options->group_size;
    request.category = run->category;
    request.consumer_group = &group;
    request.has_position = true;
    request.position = r->from;
    request.has_batch_size = true;
    request.batch_size = run->options->batch;
    if (weir_message_store_get_category_messages_async(profile_client(run, slot), &request, NULL,
                                                       on_group, r, &err) != WEIR_OK) {
        profile_fail(slot, LOAD_READ, &err);
    }
}

/* ---- the profiles ---- */

const struct profile profile_read_stream = {
    .name = "read-stream",
    .doc = "reads of 100 messages of a stream (--batch, --newest)",
    .uses = PROFILE_USES_CATEGORY | PROFILE_USES_STREAMS | PROFILE_USES_DATA | PROFILE_USES_BATCH |
            PROFILE_USES_MESSAGES | PROFILE_READS_STREAM,
    .batch = BATCH,
    .batch_max = BATCH_MAX,
    .prepare = prepare,
    .start = start_stream,
    .free = free_reading,
};

const struct profile profile_read_category = {
    .name = "read-category",
    .doc = "reads of 100 messages of a category (--batch, --newest)",
    .uses = PROFILE_USES_CATEGORY | PROFILE_USES_STREAMS | PROFILE_USES_DATA | PROFILE_USES_BATCH |
            PROFILE_USES_MESSAGES,
    .batch = BATCH,
    .batch_max = BATCH_MAX,
    .prepare = prepare,
    .start = start_category,
    .free = free_reading,
};

const struct profile profile_group = {
    .name = "group",
    .doc = "a consumer group that reads a category, 100 at a time",
    .uses = PROFILE_USES_STREAMS | PROFILE_USES_DATA | PROFILE_USES_BATCH | PROFILE_USES_MESSAGES |
            PROFILE_USES_GROUP,
    .batch = BATCH,
    .batch_max = BATCH_MAX,
    .prepare = prepare_group,
    .start = start_group,
    .free = free_reading,
};
