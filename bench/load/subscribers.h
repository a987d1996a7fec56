/* Waiting readers: chained long polls of a category. The readers of the profile `tail` receive
 * every message that is written; those of --waiting wait for messages that never arrive. */
#ifndef WEIR_BENCH_SUBSCRIBERS_H
#define WEIR_BENCH_SUBSCRIBERS_H

#include "bench/load/profile.h"

struct subscriber;

struct subscribers {
    struct profile_run *run;
    char category[PROFILE_NAME_MAX + 8];
    struct subscriber *all;
    size_t n;
    atomic_bool is_ending;
};

/* Starts the readers at the beginning of the category and records the time from each message's
 * seed, which is the intended start of its write, to its delivery. Returns false without memory. */
bool subscribers_begin(struct subscribers *subscribers, struct profile_run *run,
                       const char *category, size_t n);

/* Waits up to `seconds` until each reader has received `messages`. Counts an error of the load for
 * each reader that has not. Returns NULL, or constant text that says why the wait stopped early. */
const char *subscribers_wait(struct subscribers *subscribers, uint64_t messages, double seconds);

/* Stops new polls. Polls in flight end when their clients are closed. */
void subscribers_end(struct subscribers *subscribers);

/* Frees the readers. Call after the clients have been closed. */
void subscribers_free(struct subscribers *subscribers);

#endif
