/* The server's numbers, counted in one place and told in one place: /metrics and GetStats are two
 * writers of what weir_metrics_visit shows. Counting is atomic additions; any thread may do it. */
#ifndef WEIR_SERVER_METRICS_H
#define WEIR_SERVER_METRICS_H

#include "server/operation/histogram.h"
#include "weir/base/status.h"

struct weir_server;

enum { WEIR_METRICS_METHODS_MAX = 64 };

/* What happened to calls of one method. */
struct weir_method_metrics {
    _Atomic uint64_t outcomes[WEIR_STATUS_COUNT];  // by status, WEIR_OK included
    struct weir_histogram latency;                 // microseconds
};

struct weir_metrics {
    struct weir_method_metrics methods[WEIR_METRICS_METHODS_MAX + 1];  // the last: unknown methods
    _Atomic uint64_t refused[WEIR_STATUS_COUNT];                       // without a look at them
    struct weir_histogram group_writes;
    _Atomic uint64_t messages_written;
    _Atomic uint64_t messages_read;
};

/* A call has ended. `method` is an index into weir_methods, or weir_methods_n. A negative time is
 * not recorded: that of reads that have waited says nothing about the server. */
void weir_metrics_call(struct weir_metrics *metrics, size_t method, weir_status status,
                       int64_t took_us);
void weir_metrics_refused(struct weir_metrics *metrics, weir_status status);
void weir_metrics_written(struct weir_metrics *metrics, int64_t messages);
void weir_metrics_read(struct weir_metrics *metrics, size_t messages);
void weir_metrics_group(struct weir_metrics *metrics, size_t writes);

enum weir_metric_kind { WEIR_METRIC_COUNTER, WEIR_METRIC_GAUGE, WEIR_METRIC_HISTOGRAM };

struct weir_metric_label {
    const char *name;
    const char *value;
};

enum { WEIR_METRIC_LABELS_MAX = 3 };

/* One number, or one histogram. All samples of a name come one after the other. */
struct weir_sample {
    const char *name;
    const char *help;
    enum weir_metric_kind kind;
    size_t labels_n;
    struct weir_metric_label labels[WEIR_METRIC_LABELS_MAX];
    double value;
    const struct weir_histogram_scale *scale;  // of a histogram
    struct weir_histogram_view view;
};

typedef void (*weir_sample_visitor)(void *context, const struct weir_sample *sample);

/* Shows every number there is at this moment. Does not block. */
void weir_metrics_visit(struct weir_server *server, weir_sample_visitor visit, void *context);

/* Writes them in Prometheus' text format; the length in *n. NULL without memory. The caller frees.
 */
char *weir_metrics_text(struct weir_server *server, size_t *n);

#endif
