/* The measuring of reads: all ways of reading, all batches, interleaved in one run. */
#ifndef WEIR_BENCH_READ_MEASURE_H
#define WEIR_BENCH_READ_MEASURE_H

#include "bench/lib/stats.h"
#include "bench/read/reader.h"

enum { READ_FLOOR, READ_SIZED, READ_GROWN, READ_WAYS };

/* One read, done in one way. */
struct read_figures {
    bool is_measured;       // not all ways are there on every store
    double *ns;             // of one read, a sample each round
    double heap_calls;      // of one read, without the database driver's: the median of many
    double heap_calls_max;  // of any
    double heap_bytes;      // of one read, on average
    double driver_calls;    // the driver's heap calls, on average; SQLite is none
    double sent_bytes;      // the same; 0 for the floor
};

struct read_result {
    const char *name;  // "stream", "category", "nothing"
    struct read_plan plan;
    size_t available;  // messages in the stream or category
    struct read_figures figures[READ_WAYS];
    bool is_empty;  // a read that finds nothing: only weir's way
};

enum { READ_RESULTS = 7 };

struct read_options {
    size_t messages;
    size_t rounds;
    double sample_ns;  // how long a sample should take at least
    const char *url;   // of the store to be made
};

/* Runs everything. Each read that is timed must give the rows asked for, and one of each sample is
 * compared with what was written, byte by byte. On failure there is nothing to free. */
weir_status read_measure(const struct read_options *options,
                         struct read_result results[READ_RESULTS], struct weir_error *err);

void read_results_free(struct read_result results[READ_RESULTS]);

/* Of `a` over `b`, round by round. */
struct estimate read_ratio(const struct read_figures *a, const struct read_figures *b,
                           size_t rounds);

/* The estimate of one way's time; the samples stay in their order. */
struct estimate read_time(const struct read_figures *figures, size_t rounds);

#endif
