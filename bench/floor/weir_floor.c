/* weir-floor: measures, one command each, the limits that bound weir. */
#include "bench/floor/floor.h"

#include "bench/lib/end_signals.h"
#include "bench/lib/load_output.h"
#include "bench/lib/payload.h"
#include "weir/base/command_line.h"
#include "weir/base/slice.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { EXIT_USAGE = 2, SLOTS_MAX = 65536 };

/* ---- measuring ---- */

int floor_fail(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)fputs("weir-floor: ", stderr);
    (void)vfprintf(stderr, format, args);
    (void)fputc('\n', stderr);
    va_end(args);
    return EXIT_FAILURE;
}

struct load_settings floor_settings(const struct floor_options *options, size_t slots)
{
    return (struct load_settings){.slots = slots,
                                  .warmup_s = options->warmup_s,
                                  .seconds = options->seconds,
                                  .drain_s = 2,
                                  .has_progress = !options->is_quiet && isatty(STDERR_FILENO) == 1,
                                  .seed = 1};
}

static void window_begins(void *context)
{
    struct load_report *report = context;
    usage_now(&report->before, 0, NULL);
}

static void window_ends(void *context)
{
    struct load_report *report = context;
    usage_now(&report->after, 0, NULL);
}

static json_t *settings_json(const struct floor_options *o)
{
    return json_pack("{s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:b, s:b, s:b}", "command",
                     o->command, "operation", o->operation, "workers", (json_int_t)o->workers,
                     "in_flight", (json_int_t)o->in_flight, "connections",
                     (json_int_t)o->connections, "batch", (json_int_t)o->batch, "data_bytes",
                     (json_int_t)o->data_bytes, "block_bytes", (json_int_t)o->block_bytes,
                     "streams", (json_int_t)o->streams, "messages", (json_int_t)o->messages,
                     "overwrite", o->is_overwriting, "in_memory", o->is_in_memory,
                     "durability_normal", o->is_durability_normal);
}

int floor_measure(struct floor_run *run)
{
    struct load load;
    struct weir_error err;
    struct load_report report = {.program = "weir-floor", .profile = run->profile, .load = &load};
    const struct load_window window = {&report, window_begins, window_ends};
    const struct load_output output = {.is_quiet = run->options->is_quiet,
                                       .json_file = run->options->json_file};
    weir_error_init(&err);
    if (load_init(&load, &run->settings, &run->work, &err) != WEIR_OK) {
        return floor_fail("%s", err.text);
    }
    load_run(&load, &window);
    if (run->end != NULL) {
        run->end(run->work.context);
    }
    report.settings = settings_json(run->options);
    const bool is_well = load_output_write(&output, &report) && load_report_errors(&load) == 0;
    json_decref(report.settings);
    load_fini(&load);
    return is_well ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* ---- the command line ---- */

enum { OPERATIONS_MAX = 4 };

struct command {
    const char *name;
    int (*run)(const struct floor_options *options);
    const char *doc;
    const char *operations[OPERATIONS_MAX];  // that --operation may name
    int64_t slots_max;
};

static const struct command commands[] = {
    {"echo-server",
     floor_echo_server,
     "answers weir's requests with prepared replies, by nng alone",
     {"write"},
     1},
    {"echo-client",
     floor_echo_client,
     "sends the same requests by nng alone",
     {"write", "read-stream", "read-category", "empty"},
     SLOTS_MAX},
    {"disk",
     floor_disk,
     "appends or overwrites blocks, each made durable by fdatasync",
     {"write"},
     1},
    {"sqlite", floor_sqlite, "inserts rows into weir's schema by SQLite alone", {"write"}, 1},
    {"store",
     floor_store,
     "writes and reads through the store's C interface alone",
     {"write", "read-stream", "read-category"},
     SLOTS_MAX},
};

static const struct command *find_command(const char *name)
{
    for (size_t c = 0; c < WEIR_COUNTOF(commands); c++) {
        if (strcmp(commands[c].name, name) == 0) {
            return &commands[c];
        }
    }
    return NULL;
}

enum option_key {
    KEY_URL = 256,
    KEY_DIRECTORY,
    KEY_OPERATION,
    KEY_JSON,
    KEY_WORKERS,
    KEY_IN_FLIGHT,
    KEY_CONNECTIONS,
    KEY_BATCH,
    KEY_DATA_BYTES,
    KEY_BLOCK_BYTES,
    KEY_STREAMS,
    KEY_MESSAGES,
    KEY_SECONDS,
    KEY_WARMUP,
    KEY_OVERWRITE,
    KEY_IN_MEMORY,
    KEY_DURABILITY_NORMAL,
    KEY_QUIET
};

static const struct argp_option options_table[] = {
    {"url", KEY_URL, "URL", 0, "URL of the echo [tcp://127.0.0.1:7118] or of the store", 0},
    {"directory", KEY_DIRECTORY, "DIR", 0, "Directory to create files in [TMPDIR, /tmp]", 0},
    {"operation", KEY_OPERATION, "NAME", 0,
     "Operation: write, read-stream, read-category or empty [write]", 0},
    {"json", KEY_JSON, "FILE", 0, "Write the result as JSON; - is standard output", 0},
    {"workers", KEY_WORKERS, "N", 0, "Number of workers [1]", 0},
    {"in-flight", KEY_IN_FLIGHT, "N", 0, "Operations that each worker has in flight [1]", 0},
    {"connections", KEY_CONNECTIONS, "N", 0, "echo-client: number of connections [1]", 0},
    {"batch", KEY_BATCH, "N", 0,
     "Messages in a reply (echo) or a read (store), rows in a transaction (sqlite) [1]", 0},
    {"data-bytes", KEY_DATA_BYTES, "N", 0, "Size of a message's data, in bytes [200]", 0},
    {"block-bytes", KEY_BLOCK_BYTES, "N", 0, "disk: size of a block, in bytes [4096]", 0},
    {"streams", KEY_STREAMS, "N", 0, "store, sqlite: streams to write to [100]", 0},
    {"messages", KEY_MESSAGES, "N", 0, "store: messages to write beforehand, for the reads [50000]",
     0},
    {"seconds", KEY_SECONDS, "S", 0, "Measured time, in seconds [5]", 0},
    {"warmup", KEY_WARMUP, "S", 0, "Time before the measured time, in seconds [0.5]", 0},
    {"overwrite", KEY_OVERWRITE, NULL, 0,
     "disk: overwrite existing blocks instead of appending new ones", 0},
    {"in-memory", KEY_IN_MEMORY, NULL, 0, "sqlite: keep the database in memory", 0},
    {"durability-normal", KEY_DURABILITY_NORMAL, NULL, 0,
     "sqlite, store: synchronous=NORMAL instead of FULL", 0},
    {"quiet", KEY_QUIET, NULL, 0, "No tables, no progress line", 0},
    {0}};

static const char *name_of(int key)
{
    const struct argp_option *option = options_table;
    while (option->key != key) {
        option++;
    }
    return option->name;
}

static double number(int key, const char *text, double lowest, double highest,
                     struct argp_state *state)
{
    char *end = NULL;
    const double value = strtod(text, &end);
    if (end == text || *end != '\0' || !(value >= lowest && value <= highest)) {
        argp_error(state, "--%s: '%s' is not a number from %g to %.0f", name_of(key), text, lowest,
                   highest);
    }
    return value;
}

static int64_t whole_number(int key, const char *text, double lowest, double highest,
                            struct argp_state *state)
{
    const double value = number(key, text, lowest, highest, state);
    const int64_t whole = (int64_t)value;
    if (value != (double)whole) {
        argp_error(state, "--%s: '%s' is not a whole number", name_of(key), text);
    }
    return whole;
}

static bool parse_number(int key, const char *arg, struct floor_options *o,
                         struct argp_state *state)
{
    const struct {
        int key;
        int64_t *member;
        double lowest;
        double highest;
    } numbers[] = {
        {KEY_WORKERS, &o->workers, 1, SLOTS_MAX},
        {KEY_IN_FLIGHT, &o->in_flight, 1, SLOTS_MAX},
        {KEY_CONNECTIONS, &o->connections, 1, 4096},
        {KEY_BATCH, &o->batch, 1, 10000},
        {KEY_DATA_BYTES, &o->data_bytes, PAYLOAD_MIN_BYTES, 1000000},
        {KEY_BLOCK_BYTES, &o->block_bytes, 1, 1 << 24},
        {KEY_STREAMS, &o->streams, 1, 1000000},
        {KEY_MESSAGES, &o->messages, 12000, 1e7},
    };
    for (size_t i = 0; i < WEIR_COUNTOF(numbers); i++) {
        if (numbers[i].key == key) {
            *numbers[i].member =
                whole_number(key, arg, numbers[i].lowest, numbers[i].highest, state);
            return true;
        }
    }
    return false;
}

static bool has_operation(const struct command *command, const char *operation)
{
    for (size_t i = 0; i < OPERATIONS_MAX && command->operations[i] != NULL; i++) {
        if (strcmp(command->operations[i], operation) == 0) {
            return true;
        }
    }
    return false;
}

/* Refuses what the command could not do, and would do otherwise in silence. */
static void check_together(const struct floor_options *o, struct argp_state *state)
{
    const struct command *command = o->command == NULL ? NULL : find_command(o->command);
    if (command == NULL) {
        argp_error(state, "%s%s; --help lists the commands",
                   o->command == NULL ? "no command given" : "unknown command ",
                   o->command == NULL ? "" : o->command);
        return;
    }
    if (!has_operation(command, o->operation)) {
        argp_error(state, "--operation: %s has no operation '%s'", command->name, o->operation);
    }
    if (o->workers * o->in_flight > command->slots_max) {
        argp_error(state, "--workers times --in-flight: %s does no more than %lld at once",
                   command->name, (long long)command->slots_max);
    }
    const int fault = load_output_fault(o->json_file);
    if (fault != 0) {
        argp_error(state, "--json: '%s': %s", o->json_file, strerror(fault));
    }
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct floor_options *o = state->input;
    if (parse_number(key, arg, o, state)) {
        return 0;
    }
    switch (key) {
    case KEY_URL:
        o->url = arg;
        return 0;
    case KEY_DIRECTORY:
        o->directory = arg;
        return 0;
    case KEY_OPERATION:
        o->operation = arg;
        return 0;
    case KEY_JSON:
        o->json_file = arg;
        return 0;
    case KEY_SECONDS:
        o->seconds = number(key, arg, 0.01, 3000, state);
        return 0;
    case KEY_WARMUP:
        o->warmup_s = number(key, arg, 0, 600, state);
        return 0;
    case KEY_OVERWRITE:
        o->is_overwriting = true;
        return 0;
    case KEY_IN_MEMORY:
        o->is_in_memory = true;
        return 0;
    case KEY_DURABILITY_NORMAL:
        o->is_durability_normal = true;
        return 0;
    case KEY_QUIET:
        o->is_quiet = true;
        return 0;
    case ARGP_KEY_ARG:
        if (o->command != NULL) {
            argp_error(state, "unexpected argument '%s' after the command", arg);
        }
        o->command = arg;
        return 0;
    case ARGP_KEY_END:
        check_together(o, state);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static char *help_filter(int key, const char *text, void *input)
{
    (void)input;
    if (key != ARGP_KEY_HELP_POST_DOC) {
        return (char *)(uintptr_t)text;
    }
    char *list = NULL;
    size_t n = 0;
    FILE *out = open_memstream(&list, &n);
    if (out == NULL) {
        return (char *)(uintptr_t)text;
    }
    (void)fputs("Commands:\n", out);
    for (size_t c = 0; c < WEIR_COUNTOF(commands); c++) {
        (void)fprintf(out, "  %-12s %s\n", commands[c].name, commands[c].doc);
    }
    (void)fclose(out);
    return list;
}

int main(int argc, char **argv)
{
    struct floor_options options = {.operation = "write",
                                    .workers = 1,
                                    .in_flight = 1,
                                    .connections = 1,
                                    .batch = 1,
                                    .data_bytes = 200,
                                    .block_bytes = 4096,
                                    .streams = 100,
                                    .messages = 50000,
                                    .seconds = 5,
                                    .warmup_s = 0.5};
    static const char doc[] = "Measures the limits that bound weir, each by itself.\v";
    const struct argp argp = {options_table, parse, "COMMAND", doc, NULL, help_filter, NULL};
    argp_program_version = "weir-floor " WEIR_VERSION;
    argp_err_exit_status = EXIT_USAGE;
    if (weir_command_line_parse(&argp, argc, argv, 0, &options) != 0) {
        return EXIT_USAGE;
    }
    end_signals_block();
    return find_command(options.command)->run(&options);
}
