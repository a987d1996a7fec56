#include "bench/page/page_targets.h"

#include "bench/lib/chart.h"
#include "bench/lib/target.h"

#include <math.h>
#include <string.h>

/* A figure of one measurement. */
struct figure {
    const char *name;
    const char *path;
};

/* How the value of a target is computed in each round. */
enum rule {
    RULE_VALUE,       // a
    RULE_RATIO,       // a / b
    RULE_SUM_RATIO,   // (b + c) / a: a and b, c are times, so the ratio compares rates
    RULE_DIFFERENCE,  // a - b
};

struct wanted {
    const char *what;
    enum target_kind kind;
    double limit;
    enum rule rule;
    struct figure a;
    struct figure b;
    struct figure c;
    double factor;  // factor of the value; 0 means 1
};

#define RATE       "operations_per_s"
#define MESSAGES   "messages_per_s"
#define P50        "latency_us.p50"
#define P99        "latency_us.p99"
#define P999       "latency_us.p99.9"
#define MEAN       "latency_us.mean"
#define CPU        "generator.cpu_us_per_operation"
#define DELIVERY   "by_operation.delivery.latency_us.p50"
#define SYNCS      "counts.syncs_per_operation"
#define HEAP_CALLS "counts.heap_calls_per_operation"
#define RESIDENT   "server.resident_kib"

#define VALUE(what, kind, limit, a, path, factor)                                                \
    {                                                                                            \
        what, TARGET_AT_##kind, limit, RULE_VALUE, {a, path}, {NULL, NULL}, {NULL, NULL}, factor \
    }
#define RATIO(what, kind, limit, a, path_a, b, path_b)                                       \
    {                                                                                        \
        what, TARGET_AT_##kind, limit, RULE_RATIO, {a, path_a}, {b, path_b}, {NULL, NULL}, 1 \
    }
#define DIFFERENCE(what, kind, limit, a, path_a, b, path_b, factor)                             \
    {                                                                                           \
        what, TARGET_AT_##kind, limit, RULE_DIFFERENCE, {a, path_a}, {b, path_b}, {NULL, NULL}, \
            factor                                                                              \
    }

static const struct wanted wanted[] = {
    VALUE("heap calls of a read, SQLite's own included: the most of 10, 100 and 1,000 messages",
          MOST, 10, "weir-bench", "summary.heap_calls", 1),
    VALUE("the same: difference between 10, 100 and 1,000 messages", MOST, 0, "weir-bench",
          "summary.heap_calls_difference", 1),
    VALUE("heap calls of a read on PostgreSQL, libpq's left out: the most", MOST, 10,
          "weir-bench-postgres", "summary.heap_calls", 1),
    VALUE("the same: difference between 10, 100 and 1,000 messages", MOST, 0, "weir-bench-postgres",
          "summary.heap_calls_difference", 1),
    VALUE("bytes allocated for each byte sent on PostgreSQL, the largest", MOST, 1.1,
          "weir-bench-postgres", "summary.heap_bytes", 1),
    VALUE("bytes allocated for each byte sent, the largest", MOST, 1.1, "weir-bench",
          "summary.heap_bytes", 1),
    DIFFERENCE("heap calls of the whole server: a read of 1,000 beyond an empty request", MOST, 10,
               "counted_sqlite_read_1000", HEAP_CALLS, "counted_sqlite_empty", HEAP_CALLS, 1),
    VALUE("1,000 of a category inside the server (store and pack) / stepping the same rows", MOST,
          1.5, "weir-bench", "summary.category_1000", 1),
    RATIO("1,000 of a category end to end / nng echo of the same size, same client", LEAST, 0.7,
          "disk_read_category_1000", RATE, "echo_read_1000", RATE),
    RATIO("mixed, SQLite in memory, 64 in flight / that echo", LEAST, 0.6, "memory_mixed_64", RATE,
          "echo_mixed_64", RATE),
    RATIO("write, SQLite FULL, 64 in flight / SQLite alone, one commit a write", LEAST, 5,
          "disk_write_64", RATE, "sqlite_1", RATE),
    RATIO("the same / SQLite alone committing groups of the size that occurred", LEAST, 0.8,
          "disk_write_64", RATE, "sqlite_group", MESSAGES),
    RATIO("write, 64 in flight by ipc:// / SQLite alone, one commit a write", LEAST, 5,
          "disk_socket_write_64", RATE, "sqlite_1", RATE),
    RATIO("the same / SQLite alone committing groups of the size that occurred", LEAST, 0.8,
          "disk_socket_write_64", RATE, "sqlite_group", MESSAGES),
    {"write, SQLite FULL, 1 in flight / SQLite alone, one commit a row, plus one empty echo",
     TARGET_AT_LEAST,
     0.7,
     RULE_SUM_RATIO,
     {"disk_write_1", MEAN},
     {"sqlite_1", MEAN},
     {"echo_raw_empty_1", MEAN},
     1},
    RATIO("write, PostgreSQL, 64 in flight, one category / Message DB's write_message by pgbench",
          LEAST, 10, "postgres_write_64", RATE, "mdb_write_64", RATE),
    RATIO("the same / plain INSERTs of one row by 64 pgbench clients", LEAST, 0.8,
          "postgres_write_64", RATE, "pgbench_insert_64", RATE),
    RATIO("read of 10, PostgreSQL: latency / Message DB's function by pgbench", MOST, 1.1,
          "postgres_read_10", MEAN, "mdb_read_10", MEAN),
    RATIO("read of 1,000, PostgreSQL: latency / Message DB's function by pgbench", MOST, 0.6,
          "postgres_read_1000", MEAN, "mdb_read_1000", MEAN),
    RATIO("reads of 10 by 10 clients, PostgreSQL: requests a second / Message DB's by pgbench",
          LEAST, 1.5, "postgres_read_10_by_10", RATE, "mdb_read_10_by_10", RATE),
    RATIO("write to delivery to a waiting reader, idle server: median / one round trip there", MOST,
          2, "memory_tail", DELIVERY, "memory_empty_idle", P50),
    RATIO("open loop at half the highest rate, in memory: p99 / median", MOST, 5, "memory_open",
          P99, "memory_open", P50),
    RATIO("the same: p99.9 / median", MOST, 20, "memory_open", P999, "memory_open", P50),
    RATIO("open loop at half the highest rate, durable writes: p99 / median", MOST, 5, "disk_open",
          P99, "disk_open", P50),
    RATIO("the same: p99.9 / median", MOST, 20, "disk_open", P999, "disk_open", P50),
    RATIO("durable commits of groups, by the store alone: longest beside a checkpoint / median of "
          "all",
          MOST, 5, "store_write_64", "by_operation.checkpoint.latency_us.max", "store_write_64",
          "by_operation.commit.latency_us.p50"),
    VALUE("fdatasyncs a write, times 10, with 10 in flight", MOST, 2, "disk_write_10_counted",
          SYNCS, 10),
    VALUE("fdatasyncs a write, times 64, with 64 in flight", MOST, 2, "disk_write_64_counted",
          SYNCS, 64),
    RATIO("write, 10 in flight / Redis XADD, appendfsync always", LEAST, 0.6, "disk_write_10", RATE,
          "redis_10", RATE),
    RATIO("write, 64 in flight / Redis XADD, appendfsync always", LEAST, 0.6, "disk_write_64", RATE,
          "redis_64", RATE),
    RATIO("empty request, 10 in flight on one connection / gRPC's C++ echo", LEAST, 1.2,
          "memory_shared_empty_10", RATE, "grpc_10", RATE),
    RATIO("empty request, 64 in flight on one connection / gRPC's C++ echo", LEAST, 1.2,
          "memory_shared_empty_64", RATE, "grpc_64", RATE),
    RATIO("the newest 1,000 of a category at 10^7 messages / at 10^4: time", MOST, 1.3,
          "grow_messages_10000000_read", MEAN, "grow_messages_10000_read", MEAN),
    RATIO("a single write at 10^7 messages / at 10^4: time", MOST, 1.5,
          "grow_messages_10000000_write", MEAN, "grow_messages_10000_write", MEAN),
    RATIO("1,000 namespaces / 1, same load, durable", LEAST, 0.5, "grow_namespaces_1000", RATE,
          "grow_namespaces_1", RATE),
    DIFFERENCE("10,000 waiting reads: KiB each", MOST, 4, "grow_waiting_10000", RESIDENT,
               "grow_waiting_0", RESIDENT, 1e-4),
    VALUE("CPU of a server on which 10,000 reads wait, cores", MOST, 0.01, "waiting_idle",
          "server.cores", 1),
    RATIO("throughput of others beside 10,000 waiting reads / without them", LEAST, 0.9,
          "grow_waiting_10000", RATE, "grow_waiting_0", RATE),
    RATIO("libweir's CPU a call / a bare nng request of the same size", MOST, 1.3, "echo_write_64",
          CPU, "echo_raw_64", CPU),
    VALUE("server with nothing to do: KiB resident", MOST, 16384, "idle", "resident_kib", 1),
    DIFFERENCE("server with nothing to do: wake-ups a second beyond those of nng alone", MOST, 0.5,
               "idle", "wakeups_per_s", "idle_echo", "wakeups_per_s", 1),
};

enum { WANTED = sizeof wanted / sizeof wanted[0] };

static double compute_value(const struct wanted *w, double a, double b, double c)
{
    const double factor = w->factor == 0 ? 1 : w->factor;
    switch (w->rule) {
    case RULE_VALUE:
        return a * factor;
    case RULE_RATIO:
        return a / b * factor;
    case RULE_SUM_RATIO:
        return (b + c) / a * factor;
    case RULE_DIFFERENCE:
        return (a - b) * factor;
    }
    return NAN;
}

static void load_figure(struct results *results, const struct figure *figure,
                        double values[RESULTS_ROUNDS_MAX])
{
    if (figure->name != NULL) {
        (void)results_figure(results, figure->name, figure->path, values);
    }
}

/* Computes a target from the results. Returns false if a figure was not measured. */
static bool make_target(struct results *results, const struct wanted *w, struct target *target)
{
    double a[RESULTS_ROUNDS_MAX];
    double b[RESULTS_ROUNDS_MAX];
    double c[RESULTS_ROUNDS_MAX];
    double values[RESULTS_ROUNDS_MAX];
    const size_t rounds = results_rounds(results);
    memset(b, 0, sizeof b);
    memset(c, 0, sizeof c);
    load_figure(results, &w->a, a);
    load_figure(results, &w->b, b);
    load_figure(results, &w->c, c);
    for (size_t r = 0; r < rounds; r++) {
        values[r] = compute_value(w, a[r], b[r], c[r]);
        values[r] = isfinite(values[r]) ? values[r] : NAN;
    }
    const struct estimate estimate = results_estimate_of(values, rounds);
    *target = (struct target){.kind = w->kind,
                              .limit = w->limit,
                              .value = estimate.median,
                              .low = estimate.low,
                              .high = estimate.high};
    (void)snprintf(target->what, sizeof target->what, "%s", w->what);
    return estimate.n > 0;
}

static void put_goal(FILE *out, const char *what, enum target_kind kind, double limit)
{
    char text[CHART_TEXT_MAX];
    chart_text(limit, CHART_NUMBER, text);
    (void)fprintf(out, "| %s | %s %s |", what, kind == TARGET_AT_MOST ? "≤" : "≥", text);
}

static void put_target(FILE *out, const struct target *target)
{
    char value[CHART_TEXT_MAX];
    char low[CHART_TEXT_MAX];
    char high[CHART_TEXT_MAX];
    chart_text(target->value, CHART_NUMBER, value);
    chart_text(target->low, CHART_NUMBER, low);
    chart_text(target->high, CHART_NUMBER, high);
    put_goal(out, target->what, target->kind, target->limit);
    (void)fprintf(out, " %s", value);
    if (target->low < target->high) {
        (void)fprintf(out, " (%s – %s)", low, high);
    }
    (void)fprintf(out, " | %s |\n", target_is_met(target) ? "met" : "**not met**");
}

void page_put_targets(FILE *out, struct results *results)
{
    size_t met = 0;
    size_t measured = 0;
    (void)fputs("| what | target | measured (95 % interval) | |\n|---|---|---|---|\n", out);
    for (size_t i = 0; i < WANTED; i++) {
        struct target target;
        if (make_target(results, &wanted[i], &target)) {
            put_target(out, &target);
            met += target_is_met(&target);
            measured++;
        } else {
            put_goal(out, wanted[i].what, wanted[i].kind, wanted[i].limit);
            (void)fputs(" – | not measured |\n", out);
        }
    }
    (void)fprintf(out, "\n%zu of %zu targets that were measured are met; %zu were not measured.\n",
                  met, measured, (size_t)WANTED - measured);
}

json_t *page_targets_json(struct results *results)
{
    json_t *json = json_array();
    for (size_t i = 0; i < WANTED; i++) {
        struct target target;
        if (make_target(results, &wanted[i], &target)) {
            (void)json_array_append_new(json, target_to_json(&target));
        }
    }
    return json;
}
