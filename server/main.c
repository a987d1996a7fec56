/* weir-server: reads its configuration, serves until it is told to stop, and says how it went.
 *
 * Exit status: 0 stopped in good order, 1 the store, a listener or what the system gives cannot be
 * had, 2 wrong usage. */
#include "server/http.h"
#include "server/nng_sockets.h"
#include "server/notify.h"
#include "server/scheduling.h"
#include "server/server.h"
#include "weir/rules/json_text.h"

#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    EXIT_UNAVAILABLE = 1,
    EXIT_USAGE = 2,
    PATIENCE_MS = 4000,
    LAST_MS = 4800,
    LARGE_BYTES = 4 * 1024 * 1024
};

static int complain(const struct weir_error *err, int status)
{
    if (err->text[0] != '\0') {
        (void)fprintf(stderr, "weir-server: %s\n", err->text);
    }
    if (status == EXIT_USAGE) {
        (void)fputs("Try 'weir-server --help' for more.\n", stderr);
    }
    return status;
}

/* The signals that end the program are waited for; threads inherit the mask. */
static void block_signals(sigset_t *ends)
{
    (void)sigemptyset(ends);
    (void)sigaddset(ends, SIGTERM);
    (void)sigaddset(ends, SIGINT);
    (void)pthread_sigmask(SIG_BLOCK, ends, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
}

/* Replies near the limit go back to the system when they have been sent. By itself malloc keeps
 * them for the next one once it has seen a few, and each of its arenas keeps its own. What is
 * smaller it keeps, as it would by itself. */
static void return_large_blocks(void)
{
    (void)mallopt(M_MMAP_THRESHOLD, LARGE_BYTES);
    (void)mallopt(M_TRIM_THRESHOLD, 2 * LARGE_BYTES);
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

/* A second signal is for those who do not want to wait. Where none comes, the end comes all the
 * same: closing a socket of nng 1.5.2 under load was seen never to return. By then every call has
 * been answered, and the store may be left at any moment. */
static void *leave_in_time(void *context)
{
    const struct timespec last = {.tv_sec = LAST_MS / 1000,
                                  .tv_nsec = (long)(LAST_MS % 1000) * 1000000};
    _exit(sigtimedwait(context, NULL, &last) < 0 ? EXIT_SUCCESS : EXIT_UNAVAILABLE);
}

static void wait_for_end(sigset_t *ends)
{
    int signal_number = 0;
    (void)sigwait(ends, &signal_number);
    pthread_t other;
    if (pthread_create(&other, NULL, leave_in_time, ends) == 0) {
        (void)pthread_detach(other);
    }
}

static void tell_of_no_room(void *context, int fault)
{
    const struct weir_server *server = context;
    weir_log_say(
        &server->log, WEIR_LOG_ERROR,
        "no connection can be taken: %s; raise the limit of open files or see who holds so "
        "many connections",
        strerror(fault));
}

int main(int argc, char **argv)
{
    static sigset_t ends;
    struct weir_config config;
    struct weir_server *server = NULL;
    struct weir_error err;
    weir_error_init(&err);
    if (weir_config_parse(&config, argc, argv, &err) != WEIR_OK) {
        return complain(&err, EXIT_USAGE);
    }
    block_signals(&ends);
    return_large_blocks();
    weir_json_take_over_memory();
    weir_schedule_as_batch();
    const weir_status st = weir_server_start(&config, &server, &err);
    if (st != WEIR_OK) {
        return complain(&err, st == WEIR_INVALID_REQUEST ? EXIT_USAGE : EXIT_UNAVAILABLE);
    }
    weir_nng_sockets_report(tell_of_no_room, server);
    announce(server);
    (void)weir_notify(WEIR_NOTIFY_READY);
    wait_for_end(&ends);
    weir_nng_sockets_report(NULL, NULL);
    (void)weir_notify(WEIR_NOTIFY_STOPPING);
    if (!weir_server_stop(server, PATIENCE_MS)) {
        /* Threads are still at work in the store, which is safe to leave at any moment. */
        _exit(EXIT_SUCCESS);
    }
    weir_config_fini(&config);
    return EXIT_SUCCESS;
}
