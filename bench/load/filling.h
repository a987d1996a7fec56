/* Messages written before a load that reads them, so that it is known what every read must return.
 */
#ifndef WEIR_BENCH_FILLING_H
#define WEIR_BENCH_FILLING_H

#include "bench/load/streams.h"

struct filling {
    struct streams streams;
    int64_t *positions;  // global positions of all messages, ascending
    size_t n;
};

/* Writes `n` messages, evenly over the streams and interleaved, a thousand at a time or as many as
 * make 16 MiB. Waits. */
weir_status filling_make(struct filling *filling, const struct profile_run *run, size_t n,
                         struct weir_error *err);
void filling_fini(struct filling *filling);

#endif
