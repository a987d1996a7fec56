/* The profiles that write to many streams of one category, and `mixed`, which also reads them. */
#include "bench/lib/payload.h"
#include "bench/load/operations.h"

#include <math.h>
#include <stdlib.h>

enum { READ_BATCH = 10, BATCH_MAX = 1000 };

struct writing {
    struct operations operations;
    struct streams streams;
};

static weir_status prepare_room(struct profile_run *run, size_t room, struct weir_error *err)
{
    struct writing *writing = calloc(1, sizeof *writing);
    run->own = writing;
    if (writing == NULL ||
        !streams_init(&writing->streams, run->category, (size_t)run->options->streams)) {
        return weir_fail(err, WEIR_BACKEND_UNAVAILABLE, "out of memory");
    }
    const weir_status status = streams_learn(&writing->streams, run, err);
    return status == WEIR_OK ? operations_init(&writing->operations, run, room, err) : status;
}

static weir_status prepare_write(struct profile_run *run, struct weir_error *err)
{
    const bool is_by_chance = run->options->batch == 0;
    return prepare_room(run, is_by_chance ? BATCH_MAX : (size_t)run->options->batch, err);
}

static weir_status prepare_single(struct profile_run *run, struct weir_error *err)
{
    return prepare_room(run, 1, err);
}

static struct operation *next(struct profile_run *run, struct load_slot *slot)
{
    struct writing *writing = run->own;
    return operations_of(&writing->operations, slot, &writing->streams, NULL);
}

static void verify(struct profile_run *run)
{
    const struct writing *writing = run->own;
    streams_verify_run(&writing->streams, run);
}

static void free_writing(struct profile_run *run)
{
    struct writing *writing = run->own;
    if (writing != NULL) {
        operations_fini(&writing->operations);
        streams_fini(&writing->streams);
        free(writing);
    }
}

/* ---- the profiles ---- */

static void start_mixed(void *context, struct load_slot *slot)
{
    struct profile_run *run = context;
    const uint64_t percent = payload_random(&slot->random) % 100;
    if (percent < (uint64_t)run->options->write_percent) {
        operation_write(next(run, slot), 1, payload_random(&slot->random));
    } else {
        operation_read(next(run, slot), (size_t)run->options->batch);
    }
}

static void start_write(void *context, struct load_slot *slot)
{
    struct profile_run *run = context;
    operation_write(next(run, slot), (size_t)run->options->batch, payload_random(&slot->random));
}

static void start_conditional_write(void *context, struct load_slot *slot)
{
    operation_write_conditionally(next(context, slot));
}

/* Returns a batch size from 1 to 1,000 in which every decade is equally likely: 1..9 as often as
 * 100..999. */
static size_t size_by_chance(struct load_slot *slot)
{
    const double unit = (double)(payload_random(&slot->random) >> 11) * 0x1p-53;
    const size_t n = (size_t)pow(BATCH_MAX + 1, unit);
    return n < 1 ? 1 : n > BATCH_MAX ? BATCH_MAX : n;
}

static void start_batch(void *context, struct load_slot *slot)
{
    struct profile_run *run = context;
    const size_t n = run->options->batch > 0 ? (size_t)run->options->batch : size_by_chance(slot);
    operation_write(next(run, slot), n, payload_random(&slot->random));
}

const struct profile profile_mixed = {
    .name = "mixed",
    .doc = "writes of one message and reads of 10 (--write-percent)",
    .uses = PROFILE_USES_CATEGORY | PROFILE_USES_STREAMS | PROFILE_USES_DATA | PROFILE_USES_BATCH |
            PROFILE_USES_WRITE_PERCENT,
    .batch = READ_BATCH,
    .batch_max = 10000,
    .prepare = prepare_single,
    .start = start_mixed,
    .end = verify,
    .free = free_writing,
};

const struct profile profile_write = {
    .name = "write",
    .doc = "writes of one message to a stream (--batch for more)",
    .uses = PROFILE_USES_CATEGORY | PROFILE_USES_STREAMS | PROFILE_USES_DATA | PROFILE_USES_BATCH |
            PROFILE_WRITES_BATCH,
    .batch = 1,
    .batch_max = BATCH_MAX,
    .prepare = prepare_write,
    .start = start_write,
    .end = verify,
    .free = free_writing,
};

const struct profile profile_conditional_write = {
    .name = "conditional-write",
    .doc = "reads of a version, each followed by a write expecting it",
    .uses = PROFILE_USES_CATEGORY | PROFILE_USES_STREAMS | PROFILE_USES_DATA,
    .batch = 1,
    .batch_max = 1,
    .prepare = prepare_single,
    .start = start_conditional_write,
    .end = verify,
    .free = free_writing,
};

const struct profile profile_batch = {
    .name = "batch",
    .doc = "writes of 1 to 1,000 messages (--batch: always as many)",
    .uses = PROFILE_USES_CATEGORY | PROFILE_USES_STREAMS | PROFILE_USES_DATA | PROFILE_USES_BATCH |
            PROFILE_WRITES_BATCH,
    .batch = 0,
    .batch_max = BATCH_MAX,
    .prepare = prepare_write,
    .start = start_batch,
    .end = verify,
    .free = free_writing,
};
