#include "bench/page/page_tables.h"

#include "bench/lib/chart.h"

enum { NAME_BYTES = 128 };

const long page_sizes[PAGE_SIZES] = {0, 1, 10, 100, 1000, 10000, 100000, 1000000, 10000000};

/* ---- cells ---- */

static void put_number(FILE *out, struct estimate estimate, bool has_interval)
{
    char median[CHART_TEXT_MAX];
    char low[CHART_TEXT_MAX];
    char high[CHART_TEXT_MAX];
    if (estimate.n == 0) {
        (void)fputs(" – |", out);
        return;
    }
    chart_text(estimate.median, CHART_NUMBER, median);
    chart_text(estimate.low, CHART_NUMBER, low);
    chart_text(estimate.high, CHART_NUMBER, high);
    if (has_interval && estimate.low < estimate.high) {
        (void)fprintf(out, " %s (%s – %s) |", median, low, high);
    } else {
        (void)fprintf(out, " %s |", median);
    }
}

static void put_us(FILE *out, struct estimate estimate)
{
    char text[CHART_TEXT_MAX];
    if (estimate.n == 0) {
        (void)fputs(" – |", out);
        return;
    }
    chart_text(estimate.median * 1e3, CHART_NANOSECONDS, text);
    (void)fprintf(out, " %s |", text);
}

/* ---- loads ---- */

static void put_load(FILE *out, struct results *results, const struct page_line *line)
{
    static const char *const latencies[] = {"latency_us.p50", "latency_us.p99", "latency_us.p99.9",
                                            "latency_us.max"};
    const struct estimate rate = results_estimate(results, line->name, "operations_per_s");
    if (rate.n == 0) {
        return;
    }
    (void)fprintf(out, "| %s |", line->label);
    put_number(out, rate, true);
    put_number(out, results_estimate(results, line->name, "messages_per_s"), false);
    for (size_t l = 0; l < sizeof latencies / sizeof latencies[0]; l++) {
        put_us(out, results_estimate(results, line->name, latencies[l]));
    }
    put_us(out, results_estimate(results, line->name, "generator.cpu_us_per_operation"));
    put_us(out, results_estimate(results, line->name, "server.cpu_us_per_operation"));
    (void)fputs("\n", out);
}

void page_put_loads(FILE *out, struct results *results, const char *heading,
                    const struct page_line *lines, size_t n)
{
    size_t measured = 0;
    for (size_t l = 0; l < n; l++) {
        measured += results_estimate(results, lines[l].name, "operations_per_s").n;
    }
    if (measured == 0) {
        return;
    }
    (void)fprintf(out,
                  "### %s\n\n| | operations/s (95 %% interval) | messages/s | p50 | p99 | p99.9 | "
                  "max | client CPU | server CPU |\n|---|---|---|---|---|---|---|---|---|\n",
                  heading);
    for (size_t l = 0; l < n; l++) {
        put_load(out, results, &lines[l]);
    }
    (void)fputs("\n", out);
}

/* ---- counts ---- */

static void put_count(FILE *out, struct results *results, const char *store,
                      const struct page_line *call)
{
    static const char *const figures[] = {"counts.heap_calls_per_operation",
                                          "counts.heap_bytes_per_operation",
                                          "counts.syncs_per_operation"};
    char name[NAME_BYTES];
    (void)snprintf(name, sizeof name, "counted_%s_%s", store, call->name);
    if (results_estimate(results, name, figures[0]).n == 0) {
        return;
    }
    (void)fprintf(out, "| %s, %s |", store, call->label);
    for (size_t f = 0; f < sizeof figures / sizeof figures[0]; f++) {
        put_number(out, results_estimate(results, name, figures[f]), false);
    }
    (void)fputs("\n", out);
}

void page_put_counts(FILE *out, struct results *results)
{
    static const struct page_line calls[] = {{"empty", "empty request"},
                                             {"read_10", "read of 10"},
                                             {"read_100", "read of 100"},
                                             {"read_1000", "read of 1,000"},
                                             {"write", "write of one message"}};
    static const char *const stores[] = {"sqlite", "postgres"};
    (void)fputs("| the whole server, one call | heap calls | bytes asked for | fdatasyncs |\n"
                "|---|---|---|---|\n",
                out);
    for (size_t s = 0; s < sizeof stores / sizeof stores[0]; s++) {
        for (size_t c = 0; c < sizeof calls / sizeof calls[0]; c++) {
            put_count(out, results, stores[s], &calls[c]);
        }
    }
    (void)fputs("\n", out);
}

/* ---- reads ---- */

enum { READS = 7 };

static struct estimate read_figure(struct results *results, const char *bench, size_t read,
                                   const char *path)
{
    char whole[NAME_BYTES];
    (void)snprintf(whole, sizeof whole, "reads.%zu.%s", read, path);
    return results_estimate(results, bench, whole);
}

static const char *const read_names[READS] = {
    "10 of a stream",    "100 of a stream",     "1,000 of a stream",          "10 of a category",
    "100 of a category", "1,000 of a category", "a category without messages"};

static void put_read_times(FILE *out, struct results *results, const char *bench)
{
    (void)fputs("| read | stepping the rows | weir: sized, arena, exact pack | grown, malloc, copy "
                "| weir / stepping | grown / weir |\n|---|---|---|---|---|---|\n",
                out);
    for (size_t r = 0; r < READS; r++) {
        (void)fprintf(out, "| %s |", read_names[r]);
        static const char *const ways[] = {"floor.ns.median", "sized.ns.median", "grown.ns.median"};
        for (size_t w = 0; w < 3; w++) {
            struct estimate ns = read_figure(results, bench, r, ways[w]);
            ns.median /= 1e3;
            put_us(out, ns);
        }
        put_number(out, read_figure(results, bench, r, "sized_per_floor.median"), false);
        put_number(out, read_figure(results, bench, r, "grown_per_sized.median"), false);
        (void)fputs("\n", out);
    }
}

static struct estimate bytes_per_sent(struct results *results, const char *bench, size_t read,
                                      const char *path)
{
    struct estimate bytes = read_figure(results, bench, read, path);
    const struct estimate sent = read_figure(results, bench, read, "sized.reply_bytes");
    bytes.median /= sent.median;
    return bytes;
}

static void put_read_heap(FILE *out, struct results *results, const char *bench)
{
    (void)fputs(
        "\n| read | bytes of the reply | heap calls: stepping | weir (most) | grown | origin "
        "| bytes allocated / sent: weir | grown |\n|---|---|---|---|---|---|---|---|\n",
        out);
    for (size_t r = 0; r < READS; r++) {
        (void)fprintf(out, "| %s |", read_names[r]);
        put_number(out, read_figure(results, bench, r, "sized.reply_bytes"), false);
        put_number(out, read_figure(results, bench, r, "floor.heap_calls"), false);
        put_number(out, read_figure(results, bench, r, "sized.heap_calls_max"), false);
        put_number(out, read_figure(results, bench, r, "grown.heap_calls"), false);
        put_number(out, read_figure(results, bench, r, "origin_heap_calls"), false);
        if (r + 1 < READS) {
            put_number(out, bytes_per_sent(results, bench, r, "sized.heap_bytes"), false);
            put_number(out, bytes_per_sent(results, bench, r, "grown.heap_bytes"), false);
        } else {
            (void)fputs(" – | – |", out);
        }
        (void)fputs("\n", out);
    }
}

void page_put_reads(FILE *out, struct results *results, const struct page_line *bench)
{
    if (read_figure(results, bench->name, 0, "sized.ns.median").n > 0) {
        (void)fprintf(out, "### %s\n\n", bench->label);
        put_read_times(out, results, bench->name);
        put_read_heap(out, results, bench->name);
        (void)fputs("\n", out);
    }
}

/* ---- growth ---- */

struct estimate page_growth_at(struct results *results, const struct page_growth *growth, long size)
{
    char name[NAME_BYTES];
    (void)snprintf(name, sizeof name, "grow_%s_%ld%s", growth->series, size, growth->suffix);
    return results_estimate(results, name, growth->path);
}

static bool is_measured(struct results *results, const struct page_growth *growths, size_t n,
                        long size)
{
    for (size_t g = 0; g < n; g++) {
        if (page_growth_at(results, &growths[g], size).n > 0) {
            return true;
        }
    }
    return false;
}

static void put_size(FILE *out, struct results *results, const struct page_growth *growths,
                     size_t n, long size)
{
    char text[CHART_TEXT_MAX];
    if (!is_measured(results, growths, n, size)) {
        return;
    }
    chart_text((double)size, CHART_NUMBER, text);
    (void)fprintf(out, "| %s |", text);
    for (size_t g = 0; g < n; g++) {
        const struct estimate estimate = page_growth_at(results, &growths[g], size);
        if (growths[g].is_time) {
            put_us(out, estimate);
        } else {
            put_number(out, estimate, false);
        }
    }
    (void)fputs("\n", out);
}

void page_put_growth(FILE *out, struct results *results, const char *what,
                     const struct page_growth *growths, size_t n)
{
    (void)fprintf(out, "| %s |", what);
    for (size_t g = 0; g < n; g++) {
        (void)fprintf(out, " %s |", growths[g].label);
    }
    (void)fputs("\n|---|", out);
    for (size_t g = 0; g < n; g++) {
        (void)fputs("---|", out);
    }
    (void)fputs("\n", out);
    for (size_t s = 0; s < PAGE_SIZES; s++) {
        put_size(out, results, growths, n, page_sizes[s]);
    }
    (void)fputs("\n", out);
}

/* ---- the machine ---- */

void page_put_machine(FILE *out, struct results *results, const char *name)
{
    json_t *machine = json_object_get(results_find(results, name, 1), "machine");
    if (machine == NULL) {
        return;
    }
    const char *key = NULL;
    json_t *value = NULL;
    bool is_first = true;
    json_object_foreach(machine, key, value)
    {
        (void)fprintf(out, "%s%s ", is_first ? "" : ", ", key);
        if (json_is_string(value)) {
            (void)fputs(json_string_value(value), out);
        } else {
            (void)fprintf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        }
        is_first = false;
    }
    (void)fputs(".\n\n", out);
}
