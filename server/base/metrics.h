/* What the server counts; operation/samples.h shows it. Counting is atomic additions; any thread
 * may count, and nothing blocks. */
#ifndef WEIR_SERVER_METRICS_H
#define WEIR_SERVER_METRICS_H

#include "server/base/histogram.h"
#include "weir/base/fail.h"

enum { WEIR_METRICS_METHODS_MAX = 64 };

/* The metrics of one method. */
struct weir_method_metrics {
    _Atomic uint64_t outcomes[WEIR_STATUS_COUNT];  // calls by status, WEIR_OK included
    struct weir_histogram latency;                 // microseconds
};

struct weir_metrics {
    struct weir_method_metrics methods[WEIR_METRICS_METHODS_MAX + 1];  // the last: unknown methods
    _Atomic uint64_t refused[WEIR_STATUS_COUNT];                       // requests not even parsed
    struct weir_histogram group_writes;                                // writes of a commit
    _Atomic uint64_t messages_written;
    _Atomic uint64_t messages_read;
};

/* Returns the metrics of a method: an index into weir_methods, or weir_methods_n. */
struct weir_method_metrics *weir_metrics_of(struct weir_metrics *metrics, size_t method);

/* Counts a call that has ended. `method` is an index into weir_methods, or weir_methods_n. A
 * negative time is not recorded: the time of a read that has waited means nothing here. */
void weir_metrics_call(struct weir_metrics *metrics, size_t method, weir_status status,
                       int64_t took_us);

/* Counts a request that was refused without being parsed. */
void weir_metrics_refused(struct weir_metrics *metrics, weir_status status);

/* Adds to the messages written. A negative number, of a namespace that was cleared, adds none. */
void weir_metrics_written(struct weir_metrics *metrics, int64_t messages);

/* Adds to the messages read. */
void weir_metrics_read(struct weir_metrics *metrics, size_t messages);

/* Records the number of writes of a group that was committed. */
void weir_metrics_group(struct weir_metrics *metrics, size_t writes);

#endif
