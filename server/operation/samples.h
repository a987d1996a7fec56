/* The server's metrics as they are shown. /metrics and GetStats both write what weir_samples_visit
 * shows. Any thread may visit, and nothing blocks. */
#ifndef WEIR_SERVER_SAMPLES_H
#define WEIR_SERVER_SAMPLES_H

#include "server/base/metrics.h"

struct weir_server;

enum weir_metric_kind { WEIR_METRIC_COUNTER, WEIR_METRIC_GAUGE, WEIR_METRIC_HISTOGRAM };

struct weir_metric_label {
    const char *name;
    const char *value;
};

enum { WEIR_METRIC_LABELS_MAX = 3 };

/* One number, or one histogram. weir_samples_visit shows all samples of a name in succession. */
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
void weir_samples_visit(struct weir_server *server, weir_sample_visitor visit, void *context);

/* Returns all samples in Prometheus' text format, with the length in *n; NULL without memory. The
 * caller frees the text. */
char *weir_samples_text(struct weir_server *server, size_t *n);

#endif
