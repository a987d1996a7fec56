/* A profile describes what a load does: one table of functions for each profile of weir-load. */
#ifndef WEIR_BENCH_PROFILE_H
#define WEIR_BENCH_PROFILE_H

#include "bench/lib/load.h"
#include "bench/load/load_options.h"
#include "client/weir.h"

/* The options that a profile uses. */
enum {
    PROFILE_USES_STREAMS = 1 << 0,
    PROFILE_USES_DATA = 1 << 1,
    PROFILE_USES_BATCH = 1 << 2,
    PROFILE_USES_MESSAGES = 1 << 3,
    PROFILE_USES_WRITE_PERCENT = 1 << 4,
    PROFILE_USES_GROUP = 1 << 5,
    PROFILE_USES_SUBSCRIBERS = 1 << 6,
    PROFILE_USES_NAMESPACES = 1 << 7,
    PROFILE_USES_CATEGORY = 1 << 8,  // the category may hold other messages
    /* Not options: */
    PROFILE_WRITES_BATCH = 1 << 9,  // the batch is written in one request
    PROFILE_READS_STREAM = 1 << 10  // the batch is read from one stream
};

enum { PROFILE_NAME_MAX = 64 };

/* One run of a profile. */
struct profile_run {
    const struct load_options *options;
    struct load *load;  // set before `begin`
    struct weir_client **clients;
    size_t clients_n;
    size_t slots_n;
    char category[PROFILE_NAME_MAX];
    void *own;  // state of the profile
};

struct profile {
    const char *name;
    const char *doc;  // one line
    unsigned uses;
    int64_t batch;  // default of --batch
    int64_t batch_max;

    /* Prepares the run. May make blocking calls, and asks end_signals_check between them. After
     * a failure `free` is called. */
    weir_status (*prepare)(struct profile_run *run, struct weir_error *err);
    /* Starts one operation, which ends with load_finish. */
    void (*start)(void *run, struct load_slot *slot);
    /* Called before the first and after the last operation; NULL for nothing. */
    void (*begin)(struct profile_run *run);
    void (*end)(struct profile_run *run);
    /* Called after the clients have been closed, also after a failed prepare; run->own may be
     * NULL. */
    void (*free)(struct profile_run *run);
};

extern const struct profile *const profiles[];
extern const size_t profiles_n;

/* Returns the profile of that name, or NULL. */
const struct profile *profile_find(const char *name);

/* Returns NULL if, after the load, the server must hold exactly what it acknowledged; otherwise the
 * reason why that is uncertain, as constant text. */
const char *profile_uncertainty(const struct profile_run *run);

/* Reports that the acknowledged messages were not compared with the stored ones, and why. */
void profile_report_unverified(const struct profile_run *run, const char *why);

/* Returns the client that the slot uses. */
struct weir_client *profile_client(const struct profile_run *run, const struct load_slot *slot);

/* Ends the operation of a slot whose call failed. */
void profile_fail(struct load_slot *slot, enum load_op op, const struct weir_error *err);

/* Returns the outcome for an incorrect reply. `what` is constant text. */
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
