/* weir-bench: measures the cost of a read inside weir, next to the lowest possible cost and to the
 * cost of a careless implementation. */
#include "bench/lib/end_signals.h"
#include "bench/lib/scratch.h"
#include "bench/read/heap_count.h"
#include "bench/read/read_report.h"
#include "weir/base/command_line.h"

#include <stdlib.h>

enum { EXIT_USAGE = 2 };

enum {
    MESSAGES = 50000,
    MESSAGES_QUICK = 12000,
    MESSAGES_MIN = 12000,  // a tenth is the long stream, which must give 1,000 from several starts
    MESSAGES_MAX = 10 * 1000 * 1000,
    ROUNDS = 51,
    ROUNDS_QUICK = 7,
    ROUNDS_MAX = 10000
};

struct settings {
    size_t messages;
    size_t rounds;
    const char *directory;
    const char *store;
    bool is_quick;
    bool is_json;
};

static const struct argp_option options[] = {
    {"messages", 'n', "N", 0, "Messages in the store (default 50000)", 0},
    {"rounds", 'r', "N", 0, "Rounds, each of which does every read in every way (default 51)", 0},
    {"directory", 'd', "DIR", 0,
     "Directory to create the store in; the store is removed afterwards (default: TMPDIR, /tmp)",
     0},
    {"store", 's', "URL", 0,
     "Store to use instead of a SQLite file: postgresql://... or timescaledb://...; a namespace is "
     "created in it and deleted afterwards",
     0},
    {"quick", 'q', NULL, 0,
     "Use few messages and rounds, to see that the program works and not to measure", 0},
    {"json", 'j', NULL, 0, "Print one JSON object instead of tables", 0},
    {0}};

static size_t count_of(const char *text, size_t min, size_t max, struct argp_state *state)
{
    char *end = NULL;
    const unsigned long long n = text[0] == '-' ? 0 : strtoull(text, &end, 10);
    if (end == NULL || *end != '\0' || end == text || n < min || n > max) {
        argp_error(state, "'%s' is not a number from %zu to %zu", text, min, max);
    }
    return (size_t)n;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct settings *settings = state->input;
    switch (key) {
    case 'n':
        settings->messages = count_of(arg, MESSAGES_MIN, MESSAGES_MAX, state);
        return 0;
    case 'r':
        settings->rounds = count_of(arg, 1, ROUNDS_MAX, state);
        return 0;
    case 'd':
        settings->directory = arg;
        return 0;
    case 's':
        settings->store = arg;
        return 0;
    case 'q':
        settings->is_quick = true;
        return 0;
    case 'j':
        settings->is_json = true;
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "unexpected argument '%s'", arg);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const char doc[] =
    "Measures reads of a stream and of a category in batches of 10, 100 and 1,000 messages, each "
    "in three ways in one interleaved run: stepping the rows and nothing else, as weir does it, "
    "and with arrays that grow. Shows time, heap calls and bytes, and which targets are met.\vExit "
    "status: 0 measured (whether or not targets are met), 1 could not measure, 2 wrong usage.";

static struct read_options options_of(const struct settings *settings, const char *url)
{
    const bool is_quick = settings->is_quick;
    return (struct read_options){.messages = settings->messages > 0 ? settings->messages
                                             : is_quick             ? MESSAGES_QUICK
                                                                    : MESSAGES,
                                 .rounds = settings->rounds > 0 ? settings->rounds
                                           : is_quick           ? ROUNDS_QUICK
                                                                : ROUNDS,
                                 .sample_ns = is_quick ? 1e5 : 1e6,
                                 .url = url};
}

static int measure(const struct settings *settings, const char *url)
{
    struct weir_error err;
    struct read_result results[READ_RESULTS];
    const struct read_options read = options_of(settings, url);
    weir_error_init(&err);
    if (read_measure(&read, results, &err) != WEIR_OK) {
        (void)fprintf(stderr, "weir-bench: %s\n", err.text);
        return EXIT_FAILURE;
    }
    const struct read_report report = {
        .options = &read, .results = results, .has_heap = heap_count_works()};
    bool is_written = true;
    if (settings->is_json) {
        is_written = read_report_json(stdout, &report);
    } else {
        read_report_text(stdout, &report);
    }
    read_results_free(results);
    is_written = fflush(stdout) == 0 && ferror(stdout) == 0 && is_written;
    if (!is_written) {
        (void)fputs("weir-bench: the result could not be written\n", stderr);
    }
    return is_written ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    struct settings settings = {0};
    const struct argp argp = {options, parse, NULL, doc, NULL, NULL, NULL};
    argp_program_version = "weir-bench " WEIR_VERSION;
    argp_err_exit_status = EXIT_USAGE;
    if (weir_command_line_parse(&argp, argc, argv, 0, &settings) != 0) {
        return EXIT_USAGE;
    }
    end_signals_block();
    char directory[SCRATCH_PATH_MAX];
    if (!scratch_make(settings.directory, directory)) {
        return EXIT_FAILURE;
    }
    char url[SCRATCH_PATH_MAX + sizeof "sqlite:/store"];
    (void)snprintf(url, sizeof url, "sqlite:%s/store", directory);
    const int status = measure(&settings, settings.store == NULL ? url : settings.store);
    scratch_remove(directory);
    return status;
}
