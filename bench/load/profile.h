/* What a load does: one table for each profile of weir-load. */
#ifndef WEIR_BENCH_PROFILE_H
#define WEIR_BENCH_PROFILE_H

#include "bench/lib/load.h"
#include "bench/load/load_options.h"
#include "client/weir.h"

/* The options that a profile looks at. */
enum {
    PROFILE_USES_STREAMS = 1 << 0,
    PROFILE_USES_DATA = 1 << 1,
    PROFILE_USES_BATCH = 1 << 2,
    PROFILE_USES_MESSAGES = 1 << 3,
    PROFILE_USES_WRITE_PERCENT = 1 << 4,
    PROFILE_USES_GROUP = 1 << 5,
    PROFILE_USES_SUBSCRIBERS = 1 << 6,
    PROFILE_USES_NAMESPACES = 1 << 7,
    PROFILE_USES_CATEGORY = 1 << 8,  // may be one that holds other messages
    PROFILE_WRITES_BATCH = 1 << 9  // no option: the batch is of a write, and goes into one request
};

enum { PROFILE_NAME_MAX = 64 };

/* A run of a profile. */
struct profile_run {
    const struct load_options *options;
    struct load *load;  // set before `begin`
    struct weir_client **clients;
    size_t clients_n;
    size_t slots_n;
    char category[PROFILE_NAME_MAX];
    void *own;  // the profile's
};

struct profile {
    const char *name;
    const char *doc;  // one line
    unsigned uses;
    int64_t batch;  // by default
    int64_t batch_max;

    /* Makes what the profile needs; may make calls that wait, and asks profile_go_on between them.
     * On failure `free` is called. */
    weir_status (*prepare)(struct profile_run *run, struct weir_error *err);
    /* Starts one operation. Its end is load_finish. */
    void (*start)(void *run, struct load_slot *slot);
    /* Beside the operations: called before the first and after the last; NULL for nothing. */
    void (*begin)(struct profile_run *run);
    void (*end)(struct profile_run *run);
    /* After the clients have been closed, and after a failed prepare; run->own may be NULL. */
    void (*free)(struct profile_run *run);
};

extern const struct profile *const profiles[];
extern const size_t profiles_n;

/* NULL where there is none of that name. */
const struct profile *profile_find(const char *name);

/* CANCELLED where a signal has come that ends the program. */
weir_status profile_go_on(struct weir_error *err);

/* Why it cannot be told after the load what the server must hold now, in constant text; NULL where
 * it must hold all that was acknowledged and nothing else. */
const char *profile_uncertainty(const struct profile_run *run);

/* Tells that what was acknowledged was not held against what there is. */
void profile_tell_unverified(const struct profile_run *run, const char *why);

/* The client that a slot uses. */
struct weir_client *profile_client(const struct profile_run *run, const struct load_slot *slot);

/* Starts nothing that has an end: a call that could not even be made. */
void profile_fail(struct load_slot *slot, enum load_op op, const struct weir_error *err);

/* A reply that is not what it must be. `what` is constant text. */
struct load_outcome profile_wrong_reply(enum load_op op, const char *what);

extern const struct profile profile_mixed;
extern const struct profile profile_write;
extern const struct profile profile_conditional_write;
extern const struct profile profile_batch;
extern const struct profile profile_read_stream;
extern const struct profile profile_read_category;
extern const struct profile profile_group;
extern const struct profile profile_tail;
extern const struct profile profile_tenants;
extern const struct profile profile_import;
extern const struct profile profile_empty;

#endif
