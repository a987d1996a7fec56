#include "bench/read/read_report.h"

#include "bench/lib/machine.h"
#include "bench/lib/target.h"

static const char *const way_names[READ_WAYS] = {"floor", "sized", "grown"};

/* Heap calls of weir's predecessor for the same reads, from its own report: a stream of 100
 * messages at every batch size, and an empty category. */
static const struct {
    const char *name;
    size_t batch;
    int calls;
} origin[] = {
    {"stream", 10, 412}, {"stream", 100, 3922}, {"stream", 1000, 3923}, {"nothing", 1000, 21}};

static int origin_calls(const struct read_result *result)
{
    for (size_t i = 0; i < WEIR_COUNTOF(origin); i++) {
        if (strcmp(origin[i].name, result->name) == 0 && origin[i].batch == result->plan.batch) {
            return origin[i].calls;
        }
    }
    return -1;
}

static const struct read_result *find(const struct read_report *report, const char *name,
                                      size_t batch)
{
    for (size_t r = 0; r < READ_RESULTS; r++) {
        const struct read_result *result = &report->results[r];
        if (strcmp(result->name, name) == 0 && result->plan.batch == batch) {
            return result;
        }
    }
    return NULL;
}

/* ---- targets ---- */

enum { TARGETS = 5 };

static double most_calls(const struct read_report *report, const char *name)
{
    double most = 0;
    for (size_t r = 0; r < READ_RESULTS; r++) {
        const struct read_result *result = &report->results[r];
        if (strcmp(result->name, name) == 0 && result->figures[READ_SIZED].heap_calls_max > most) {
            most = result->figures[READ_SIZED].heap_calls_max;
        }
    }
    return most;
}

/* Returns the difference between the most and the fewest heap calls over the three batch sizes. */
static double spread_of_calls(const struct read_report *report, const char *name)
{
    double least = 0;
    double most = 0;
    bool is_first = true;
    for (size_t r = 0; r < READ_RESULTS; r++) {
        const struct read_result *result = &report->results[r];
        const double calls = result->figures[READ_SIZED].heap_calls;
        if (strcmp(result->name, name) == 0) {
            least = is_first || calls < least ? calls : least;
            most = is_first || calls > most ? calls : most;
            is_first = false;
        }
    }
    return most - least;
}

static double bytes_per_sent(const struct read_figures *figures, double sent)
{
    return sent > 0 ? figures->heap_bytes / sent : 0;
}

static double most_bytes(const struct read_report *report)
{
    double most = 0;
    for (size_t r = 0; r < READ_RESULTS; r++) {
        const struct read_figures *f = &report->results[r].figures[READ_SIZED];
        const double ratio = report->results[r].is_empty ? 0 : bytes_per_sent(f, f->sent_bytes);
        most = ratio > most ? ratio : most;
    }
    return most;
}

static struct target plain(const char *key, const char *what, double limit, double value)
{
    struct target target = {.key = key,
                            .kind = TARGET_AT_MOST,
                            .limit = limit,
                            .value = value,
                            .low = value,
                            .high = value};
    (void)snprintf(target.what, sizeof target.what, "%s", what);
    return target;
}

static bool is_on_sqlite(const struct read_report *report)
{
    return strncmp(report->options->url, "sqlite:", strlen("sqlite:")) == 0;
}

static size_t make_targets(const struct read_report *report, struct target targets[TARGETS])
{
    size_t n = 0;
    if (report->has_heap) {
        const double stream = most_calls(report, "stream");
        const double category = most_calls(report, "category");
        const double stream_spread = spread_of_calls(report, "stream");
        const double category_spread = spread_of_calls(report, "category");
        targets[n++] = plain("heap_calls", "heap calls of any read, SQLite's own included", 10,
                             stream > category ? stream : category);
        targets[n++] = plain("heap_calls_difference",
                             "heap calls: difference between 10, 100 and 1,000 messages", 0,
                             stream_spread > category_spread ? stream_spread : category_spread);
        targets[n++] = plain("heap_bytes", "bytes allocated / bytes sent, the largest", 1.1,
                             most_bytes(report));
    }
    const struct read_result *read = find(report, "category", 1000);
    if (!is_on_sqlite(report)) {
        return n;
    }
    const struct estimate ratio =
        read_ratio(&read->figures[READ_SIZED], &read->figures[READ_FLOOR], report->options->rounds);
    targets[n] = plain("category_1000", "1,000 of a category, store and pack / stepping the rows",
                       1.5, ratio.median);
    targets[n].low = ratio.low;
    targets[n++].high = ratio.high;
    return n;
}

/* ---- text ---- */

static void put_machine(FILE *out)
{
    json_t *machine = machine_describe();
    const char *name = NULL;
    json_t *value = NULL;
    json_object_foreach(machine, name, value)
    {
        if (json_is_string(value)) {
            (void)fprintf(out, "%s %s; ", name, json_string_value(value));
        } else {
            (void)fprintf(out, "%s %" JSON_INTEGER_FORMAT "; ", name, json_integer_value(value));
        }
    }
    (void)fputs("\n", out);
    json_decref(machine);
}

static void put_time(FILE *out, struct estimate estimate)
{
    (void)fprintf(out, " %8.1f ±%4.1f%%", estimate.median / 1e3,
                  50 * (estimate.high - estimate.low) / estimate.median);
}

static void put_ratio(FILE *out, const struct read_figures *a, const struct read_figures *b,
                      size_t rounds)
{
    if (a->is_measured && b->is_measured) {
        (void)fprintf(out, " %13.2f", read_ratio(a, b, rounds).median);
    } else {
        (void)fprintf(out, " %13s", "");
    }
}

static void put_times(FILE *out, const struct read_report *report)
{
    const size_t rounds = report->options->rounds;
    (void)fprintf(out,
                  "\nTime of one read, µs: median of %zu interleaved rounds, ± half of its 95 %%"
                  " interval\n\n",
                  rounds);
    (void)fputs("read       messages            floor            sized            grown"
                "   sized/floor   grown/sized\n",
                out);
    for (size_t r = 0; r < READ_RESULTS; r++) {
        const struct read_result *result = &report->results[r];
        const struct read_figures *f = result->figures;
        (void)fprintf(out, "%-9s %9zu", result->name, result->plan.rows);
        for (size_t w = 0; w < READ_WAYS; w++) {
            if (f[w].is_measured) {
                put_time(out, read_time(&f[w], rounds));
            } else {
                (void)fprintf(out, " %16s", "");
            }
        }
        put_ratio(out, &f[READ_SIZED], &f[READ_FLOOR], rounds);
        put_ratio(out, &f[READ_GROWN], &f[READ_SIZED], rounds);
        (void)fputs("\n", out);
    }
}

static void put_calls(FILE *out, const struct read_figures *figures)
{
    if (!figures->is_measured) {
        (void)fprintf(out, " %11s", "");
    } else if (figures->heap_calls_max > figures->heap_calls) {
        (void)fprintf(out, " %5.0f (%3.0f)", figures->heap_calls, figures->heap_calls_max);
    } else {
        (void)fprintf(out, " %5.0f      ", figures->heap_calls);
    }
}

static void put_bytes(FILE *out, const struct read_figures *figures, double sent, bool is_empty)
{
    if (figures->is_measured && !is_empty) {
        (void)fprintf(out, " %14.3f", bytes_per_sent(figures, sent));
    } else {
        (void)fprintf(out, " %14s", "");
    }
}

static void put_heap_line(FILE *out, const struct read_result *result)
{
    const struct read_figures *f = result->figures;
    const double sent = f[READ_SIZED].sent_bytes;
    (void)fprintf(out, "%-9s %9zu %12.0f ", result->name, result->plan.rows, sent);
    for (size_t w = 0; w < READ_WAYS; w++) {
        put_calls(out, &f[w]);
    }
    const int calls = origin_calls(result);
    (void)(calls < 0 ? fprintf(out, "  %6s", "–") : fprintf(out, "  %6d", calls));
    put_bytes(out, &f[READ_SIZED], sent, result->is_empty);
    put_bytes(out, &f[READ_GROWN], sent, result->is_empty);
    (void)fputs("\n", out);
}

static void put_heap(FILE *out, const struct read_report *report)
{
    (void)fputs("\nHeap of one read, SQLite's and nng's own included, libpq's left out: calls (in "
                "brackets the most of\nany read, where more), and bytes allocated for each byte of "
                "the reply\n\n"
                "read       messages  reply bytes  calls: floor       sized       grown  origin"
                "   bytes: sized          grown\n",
                out);
    for (size_t r = 0; r < READ_RESULTS; r++) {
        put_heap_line(out, &report->results[r]);
    }
    (void)fputs(
        "\n\"origin\" is what the program that weir comes from reported for these reads. Its"
        " stream held 100\nmessages, so its \"1,000\" are 100; the category that it read held"
        " nothing.\n",
        out);
}

static void put_targets(FILE *out, const struct read_report *report)
{
    struct target targets[TARGETS];
    const size_t n = make_targets(report, targets);
    (void)fputs("\nTargets\n\n", out);
    for (size_t t = 0; t < n; t++) {
        (void)fprintf(out, "%-60s %8.3f  %s %-6g %s\n", targets[t].what, targets[t].value,
                      targets[t].kind == TARGET_AT_MOST ? "<=" : ">=", targets[t].limit,
                      target_is_met(&targets[t]) ? "met" : "NOT MET");
    }
}

void read_report_text(FILE *out, const struct read_report *report)
{
    (void)fprintf(
        out, "weir-bench: reads on %.*s of %zu messages; stream of %zu, category of %zu\n",
        (int)strcspn(report->options->url, ":"), report->options->url, report->options->messages,
        find(report, "stream", 10)->available, find(report, "category", 10)->available);
    put_machine(out);
    (void)fputs(
        "\nfloor: stepping the rows and looking at their columns. sized: what weir does, an"
        " array sized before\nthe rows come, one arena, one exact pack. grown: an array that"
        " doubles, a malloc for each string, a\npack that is copied.\n",
        out);
    put_times(out, report);
    if (report->has_heap) {
        put_heap(out, report);
    } else {
        (void)fputs("\nThe heap is not counted in this build.\n", out);
    }
    put_targets(out, report);
}

/* ---- JSON ---- */

static json_t *estimate_json(struct estimate e)
{
    return json_pack("{s:f, s:f, s:f}", "median", e.median, "low", e.low, "high", e.high);
}

static json_t *figures_json(const struct read_figures *figures, const struct read_report *report)
{
    json_t *json = json_object();
    (void)json_object_set_new(json, "ns",
                              estimate_json(read_time(figures, report->options->rounds)));
    if (report->has_heap) {
        (void)json_object_set_new(json, "heap_calls", json_real(figures->heap_calls));
        (void)json_object_set_new(json, "heap_calls_max", json_real(figures->heap_calls_max));
        (void)json_object_set_new(json, "heap_bytes", json_real(figures->heap_bytes));
        (void)json_object_set_new(json, "driver_heap_calls", json_real(figures->driver_calls));
    }
    (void)json_object_set_new(json, "reply_bytes", json_real(figures->sent_bytes));
    return json;
}

static json_t *result_json(const struct read_result *result, const struct read_report *report)
{
    const size_t rounds = report->options->rounds;
    const struct read_figures *f = result->figures;
    json_t *json =
        json_pack("{s:s, s:I, s:I}", "read", result->name, "batch", (json_int_t)result->plan.batch,
                  "messages", (json_int_t)result->plan.rows);
    for (size_t w = 0; w < READ_WAYS; w++) {
        if (f[w].is_measured) {
            (void)json_object_set_new(json, way_names[w], figures_json(&f[w], report));
        }
    }
    if (f[READ_FLOOR].is_measured && f[READ_GROWN].is_measured) {
        (void)json_object_set_new(
            json, "sized_per_floor",
            estimate_json(read_ratio(&f[READ_SIZED], &f[READ_FLOOR], rounds)));
        (void)json_object_set_new(
            json, "grown_per_sized",
            estimate_json(read_ratio(&f[READ_GROWN], &f[READ_SIZED], rounds)));
    }
    if (origin_calls(result) >= 0) {
        (void)json_object_set_new(json, "origin_heap_calls", json_integer(origin_calls(result)));
    }
    return json;
}

bool read_report_json(FILE *out, const struct read_report *report)
{
    json_t *reads = json_array();
    for (size_t r = 0; r < READ_RESULTS; r++) {
        (void)json_array_append_new(reads, result_json(&report->results[r], report));
    }
    struct target targets[TARGETS];
    const size_t n = make_targets(report, targets);
    json_t *shown = json_array();
    for (size_t t = 0; t < n; t++) {
        (void)json_array_append_new(shown, target_to_json(&targets[t]));
    }
    json_t *summary = json_object();
    for (size_t t = 0; t < n; t++) {
        (void)json_object_set_new(summary, targets[t].key, json_real(targets[t].value));
    }
    json_t *all = json_pack(
        "{s:s, s:o, s:I, s:I, s:o, s:o, s:o}", "program", "weir-bench", "machine",
        machine_describe(), "messages", (json_int_t)report->options->messages, "rounds",
        (json_int_t)report->options->rounds, "reads", reads, "targets", shown, "summary", summary);
    const bool is_written = all != NULL &&
                            json_dumpf(all, out, JSON_INDENT(2) | JSON_REAL_PRECISION(10)) == 0 &&
                            fputc('\n', out) != EOF;
    json_decref(all);
    return is_written;
}
