/* Measures the store through its C interface, as the server calls it, without a transport: writes
 * queue on the namespace's lane while one thread leads it; reads run on one thread per worker. */
#include "bench/floor/database_calls.h"
#include "bench/floor/floor.h"

#include "bench/lib/clock.h"
#include "bench/lib/payload.h"
#include "bench/lib/scratch.h"
#include "bench/read/dataset.h"
#include "server/calls/reply_rows.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    SESSIONS = 64,
    STREAM_NAME = 32,
    ARENA_CAP_BYTES = 256 * 1024 * 1024,
    ARENA_KEEP_BYTES = 4 * 1024 * 1024,
    REPLY_BYTES = 16 * 1024 * 1024
};

static const char message_type[] = "Deposited";

static int fail(const struct weir_error *err)
{
    return floor_fail("%s: %s", weir_status_name(err->status), err->text);
}

/* ---- writes ---- */

struct writing;

/* A write in flight. */
struct write_slot {
    struct writing *writing;
    struct load_slot *slot;
    struct weir_write write;
    struct weir_error err;
    struct weir_arena arena;
    struct weir_stream_append part;
    struct weir_new_message message;
    struct weir_written written;
    char stream[STREAM_NAME];
    char *data;
};

struct writing {
    const struct floor_options *options;
    struct weir_store *store;
    struct weir_namespace *ns;
    struct write_slot *slots;
    size_t slots_n;

    pthread_t leader;
    pthread_mutex_t mutex;  // guards the members below
    pthread_cond_t changed;
    bool must_lead;  // the lane waits for a leader
    bool is_ended;
};

/* Leads the lane until it is empty and records the time of each commit. A commit that overlaps or
 * completes a checkpoint is also recorded as LOAD_CHECKPOINT. */
static void commit_all(struct writing *writing)
{
    struct load *load = writing->slots[0].slot->load;
    bool is_more = true;
    while (is_more) {
        const int64_t began_ns = clock_ns();
        const struct database_calls before = database_calls_now();
        is_more = weir_lane_run(writing->ns);
        load_record(load, LOAD_COMMIT, began_ns, 0);
        if (database_calls_since(&before)) {
            load_record(load, LOAD_CHECKPOINT, began_ns, 0);
        }
    }
}

/* The leader thread: leads the lane whenever it needs a leader. */
static void *lead(void *context)
{
    struct writing *writing = context;
    (void)pthread_mutex_lock(&writing->mutex);
    while (!writing->is_ended) {
        if (!writing->must_lead) {
            (void)pthread_cond_wait(&writing->changed, &writing->mutex);
            continue;
        }
        writing->must_lead = false;
        (void)pthread_mutex_unlock(&writing->mutex);
        commit_all(writing);
        (void)pthread_mutex_lock(&writing->mutex);
    }
    (void)pthread_mutex_unlock(&writing->mutex);
    return NULL;
}

static void on_done(struct weir_write *write)
{
    struct write_slot *s = write->context;
    struct load_outcome outcome = {.op = LOAD_WRITE, .messages = 1};
    if (s->err.status != WEIR_OK) {
        outcome = load_failure(LOAD_WRITE, &s->err);
    } else if (s->written.global_position <= 0) {
        outcome = (struct load_outcome){
            .op = LOAD_WRITE, .reason = "WRONG_REPLY", .text = "a write without a position"};
    }
    load_finish(s->slot, &outcome);
}

static void fill(struct write_slot *s, uint64_t chance)
{
    const struct floor_options *options = s->writing->options;
    (void)snprintf(s->stream, sizeof s->stream, "load-%06llu",
                   (unsigned long long)(chance % (uint64_t)options->streams));
    payload_make(chance, s->data, (size_t)options->data_bytes);
    s->message = (struct weir_new_message){
        .is_id_given = true,
        .type = weir_slice_of(message_type),
        .data = weir_slice(s->data, (size_t)options->data_bytes),
    };
    (void)weir_uuid_make_v7(&s->message.id);
    s->part = (struct weir_stream_append){.stream = weir_slice_of(s->stream),
                                          .messages = &s->message,
                                          .n = 1,
                                          .written = &s->written};
    weir_arena_reset(&s->arena);
    weir_error_init(&s->err);
    s->write = (struct weir_write){.kind = WEIR_WRITE_APPEND,
                                   .of.append = {.streams = &s->part, .n = 1},
                                   .deadline_us = INT64_MAX,
                                   .arena = &s->arena,
                                   .err = &s->err,
                                   .done = on_done,
                                   .context = s};
}

static void start_write(void *context, struct load_slot *slot)
{
    struct writing *writing = context;
    struct write_slot *s = &writing->slots[slot->number];
    s->slot = slot;
    fill(s, payload_random(&slot->random));
    if (weir_write_submit(writing->ns, &s->write)) {
        (void)pthread_mutex_lock(&writing->mutex);
        writing->must_lead = true;
        (void)pthread_cond_signal(&writing->changed);
        (void)pthread_mutex_unlock(&writing->mutex);
    }
}

static weir_status open_store(struct writing *writing, const char *url, struct weir_error *err)
{
    const struct weir_store_options options = {.url = url,
                                               .is_durability_normal =
                                                   writing->options->is_durability_normal,
                                               .max_sessions = SESSIONS};
    struct weir_namespace_record record = {.id = weir_slice_of("bench")};
    bool is_same = false;
    weir_status status = weir_store_open(&options, &writing->store, err);
    if (status == WEIR_OK) {
        status = weir_namespace_create(writing->store, &record, INT64_MAX, &is_same, err);
    }
    return status == WEIR_OK
               ? weir_namespace_open(writing->store, record.id, INT64_MAX, &writing->ns, err)
               : status;
}

static bool make_slots(struct writing *writing)
{
    writing->slots = calloc(writing->slots_n, sizeof *writing->slots);
    for (size_t i = 0; writing->slots != NULL && i < writing->slots_n; i++) {
        struct write_slot *s = &writing->slots[i];
        s->writing = writing;
        weir_arena_init(&s->arena, ARENA_CAP_BYTES, 4096);
        s->data = malloc((size_t)writing->options->data_bytes);
        if (s->data == NULL) {
            return false;
        }
    }
    return writing->slots != NULL;
}

static void close_writing(struct writing *writing)
{
    for (size_t i = 0; writing->slots != NULL && i < writing->slots_n; i++) {
        weir_arena_fini(&writing->slots[i].arena);
        free(writing->slots[i].data);
    }
    free(writing->slots);
    if (writing->ns != NULL) {
        weir_namespace_release(writing->ns);
    }
    if (writing->store != NULL) {
        weir_store_close(writing->store);
    }
    (void)pthread_cond_destroy(&writing->changed);
    (void)pthread_mutex_destroy(&writing->mutex);
}

static void end_leader(void *context)
{
    struct writing *writing = context;
    (void)pthread_mutex_lock(&writing->mutex);
    writing->is_ended = true;
    (void)pthread_cond_signal(&writing->changed);
    (void)pthread_mutex_unlock(&writing->mutex);
    (void)pthread_join(writing->leader, NULL);
}

static int measure_writes(const struct floor_options *options, const char *url)
{
    struct weir_error err;
    struct writing writing = {.options = options,
                              .slots_n = (size_t)(options->workers * options->in_flight),
                              .mutex = PTHREAD_MUTEX_INITIALIZER,
                              .changed = PTHREAD_COND_INITIALIZER};
    struct floor_run run = {.options = options,
                            .profile = "store, write",
                            .settings = floor_settings(options, writing.slots_n),
                            .work = {.context = &writing, .start = start_write},
                            .end = end_leader};
    int status = EXIT_FAILURE;
    weir_error_init(&err);
    if (!make_slots(&writing)) {
        status = floor_fail("out of memory");
    } else if (open_store(&writing, url, &err) != WEIR_OK) {
        status = fail(&err);
    } else if (pthread_create(&writing.leader, NULL, lead, &writing) != 0) {
        status = floor_fail("cannot start a thread");
    } else {
        status = floor_measure(&run);
    }
    close_writing(&writing);
    return status;
}

/* ---- reads ---- */

struct reading {
    struct weir_namespace *ns;
    const struct dataset_selection *selection;
    size_t batch;
    struct weir_arena *arenas;  // one for each worker
};

static struct load_outcome read_once(void *context, struct load_slot *slot)
{
    struct reading *reading = context;
    struct weir_arena *arena = &reading->arenas[slot->number];
    const struct dataset_selection *selection = reading->selection;
    const size_t first = payload_random(&slot->random) % (selection->n - reading->batch + 1);
    const struct dataset_message *message = selection->messages[first];
    const struct weir_query query = {.selector = selection->selector,
                                     .name = selection->name,
                                     .from = selection->selector == WEIR_SELECT_STREAM
                                                 ? message->position
                                                 : message->global_position,
                                     .max_messages = (int64_t)reading->batch,
                                     .max_bytes = REPLY_BYTES,
                                     .deadline_us = INT64_MAX};
    struct weir_rows rows;
    struct weir_error err;
    weir_error_init(&err);
    weir_arena_reset(arena);
    if (weir_read(reading->ns, &query, arena, &rows, &err) != WEIR_OK) {
        return load_failure(LOAD_READ, &err);
    }
    /* Packs the reply as the server does, only to measure the cost. */
    const size_t n = weir_rows_measure(&rows);
    uint8_t *reply = malloc(n);
    if (reply != NULL) {
        (void)weir_rows_pack(&rows, reply);
    }
    free(reply);
    if (rows.n != reading->batch || dataset_compare(message, &rows.rows[0]) != NULL) {
        return (struct load_outcome){.op = LOAD_READ,
                                     .reason = "WRONG_REPLY",
                                     .text = "a read returned other messages than requested"};
    }
    return (struct load_outcome){.op = LOAD_READ, .messages = rows.n};
}

static int run_reads(const struct floor_options *options, const struct dataset *dataset)
{
    const size_t workers = (size_t)(options->workers * options->in_flight);
    const bool is_stream = strcmp(options->operation, "read-stream") == 0;
    struct reading reading = {dataset->ns, is_stream ? &dataset->stream : &dataset->category,
                              (size_t)options->batch, calloc(workers, sizeof *reading.arenas)};
    struct floor_run run = {.options = options,
                            .profile = is_stream ? "store, read-stream" : "store, read-category",
                            .settings = floor_settings(options, workers),
                            .work = {.context = &reading, .run = read_once}};
    if (reading.arenas == NULL || reading.batch > reading.selection->n) {
        free(reading.arenas);
        return floor_fail("there are fewer than %zu messages to read", reading.batch);
    }
    for (size_t w = 0; w < workers; w++) {
        weir_arena_init(&reading.arenas[w], ARENA_CAP_BYTES, ARENA_KEEP_BYTES);
    }
    const int status = floor_measure(&run);
    for (size_t w = 0; w < workers; w++) {
        weir_arena_fini(&reading.arenas[w]);
    }
    free(reading.arenas);
    return status;
}

static int measure_reads(const struct floor_options *options, const char *url)
{
    struct dataset dataset;
    struct weir_error err;
    weir_error_init(&err);
    if (dataset_make(&dataset, url, (size_t)options->messages, &err) != WEIR_OK) {
        return fail(&err);
    }
    const int status = run_reads(options, &dataset);
    dataset_close(&dataset);
    return status;
}

/* ---- both ---- */

int floor_store(const struct floor_options *options)
{
    char directory[SCRATCH_PATH_MAX];
    char url[SCRATCH_PATH_MAX + 16];
    if (!scratch_make(options->directory, directory)) {
        return EXIT_FAILURE;
    }
    (void)snprintf(url, sizeof url, "sqlite:%s", directory);
    const char *used = options->url == NULL ? url : options->url;
    const int status = strcmp(options->operation, "write") == 0 ? measure_writes(options, used)
                                                                : measure_reads(options, used);
    scratch_remove(directory);
    return status;
}
