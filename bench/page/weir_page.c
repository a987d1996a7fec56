/* weir-bench-page: builds the report of a run of bench/run.sh from its results, as Markdown with
 * SVG charts. */
#include "bench/page/page_charts.h"
#include "bench/page/page_targets.h"
#include "weir/base/slice.h"

#include <stdlib.h>
#include <string.h>

enum { EXIT_USAGE = 2, PATH_BYTES = 1024 };

/* ---- measurements on the page ---- */

static const struct page_line limits[] = {
    {"echo_raw_64", "nng echo of a write's size, nng alone, 64 in flight"},
    {"echo_raw_10", "the same, 10 in flight"},
    {"echo_raw_1", "the same, 1 in flight"},
    {"echo_raw_empty_1", "nng echo of an empty request, nng alone, 1 in flight"},
    {"echo_write_64", "nng echo of a write's size by libweir, 64 in flight"},
    {"echo_mixed_64", "nng echo of `mixed` by libweir, 64 in flight"},
    {"echo_mixed_10", "the same, 10 in flight"},
    {"echo_read_1000", "nng echo of 1,000 messages by libweir, 8 in flight"},
    {"echo_raw_read_1000", "nng echo of 1,000 messages, nng alone, 8 in flight"},
    {"disk_append", "disk: 4 KiB appended, fdatasync"},
    {"disk_overwrite", "disk: 4 KiB overwritten, fdatasync"},
    {"sqlite_1", "SQLite alone, FULL, one row a transaction"},
    {"sqlite_10", "the same, 10 rows"},
    {"sqlite_64", "the same, 64 rows"},
    {"sqlite_group", "the same, as many rows as weir's groups had with 64 in flight"},
    {"sqlite_memory_1", "SQLite alone in memory, one row a transaction"},
    {"store_write_1", "weir's store without transport, FULL, 1 in flight"},
    {"store_write_64", "the same, 64 in flight"},
    {"store_memory_write_64", "the same in memory, 64 in flight"},
    {"store_read_1000", "weir's store without transport: 1,000 of a category, 1 thread"},
    {"redis_10", "Redis XADD, appendfsync always, 10 in flight"},
    {"redis_64", "the same, 64 in flight"},
    {"grpc_10", "gRPC's C++ echo, 10 in flight"},
    {"grpc_64", "the same, 64 in flight"},
    {"pgbench_insert_64", "PostgreSQL: plain INSERTs of a row by 64 pgbench clients"},
    {"mdb_write_64", "Message DB: write_message by 64 pgbench clients, one category"},
    {"mdb_read_10", "Message DB: get_category_messages of 10, 1 client"},
    {"mdb_read_10_by_10", "the same, 10 clients"},
    {"mdb_read_1000", "the same of 1,000, 1 client"},
};

static const struct page_line benches[] = {
    {"weir-bench", "SQLite"},
    {"weir-bench-postgres", "PostgreSQL (heap calls without libpq's own)"},
};

static const struct page_line memory[] = {
    {"memory_empty_1", "empty request, 1 in flight"},
    {"memory_empty_10", "the same, 10 in flight"},
    {"memory_shared_empty_10", "the same over one connection"},
    {"memory_empty_64", "the same, 64 in flight"},
    {"memory_shared_empty_64", "the same over one connection"},
    {"memory_mixed_10", "`mixed`, 10 in flight"},
    {"memory_mixed_64", "`mixed`, 64 in flight"},
    {"memory_write_64", "`write`, 64 in flight"},
    {"memory_tail", "`tail`, one write at a time, one reader that waits"},
    {"memory_open", "`mixed`, open loop at half the highest rate"},
};

static const struct page_line disk[] = {
    {"disk_write_1", "`write`, 1 in flight"},
    {"disk_write_10", "`write`, 10 in flight"},
    {"disk_write_64", "`write`, 64 in flight"},
    {"disk_socket_write_64", "the same, client by `ipc://`"},
    {"disk_mixed_10", "`mixed`, 10 in flight"},
    {"disk_conditional_write_10", "`conditional-write`, 10 in flight"},
    {"disk_batch_10", "`batch`, 10 in flight"},
    {"disk_import_4", "`import`, 4 in flight"},
    {"disk_read_stream_10", "`read-stream`, 10 of a stream, 10 in flight"},
    {"disk_read_category_10", "`read-category`, 10 of a category, 10 in flight"},
    {"disk_read_category_1000", "the same, 1,000, 8 in flight"},
    {"disk_group_10", "`group`, 100 at a time, 10 in flight"},
    {"disk_open", "`write`, open loop at half the highest rate"},
};

static const struct page_line postgres[] = {
    {"postgres_write_1", "`write`, 1 in flight"},
    {"postgres_write_10", "`write`, 10 in flight"},
    {"postgres_write_64", "`write`, 64 in flight, one category"},
    {"postgres_mixed_10", "`mixed`, 10 in flight"},
    {"postgres_read_10", "`read-category` of 10, 1 in flight"},
    {"postgres_read_10_by_10", "the same, 10 in flight"},
    {"postgres_read_1000", "`read-category` of 1,000, 1 in flight"},
    {"postgres_tcp_write_64", "client by `tcp://`: `write`, 64 in flight"},
    {"postgres_tcp_read_10", "client by `tcp://`: `read-category` of 10, 1 in flight"},
    {"postgres_tcp_read_10_by_10", "client by `tcp://`: the same, 10 in flight"},
};

#define RATE "operations_per_s"

static const struct page_bar memory_bars[] = {
    {"echo_raw_64", RATE, "nng echo, nng alone", 1},
    {"echo_mixed_64", RATE, "nng echo, libweir", 1},
    {"store_memory_write_64", RATE, "store alone, write", 2},
    {"sqlite_memory_1", RATE, "SQLite alone, 1 row", 2},
    {"memory_empty_64", RATE, "weir, empty request", 0},
    {"memory_mixed_64", RATE, "weir, mixed", 0},
    {"memory_write_64", RATE, "weir, write", 0},
};

static const struct page_bar durable_bars[] = {
    {"disk_append", RATE, "disk, append and fdatasync", 4},
    {"disk_overwrite", RATE, "disk, overwrite and fdatasync", 4},
    {"sqlite_1", "messages_per_s", "SQLite alone, 1 row", 2},
    {"sqlite_10", "messages_per_s", "SQLite alone, 10 rows", 2},
    {"sqlite_64", "messages_per_s", "SQLite alone, 64 rows", 2},
    {"store_write_64", RATE, "store alone, 64 in flight", 2},
    {"redis_10", RATE, "Redis XADD, 10 in flight", 1},
    {"redis_64", RATE, "Redis XADD, 64 in flight", 1},
    {"pgbench_insert_64", RATE, "PostgreSQL INSERT, 64 clients", 1},
    {"disk_write_1", RATE, "weir, 1 in flight", 0},
    {"disk_write_10", RATE, "weir, 10 in flight", 0},
    {"disk_write_64", RATE, "weir, 64 in flight", 0},
    {"disk_socket_write_64", RATE, "weir, 64, by ipc://", 0},
    {"postgres_write_64", RATE, "weir on PostgreSQL, 64", 3},
};

static const struct page_bar read_bars[] = {
    {"weir-bench", "reads.2.floor.ns.median", "1,000 of a stream: stepping", 4},
    {"weir-bench", "reads.2.sized.ns.median", "weir", 0},
    {"weir-bench", "reads.2.grown.ns.median", "grown, malloc, copy", 1},
    {"weir-bench", "reads.5.floor.ns.median", "1,000 of a category: stepping", 4},
    {"weir-bench", "reads.5.sized.ns.median", "weir", 0},
    {"weir-bench", "reads.5.grown.ns.median", "grown, malloc, copy", 1},
};

static const struct page_bar heap_bars[] = {
    {"weir-bench", "reads.0.sized.heap_calls_max", "weir, 10 messages", 0},
    {"weir-bench", "reads.1.sized.heap_calls_max", "weir, 100 messages", 0},
    {"weir-bench", "reads.2.sized.heap_calls_max", "weir, 1,000 messages", 0},
    {"weir-bench", "reads.0.grown.heap_calls", "grown, 10 messages", 1},
    {"weir-bench", "reads.1.grown.heap_calls", "grown, 100 messages", 1},
    {"weir-bench", "reads.2.grown.heap_calls", "grown, 1,000 messages", 1},
    {"weir-bench", "reads.0.origin_heap_calls", "origin, 10 messages", 4},
    {"weir-bench", "reads.1.origin_heap_calls", "origin, 100 messages", 4},
};

static const struct page_line open_lines[] = {
    {"memory_open", "mixed, in memory, at half the highest rate"},
    {"disk_open", "durable write, at half the highest rate"},
};

static const struct page_growth grow_messages[] = {
    {"messages", "_write", "write, 1 in flight: mean", "latency_us.mean", true},
    {"messages", "_read", "newest 1,000 of a category: mean", "latency_us.mean", true},
    {"messages", "_stream", "newest 1,000 of a stream: mean", "latency_us.mean", true},
};
static const struct page_growth grow_streams[] = {
    {"streams", "", "writes/s, 64 in flight, over so many streams", RATE, false}};
static const struct page_growth grow_namespaces[] = {
    {"namespaces", "", "operations/s of `tenants`, 64 in flight, durable", RATE, false}};
static const struct page_growth grow_connections[] = {
    {"connections", "", "operations/s of `mixed` in memory, 1 in flight on each", RATE, false}};
static const struct page_growth grow_waiting[] = {
    {"waiting", "", "operations/s of `mixed` in memory, 64 in flight, beside them", RATE, false},
    {"waiting", "", "server, KiB resident", "server.resident_kib", false}};

#define CHART(file, title, x, y, growths)                 \
    {                                                     \
        file, title, x, y, growths, WEIR_COUNTOF(growths) \
    }

static const struct page_growth_chart growth_charts[] = {
    CHART("grow-messages.svg", "Messages in the namespace", "messages", "time", grow_messages),
    CHART("grow-streams.svg", "Streams written to", "streams", "writes a second", grow_streams),
    CHART("grow-namespaces.svg", "Namespaces", "namespaces", "operations a second",
          grow_namespaces),
    CHART("grow-connections.svg", "Connections", "connections", "operations a second",
          grow_connections),
    {"grow-waiting.svg", "Readers that wait", "waiting reads", "operations a second", grow_waiting,
     1},
};

/* ---- the page ---- */

struct page {
    FILE *out;
    const char *directory;
    struct results *results;
    bool lacks_a_chart;  // which could not be written
};

static void put_picture(struct page *page, enum page_drawing drawing, const char *file)
{
    if (drawing == PAGE_DRAWN) {
        (void)fprintf(page->out, "![](%s)\n\n", file);
    }
    page->lacks_a_chart = page->lacks_a_chart || drawing == PAGE_NOT_WRITTEN;
}

static void put_bars(struct page *page, const struct page_bars *bars)
{
    put_picture(page, page_draw_bars(page->directory, page->results, bars), bars->file);
}

static void put_heart(struct page *page)
{
    const struct page_bars times = {"reads.svg",
                                    "A read of 1,000 messages inside the server",
                                    "SQLite; medians of the rounds with their 95 % intervals",
                                    "time of one read",
                                    read_bars,
                                    WEIR_COUNTOF(read_bars),
                                    true};
    const struct page_bars heap = {"heap.svg",
                                   "Heap calls of one read of a stream",
                                   "SQLite's own included",
                                   "calls of malloc and its kin",
                                   heap_bars,
                                   WEIR_COUNTOF(heap_bars),
                                   false};
    (void)fputs("## Reads: sized against grown\n\n", page->out);
    for (size_t b = 0; b < WEIR_COUNTOF(benches); b++) {
        page_put_reads(page->out, page->results, &benches[b]);
    }
    put_bars(page, &times);
    put_bars(page, &heap);
    page_put_counts(page->out, page->results);
}

static void put_throughput(struct page *page)
{
    const struct page_bars in_memory = {"memory.svg",
                                        "In memory, 64 in flight, beside what bounds it",
                                        "medians of the rounds with their 95 % intervals",
                                        "operations a second",
                                        memory_bars,
                                        WEIR_COUNTOF(memory_bars),
                                        false};
    const struct page_bars durable = {"durable.svg",
                                      "Durable writes, beside what bounds them",
                                      "medians of the rounds with their 95 % intervals",
                                      "messages a second",
                                      durable_bars,
                                      WEIR_COUNTOF(durable_bars),
                                      false};
    (void)fputs("## Throughput and latency\n\n", page->out);
    put_bars(page, &in_memory);
    put_bars(page, &durable);
    page_put_loads(page->out, page->results, "weir, SQLite in memory", memory,
                   WEIR_COUNTOF(memory));
    page_put_loads(page->out, page->results, "weir, SQLite on disk, synchronous=FULL", disk,
                   WEIR_COUNTOF(disk));
    page_put_loads(page->out, page->results, "weir, PostgreSQL (clients by `ipc://`)", postgres,
                   WEIR_COUNTOF(postgres));
    page_put_loads(page->out, page->results, "The limits", limits, WEIR_COUNTOF(limits));
    put_picture(page,
                page_draw_latencies(page->directory, page->results, "latency.svg", open_lines,
                                    WEIR_COUNTOF(open_lines)),
                "latency.svg");
}

static void put_growth(struct page *page)
{
    (void)fputs("## Cost as work grows\n\n", page->out);
    for (size_t c = 0; c < WEIR_COUNTOF(growth_charts); c++) {
        const struct page_growth_chart *chart = &growth_charts[c];
        const enum page_drawing drawing = page_draw_growth(page->directory, page->results, chart);
        if (drawing != PAGE_NO_RESULTS) {
            const size_t n = chart->growths == grow_waiting ? WEIR_COUNTOF(grow_waiting) : chart->n;
            page_put_growth(page->out, page->results, chart->x_label, chart->growths, n);
            put_picture(page, drawing, chart->file);
        }
    }
}

static void put_note(FILE *out, const char *path)
{
    FILE *note = fopen(path, "r");
    char line[PATH_BYTES];
    while (note != NULL && fgets(line, sizeof line, note) != NULL) {
        (void)fputs(line, out);
    }
    if (note != NULL) {
        (void)fclose(note);
        (void)fputs("\n", out);
    }
}

static void put_page(struct page *page)
{
    FILE *out = page->out;
    struct results *results = page->results;
    char notes[PATH_BYTES];
    (void)snprintf(notes, sizeof notes, "%s/notes.md", page->directory);
    (void)fputs("# What weir does on this machine\n\n", out);
    page_put_machine(out, results, "weir-bench");
    (void)fprintf(
        out,
        "%zu round%s, each figure measured at most once in each; figures are medians of the "
        "rounds, ratios are taken round by round. bench/README.md explains each figure.\n\n",
        results_rounds(results), results_rounds(results) == 1 ? "" : "s");
    put_note(out, notes);
    (void)fputs("## Targets\n\n", out);
    page_put_targets(out, results);
    (void)fputs("\n", out);
    put_heart(page);
    put_throughput(page);
    put_growth(page);
}

static bool tell(const char *path, bool is_written)
{
    if (!is_written) {
        (void)fprintf(stderr, "cannot write %s\n", path);
    }
    return is_written;
}

static bool write_targets(const char *directory, struct results *results)
{
    char path[PATH_BYTES];
    (void)snprintf(path, sizeof path, "%s/targets.json", directory);
    json_t *targets = page_targets_json(results);
    const bool is_written =
        targets != NULL &&
        json_dump_file(targets, path, JSON_INDENT(2) | JSON_REAL_PRECISION(6)) == 0;
    json_decref(targets);
    return tell(path, is_written);
}

static bool write_page(const char *directory, struct results *results)
{
    char path[PATH_BYTES];
    (void)snprintf(path, sizeof path, "%s/report.md", directory);
    struct page page = {.out = fopen(path, "w"), .directory = directory, .results = results};
    bool is_written = page.out != NULL;
    if (is_written) {
        put_page(&page);
        is_written = ferror(page.out) == 0;
        is_written = fclose(page.out) == 0 && is_written;
    }
    return tell(path, is_written) && !page.lacks_a_chart;
}

int main(int argc, char **argv)
{
    if (argc != 2 || argv[1][0] == '-') {
        (void)fputs("usage: weir-bench-page DIRECTORY\n"
                    "Makes DIRECTORY/report.md, its charts and targets.json out of "
                    "DIRECTORY/results/<round>/<name>.json.\n",
                    stderr);
        return argc == 2 && strcmp(argv[1], "--help") == 0 ? EXIT_SUCCESS : EXIT_USAGE;
    }
    char path[PATH_BYTES];
    (void)snprintf(path, sizeof path, "%s/results", argv[1]);
    struct results *results = results_open(path);
    if (results == NULL) {
        return EXIT_FAILURE;
    }
    bool is_written = write_page(argv[1], results);
    is_written = write_targets(argv[1], results) && is_written;
    results_close(results);
    return is_written ? EXIT_SUCCESS : EXIT_FAILURE;
}
