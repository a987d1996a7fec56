#include "server/operation/samples.h"

#include "server/calls/server_parts.h"
#include "server/namespaces/tenants.h"
#include "server/transport/transport.h"
#include "weir/v1/dispatch.h"
#include "weir/v1/methods.h"
#include "weir/wire/method.h"

#include <stdio.h>
#include <unistd.h>

struct visit {
    struct weir_server *server;
    weir_sample_visitor visit;
    void *context;
};

static double load(const _Atomic uint64_t *counter)
{
    return (double)atomic_load_explicit(counter, memory_order_relaxed);
}

static const char *code_of(weir_status status)
{
    return status == WEIR_OK ? "OK" : weir_status_name(status);
}

/* Returns "MessageStore/WriteMessages": without the package, which all methods share. */
static const char *label_of_method(size_t method)
{
    static const char package[] = "weir.v1.";
    return method < weir_methods_n ? weir_methods[method].name + sizeof package - 1 : "unknown";
}

static void show(const struct visit *v, const char *name, const char *help,
                 enum weir_metric_kind kind, double value)
{
    const struct weir_sample sample = {.name = name, .help = help, .kind = kind, .value = value};
    v->visit(v->context, &sample);
}

static void show_build(const struct visit *v)
{
    const struct weir_sample sample = {
        .name = "weir_build_info",
        .help = "Always 1; the labels give the version and the store.",
        .kind = WEIR_METRIC_GAUGE,
        .labels_n = 2,
        .labels = {{"version", WEIR_VERSION},
                   {"backend", weir_store_backend_name(v->server->store)}},
        .value = 1,
    };
    v->visit(v->context, &sample);
}

/* Shows the successes of each offered method, also before the first call, and failures once there
 * are any. */
static void show_outcomes(const struct visit *v, size_t method,
                          const struct weir_method_metrics *of)
{
    const bool is_offered = weir_handlers_has(v->server->handlers, method);
    for (weir_status status = WEIR_OK; status < WEIR_STATUS_COUNT; status++) {
        const double value = load(&of->outcomes[status]);
        const struct weir_sample sample = {
            .name = "weir_requests_total",
            .help = "Answered calls by method and outcome.",
            .kind = WEIR_METRIC_COUNTER,
            .labels_n = 2,
            .labels = {{"method", label_of_method(method)}, {"code", code_of(status)}},
            .value = value,
        };
        if (value > 0 || (is_offered && status == WEIR_OK)) {
            v->visit(v->context, &sample);
        }
    }
}

static void show_latency(const struct visit *v, size_t method, const struct weir_method_metrics *of)
{
    struct weir_sample sample = {
        .name = "weir_request_duration_seconds",
        .help =
            "Time from a request's arrival to its reply; long polls that waited are not counted.",
        .kind = WEIR_METRIC_HISTOGRAM,
        .labels_n = 1,
        .labels = {{"method", label_of_method(method)}},
        .scale = &weir_scale_latency,
    };
    weir_histogram_read(&of->latency, sample.scale, &sample.view);
    if (sample.view.cumulative[sample.scale->n] > 0) {
        v->visit(v->context, &sample);
    }
}

static const struct weir_method_metrics *of_method(const struct visit *v, size_t method)
{
    return weir_metrics_of(&v->server->metrics, method);
}

static void show_calls(const struct visit *v)
{
    for (size_t method = 0; method <= weir_methods_n; method++) {
        show_outcomes(v, method, of_method(v, method));
    }
    for (size_t method = 0; method <= weir_methods_n; method++) {
        show_latency(v, method, of_method(v, method));
    }
}

static void show_refused(const struct visit *v)
{
    static const weir_status reasons[] = {WEIR_LIMIT_EXCEEDED, WEIR_BACKEND_UNAVAILABLE,
                                          WEIR_SHUTTING_DOWN};
    for (size_t i = 0; i < WEIR_COUNTOF(reasons); i++) {
        const struct weir_sample sample = {
            .name = "weir_requests_refused_total",
            .help = "Requests that were refused before they were parsed: too many calls in flight, "
                    "a store that hangs, no memory for a call, the server's stop.",
            .kind = WEIR_METRIC_COUNTER,
            .labels_n = 1,
            .labels = {{"code", code_of(reasons[i])}},
            .value = load(&v->server->metrics.refused[reasons[i]]),
        };
        v->visit(v->context, &sample);
    }
}

static void show_store_errors(const struct visit *v)
{
    static const weir_status faults[] = {WEIR_BACKEND_UNAVAILABLE, WEIR_BACKEND_ERROR,
                                         WEIR_DATA_CORRUPT};
    for (size_t i = 0; i < WEIR_COUNTOF(faults); i++) {
        double value = 0;
        for (size_t method = 0; method <= weir_methods_n; method++) {
            value += load(&of_method(v, method)->outcomes[faults[i]]);
        }
        const struct weir_sample sample = {
            .name = "weir_store_errors_total",
            .help = "Calls that failed because of the store, or for lack of memory.",
            .kind = WEIR_METRIC_COUNTER,
            .labels_n = 1,
            .labels = {{"code", code_of(faults[i])}},
            .value = value,
        };
        v->visit(v->context, &sample);
    }
}

static void show_groups(const struct visit *v)
{
    struct weir_sample sample = {
        .name = "weir_commit_group_writes",
        .help = "Writes committed together, per commit.",
        .kind = WEIR_METRIC_HISTOGRAM,
        .scale = &weir_scale_sizes,
    };
    weir_histogram_read(&v->server->metrics.group_writes, sample.scale, &sample.view);
    v->visit(v->context, &sample);
}

/* Returns the resident memory of this process in bytes; 0 where the system does not tell. */
static double resident_bytes(void)
{
    long size = 0;
    long resident = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (file != NULL) {
        if (fscanf(file, "%ld %ld", &size, &resident) != 2) {
            resident = 0;
        }
        (void)fclose(file);
    }
    return (double)resident * (double)sysconf(_SC_PAGESIZE);
}

static void show_gauges(const struct visit *v)
{
    struct weir_server *server = v->server;
    show(v, "weir_queue_length", "Jobs waiting for a worker.", WEIR_METRIC_GAUGE,
         (double)weir_queue_length(&server->queue));
    show(v, "weir_calls_in_flight",
         "Calls admitted and not answered, without long polls that wait.", WEIR_METRIC_GAUGE,
         (double)atomic_load(&server->call_places.taken));
    show(v, "weir_reads_waiting", "Long polls that wait.", WEIR_METRIC_GAUGE,
         (double)atomic_load(&server->waiting_places.taken));
    show(v, "weir_connections", "Client connections.", WEIR_METRIC_GAUGE,
         (double)weir_transport_connections(server->transport));
    show(v, "weir_namespaces_open", "Open namespaces.", WEIR_METRIC_GAUGE,
         (double)weir_tenants_open_count(server->tenants));
    show(v, "process_resident_memory_bytes", "Resident memory.", WEIR_METRIC_GAUGE,
         resident_bytes());
    show(v, "process_start_time_seconds", "Start of the process since the Unix epoch.",
         WEIR_METRIC_GAUGE, (double)server->started_time_us / 1e6);
}

void weir_samples_visit(struct weir_server *server, weir_sample_visitor visit, void *context)
{
    const struct visit v = {.server = server, .visit = visit, .context = context};
    show_build(&v);
    show_calls(&v);
    show_refused(&v);
    show_store_errors(&v);
    show(&v, "weir_messages_written_total", "Messages stored, including imports.",
         WEIR_METRIC_COUNTER, load(&server->metrics.messages_written));
    show(&v, "weir_messages_read_total", "Messages sent in replies to reads.", WEIR_METRIC_COUNTER,
         load(&server->metrics.messages_read));
    show_groups(&v);
    show_gauges(&v);
}
