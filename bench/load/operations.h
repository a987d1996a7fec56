/* Operations that several profiles share: write to a stream, read from a stream. A profile that
 * uses them owns one `struct operations`, which holds the memory of every slot. */
#ifndef WEIR_BENCH_OPERATIONS_H
#define WEIR_BENCH_OPERATIONS_H

#include "bench/load/write_request.h"

struct operations;

/* State of one slot's operation from its start to its end. */
struct operation {
    struct operations *all;
    struct load_slot *slot;
    struct write_request write;
    char read_stream[STREAM_NAME_MAX];
    /* The target of the operation. */
    struct streams *streams;
    size_t stream;
    const char *token;  // NULL: the token of the client
    /* What the reply must contain. */
    int64_t from;
    size_t least;
    size_t most;
    int64_t step_ns;  // start of the step, of a conditional write; else 0
};

struct operations {
    const struct profile_run *run;
    struct operation *slots;
};

/* Allocates memory for all slots of the run, for writes of up to `room` messages. */
weir_status operations_init(struct operations *operations, const struct profile_run *run,
                            size_t room, struct weir_error *err);
void operations_fini(struct operations *operations);

/* Returns the operation of the slot, set up for a randomly chosen stream. */
struct operation *operations_of(struct operations *operations, struct load_slot *slot,
                                struct streams *streams, const char *token);

/* Writes `n` messages without an expected version; the data of the first carries `seed`. */
void operation_write(struct operation *operation, size_t n, uint64_t seed);

/* Reads up to `batch` messages from a random position among those that this run has written. */
void operation_read(struct operation *operation, size_t batch);

/* Asks for the stream's version, then writes one message that expects it. A conflict is counted,
 * not reported as an error. */
void operation_write_conditionally(struct operation *operation);

#endif
