/* Measures reads: all ways of reading and all batch sizes, interleaved in one run. */
#ifndef WEIR_BENCH_READ_MEASURE_H
#define WEIR_BENCH_READ_MEASURE_H

#include "bench/lib/stats.h"
#include "bench/read/reader.h"

enum { READ_FLOOR, READ_SIZED, READ_GROWN, READ_WAYS };

/* The measurements of one read, done in one way. */
struct read_figures {
    bool is_measured;       // false: the store does not offer this way
    double *ns;             // time of one read; one sample for each round
    double heap_calls;      // median per read, without the database driver
    double heap_calls_max;  // maximum of any read
    double heap_bytes;      // mean per read
    double driver_calls;    // mean per read; 0 on SQLite
    double sent_bytes;      // mean per read; 0 for the floor
};

struct read_result {
    const char *name;  // "stream", "category", "nothing"
    struct read_plan plan;
    size_t available;  // messages in the stream or category
    struct read_figures figures[READ_WAYS];
    bool is_empty;  // a read that finds nothing; only measured as `sized`
};

enum { READ_RESULTS = 7 };

struct read_options {
    size_t messages;
    size_t rounds;
    double sample_ns;  // minimum length of a sample
    const char *url;   // of the store to create
};

/* Runs all measurements. Each timed read must return the expected number of rows, and one read of
 * each sample is compared with the messages written, byte by byte. On failure, and after a signal
 * (end_signals.h), the caller has nothing to free. */
weir_status read_measure(const struct read_options *options,
                         struct read_result results[READ_RESULTS], struct weir_error *err);

void read_results_free(struct read_result results[READ_RESULTS]);

/* Returns the estimate of the time ratio a / b, round by round. */
struct estimate read_ratio(const struct read_figures *a, const struct read_figures *b,
                           size_t rounds);

/* Returns the estimate of one way's time. Keeps the order of the samples. */
struct estimate read_time(const struct read_figures *figures, size_t rounds);

#endif
