/* The operations that several profiles are made of: a write to a stream, and a read of one. Each
 * profile that uses them keeps one `struct operations`, which has the memory of every slot. */
#ifndef WEIR_BENCH_OPERATIONS_H
#define WEIR_BENCH_OPERATIONS_H

#include "bench/load/write_request.h"

struct operations;

/* What one slot's operation needs from its start to its end. */
struct operation {
    struct operations *all;
    struct load_slot *slot;
    struct write_request write;
    char read_stream[STREAM_NAME_MAX];
    /* Where it acts. */
    struct streams *streams;
    size_t stream;
    const char *token;  // NULL: the client's
    /* What must come of it. */
    int64_t from;
    size_t least;
    int64_t step_ns;  // when its second part began
};

struct operations {
    const struct profile_run *run;
    struct operation *slots;
};

/* Memory for all slots of the run, for writes of up to `room` messages. */
weir_status operations_init(struct operations *operations, const struct profile_run *run,
                            size_t room, struct weir_error *err);
void operations_fini(struct operations *operations);

/* The slot's operation, to act on a stream chosen by chance. */
struct operation *operations_of(struct operations *operations, struct load_slot *slot,
                                struct streams *streams, const char *token);

/* Writes `n` messages, the first of which carries the seed; no expectation. */
void operation_write(struct operation *operation, size_t n, uint64_t seed);

/* Reads up to `batch` messages from a position chosen by chance of those that hold one of the
 * run's. */
void operation_read(struct operation *operation, size_t batch);

/* Asks for the version, then writes one message with it as the expectation; a conflict is counted.
 */
void operation_write_conditionally(struct operation *operation);

#endif
