#include "bench/read/dataset.h"

#include "bench/lib/end_signals.h"
#include "bench/lib/payload.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    GROUP = 500,  // messages per write group
    LONG_EVERY = 10,
    DATA_MIN = 200,
    DATA_MAX = 320,
    METADATA = PAYLOAD_MIN_BYTES,
    NAME_MAX = 32,
    SESSIONS = 64  // about the maximum of a server; sessions share the page cache
};

static const char message_type[] = "Deposited";

static void stream_name(uint32_t stream, char name[NAME_MAX])
{
    if (stream == 0) {
        (void)snprintf(name, NAME_MAX, "%s", DATASET_STREAM);
    } else if (stream <= DATASET_STREAMS) {
        (void)snprintf(name, NAME_MAX, "%s-%05u", DATASET_CATEGORY, stream);
    } else {
        (void)snprintf(name, NAME_MAX, "order-%05u", stream - DATASET_STREAMS);
    }
}

static bool is_in_category(const struct dataset_message *message)
{
    return message->stream <= DATASET_STREAMS;
}

static uint64_t metadata_seed(const struct dataset_message *message)
{
    return ~message->seed;
}

/* ---- writing ---- */

/* One message of a group being written. */
struct outgoing {
    struct weir_write write;
    struct weir_error err;
    struct weir_stream_append part;
    struct weir_new_message message;
    struct weir_written written;
    char name[NAME_MAX];
    char data[DATA_MAX];
    char metadata[METADATA];
};

static void ignore_done(struct weir_write *write)
{
    (void)write;
}

static bool plan_message(struct dataset_message *message, size_t i, uint64_t *random)
{
    const uint64_t r = payload_random(random);
    message->seed = payload_random(random);
    message->stream = i % LONG_EVERY == 0 ? 0 : 1 + (uint32_t)(r % (2 * DATASET_STREAMS));
    message->data_n = DATA_MIN + (uint32_t)((r >> 32) % (DATA_MAX - DATA_MIN + 1));
    message->has_metadata = i % 2 == 0;
    return weir_uuid_make_v7(&message->id);
}

static void fill_outgoing(struct outgoing *out, const struct dataset_message *message)
{
    stream_name(message->stream, out->name);
    payload_make(message->seed, out->data, message->data_n);
    payload_make(metadata_seed(message), out->metadata, METADATA);
    out->message = (struct weir_new_message){
        .id = message->id,
        .is_id_given = true,
        .type = weir_slice_of(message_type),
        .data = weir_slice(out->data, message->data_n),
        .metadata = weir_slice(message->has_metadata ? out->metadata : NULL,
                               message->has_metadata ? METADATA : 0),
    };
    out->part = (struct weir_stream_append){.stream = weir_slice_of(out->name),
                                            .messages = &out->message,
                                            .n = 1,
                                            .written = &out->written};
    weir_error_init(&out->err);
    out->write = (struct weir_write){.kind = WEIR_WRITE_APPEND,
                                     .of.append = {.streams = &out->part, .n = 1},
                                     .deadline_us = INT64_MAX,
                                     .err = &out->err,
                                     .done = ignore_done};
}

/* Writes one group: the first submitted write makes this thread the leader. */
static weir_status write_group(struct weir_namespace *ns, struct outgoing *out,
                               struct dataset_message *messages, size_t n, struct weir_error *err)
{
    bool is_leader = false;
    for (size_t i = 0; i < n; i++) {
        fill_outgoing(&out[i], &messages[i]);
        is_leader = weir_write_submit(ns, &out[i].write) || is_leader;
    }
    while (is_leader && weir_lane_run(ns)) {
    }
    for (size_t i = 0; i < n; i++) {
        if (out[i].err.status != WEIR_OK) {
            weir_error_copy(err, &out[i].err);
            return err->status;
        }
        messages[i].position = out[i].written.position;
        messages[i].global_position = out[i].written.global_position;
    }
    return WEIR_OK;
}

static weir_status write_all(struct dataset *dataset, struct weir_error *err)
{
    struct outgoing *out = calloc(GROUP, sizeof *out);
    if (out == NULL) {
        return weir_fail(err, WEIR_BACKEND_UNAVAILABLE, "out of memory");
    }
    weir_status status = WEIR_OK;
    uint64_t random = 1;
    for (size_t at = 0; status == WEIR_OK && at < dataset->n; at += GROUP) {
        const size_t n = dataset->n - at < GROUP ? dataset->n - at : GROUP;
        for (size_t i = 0; i < n; i++) {
            if (!plan_message(&dataset->messages[at + i], at + i, &random)) {
                free(out);
                return weir_fail(err, WEIR_BACKEND_ERROR,
                                 "cannot get random bytes from the system");
            }
        }
        status = write_group(dataset->ns, out, &dataset->messages[at], n, err);
        status = status == WEIR_OK ? end_signals_check(err) : status;
    }
    free(out);
    return status;
}

/* ---- selections ---- */

static weir_status select_messages(struct dataset *dataset, struct weir_error *err)
{
    dataset->stream = (struct dataset_selection){.selector = WEIR_SELECT_STREAM,
                                                 .name = weir_slice_of(DATASET_STREAM)};
    dataset->category = (struct dataset_selection){.selector = WEIR_SELECT_CATEGORY,
                                                   .name = weir_slice_of(DATASET_CATEGORY)};
    dataset->stream.messages = calloc(dataset->n, sizeof *dataset->stream.messages);
    dataset->category.messages = calloc(dataset->n, sizeof *dataset->category.messages);
    if (dataset->stream.messages == NULL || dataset->category.messages == NULL) {
        return weir_fail(err, WEIR_BACKEND_UNAVAILABLE, "out of memory");
    }
    for (size_t i = 0; i < dataset->n; i++) {
        const struct dataset_message *message = &dataset->messages[i];
        if (message->stream == 0) {
            dataset->stream.messages[dataset->stream.n++] = message;
        }
        if (is_in_category(message)) {
            dataset->category.messages[dataset->category.n++] = message;
        }
    }
    return WEIR_OK;
}

/* ---- opening and closing ---- */

static weir_status name_namespace(struct dataset *dataset, struct weir_error *err)
{
    struct weir_uuid id;
    char text[WEIR_UUID_TEXT + 1];
    if (!weir_uuid_make_v7(&id)) {
        return weir_fail(err, WEIR_BACKEND_ERROR, "cannot get random bytes from the system");
    }
    weir_uuid_format(&id, text);
    (void)snprintf(dataset->id, sizeof dataset->id, "bench-%s", text);
    return WEIR_OK;
}

static weir_status open_namespace(struct dataset *dataset, bool is_new, struct weir_error *err)
{
    weir_status status = WEIR_OK;
    if (is_new) {
        struct weir_namespace_record record = {.id = weir_slice_of(dataset->id)};
        bool is_same = false;
        status = weir_namespace_create(dataset->store, &record, INT64_MAX, &is_same, err);
    }
    if (status == WEIR_OK) {
        status = weir_namespace_open(dataset->store, weir_slice_of(dataset->id), INT64_MAX,
                                     &dataset->ns, err);
    }
    return status;
}

static weir_status open_store(struct dataset *dataset, const char *url, bool is_new,
                              struct weir_error *err)
{
    /* The fill does not wait for the disk; only reads are measured. */
    const struct weir_store_options options = {
        .url = url, .is_durability_normal = true, .max_sessions = SESSIONS};
    const weir_status status = weir_store_open(&options, &dataset->store, err);
    return status == WEIR_OK ? open_namespace(dataset, is_new, err) : status;
}

static void close_store(struct dataset *dataset)
{
    if (dataset->ns != NULL) {
        weir_namespace_release(dataset->ns);
        dataset->ns = NULL;
    }
    if (dataset->store != NULL) {
        weir_store_close(dataset->store);
        dataset->store = NULL;
    }
}

weir_status dataset_make(struct dataset *dataset, const char *url, size_t n, struct weir_error *err)
{
    *dataset = (struct dataset){.n = n, .messages = calloc(n, sizeof *dataset->messages)};
    weir_status status = name_namespace(dataset, err);
    if (status == WEIR_OK && dataset->messages == NULL) {
        status = weir_fail(err, WEIR_BACKEND_UNAVAILABLE, "out of memory");
    }
    if (status == WEIR_OK) {
        status = open_store(dataset, url, true, err);
    }
    if (status == WEIR_OK) {
        status = write_all(dataset, err);
    }
    if (status == WEIR_OK) {
        status = select_messages(dataset, err);
    }
    if (status != WEIR_OK) {
        dataset_close(dataset);
    }
    return status;
}

weir_status dataset_reopen(struct dataset *dataset, const char *url, struct weir_error *err)
{
    close_store(dataset);
    return open_store(dataset, url, false, err);
}

static void delete_namespace(struct dataset *dataset)
{
    struct weir_error err;
    int64_t deleted = 0;
    weir_error_init(&err);
    if (dataset->ns != NULL) {
        weir_namespace_release(dataset->ns);
        dataset->ns = NULL;
        if (weir_namespace_delete(dataset->store, weir_slice_of(dataset->id), INT64_MAX, &deleted,
                                  &err) != WEIR_OK) {
            (void)fprintf(stderr, "namespace %s is left behind: %s\n", dataset->id, err.text);
        }
    }
}

void dataset_close(struct dataset *dataset)
{
    delete_namespace(dataset);
    close_store(dataset);
    free(dataset->stream.messages);
    free(dataset->category.messages);
    free(dataset->messages);
    *dataset = (struct dataset){0};
}

/* ---- comparing ---- */

static bool is_payload(struct weir_slice bytes, uint64_t seed, size_t n)
{
    uint64_t found = 0;
    return bytes.p != NULL && bytes.n == n && payload_check(bytes.p, bytes.n, &found) &&
           found == seed;
}

const char *dataset_compare(const struct dataset_message *message, const struct weir_row *row)
{
    char name[NAME_MAX];
    stream_name(message->stream, name);
    if (memcmp(row->id.bytes, message->id.bytes, sizeof row->id.bytes) != 0) {
        return "the id";
    }
    if (!weir_slice_is(row->stream, name)) {
        return "the stream";
    }
    if (!weir_slice_is(row->type, message_type)) {
        return "the type";
    }
    if (row->position != message->position || row->global_position != message->global_position) {
        return "the position";
    }
    if (!is_payload(row->data, message->seed, message->data_n)) {
        return "the data";
    }
    const bool is_metadata_right = message->has_metadata
                                       ? is_payload(row->metadata, metadata_seed(message), METADATA)
                                       : row->metadata.p == NULL;
    return is_metadata_right ? NULL : "the metadata";
}
