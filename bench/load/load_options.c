#include "bench/load/load_options.h"

#include "bench/lib/load_output.h"
#include "bench/lib/payload.h"
#include "bench/load/write_request.h"
#include "weir/base/command_line.h"
#include "weir/rules/default_url.h"
#include "weir/rules/limits.h"
#include "weir/rules/token_text.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SLOTS_MAX = 65536, DEFAULT_CONNECTIONS_MAX = 16 };

static const char default_token_file[] = "./weir-data/default.token";

enum kind { KIND_TEXT, KIND_NUMBER, KIND_REAL, KIND_FLAG, KIND_CHOICE };

/* An option: the member it sets, its bounds, and the profiles that use it (0: all). */
struct setting {
    const char *name;
    const char *metavar;
    enum kind kind;
    size_t at;
    double lowest;
    double highest;
    const char *choices[2];  // KIND_CHOICE: true stands for the second
    unsigned profiles;
    const char *doc;
};

#define AT(member) offsetof(struct load_options, member)
#define TEXT(name, metavar, member, uses, doc)                              \
    {                                                                       \
        name, metavar, KIND_TEXT, AT(member), 0, 0, {NULL, NULL}, uses, doc \
    }
#define FILE_OF_TOKEN(name, doc)                               \
    {                                                          \
        name, "FILE", KIND_TEXT, 0, 0, 0, {NULL, NULL}, 0, doc \
    }
#define NUMBER(name, member, lowest, highest, uses, doc)                             \
    {                                                                                \
        name, "N", KIND_NUMBER, AT(member), lowest, highest, {NULL, NULL}, uses, doc \
    }
#define REAL(name, metavar, member, lowest, highest, doc)                           \
    {                                                                               \
        name, metavar, KIND_REAL, AT(member), lowest, highest, {NULL, NULL}, 0, doc \
    }
#define FLAG(name, member, uses, doc)                                    \
    {                                                                    \
        name, NULL, KIND_FLAG, AT(member), 0, 0, {NULL, NULL}, uses, doc \
    }
#define CHOICE(name, member, first, second, doc)                                       \
    {                                                                                  \
        name, first "|" second, KIND_CHOICE, AT(member), 0, 0, {first, second}, 0, doc \
    }

static const struct setting settings[] = {
    TEXT("profile", "NAME", profile, 0, "Profile of the load; see below [mixed]"),
    TEXT("server", "URL", server, 0,
         "Server to load [" WEIR_DEFAULT_URL "]; environment WEIR_SERVER"),
    FILE_OF_TOKEN("token-file",
                  "File whose first line is the namespace's token [./weir-data/default.token]; "
                  "environment WEIR_TOKEN_FILE, or WEIR_TOKEN for the token itself"),
    FILE_OF_TOKEN("admin-token-file", "File whose first line is the admin token, for the profile "
                                      "tenants; environment WEIR_ADMIN_TOKEN for the token itself"),
    NUMBER("workers", workers, 1, SLOTS_MAX, 0, "Number of workers [10]"),
    NUMBER("in-flight", in_flight, 1, SLOTS_MAX, 0, "Requests that each worker has in flight [1]"),
    NUMBER("connections", connections, 1, 4096, 0,
           "Connections, shared by the workers [one for each worker, at most 16]"),
    REAL("rate", "N", rate, 0.001, 1e7,
         "Open loop: start N operations a second, whether or not earlier ones have ended; at most "
         "workers times in-flight run at once. Without this option: closed loop"),
    CHOICE("arrivals", is_random, "even", "random", "Open loop: spacing of the starts [even]"),
    REAL("seconds", "S", seconds, 0.01, 3000, "Measured time, in seconds [10]"),
    REAL("warmup", "S", warmup_s, 0, 600,
         "Time before the measured time, in seconds [a fifth of it, at most 2]"),
    NUMBER("timeout", timeout_ms, 1, 600000, 0,
           "Longest time to wait for a reply, in milliseconds [5000]"),
    CHOICE("on-error", stops_on_error, "continue", "stop",
           "What to do after an error; a version conflict is not an error [continue]"),
    TEXT("plot", "FILE.svg", plot_file, 0,
         "Draw the latency histogram into this file; - is standard output"),
    TEXT("json", "FILE", json_file, 0, "Write the result as JSON; - is standard output"),
    FLAG("quiet", is_quiet, 0, "No tables, no progress line"),
    NUMBER("seed", seed, 0, 1e15, 0, "Seed of the random choices [1]"),
    NUMBER("server-pid", server_pid, 1, 4194304, 0,
           "Process id of the server, if on this machine, to show its CPU and memory"),
    TEXT("counts", "FILE", counts_file, 0,
         "File in which libweir-count.so, preloaded into the server, keeps its counts"),
    FLAG("against-echo", is_against_echo, 0,
         "The server is weir-floor's echo: prepare nothing, and check only the contents of "
         "messages read"),
    TEXT("category", "NAME", category, PROFILE_USES_CATEGORY,
         "Category to write to [a new one each time]; may hold messages, but must not be written "
         "to by others meanwhile"),
    NUMBER("streams", streams, 1, 1000000, PROFILE_USES_STREAMS,
           "Streams to write to or read from [100]"),
    NUMBER("data-bytes", data_bytes, PAYLOAD_MIN_BYTES, 1000000, PROFILE_USES_DATA,
           "Size of a message's data, in bytes [200]"),
    NUMBER("batch", batch, 1, 10000, PROFILE_USES_BATCH,
           "Messages in a write or a read [by profile]"),
    NUMBER("messages", messages, 1, 100e6, PROFILE_USES_MESSAGES,
           "Messages to write beforehand, for the reads [10000]"),
    FLAG("newest", is_newest, PROFILE_USES_MESSAGES,
         "Read the newest messages instead of random ones"),
    NUMBER("write-percent", write_percent, 0, 100, PROFILE_USES_WRITE_PERCENT,
           "Share of writes among the operations, in percent [90]"),
    NUMBER("group-size", group_size, 1, 1000, PROFILE_USES_GROUP,
           "Members of the consumer group [4]"),
    NUMBER("subscribers", subscribers, 1, 10000, PROFILE_USES_SUBSCRIBERS,
           "Readers that wait for the messages written [10]"),
    NUMBER("namespaces", namespaces, 1, 100000, PROFILE_USES_NAMESPACES,
           "Namespaces to create beforehand and delete afterwards [100]"),
    NUMBER("waiting", waiting, 0, 100000, 0,
           "Additional readers that wait for messages that never come [0]"),
};

enum { SETTINGS = WEIR_COUNTOF(settings), FIRST_KEY = 256 };

struct parsing {
    struct load_options *options;
    bool is_given[SETTINGS];
    const char *token_file;
    const char *admin_token_file;
};

/* ---- one option ---- */

static void take_number(const struct setting *setting, const char *text, char *member,
                        struct argp_state *state)
{
    char *end = NULL;
    errno = 0;
    const double value = strtod(text, &end);
    const bool is_in_range = value >= setting->lowest && value <= setting->highest;
    if (end == text || *end != '\0' || errno != 0 || !is_in_range ||
        (setting->kind != KIND_REAL && value != (double)(int64_t)value)) {
        argp_error(state, "--%s: '%s' is not a %snumber from %.15g to %.15g", setting->name, text,
                   setting->kind == KIND_REAL ? "" : "whole ", setting->lowest, setting->highest);
    }
    if (setting->kind == KIND_REAL) {
        memcpy(member, &value, sizeof value);
    } else {
        const int64_t whole = (int64_t)value;
        memcpy(member, &whole, sizeof whole);
    }
}

static void take_choice(const struct setting *setting, const char *text, char *member,
                        struct argp_state *state)
{
    const bool is_second = strcmp(text, setting->choices[1]) == 0;
    if (!is_second && strcmp(text, setting->choices[0]) != 0) {
        argp_error(state, "--%s: '%s' is neither %s nor %s", setting->name, text,
                   setting->choices[0], setting->choices[1]);
    }
    memcpy(member, &is_second, sizeof is_second);
}

static void take_text(struct parsing *parsing, const struct setting *setting, const char *text,
                      char *member)
{
    if (strcmp(setting->name, "token-file") == 0) {
        parsing->token_file = text;
    } else if (strcmp(setting->name, "admin-token-file") == 0) {
        parsing->admin_token_file = text;
    } else {
        memcpy(member, &text, sizeof text);
    }
}

static void take(struct parsing *parsing, size_t which, const char *text, struct argp_state *state)
{
    const struct setting *setting = &settings[which];
    char *member = (char *)parsing->options + setting->at;
    const bool yes = true;
    parsing->is_given[which] = true;
    switch (setting->kind) {
    case KIND_TEXT:
        take_text(parsing, setting, text, member);
        break;
    case KIND_NUMBER:
    case KIND_REAL:
        take_number(setting, text, member, state);
        break;
    case KIND_CHOICE:
        take_choice(setting, text, member, state);
        break;
    case KIND_FLAG:
        memcpy(member, &yes, sizeof yes);
        break;
    }
}

/* ---- checks across options ---- */

static bool is_given(const struct parsing *parsing, const char *name)
{
    for (size_t s = 0; s < SETTINGS; s++) {
        if (strcmp(settings[s].name, name) == 0) {
            return parsing->is_given[s];
        }
    }
    return false;
}

static void set_defaults(struct parsing *parsing, const struct profile *profile)
{
    struct load_options *options = parsing->options;
    if (!is_given(parsing, "warmup")) {
        options->warmup_s = options->seconds / 5 < 2 ? options->seconds / 5 : 2;
    }
    if (!is_given(parsing, "connections")) {
        options->connections =
            options->workers < DEFAULT_CONNECTIONS_MAX ? options->workers : DEFAULT_CONNECTIONS_MAX;
    }
    if (!is_given(parsing, "batch")) {
        options->batch = profile->batch;
    }
}

/* Refuses options that the profile would silently ignore. */
static void check_used(const struct parsing *parsing, const struct profile *profile,
                       struct argp_state *state)
{
    for (size_t s = 0; s < SETTINGS; s++) {
        if (parsing->is_given[s] && settings[s].profiles != 0 &&
            (settings[s].profiles & profile->uses) == 0) {
            argp_error(state, "--%s: the profile %s does not use this option", settings[s].name,
                       profile->name);
        }
    }
}

/* Refuses a batch that would not fit in a request: the client library does not send requests above
 * the server's limit. A random batch may reach its maximum. */
static void check_request(const struct load_options *o, const struct profile *profile,
                          struct argp_state *state)
{
    static const struct weir_limits limits = WEIR_LIMITS_DEFAULT;
    const int64_t messages = o->batch > 0 ? o->batch : profile->batch_max;
    const int64_t bytes = messages * (o->data_bytes + MESSAGE_BESIDE_DATA_BYTES);
    if ((profile->uses & PROFILE_WRITES_BATCH) != 0 && bytes > limits.request_bytes) {
        argp_error(state,
                   "--batch times --data-bytes: a write of %lld messages of %lld bytes is larger "
                   "than the largest request that a server reads, %lld bytes",
                   (long long)messages, (long long)o->data_bytes, (long long)limits.request_bytes);
    }
}

static void check_together(const struct parsing *parsing, const struct profile *profile,
                           struct argp_state *state)
{
    const struct load_options *o = parsing->options;
    if (o->workers * o->in_flight > SLOTS_MAX) {
        argp_error(
            state,
            "--workers times --in-flight: %lld requests in flight are too many: must be at most %d",
            (long long)(o->workers * o->in_flight), SLOTS_MAX);
    }
    if (o->connections > o->workers * o->in_flight) {
        argp_error(state,
                   "--connections: %lld connections are more than the %lld requests in flight",
                   (long long)o->connections, (long long)(o->workers * o->in_flight));
    }
    if (is_given(parsing, "arrivals") && o->rate == 0) {
        argp_error(state, "--arrivals requires --rate");
    }
    if (o->batch > profile->batch_max) {
        argp_error(state, "--batch: the profile %s allows at most %lld", profile->name,
                   (long long)profile->batch_max);
    }
    check_request(o, profile, state);
    if ((profile->uses & PROFILE_USES_MESSAGES) != 0 && o->batch > o->messages) {
        argp_error(state, "--batch: %lld is more than the %lld messages of --messages",
                   (long long)o->batch, (long long)o->messages);
    }
    if ((profile->uses & PROFILE_USES_MESSAGES) != 0 && o->streams > o->messages) {
        argp_error(state, "--streams: %lld streams are more than the %lld messages of --messages",
                   (long long)o->streams, (long long)o->messages);
    }
    if ((profile->uses & PROFILE_READS_STREAM) != 0 && o->batch > o->messages / o->streams) {
        argp_error(
            state,
            "--batch: %lld is more than the %lld messages that --messages and --streams give "
            "each stream",
            (long long)o->batch, (long long)(o->messages / o->streams));
    }
    if (o->category != NULL && strchr(o->category, '-') != NULL) {
        argp_error(state, "--category: '%s' must not contain '-'", o->category);
    }
    if (o->category != NULL &&
        (o->category[0] == '\0' || strlen(o->category) >= PROFILE_NAME_MAX)) {
        argp_error(state, "--category: must be 1 to %d bytes long", PROFILE_NAME_MAX - 1);
    }
    if (o->seconds + o->warmup_s > 3600) {
        argp_error(state, "--seconds and --warmup together must not exceed an hour");
    }
}

/* ---- files ---- */

/* Checks before the load that its results can be written. */
static void check_output(const char *name, const char *path, struct argp_state *state)
{
    const int fault = load_output_fault(path);
    if (fault != 0) {
        argp_error(state, "--%s: '%s': %s", name, path, strerror(fault));
    }
}

/* Refuses a process or counts file that cannot be read; its figures would silently be missing. */
static void check_observed(const struct parsing *parsing, struct argp_state *state)
{
    const struct load_options *o = parsing->options;
    if (is_given(parsing, "server-pid") && kill((pid_t)o->server_pid, 0) != 0 && errno == ESRCH) {
        argp_error(state, "--server-pid: there is no process %lld", (long long)o->server_pid);
    }
    if (o->counts_file != NULL && access(o->counts_file, R_OK) != 0) {
        argp_error(state, "--counts: %s: %s", o->counts_file, strerror(errno));
    }
}

/* ---- tokens ---- */

/* Returns the token, which the caller frees, or NULL if none can be read. */
static char *read_token(const char *path)
{
    char text[WEIR_TOKEN_TEXT_MAX_BYTES + 1];
    return weir_token_read_file(path, text) ? strdup(text) : NULL;
}

/* Returns the value of an environment variable; an empty one counts as unset. */
static const char *variable_of(const char *name)
{
    const char *text = getenv(name);
    return text == NULL || text[0] == '\0' ? NULL : text;
}

static char *token_of(const char *file, const char *variable, struct argp_state *state)
{
    const char *text = variable_of(variable);
    if (file == NULL) {
        return text == NULL ? NULL : strdup(text);
    }
    char *token = read_token(file);
    if (token == NULL) {
        argp_error(state, "cannot read a token from %s", file);
    }
    return token;
}

static void take_tokens(struct parsing *parsing, struct argp_state *state)
{
    struct load_options *options = parsing->options;
    const char *file = parsing->token_file;
    if (file == NULL && variable_of("WEIR_TOKEN") == NULL) {
        file = variable_of("WEIR_TOKEN_FILE");
    }
    options->token = token_of(file, "WEIR_TOKEN", state);
    if (options->token == NULL) {
        options->token = read_token(default_token_file);
    }
    options->admin_token = token_of(parsing->admin_token_file, "WEIR_ADMIN_TOKEN", state);
}

/* ---- the command line ---- */

static void finish(struct parsing *parsing, struct argp_state *state)
{
    const struct profile *profile = profile_find(parsing->options->profile);
    if (profile == NULL) {
        argp_error(state, "--profile: unknown profile '%s'; --help lists the profiles",
                   parsing->options->profile);
        return;
    }
    set_defaults(parsing, profile);
    check_used(parsing, profile, state);
    check_together(parsing, profile, state);
    check_output("json", parsing->options->json_file, state);
    check_output("plot", parsing->options->plot_file, state);
    if (parsing->options->json_file != NULL && parsing->options->plot_file != NULL &&
        strcmp(parsing->options->json_file, parsing->options->plot_file) == 0) {
        argp_error(state, "--plot: '%s' is where --json writes", parsing->options->plot_file);
    }
    check_observed(parsing, state);
    take_tokens(parsing, state);
    if ((profile->uses & PROFILE_USES_NAMESPACES) != 0 && parsing->options->admin_token == NULL &&
        !parsing->options->is_against_echo) {
        argp_error(state, "--admin-token-file: required by the profile %s", profile->name);
    }
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct parsing *parsing = state->input;
    if (key >= FIRST_KEY && key < FIRST_KEY + SETTINGS) {
        take(parsing, (size_t)(key - FIRST_KEY), arg, state);
        return 0;
    }
    switch (key) {
    case ARGP_KEY_ARG:
        argp_error(state, "unexpected argument '%s'", arg);
        return 0;
    case ARGP_KEY_END:
        finish(parsing, state);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const char doc[] =
    "Puts load on a weir-server, checks every reply, and reports throughput, latencies and errors.";

static const char after[] =
    "Exit status: 0 done without errors, 1 there were errors or the result could not be written, 2 "
    "wrong usage, 3 the server could not be reached.";

/* Appends the list of profiles to the options. */
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
    (void)fputs("Profiles:\n", out);
    for (size_t p = 0; p < profiles_n; p++) {
        (void)fprintf(out, "  %-18s %s\n", profiles[p]->name, profiles[p]->doc);
    }
    (void)fprintf(out, "\n%s", after);
    (void)fclose(out);
    return list;
}

void load_options_parse(struct load_options *options, int argc, char **argv)
{
    struct argp_option table[SETTINGS + 1] = {{0}};
    for (size_t s = 0; s < SETTINGS; s++) {
        table[s] = (struct argp_option){.name = settings[s].name,
                                        .key = FIRST_KEY + (int)s,
                                        .arg = settings[s].metavar,
                                        .doc = settings[s].doc};
    }
    *options = (struct load_options){.profile = "mixed",
                                     .server = variable_of("WEIR_SERVER"),
                                     .workers = 10,
                                     .in_flight = 1,
                                     .seconds = 10,
                                     .timeout_ms = 5000,
                                     .seed = 1,
                                     .streams = 100,
                                     .data_bytes = 200,
                                     .messages = 10000,
                                     .write_percent = 90,
                                     .group_size = 4,
                                     .subscribers = 10,
                                     .namespaces = 100};
    struct parsing parsing = {.options = options};
    const struct argp argp = {table, parse, NULL, doc, NULL, help_filter, NULL};
    argp_program_version = "weir-load " WEIR_VERSION;
    argp_err_exit_status = EXIT_USAGE;
    if (weir_command_line_parse(&argp, argc, argv, 0, &parsing) != 0) {
        exit(EXIT_USAGE);
    }
}

void load_options_free(struct load_options *options)
{
    free(options->token);
    free(options->admin_token);
}
