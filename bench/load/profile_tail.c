/* The profile `tail`: writers, and subscribers that wait for the written messages. Measures the
 * time from the intended start of a write to its delivery to each subscriber. */
#include "bench/load/operations.h"
#include "bench/load/subscribers.h"

#include <stdlib.h>

enum { CATCH_UP_S = 10 };

struct tail {
    struct operations operations;
    struct streams streams;
    struct subscribers subscribers;
};

static weir_status prepare(struct profile_run *run, struct weir_error *err)
{
    struct tail *tail = calloc(1, sizeof *tail);
    run->own = tail;
    if (tail == NULL ||
        !streams_init(&tail->streams, run->category, (size_t)run->options->streams)) {
        return weir_fail(err, WEIR_BACKEND_UNAVAILABLE, "out of memory");
    }
    return operations_init(&tail->operations, run, 1, err);
}

static void begin(struct profile_run *run)
{
    struct tail *tail = run->own;
    const size_t n = (size_t)run->options->subscribers;
    if (!subscribers_begin(&tail->subscribers, run, run->category, n)) {
        const struct load_outcome outcome = {.reason = "NO_MEMORY",
                                             .text = "out of memory for the subscribers"};
        load_error(run->load, &outcome);
    }
}

static void start(void *context, struct load_slot *slot)
{
    struct profile_run *run = context;
    struct tail *tail = run->own;
    operation_write(operations_of(&tail->operations, slot, &tail->streams, NULL), 1,
                    (uint64_t)slot->intended_ns);
}

static uint64_t written(const struct streams *streams)
{
    uint64_t n = 0;
    for (size_t s = 0; s < streams->n; s++) {
        n += (uint64_t)streams->known[s].written;
    }
    return n;
}

static void end(struct profile_run *run)
{
    struct tail *tail = run->own;
    const char *why = profile_uncertainty(run);
    if (why == NULL) {
        why = subscribers_wait(&tail->subscribers, written(&tail->streams), CATCH_UP_S);
    }
    if (why != NULL) {
        profile_report_unverified(run, why);
    }
    subscribers_end(&tail->subscribers);
}

static void free_tail(struct profile_run *run)
{
    struct tail *tail = run->own;
    if (tail != NULL) {
        subscribers_free(&tail->subscribers);
        operations_fini(&tail->operations);
        streams_fini(&tail->streams);
        free(tail);
    }
}

const struct profile profile_tail = {
    .name = "tail",
    .doc = "time from a write to its delivery to each subscriber",
    .uses = PROFILE_USES_STREAMS | PROFILE_USES_DATA | PROFILE_USES_SUBSCRIBERS,
    .batch = 1,
    .batch_max = 1,
    .prepare = prepare,
    .start = start,
    .begin = begin,
    .end = end,
    .free = free_tail,
};
