#include "bench/lib/load_report.h"

#include "bench/lib/chart.h"
#include "bench/lib/machine.h"

#include <inttypes.h>
#include <math.h>

enum { PLOT_COLUMNS_PER_DECADE = 40, PLOT_COLUMNS_MAX = 512 };

static const double percents[] = {50, 75, 90, 95, 99, 99.9, 99.99};
static const char *const percent_names[] = {"p50", "p75", "p90", "p95", "p99", "p99.9", "p99.99"};

uint64_t load_report_errors(const struct load *load)
{
    uint64_t n = 0;
    for (size_t e = 0; e < load->errors_n; e++) {
        n += load->errors[e].n;
    }
    return n;
}

static double per_second(const struct load *load, double n)
{
    const double seconds = load_measured_s(load);
    return seconds > 0 ? n / seconds : 0;
}

static double per_operation(const struct load *load, double n)
{
    const double operations = (double)histogram_count(load->total);
    return operations > 0 ? n / operations : 0;
}

static double messages_of(const struct load *load)
{
    double n = 0;
    for (size_t op = 0; op < LOAD_OPS; op++) {
        n += op == LOAD_DELIVERY ? 0 : (double)load->counts[op].messages;
    }
    return n;
}

/* ---- text ---- */

static void put_number(FILE *out, int width, double value, enum chart_unit unit)
{
    char text[CHART_TEXT_MAX];
    chart_text(value, unit, text);
    /* printf's width counts bytes, and µ has two. */
    const int extra = unit == CHART_NANOSECONDS && value >= 1e3 && value < 1e6 ? 1 : 0;
    (void)fprintf(out, " %*s", width + extra, text);
}

static void put_latencies(FILE *out, const char *name, const struct histogram *histogram,
                          const struct load *load)
{
    if (histogram_count(histogram) == 0) {
        return;
    }
    (void)fprintf(out, "%-10s", name);
    put_number(out, 11, per_second(load, (double)histogram_count(histogram)), CHART_NUMBER);
    put_number(out, 9, histogram_mean(histogram), CHART_NANOSECONDS);
    for (size_t p = 0; p < sizeof percents / sizeof percents[0]; p++) {
        put_number(out, 8, (double)histogram_percentile(histogram, percents[p]), CHART_NANOSECONDS);
    }
    put_number(out, 8, (double)histogram_max(histogram), CHART_NANOSECONDS);
    (void)fputs("\n", out);
}

static void put_table(FILE *out, const struct load *load)
{
    (void)fprintf(out, "%-10s %11s %9s", "", "each second", "mean");
    for (size_t p = 0; p < sizeof percents / sizeof percents[0]; p++) {
        (void)fprintf(out, " %8s", percent_names[p]);
    }
    (void)fprintf(out, " %8s\n", "max");
    put_latencies(out, "all", load->total, load);
    for (size_t op = 0; op < LOAD_OPS; op++) {
        put_latencies(out, load_op_name((enum load_op)op), load->counts[op].latency, load);
    }
}

void load_report_put_errors(FILE *out, const struct load *load)
{
    (void)fprintf(out, "errors: %" PRIu64 "\n", load_report_errors(load));
    for (size_t e = 0; e < load->errors_n; e++) {
        const struct load_errors *errors = &load->errors[e];
        (void)fprintf(out, "  %s: %" PRIu64 ", first after %.3f s, last after %.3f s: %s\n",
                      errors->reason, errors->n, errors->first_s, errors->last_s, errors->text);
    }
    for (size_t o = 0; o < load->outages_n; o++) {
        const struct load_outage *outage = &load->outages[o];
        if (outage->to_s < 0) {
            (void)fprintf(out, "  no answer from %.3f s to the end\n", outage->from_s);
        } else {
            (void)fprintf(out, "  no answer from %.3f s to %.3f s\n", outage->from_s, outage->to_s);
        }
    }
    if (load->conflicts > 0) {
        (void)fprintf(out, "version conflicts (not errors): %" PRIu64 "\n",
                      (uint64_t)load->conflicts);
    }
}

/* Prints how late the open loop itself started operations. */
static void put_lag(FILE *out, const struct load *load)
{
    if (load->settings->rate > 0) {
        char p99[CHART_TEXT_MAX];
        char max[CHART_TEXT_MAX];
        chart_text((double)histogram_percentile(load->lag, 99), CHART_NANOSECONDS, p99);
        chart_text((double)histogram_max(load->lag), CHART_NANOSECONDS, max);
        (void)fprintf(out, "; operations were started late by %s (p99), %s (max)", p99, max);
    }
}

static void put_usage(FILE *out, const struct load_report *report)
{
    const struct load *load = report->load;
    const double own_s = report->after.own_cpu_s - report->before.own_cpu_s;
    (void)fprintf(out, "this program: %.2f cores, %.1f µs of CPU an operation",
                  per_second(load, own_s), per_operation(load, own_s * 1e6));
    put_lag(out, load);
    (void)fputs("\n", out);
    if (report->before.has_server && report->after.has_server) {
        const double server_s = report->after.server_cpu_s - report->before.server_cpu_s;
        (void)fprintf(out, "server: %.2f cores, %.1f µs of CPU an operation, %.1f MiB resident\n",
                      per_second(load, server_s), per_operation(load, server_s * 1e6),
                      report->after.server_resident_kib / 1024);
    }
    if (report->before.has_counts && report->after.has_counts) {
        (void)fprintf(
            out, "server, an operation: %.2f heap calls, %.0f bytes of heap, %.3f syncs\n",
            per_operation(load, (double)(report->after.heap_calls - report->before.heap_calls)),
            per_operation(load, (double)(report->after.heap_bytes - report->before.heap_bytes)),
            per_operation(load, (double)(report->after.syncs - report->before.syncs)));
    }
}

void load_report_text(FILE *out, const struct load_report *report)
{
    const struct load *load = report->load;
    char operations[CHART_TEXT_MAX];
    char messages[CHART_TEXT_MAX];
    chart_text((double)histogram_count(load->total), CHART_NUMBER, operations);
    chart_text(per_second(load, messages_of(load)), CHART_NUMBER, messages);
    (void)fprintf(out, "%s %s: %s operations in %.2f s, %s messages a second%s\n", report->program,
                  report->profile, operations, load_measured_s(load), messages,
                  load->is_interrupted ? "; interrupted" : "");
    put_table(out, load);
    load_report_put_errors(out, load);
    put_usage(out, report);
}

/* ---- JSON ---- */

static json_t *latency_json(const struct histogram *histogram)
{
    json_t *json = json_object();
    if (histogram_count(histogram) == 0) {
        return json;  // a latency of 0 would meet every target
    }
    (void)json_object_set_new(json, "mean", json_real(histogram_mean(histogram) / 1e3));
    for (size_t p = 0; p < sizeof percents / sizeof percents[0]; p++) {
        (void)json_object_set_new(
            json, percent_names[p],
            json_real((double)histogram_percentile(histogram, percents[p]) / 1e3));
    }
    (void)json_object_set_new(json, "max", json_real((double)histogram_max(histogram) / 1e3));
    return json;
}

static json_t *count_json(const struct load *load, const struct histogram *histogram,
                          double messages)
{
    const double n = (double)histogram_count(histogram);
    return json_pack("{s:f, s:f, s:f, s:o}", "operations", n, "operations_per_s",
                     per_second(load, n), "messages_per_s", per_second(load, messages),
                     "latency_us", latency_json(histogram));
}

static json_t *by_operation_json(const struct load *load)
{
    json_t *json = json_object();
    for (size_t op = 0; op < LOAD_OPS; op++) {
        const struct load_count *count = &load->counts[op];
        if (histogram_count(count->latency) > 0) {
            (void)json_object_set_new(json, load_op_name((enum load_op)op),
                                      count_json(load, count->latency, (double)count->messages));
        }
    }
    return json;
}

static json_t *errors_json(const struct load *load)
{
    json_t *json = json_array();
    for (size_t e = 0; e < load->errors_n; e++) {
        const struct load_errors *errors = &load->errors[e];
        (void)json_array_append_new(
            json, json_pack("{s:s, s:I, s:f, s:f, s:s%}", "reason", errors->reason, "count",
                            (json_int_t)errors->n, "first_s", errors->first_s, "last_s",
                            errors->last_s, "text", errors->text, strlen(errors->text)));
    }
    return json;
}

static json_t *outages_json(const struct load *load)
{
    json_t *json = json_array();
    for (size_t o = 0; o < load->outages_n; o++) {
        const struct load_outage *outage = &load->outages[o];
        json_t *one = json_pack("{s:f}", "from_s", outage->from_s);
        if (outage->to_s >= 0) {
            (void)json_object_set_new(one, "to_s", json_real(outage->to_s));
        }
        (void)json_array_append_new(json, one);
    }
    return json;
}

static json_t *generator_json(const struct load_report *report)
{
    const struct load *load = report->load;
    const double own_s = report->after.own_cpu_s - report->before.own_cpu_s;
    return json_pack("{s:f, s:f, s:o}", "cores", per_second(load, own_s), "cpu_us_per_operation",
                     per_operation(load, own_s * 1e6), "lag_us", latency_json(load->lag));
}

static json_t *server_json(const struct load_report *report)
{
    const struct load *load = report->load;
    const double cpu_s = report->after.server_cpu_s - report->before.server_cpu_s;
    return json_pack("{s:f, s:f, s:f}", "cores", per_second(load, cpu_s), "cpu_us_per_operation",
                     per_operation(load, cpu_s * 1e6), "resident_kib",
                     report->after.server_resident_kib);
}

static json_t *counts_json(const struct load_report *report)
{
    const struct usage *before = &report->before;
    const struct usage *after = &report->after;
    return json_pack("{s:f, s:f, s:f}", "heap_calls_per_operation",
                     per_operation(report->load, (double)(after->heap_calls - before->heap_calls)),
                     "heap_bytes_per_operation",
                     per_operation(report->load, (double)(after->heap_bytes - before->heap_bytes)),
                     "syncs_per_operation",
                     per_operation(report->load, (double)(after->syncs - before->syncs)));
}

static json_t *histogram_json(const struct histogram *histogram)
{
    json_t *json = json_array();
    struct histogram_bucket bucket;
    for (size_t at = 0; histogram_next(histogram, &at, &bucket);) {
        (void)json_array_append_new(
            json, json_pack("[f, I]", (double)bucket.high / 1e3, (json_int_t)bucket.count));
    }
    return json;
}

static json_t *each_second_json(const struct load *load)
{
    json_t *json = json_array();
    const size_t seconds = (size_t)((load->end_ns - load->begin_ns) / 1000000000);
    for (size_t s = 0; s < seconds && s < LOAD_SECONDS_MAX; s++) {
        (void)json_array_append_new(json, json_integer((json_int_t)load->each_second[s]));
    }
    return json;
}

json_t *load_report_json(const struct load_report *report)
{
    const struct load *load = report->load;
    json_t *json = count_json(load, load->total, messages_of(load));
    (void)json_object_set_new(json, "program", json_string(report->program));
    (void)json_object_set_new(json, "profile", json_string(report->profile));
    (void)json_object_set(json, "settings", report->settings);
    (void)json_object_set_new(json, "machine", machine_describe());
    (void)json_object_set_new(json, "seconds", json_real(load_measured_s(load)));
    (void)json_object_set_new(json, "interrupted", json_boolean(load->is_interrupted));
    (void)json_object_set_new(json, "by_operation", by_operation_json(load));
    (void)json_object_set_new(json, "conflicts", json_integer((json_int_t)load->conflicts));
    (void)json_object_set_new(json, "errors", errors_json(load));
    (void)json_object_set_new(json, "outages", outages_json(load));
    (void)json_object_set_new(json, "generator", generator_json(report));
    if (report->before.has_server && report->after.has_server) {
        (void)json_object_set_new(json, "server", server_json(report));
    }
    if (report->before.has_counts && report->after.has_counts) {
        (void)json_object_set_new(json, "counts", counts_json(report));
    }
    (void)json_object_set_new(json, "each_second", each_second_json(load));
    (void)json_object_set_new(json, "histogram_us", histogram_json(load->total));
    return json;
}

/* ---- chart ---- */

/* Merges the histogram's steps, which are finer than a picture can show, into columns of equal
 * width on a logarithmic axis. */
static size_t make_columns(const struct histogram *histogram,
                           struct chart_point columns[PLOT_COLUMNS_MAX])
{
    struct histogram_bucket bucket;
    double first = 0;
    size_t n = 0;
    for (size_t at = 0; histogram_next(histogram, &at, &bucket);) {
        const double middle = ((double)bucket.low + (double)bucket.high) / 2;
        const double place = floor(log10(middle) * PLOT_COLUMNS_PER_DECADE);
        first = n == 0 ? place : first;
        const double column = place - first;
        while (n <= (size_t)column && n < PLOT_COLUMNS_MAX) {
            columns[n] =
                (struct chart_point){.x = pow(10, (first + (double)n) / PLOT_COLUMNS_PER_DECADE)};
            n++;
        }
        if (column < PLOT_COLUMNS_MAX) {
            columns[(size_t)column].y += (double)bucket.count;
        }
    }
    if (n < PLOT_COLUMNS_MAX) {  // end of the last column
        columns[n] =
            (struct chart_point){.x = pow(10, (first + (double)n) / PLOT_COLUMNS_PER_DECADE)};
        n++;
    }
    for (size_t c = 0; c < n; c++) {
        columns[c].low = columns[c].high = columns[c].y;
    }
    return n;
}

bool load_report_plot(FILE *out, const struct load_report *report)
{
    const struct histogram *total = report->load->total;
    struct chart_point columns[PLOT_COLUMNS_MAX];
    struct chart_mark marks[4];
    char names[4][2 * CHART_TEXT_MAX];
    static const double marked[] = {50, 99, 99.9, 99.99};
    for (size_t m = 0; m < 4; m++) {
        char text[CHART_TEXT_MAX];
        const double value = (double)histogram_percentile(total, marked[m]);
        chart_text(value, CHART_NANOSECONDS, text);
        (void)snprintf(names[m], sizeof names[m], "p%g %s", marked[m], text);
        marks[m] = (struct chart_mark){names[m], value};
    }
    char title[128];
    char note[160];
    char rate[CHART_TEXT_MAX];
    chart_text(per_second(report->load, (double)histogram_count(total)), CHART_NUMBER, rate);
    (void)snprintf(title, sizeof title, "%s %s: latency", report->program, report->profile);
    char operations[CHART_TEXT_MAX];
    chart_text((double)histogram_count(total), CHART_NUMBER, operations);
    (void)snprintf(note, sizeof note, "%s operations in %.1f s, %s a second, %s", operations,
                   load_measured_s(report->load), rate,
                   report->load->settings->rate > 0 ? "counted from when each should have started"
                                                    : "closed loop");
    const struct chart_series series = {
        NULL, CHART_STEPS, columns, histogram_count(total) > 0 ? make_columns(total, columns) : 0};
    const struct chart chart = {.title = title,
                                .note = note,
                                .x = {"latency", CHART_LOG, CHART_NANOSECONDS, 0, 0},
                                .y = {"operations", CHART_LINEAR, CHART_NUMBER, 0, 0},
                                .series = &series,
                                .series_n = 1,
                                .marks = marks,
                                .marks_n = histogram_count(total) > 0 ? 4 : 0};
    return chart_write(out, &chart);
}
