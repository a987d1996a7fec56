/* The server's metrics. /metrics and GetStats both write what weir_metrics_visit shows. Counting is
 * atomic additions; any thread may count or visit, and nothing blocks. */
#ifndef WEIR_SERVER_METRICS_H
#define WEIR_SERVER_METRICS_H

#include "server/operation/histogram.h"
#include "weir/base/fail.h"

struct weir_server;

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

enum weir_metric_kind { WEIR_METRIC_COUNTER, WEIR_METRIC_GAUGE, WEIR_METRIC_HISTOGRAM };

struct weir_metric_label {
    const char *name;
    const char *value;
};

enum { WEIR_METRIC_LABELS_MAX = 3 };

/* One number, or one histogram. weir_metrics_visit shows all samples of a name in succession. */
struct weir_sample {
    const char *name;
    const char *help;
    enum weir_metric_kind kind;
    size_t labels_n;
    struct weir_metric_label labels[WEIR_METRIC_LABELS_MAX];
    double value;
    const struct weir_histogram_scale *scale;  // of a histogram, as is `view`
    struct weir_histogram_view view;
};

typedef void (*weir_sample_visitor)(void *context, const struct weir_sample *sample);

/* Calls `visit` for each sample, with the values of this moment. The sample is valid during the
 * call only. Does not block. */
void weir_metrics_visit(struct weir_server *server, weir_sample_visitor visit, void *context);

/* Returns all samples in Prometheus' text format, with the length in *n; NULL without memory. The
 * caller frees the text. */
char *weir_metrics_text(struct weir_server *server, size_t *n);

#endif
