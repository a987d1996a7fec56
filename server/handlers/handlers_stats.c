#include "server/handlers/handlers.h"

#include "server/calls/server_parts.h"
#include "server/operation/samples.h"

/* Collects the samples of weir_samples_visit as the response's list, in the call's arena. */
struct gathering {
    struct weir_call *call;
    Weir__V1__Metric **metrics;
    size_t n;
    size_t cap;
    bool is_full;  // the arena is
};

static bool make_room(struct gathering *g)
{
    if (g->n < g->cap) {
        return true;
    }
    const size_t cap = g->cap == 0 ? 128 : 2 * g->cap;
    Weir__V1__Metric **metrics = weir_arena_array(&g->call->arena, cap, sizeof *metrics);
    if (metrics == NULL) {
        return false;
    }
    if (g->n > 0) {
        memcpy(metrics, g->metrics, g->n * sizeof *metrics);
    }
    g->metrics = metrics;
    g->cap = cap;
    return true;
}

static bool fill_labels(struct weir_arena *arena, const struct weir_sample *sample,
                        Weir__V1__Metric *metric)
{
    const size_t n = sample->labels_n;
    Weir__V1__Metric__LabelsEntry *entries = weir_arena_array(arena, n, sizeof *entries);
    metric->labels = weir_arena_array(arena, n, sizeof *metric->labels);
    if (entries == NULL || metric->labels == NULL) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        weir__v1__metric__labels_entry__init(&entries[i]);
        entries[i].key = (char *)(uintptr_t)sample->labels[i].name;
        entries[i].value = (char *)(uintptr_t)sample->labels[i].value;
        metric->labels[i] = &entries[i];
    }
    metric->n_labels = n;
    return true;
}

static bool fill_histogram(struct weir_arena *arena, const struct weir_sample *sample,
                           Weir__V1__Metric *metric)
{
    const size_t n = sample->scale->n;
    Weir__V1__Histogram *histogram = weir_arena_alloc(arena, sizeof *histogram);
    double *bounds = weir_arena_array(arena, n, sizeof *bounds);
    uint64_t *counts = weir_arena_array(arena, n + 1, sizeof *counts);
    if (histogram == NULL || bounds == NULL || counts == NULL) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        bounds[i] = weir_histogram_bound(sample->scale, i);
    }
    memcpy(counts, sample->view.cumulative, (n + 1) * sizeof *counts);
    weir__v1__histogram__init(histogram);
    histogram->has_count = true;
    histogram->count = counts[n];
    histogram->has_sum = true;
    histogram->sum = sample->view.sum;
    histogram->n_bounds = n;
    histogram->bounds = bounds;
    histogram->n_cumulative_counts = n + 1;
    histogram->cumulative_counts = counts;
    metric->histogram = histogram;
    return true;
}

static bool add_sample(struct gathering *g, const struct weir_sample *sample)
{
    Weir__V1__Metric *metric = weir_arena_alloc(&g->call->arena, sizeof *metric);
    if (metric == NULL || !make_room(g)) {
        return false;
    }
    weir__v1__metric__init(metric);
    metric->name = (char *)(uintptr_t)sample->name;
    if (!fill_labels(&g->call->arena, sample, metric)) {
        return false;
    }
    if (sample->kind == WEIR_METRIC_HISTOGRAM) {
        if (!fill_histogram(&g->call->arena, sample, metric)) {
            return false;
        }
    } else {
        metric->has_value = true;
        metric->value = sample->value;
    }
    g->metrics[g->n++] = metric;
    return true;
}

static void gather(void *context, const struct weir_sample *sample)
{
    struct gathering *g = context;
    g->is_full = g->is_full || !add_sample(g, sample);
}

WEIR_HANDLER(weir_handle_get_stats, Weir__V1__GetStatsRequest)
{
    (void)request;
    struct gathering g = {.call = call};
    weir_samples_visit(call->server, gather, &g);
    if (g.is_full) {
        return weir_call_is_too_large(call, err);
    }
    Weir__V1__GetStatsResponse response = WEIR__V1__GET_STATS_RESPONSE__INIT;
    response.n_metrics = g.n;
    response.metrics = g.metrics;
    return weir_call_reply(call, &response.base, err);
}
