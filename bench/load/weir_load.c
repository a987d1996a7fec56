/* weir-load: puts load on a weir-server and reports latency, throughput, errors and resource use.
 * main runs the phases in order: connect, prepare the profile, measure, verify, report. The
 * operations themselves complete on the threads of the client library. */
#include "bench/lib/end_signals.h"
#include "bench/lib/load_output.h"
#include "bench/load/load_options.h"
#include "bench/load/profile.h"
#include "bench/load/subscribers.h"

#include <stdlib.h>
#include <unistd.h>

enum { EXIT_UNREACHABLE = 3 };

/* A run with everything that belongs to it. */
struct run {
    const struct load_options *options;
    const struct profile *profile;
    struct profile_run profile_run;
    struct load_settings settings;
    struct load_work work;
    struct load load;
    struct subscribers waiting;
    struct load_report report;
};

/* ---- clients ---- */

static void close_clients(struct profile_run *run)
{
    for (size_t c = 0; c < run->clients_n; c++) {
        weir_client_close(run->clients[c]);
    }
    free(run->clients);
    run->clients = NULL;
}

/* Calls are not retried, so that every failure is seen. */
static weir_status open_clients(struct profile_run *run, struct weir_error *err)
{
    struct weir_client_options options = WEIR_CLIENT_OPTIONS_INIT;
    options.url = run->options->server;
    options.token = run->options->token;
    options.timeout_ms = (uint32_t)run->options->timeout_ms;
    options.max_in_flight = UINT32_MAX;
    options.retry.max_attempts = 1;
    const size_t n = (size_t)run->options->connections;
    run->clients = calloc(n, sizeof *run->clients);
    if (run->clients == NULL) {
        return weir_fail(err, WEIR_BACKEND_UNAVAILABLE, "out of memory");
    }
    weir_status status = WEIR_OK;
    while (status == WEIR_OK && run->clients_n < n) {
        status = weir_client_open(&options, &run->clients[run->clients_n], err);
        run->clients_n += status == WEIR_OK;
    }
    return status;
}

/* Makes one call on every client, so that all connections exist before the measurement. */
static weir_status connect_all(struct profile_run *run, struct weir_error *err)
{
    weir_status status = WEIR_OK;
    for (size_t c = 0; status == WEIR_OK && c < run->clients_n; c++) {
        Weir__V1__GetServerInfoRequest request = WEIR__V1__GET_SERVER_INFO_REQUEST__INIT;
        Weir__V1__GetServerInfoResponse *response = NULL;
        status = weir_system_get_server_info(run->clients[c], &request, NULL, &response, err);
        weir_response_free(response);
    }
    return status;
}

/* ---- resource use in the measured time ---- */

static void usage_of(const struct run *run, struct usage *usage)
{
    usage_now(usage, (pid_t)run->options->server_pid, run->options->counts_file);
}

static void window_begins(void *context)
{
    struct run *run = context;
    usage_of(run, &run->report.before);
}

static void window_ends(void *context)
{
    struct run *run = context;
    usage_of(run, &run->report.after);
}

static json_t *settings_json(const struct load_options *o, const struct profile_run *run)
{
    return json_pack(
        "{s:s?, s:I, s:I, s:I, s:f, s:s, s:f, s:f, s:s, s:I, s:I, s:I, s:I, s:I, s:I,"
        " s:I, s:I, s:I, s:I, s:b, s:b, s:I, s:s}",
        "server", o->server, "workers", (json_int_t)o->workers, "in_flight",
        (json_int_t)o->in_flight, "connections", (json_int_t)o->connections, "rate", o->rate,
        "arrivals", o->is_random ? "random" : "even", "seconds", o->seconds, "warmup", o->warmup_s,
        "category", run->category, "streams", (json_int_t)o->streams, "data_bytes",
        (json_int_t)o->data_bytes, "batch", (json_int_t)o->batch, "messages",
        (json_int_t)o->messages, "write_percent", (json_int_t)o->write_percent, "group_size",
        (json_int_t)o->group_size, "subscribers", (json_int_t)o->subscribers, "namespaces",
        (json_int_t)o->namespaces, "waiting", (json_int_t)o->waiting, "seed", (json_int_t)o->seed,
        "newest", o->is_newest, "against_echo", o->is_against_echo, "timeout_ms",
        (json_int_t)o->timeout_ms, "on_error", o->stops_on_error ? "stop" : "continue");
}

static struct load_settings settings_of(const struct load_options *options)
{
    return (struct load_settings){.slots = (size_t)(options->workers * options->in_flight),
                                  .rate = options->rate,
                                  .is_random = options->is_random,
                                  .warmup_s = options->warmup_s,
                                  .seconds = options->seconds,
                                  .drain_s = (double)options->timeout_ms / 1e3 + 1,
                                  .stops_on_error = options->stops_on_error,
                                  .has_progress = !options->is_quiet && isatty(STDERR_FILENO) == 1,
                                  .seed = (uint64_t)options->seed};
}

static void measure(struct run *run)
{
    struct profile_run *profile_run = &run->profile_run;
    const struct load_window window = {run, window_begins, window_ends};
    char never[PROFILE_NAME_MAX + 8];
    (void)snprintf(never, sizeof never, "%s:never", profile_run->category);
    profile_run->load = &run->load;
    if (!subscribers_begin(&run->waiting, profile_run, never, (size_t)run->options->waiting)) {
        const struct load_outcome outcome = {.reason = "NO_MEMORY",
                                             .text = "out of memory for the waiting readers"};
        load_error(&run->load, &outcome);
    }
    if (run->profile->begin != NULL) {
        run->profile->begin(profile_run);
    }
    load_run(&run->load, &window);
    if (run->profile->end != NULL) {
        run->profile->end(profile_run);
    }
    subscribers_end(&run->waiting);
}

/* ---- report ---- */

static int show(struct run *run)
{
    const struct load_options *options = run->options;
    const struct load_output output = {.is_quiet = options->is_quiet,
                                       .json_file = options->json_file,
                                       .plot_file = options->plot_file};
    run->report.program = "weir-load";
    run->report.profile = run->profile->name;
    run->report.load = &run->load;
    run->report.settings = settings_json(options, &run->profile_run);
    const bool is_written = load_output_write(&output, &run->report);
    json_decref(run->report.settings);
    return is_written && load_report_errors(&run->load) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* ---- main program ---- */

static int fail(const struct weir_error *err)
{
    (void)fprintf(stderr, "weir-load: %s: %s\n", weir_status_name(err->status), err->text);
    const char *field = weir_error_get_detail(err, "field");
    if (field != NULL && strcmp(field, "url") == 0) {
        return EXIT_USAGE;
    }
    return weir_error_get_detail(err, "url") != NULL ? EXIT_UNREACHABLE : EXIT_FAILURE;
}

/* Names a category that belongs to this run alone, unless the user gave one. */
static bool name_category(struct profile_run *run)
{
    struct weir_uuid id;
    if (run->options->category != NULL) {
        (void)snprintf(run->category, sizeof run->category, "%s", run->options->category);
        return true;
    }
    if (!weir_uuid_make_v7(&id)) {
        return false;
    }
    /* Time bits with millisecond resolution, then random bits. */
    (void)snprintf(run->category, sizeof run->category, "load%02x%02x%02x%02x%02x%02x", id.bytes[3],
                   id.bytes[4], id.bytes[5], id.bytes[13], id.bytes[14], id.bytes[15]);
    return true;
}

static weir_status prepare(struct run *run, struct weir_error *err)
{
    struct profile_run *profile_run = &run->profile_run;
    if (!name_category(profile_run)) {
        return weir_fail(err, WEIR_BACKEND_ERROR, "cannot get random bytes from the system");
    }
    weir_status status = open_clients(profile_run, err);
    if (status == WEIR_OK) {
        status = connect_all(profile_run, err);
    }
    if (status == WEIR_OK) {
        status = run->profile->prepare(profile_run, err);
    }
    return status == WEIR_OK ? load_init(&run->load, &run->settings, &run->work, err) : status;
}

static int run_load(struct run *run)
{
    struct weir_error err;
    weir_error_init(&err);
    const weir_status status = prepare(run, &err);
    if (status == WEIR_OK) {
        measure(run);
    }
    /* Closing the clients ends calls in flight; no callback runs afterwards. */
    close_clients(&run->profile_run);
    run->profile->free(&run->profile_run);
    if (status != WEIR_OK) {
        return fail(&err);
    }
    subscribers_free(&run->waiting);
    const int exit_status = show(run);
    load_fini(&run->load);
    return exit_status;
}

int main(int argc, char **argv)
{
    struct load_options options;
    load_options_parse(&options, argc, argv);
    end_signals_block();
    struct run *run = calloc(1, sizeof *run);
    if (run == NULL) {
        (void)fputs("weir-load: out of memory\n", stderr);
        return EXIT_FAILURE;
    }
    run->options = &options;
    run->profile = profile_find(options.profile);
    run->settings = settings_of(&options);
    run->profile_run = (struct profile_run){.options = &options, .slots_n = run->settings.slots};
    run->work = (struct load_work){.context = &run->profile_run, .start = run->profile->start};
    const int status = run_load(run);
    free(run);
    load_options_free(&options);
    return status;
}
