/* weir-server: reads its configuration, starts the server, and serves until SIGTERM or SIGINT.
 *
 * The main thread starts and stops the server. A second thread waits for the signals: it tells the
 * main thread of the first one, and ends the process itself if a start or a stop takes too long, or
 * at a second signal.
 *
 * Exit status: 0 stopped in good order; 1 the store, a listener or a resource of the system is not
 * available; 2 wrong usage. */
#include "server/base/scheduling.h"
#include "server/calls/server_parts.h"
#include "server/operation/http.h"
#include "server/operation/notify.h"
#include "server/operation/resources.h"
#include "server/server.h"
#include "server/transport/nng_sockets.h"
#include "server/transport/partial_messages.h"
#include "server/transport/transport.h"
#include "weir/base/standard_streams.h"
#include "weir/rules/json_text.h"

#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    EXIT_UNAVAILABLE = 1,
    EXIT_USAGE = 2,
    /* Times since the first signal. */
    DRAIN_MS = 4000,       // for calls in flight to be answered
    END_MS = 4800,         // after which the process ends in any case
    START_GRACE_MS = 800,  // after which it ends if it has not finished starting
    /* The process ends at such a step if it has done nothing but close connections for a whole one.
     */
    STEP_MS = 200,
    /* Bounds of partial messages (partial_messages.h). */
    PARTIAL_MESSAGES_OF_FULL_SIZE = 8,  // all together, in messages of the greatest size
    SILENCE_US = 60 * 1000 * 1000       // that one may receive nothing
};

static int print_failure(const struct weir_error *err, int status)
{
    if (err->text[0] != '\0') {
        const char *priority = weir_log_is_journal(STDERR_FILENO) ? "<3>" : "";
        (void)fprintf(stderr, "%sweir-server: %s\n", priority, err->text);
    }
    if (status == EXIT_USAGE) {
        (void)fputs("Try 'weir-server --help' for more.\n", stderr);
    }
    return status;
}

/* Blocks SIGTERM and SIGINT in this thread and all that it creates, for sigwait(). Ignores SIGPIPE
 * and SIGXFSZ, so that a closed peer or a file at its size limit (ulimit -f) is an error code.
 * Ignores SIGCHLD, so that no zombies stay: the server starts no process, but as the first process
 * of a container it becomes the parent of those that others leave there. */
static void block_signals(sigset_t *ends)
{
    (void)sigemptyset(ends);
    (void)sigaddset(ends, SIGTERM);
    (void)sigaddset(ends, SIGINT);
    (void)pthread_sigmask(SIG_BLOCK, ends, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGXFSZ, SIG_IGN);
    (void)signal(SIGCHLD, SIG_IGN);
}

/* Has malloc return large blocks, such as replies near the size limit, to the system when they are
 * freed. By default malloc raises its threshold after the first few of them and keeps them, in each
 * of its arenas. Smaller blocks are kept as by default. */
static void return_large_blocks(void)
{
    (void)mallopt(M_MMAP_THRESHOLD, WEIR_LARGE_BLOCK_BYTES);
    (void)mallopt(M_TRIM_THRESHOLD, 2 * WEIR_LARGE_BLOCK_BYTES);
}

static void announce(const struct weir_server *server)
{
    const char *url = NULL;
    for (size_t i = 0; (url = weir_transport_url(server->transport, i)) != NULL; i++) {
        (void)printf("listening on %s\n", url);
    }
    if (server->http != NULL) {
        (void)printf("listening on %s\n", weir_http_url(server->http));
    }
    (void)fflush(stdout);
}

/* Shared by the main thread and the signal thread. */
struct stop_signal {
    sigset_t signals;
    sem_t received;          // posted at the first signal
    atomic_bool is_started;  // the main thread waits on `received`
    atomic_bool is_closing;  // it closes connections, and has nothing else to do
};

/* Waits `ms` for another signal, with which the user asks for the end at once. Returns whether one
 * arrived. */
static bool is_signalled_again(const struct stop_signal *stop, int ms)
{
    const struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};
    return sigtimedwait(&stop->signals, NULL, &time) >= 0;
}

/* Waits until the process is to end although the main thread has not ended it, or until another
 * signal. Returns whether one arrived. */
static bool is_signalled_before_the_end(const struct stop_signal *stop)
{
    bool is_signalled = false;
    bool is_stuck = false;
    for (int ms = START_GRACE_MS; ms < END_MS && !is_stuck && !is_signalled; ms += STEP_MS) {
        const bool was_closing = atomic_load(&stop->is_closing);
        is_signalled = is_signalled_again(stop, STEP_MS);
        is_stuck = was_closing && atomic_load(&stop->is_closing);
    }
    return is_signalled;
}

/* After the first signal the main thread ends the program in good order. If it takes too long, this
 * thread ends the process, which is safe because the store may be left at any moment. A start may
 * wait for a database that does not answer, while nobody is served. And nng 1.5.2 never returns
 * from closing a socket if it closes a connection between two parts of a message, as it nearly
 * always does where clients send requests without a pause. Until the process ends these clients
 * wait. */
static void *watch_signals(void *context)
{
    struct stop_signal *stop = context;
    int signal_number = 0;
    (void)sigwait(&stop->signals, &signal_number);
    (void)sem_post(&stop->received);
    if (is_signalled_again(stop, START_GRACE_MS)) {
        _exit(EXIT_UNAVAILABLE);
    }
    if (!atomic_load(&stop->is_started)) {
        (void)fprintf(stderr, "weir-server: stopped before it had started\n");
        _exit(EXIT_SUCCESS);
    }
    _exit(is_signalled_before_the_end(stop) ? EXIT_UNAVAILABLE : EXIT_SUCCESS);
}

static void store_is_closed(void *context)
{
    struct stop_signal *stop = context;
    atomic_store(&stop->is_closing, true);
}

/* Starts the signal thread. Returns false if the system refuses a thread. */
static bool start_signal_thread(struct stop_signal *stop)
{
    pthread_t thread;
    if (sem_init(&stop->received, 0, 0) != 0 ||
        pthread_create(&thread, NULL, watch_signals, stop) != 0) {
        return false;
    }
    (void)pthread_detach(thread);
    return true;
}

static void wait_for_signal(struct stop_signal *stop)
{
    while (sem_wait(&stop->received) != 0 && errno == EINTR) {
    }
}

static void log_connections(void *context, enum weir_nng_sockets_event event, int fault)
{
    static const char *const texts[] = {
        [WEIR_NNG_SOCKETS_ENDED] = "closing connections that have stopped in the middle of a "
                                   "request or of the handshake",
        [WEIR_NNG_SOCKETS_TOO_LONG] = "closing a connection: its request is longer than "
                                      "--max-request-bytes; raise that, or have the client send "
                                      "less at a time",
        [WEIR_NNG_SOCKETS_NOT_SP] = "closing a connection: what it sends is no request; is its "
                                    "client meant for this port, and does its URL begin as that "
                                    "of --listen?",
        [WEIR_NNG_SOCKETS_WEBSOCKET] = "closing a connection to ws://: its HTTP request is too "
                                       "long, a message comes in too many pieces, or the answers "
                                       "to its pings are not read",
        [WEIR_NNG_SOCKETS_NO_WEBSOCKET] = "answering a request to ws:// with an error: its path "
                                          "or its Host is not that of --listen, or it is none "
                                          "for a WebSocket"};
    const struct weir_server *server = context;
    if (event == WEIR_NNG_SOCKETS_FULL) {
        weir_log_say(
            &server->log, WEIR_LOG_ERROR,
            "cannot accept a connection: %s; raise the limit of open files or find the client that "
            "holds so many connections",
            strerror(fault));
        return;
    }
    weir_log_say(&server->log, WEIR_LOG_WARN, "%s", texts[event]);
}

int main(int argc, char **argv)
{
    static struct stop_signal stop;
    struct weir_config config;
    struct weir_server *server = NULL;
    struct weir_error err;
    weir_error_init(&err);
    if (!weir_standard_streams_take()) {
        return EXIT_UNAVAILABLE;
    }
    if (weir_config_parse(&config, argc, argv, &err) != WEIR_OK) {
        return print_failure(&err, EXIT_USAGE);
    }
    block_signals(&stop.signals);
    return_large_blocks();
    weir_json_take_over_memory();
    weir_scheduling_begin();
    if (!start_signal_thread(&stop)) {
        (void)weir_fail(&err, WEIR_BACKEND_UNAVAILABLE,
                        "cannot start a thread: raise the limit of threads (ulimit -u, TasksMax=)");
        return print_failure(&err, EXIT_UNAVAILABLE);
    }
    weir_nng_sockets_refuse_above(weir_transport_message_max(&config));
    weir_partial_limit(PARTIAL_MESSAGES_OF_FULL_SIZE * weir_transport_message_max(&config),
                       SILENCE_US);
    weir_nng_sockets_take_below(weir_resources_connections_below());
    const weir_status st = weir_server_start(&config, &server, &err);
    if (st != WEIR_OK) {
        return print_failure(&err, st == WEIR_INVALID_REQUEST ? EXIT_USAGE : EXIT_UNAVAILABLE);
    }
    atomic_store(&stop.is_started, true);
    weir_nng_sockets_report(log_connections, server);
    weir_server_when_store_closed(server, store_is_closed, &stop);
    announce(server);
    (void)weir_notify(WEIR_NOTIFY_READY);
    wait_for_signal(&stop);
    weir_nng_sockets_report(NULL, NULL);
    (void)weir_notify(WEIR_NOTIFY_STOPPING);
    if (!weir_server_stop(server, DRAIN_MS)) {
        /* Threads still work in the store, which is safe to leave at any moment. */
        _exit(EXIT_SUCCESS);
    }
    atomic_store(&stop.is_closing, false);
    weir_config_fini(&config);
    return EXIT_SUCCESS;
}
