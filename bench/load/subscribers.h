/* Readers that wait: long polls of a category, chained. Those of `tail` are given every message
 * that is written; those of --waiting wait for what never comes. */
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

/* Starts them, from the beginning of the category. Their time from a message's seed, which is when
 * its write began, to its delivery is recorded. False without memory. */
bool subscribers_begin(struct subscribers *subscribers, struct profile_run *run,
                       const char *category, size_t n);

/* Waits until each has been given `messages`, for at most `seconds`; who has not is an error of the
 * load. NULL, or why that was not waited for, in constant text. */
const char *subscribers_wait(struct subscribers *subscribers, uint64_t messages, double seconds);

/* They ask for nothing any more. What they wait for ends with their clients. */
void subscribers_end(struct subscribers *subscribers);

/* After the clients have been closed. */
void subscribers_free(struct subscribers *subscribers);

#endif
