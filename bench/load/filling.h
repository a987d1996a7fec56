/* Messages written before a read load starts, so that the expected result of every read is
 * known. */
#ifndef WEIR_BENCH_FILLING_H
#define WEIR_BENCH_FILLING_H

#include "bench/load/streams.h"

struct filling {
    struct streams streams;
    int64_t *positions;  // global positions of all messages, ascending
    size_t n;
};

/* Writes `n` messages, spread evenly over the streams and interleaved, up to 1,000 messages or 16
 * MiB per request. Blocks until all are written. */
weir_status filling_make(struct filling *filling, const struct profile_run *run, size_t n,
                         struct weir_error *err);
void filling_fini(struct filling *filling);

#endif
