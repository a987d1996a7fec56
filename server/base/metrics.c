#include "server/base/metrics.h"

#include "weir/v1/methods.h"

_Static_assert((int)WEIR_METHOD_COUNT <= (int)WEIR_METRICS_METHODS_MAX,
               "there is room for every method");

static void add_one(_Atomic uint64_t *counter)
{
    atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

/* Unknown methods share the last place. */
struct weir_method_metrics *weir_metrics_of(struct weir_metrics *metrics, size_t method)
{
    return &metrics->methods[method < weir_methods_n ? method : WEIR_METRICS_METHODS_MAX];
}

void weir_metrics_call(struct weir_metrics *metrics, size_t method, weir_status status,
                       int64_t took_us)
{
    struct weir_method_metrics *of = weir_metrics_of(metrics, method);
    add_one(&of->outcomes[status]);
    if (took_us >= 0) {
        weir_histogram_record(&of->latency, &weir_scale_latency, (uint64_t)took_us);
    }
}

void weir_metrics_refused(struct weir_metrics *metrics, weir_status status)
{
    add_one(&metrics->refused[status]);
}

void weir_metrics_written(struct weir_metrics *metrics, int64_t messages)
{
    if (messages > 0) {
        atomic_fetch_add_explicit(&metrics->messages_written, (uint64_t)messages,
                                  memory_order_relaxed);
    }
}

void weir_metrics_read(struct weir_metrics *metrics, size_t messages)
{
    atomic_fetch_add_explicit(&metrics->messages_read, messages, memory_order_relaxed);
}

void weir_metrics_group(struct weir_metrics *metrics, size_t writes)
{
    weir_histogram_record(&metrics->group_writes, &weir_scale_sizes, writes);
}
