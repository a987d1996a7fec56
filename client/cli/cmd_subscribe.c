/* weir subscribe: follows a subscription or, with --durable, a consumer.
 *
 * The main thread reads messages and prints them or runs a command for each. A second thread waits
 * for the signals that end the program, which all other threads block, and stops what is being
 * followed, so that a consumer keeps its position. */
#include "client/cli/child.h"
#include "client/cli/cli.h"
#include "client/cli/ending_signals.h"
#include "client/cli/record.h"
#include "client/lib/consumer_streams.h"
#include "client/lib/json_out.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* How long to wait for the signal that has ended a command, in steps. */
enum { SIGNAL_STEPS = 50, SIGNAL_STEP_NS = 10 * 1000 * 1000 };

struct following {
    struct cli *cli;
    const char *command;  // NULL: print
    int64_t limit;        // -1 = none
    int64_t attempts;     // before a message is parked
    int64_t done_n;
    int64_t done_position;  // of the last message done, in the stream or global
    const char *types[CLI_VALUES_MAX];
    struct weir_subscription_options options;
    int status;
    pthread_t thread;  // waits for the signals that end the program
    bool has_thread;
    atomic_bool is_ended;   // by such a signal; ends what weir_consumer_stop does not
    pthread_mutex_t mutex;  // guards the fields below
    struct weir_subscription *subscription;  // either this one is open, or
    struct weir_consumer *consumer;          // this one, or neither
    bool is_over;                            // nothing is left to be stopped
};

/* ---- signals ---- */

/* Lets the signal end the program as it does by default, SIGTERM even if it is ignored. */
static void die_of(int number)
{
    sigset_t set;
    (void)sigemptyset(&set);
    (void)sigaddset(&set, number);
    (void)signal(number, SIG_DFL);
    (void)pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    (void)raise(number);
}

/* Waits for a signal and stops the subscription or consumer. Before one is open the program only
 * waits for a server, so the signal ends it at once. */
static void *wait_for_signal(void *arg)
{
    struct following *f = arg;
    sigset_t set;
    int received = 0;
    ending_signals(&set);
    if (sigwait(&set, &received) != 0) {
        return NULL;
    }
    (void)pthread_mutex_lock(&f->mutex);
    atomic_store(&f->is_ended, true);
    if (f->consumer != NULL) {
        weir_consumer_stop(f->consumer);
    } else if (f->subscription != NULL) {
        weir_subscription_stop(f->subscription);
    } else if (!f->is_over) {
        die_of(received);
    }
    (void)pthread_mutex_unlock(&f->mutex);
    return NULL;
}

/* Blocks the signals. Called before any thread is started, so that all threads inherit the mask. */
static void block_signals(void)
{
    sigset_t set;
    ending_signals(&set);
    (void)pthread_sigmask(SIG_BLOCK, &set, NULL);
    /* A command that does not read its input, and a closed standard output, show in errno. */
    const struct sigaction ignore = {.sa_handler = SIG_IGN};
    (void)sigaction(SIGPIPE, &ignore, NULL);
    /* If SIGCHLD is ignored, as the parent may have set it, the program cannot wait for
     * commands. */
    (void)signal(SIGCHLD, SIG_DFL);
}

static int start_thread(struct following *f)
{
    f->has_thread = pthread_create(&f->thread, NULL, wait_for_signal, f) == 0;
    return f->has_thread ? CLI_DONE : cli_broken(f->cli, "", "cannot start a thread");
}

/* Ends the thread. What it would stop has ended already. */
static void end_thread(struct following *f)
{
    if (!f->has_thread) {
        return;
    }
    (void)pthread_mutex_lock(&f->mutex);
    f->is_over = true;
    (void)pthread_mutex_unlock(&f->mutex);
    (void)pthread_kill(f->thread, SIGTERM);
    (void)pthread_join(f->thread, NULL);
    f->has_thread = false;
}

/* Makes the signals stop this subscription or consumer from here on. */
static void set_followed(struct following *f, struct weir_subscription *subscription,
                         struct weir_consumer *consumer)
{
    (void)pthread_mutex_lock(&f->mutex);
    f->subscription = subscription;
    f->consumer = consumer;
    (void)pthread_mutex_unlock(&f->mutex);
}

/* ---- options ---- */

static int take_start(struct following *f)
{
    const char *text = cli_text(f->cli, CLI_FROM);
    if (text == NULL) {
        return CLI_DONE;
    }
    if (strcmp(text, "begin") == 0) {
        f->options.start = WEIR_START_BEGIN;
        return CLI_DONE;
    }
    if (strcmp(text, "end") == 0) {
        f->options.start = WEIR_START_END;
        return CLI_DONE;
    }
    f->options.start = WEIR_START_AT;
    if (!cli_parse_int64(text, &f->options.position) || f->options.position < 0) {
        return cli_usage(f->cli, "--from: '%s' is not a position, 'begin' or 'end'", text);
    }
    return CLI_DONE;
}

static int take_modes(struct following *f)
{
    const struct cli *cli = f->cli;
    const bool is_durable = cli_text(cli, CLI_DURABLE) != NULL;
    if (!is_durable && (cli_flag(cli, CLI_PARKED) || cli_flag(cli, CLI_REPLAY) ||
                        cli_text(cli, CLI_ATTEMPTS) != NULL)) {
        return cli_usage(cli, "--parked, --replay and --attempts require --durable");
    }
    if (cli_flag(cli, CLI_PARKED) && f->command != NULL) {
        return cli_usage(cli, "--parked prints; to run --exec on parked messages use --replay");
    }
    if (cli_flag(cli, CLI_REPLAY) && f->command == NULL) {
        return cli_usage(cli, "--replay requires --exec");
    }
    return cli_int64(cli, CLI_ATTEMPTS, 1, UINT32_MAX, &f->attempts);
}

static int take_options(struct following *f)
{
    struct cli *cli = f->cli;
    struct weir_subscription_options *o = &f->options;
    o->stream_name = cli_text(cli, CLI_STREAM);
    o->category = cli_text(cli, CLI_CATEGORY);
    o->all = cli_flag(cli, CLI_ALL);
    o->correlation = cli_text(cli, CLI_CORRELATION);
    o->headers_only = cli_flag(cli, CLI_HEADERS_ONLY);
    o->types_n = cli_types(cli, f->types);
    o->types = f->types;
    f->command = cli_text(cli, CLI_EXEC);
    f->limit = -1;
    f->attempts = CONSUMER_ATTEMPTS_DEFAULT;
    if ((o->stream_name != NULL) + (o->category != NULL) + (o->all ? 1 : 0) != 1) {
        return cli_usage(cli, "exactly one of --stream, --category and --all is required");
    }
    int status = take_start(f);
    if (status == CLI_DONE) {
        status = cli_count(cli, CLI_LIMIT, &f->limit);
    }
    if (status == CLI_DONE) {
        status = cli_group(cli, &o->group_member, &o->group_size);
    }
    return status == CLI_DONE ? take_modes(f) : status;
}

/* ---- messages ---- */

/* Whether a signal ends this program as well as its command. A terminal or service manager sends it
 * to both, but not at the same moment, so this waits for a while. */
static bool is_ended_with_command(struct following *f)
{
    const struct timespec step = {.tv_nsec = SIGNAL_STEP_NS};
    for (int i = 0; i < SIGNAL_STEPS && !atomic_load(&f->is_ended); i++) {
        (void)nanosleep(&step, NULL);
    }
    return atomic_load(&f->is_ended);
}

/* Runs the command. A command that fails while this program is being ended was ended with it: that
 * must not count as an attempt at the message. */
static enum weir_handled run_command(struct following *f, const Weir__V1__Message *message,
                                     uint32_t attempt)
{
    switch (child_run(f->command, message, attempt)) {
    case CHILD_DONE:
        return WEIR_HANDLED;
    case CHILD_FAILED:
        return atomic_load(&f->is_ended) ? WEIR_STOP : WEIR_FAILED;
    case CHILD_KILLED:
        return is_ended_with_command(f) ? WEIR_STOP : WEIR_FAILED;
    case CHILD_NOT_RUN:
        break;
    }
    return WEIR_STOP;
}

/* Reports a failure, except that the reader has gone, as that of "weir subscribe | head" does. */
static bool flush_output(const struct following *f)
{
    /* Check ferror too: after an earlier failed write there may be nothing left to flush. */
    if (fflush(stdout) == 0 && ferror(stdout) == 0) {
        return true;
    }
    if (errno != EPIPE) {
        (void)cli_broken(f->cli, "", "standard output: %s", strerror(errno));
    }
    return false;
}

/* Prints a message or runs the command for it. Parks a message that cannot be formatted, because
 * another attempt would not help. Stops if standard output cannot be written or no command be run,
 * which is not the fault of the message. */
static enum weir_handled handle(struct following *f, const Weir__V1__Message *message,
                                uint32_t attempt)
{
    if (f->command != NULL) {
        return run_command(f, message, attempt);
    }
    if (record_write(stdout, message, &f->cli->err) != WEIR_OK) {
        (void)cli_failed(f->cli);
        return WEIR_PARK;
    }
    return flush_output(f) ? WEIR_HANDLED : WEIR_STOP;
}

/* Returns the exit status after a handler has stopped: an end by a signal is a success. */
static int status_of_stop(const struct following *f)
{
    return atomic_load(&f->is_ended) ? CLI_DONE : CLI_REFUSED;
}

static bool is_enough(const struct following *f)
{
    return f->limit >= 0 && f->done_n >= f->limit;
}

static bool on_message(void *context, const Weir__V1__Message *message)
{
    struct following *f = context;
    const enum weir_handled handled = handle(f, message, 1);
    if (handled != WEIR_HANDLED) {
        f->status = handled == WEIR_STOP ? status_of_stop(f) : CLI_REFUSED;
        return false;
    }
    f->done_n++;
    return !is_enough(f);
}

static void say_parked(const Weir__V1__Message *message, uint32_t attempts)
{
    (void)fprintf(stderr, "weir: parking the message at position %" PRId64 " of stream '",
                  message->position);
    json_put_plain(stderr, weir_slice_of(message->stream_name));
    (void)fprintf(stderr, "' after %" PRIu32 " attempt%s\n", attempts, attempts == 1 ? "" : "s");
}

static enum weir_handled on_consumed(void *context, const Weir__V1__Message *message,
                                     uint32_t attempt)
{
    struct following *f = context;
    const enum weir_handled handled = handle(f, message, attempt);
    f->status = handled == WEIR_STOP ? status_of_stop(f) : CLI_DONE;
    if (handled == WEIR_STOP || (handled == WEIR_FAILED && attempt < f->attempts)) {
        return handled;
    }
    if (handled != WEIR_HANDLED) {
        say_parked(message, attempt);
    }
    /* A parked message is done as well; the consumer parks it before it ends. */
    f->done_n++;
    f->done_position =
        f->options.stream_name != NULL ? message->position : message->global_position;
    if (is_enough(f)) {
        weir_consumer_stop(f->consumer);
    }
    return handled;
}

static enum weir_handled on_parked(void *context, const Weir__V1__Message *message,
                                   uint32_t attempt)
{
    struct following *f = context;
    if (atomic_load(&f->is_ended) || is_enough(f)) {
        return WEIR_STOP;
    }
    /* A replay hands over what is stored, whatever the consumer asks for. */
    Weir__V1__Message shown = *message;
    shown.has_data = shown.has_data && !f->options.headers_only;
    shown.has_metadata = shown.has_metadata && !f->options.headers_only;
    const enum weir_handled handled = handle(f, &shown, attempt);
    if (handled == WEIR_STOP) {
        f->status = status_of_stop(f) == CLI_DONE ? f->status : CLI_REFUSED;
        return WEIR_STOP;
    }
    const bool is_handled = handled == WEIR_HANDLED;
    if (!is_handled) {
        f->status = CLI_REFUSED;
    }
    f->done_n++;
    return is_handled && cli_flag(f->cli, CLI_REPLAY) ? WEIR_HANDLED : WEIR_FAILED;
}

/* ---- the two ways to follow ---- */

/* Returns the exit status. An end by a signal or by --limit shows as CANCELLED; the handlers have
 * set the status by then. */
static int finish(struct following *f, weir_status st)
{
    if (st == WEIR_OK || st == WEIR_CANCELLED) {
        return f->status;
    }
    const int status = cli_failed(f->cli);
    if (st == WEIR_STREAM_VERSION_CONFLICT && cli_text(f->cli, CLI_DURABLE) != NULL) {
        (void)fputs(
            "  another subscription of this name is running, or the namespace was cleared\n",
            stderr);
    }
    return status;
}

static int follow(struct following *f)
{
    struct cli *cli = f->cli;
    struct weir_subscription *subscription = NULL;
    if (weir_subscription_open(cli->client, &f->options, &subscription, &cli->err) != WEIR_OK) {
        return cli_failed(cli);
    }
    set_followed(f, subscription, NULL);
    const weir_status st = weir_subscription_run(subscription, on_message, f, &cli->err);
    end_thread(f);
    weir_subscription_close(subscription);
    return finish(f, st);
}

/* A start counts only while no position has been kept. */
static void say_start_is_ignored(const struct cli *cli, int64_t kept)
{
    if (cli_text(cli, CLI_FROM) != NULL && kept >= 0) {
        (void)fprintf(
            stderr, "weir: --from is ignored: continuing at the kept position %" PRId64 "\n", kept);
    }
}

static int consume(struct following *f)
{
    struct cli *cli = f->cli;
    struct weir_consumer *consumer = NULL;
    struct weir_consumer_options options = WEIR_CONSUMER_OPTIONS_INIT;
    options.name = cli_text(cli, CLI_DURABLE);
    options.subscription = f->options;
    options.max_attempts = (uint32_t)f->attempts;
    if (weir_consumer_open(cli->client, &options, &consumer, &cli->err) != WEIR_OK) {
        return cli_failed(cli);
    }
    set_followed(f, NULL, consumer);
    const bool is_replay = cli_flag(cli, CLI_PARKED) || cli_flag(cli, CLI_REPLAY);
    if (!is_replay) {
        say_start_is_ignored(cli, weir_consumer_position(consumer));
    }
    const weir_status st = is_replay ? weir_consumer_replay(consumer, on_parked, f, &cli->err)
                                     : weir_consumer_run(consumer, on_consumed, f, &cli->err);
    end_thread(f);
    const bool is_done =
        is_replay || !is_enough(f) || weir_consumer_position(consumer) > f->done_position;
    weir_consumer_close(consumer);
    if (st == WEIR_CANCELLED && !is_done) {
        return cli_broken(cli, "",
                          "the last message could not be parked; it will be delivered again");
    }
    return finish(f, st);
}

/* Fails if there is no server. A subscription would wait for one for ever, and a command that was
 * started without its server should not. */
static int find_server(struct cli *cli)
{
    const Weir__V1__GetServerInfoRequest request = WEIR__V1__GET_SERVER_INFO_REQUEST__INIT;
    Weir__V1__GetServerInfoResponse *response = NULL;
    if (weir_system_get_server_info(cli->client, &request, &cli->call, &response, &cli->err) !=
        WEIR_OK) {
        return cli_failed(cli);
    }
    weir_response_free(response);
    return CLI_DONE;
}

static int connect_and_follow(struct following *f)
{
    struct cli *cli = f->cli;
    int status = cli_connect(cli);
    if (status == CLI_DONE) {
        status = find_server(cli);
    }
    if (status != CLI_DONE || f->limit == 0) {
        return status;
    }
    f->options.call = cli->call;
    return cli_text(cli, CLI_DURABLE) != NULL ? consume(f) : follow(f);
}

int cmd_subscribe(struct cli *cli)
{
    struct following f = {
        .cli = cli, .options = WEIR_SUBSCRIPTION_OPTIONS_INIT, .mutex = PTHREAD_MUTEX_INITIALIZER};
    int status = take_options(&f);
    if (status == CLI_DONE) {
        block_signals();
        status = start_thread(&f);
    }
    if (status == CLI_DONE) {
        status = connect_and_follow(&f);
    }
    end_thread(&f);
    return status;
}
