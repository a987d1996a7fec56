#include "server/operation/resources.h"

#include "server/transport/pending_replies.h"
#include "store/store.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
    /* Threads of nng 1.5.2: two for each processor for tasks and one for each for time-outs, both
     * bounded; and a timer, a poller, a reaper and four resolvers. */
    NNG_TASK_THREADS_MAX = 16,
    NNG_TIME_THREADS_MAX = 256,
    NNG_OTHER_THREADS = 7,
    /* Besides the workers: the checkpointer, the wake list's timer and poller, HTTP. */
    OWN_THREADS = 4,
    /* For threads that come and go, and for other processes of the same user. */
    SPARE_THREADS = 4,

    /* Of sessions that keep files open; these may take half of all descriptors. */
    SESSIONS_MIN = 4,
    SESSIONS_MAX = 2048,
    /* Of a store besides its sessions: SQLite has two connections to the registry and the
     * checkpointer's, of three files each, and the registry's WAL once more. */
    FILES_OF_STORE = 10,
    /* Standard input, output and error, two for nng's polling, and one to open for a moment. */
    FILES_OF_PROCESS = 3 + 2 + 1,
    /* A listener, both ends of a pipe, and a client. */
    FILES_OF_HTTP = 4,
    CONNECTIONS_MIN = 4,
    FILES_USUAL = 1024  // assumed limit where the system does not tell
};

static size_t at_most(size_t n, size_t most)
{
    return n < most ? n : most;
}

static size_t count_processors(void)
{
    const long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online < 1 ? 1 : (size_t)online;
}

static size_t threads_wanted(const struct weir_config *config)
{
    const size_t processors = count_processors();
    return at_most(2 * processors, NNG_TASK_THREADS_MAX) +
           at_most(processors, NNG_TIME_THREADS_MAX) + NNG_OTHER_THREADS + (size_t)config->workers +
           OWN_THREADS + SPARE_THREADS;
}

static void *pass(void *gate)
{
    (void)pthread_mutex_lock(gate);
    (void)pthread_mutex_unlock(gate);
    return NULL;
}

/* Returns how many of `n` threads can exist at a time, by starting them all. */
static size_t try_threads(pthread_t *threads, size_t n)
{
    pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
    size_t made = 0;
    (void)pthread_mutex_lock(&gate);
    while (made < n && pthread_create(&threads[made], NULL, pass, &gate) == 0) {
        made++;
    }
    (void)pthread_mutex_unlock(&gate);
    for (size_t i = 0; i < made; i++) {
        (void)pthread_join(threads[i], NULL);
    }
    return made;
}

/* Tries the threads beforehand: nng 1.5.2 crashes or hangs where it gets only some of its own. */
static weir_status check_threads(const struct weir_config *config, struct weir_error *err)
{
    const size_t wanted = threads_wanted(config);
    pthread_t *threads = calloc(wanted, sizeof *threads);
    if (threads == NULL) {
        return weir_fail(err, WEIR_BACKEND_UNAVAILABLE, "out of memory at start");
    }
    const size_t made = try_threads(threads, wanted);
    free(threads);
    return made == wanted
               ? WEIR_OK
               : weir_fail(err, WEIR_BACKEND_UNAVAILABLE,
                           "the system allows only %zu threads, but the server needs %zu: raise "
                           "the limit (ulimit -u, TasksMax=) or lower --workers",
                           made, wanted);
}

/* Raises the soft limit of open files, which is for programs that cannot handle many, to the hard
 * one. Returns the limit in force. */
static rlim_t files_max(void)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) != 0) {
        return FILES_USUAL;
    }
    const struct rlimit raised = {.rlim_cur = files.rlim_max, .rlim_max = files.rlim_max};
    return setrlimit(RLIMIT_NOFILE, &raised) == 0 ? raised.rlim_cur : files.rlim_cur;
}

static size_t files_wanted(const struct weir_config *config)
{
    const size_t n = FILES_OF_PROCESS + FILES_OF_STORE + config->listen_n +
                     (config->http == NULL ? 0 : FILES_OF_HTTP) + CONNECTIONS_MIN;
    return weir_store_traits(config->store).files_of_session > 0
               ? 2 * n
               : n + (size_t)config->store_connections;
}

/* With too few descriptors the server would listen but could accept no connection. */
static weir_status check_files(const struct weir_config *config, struct weir_error *err)
{
    const rlim_t most = files_max();
    const size_t wanted = files_wanted(config);
    return most >= wanted ? WEIR_OK
                          : weir_fail(err, WEIR_BACKEND_UNAVAILABLE,
                                      "the process may open only %llu files, but the server needs "
                                      "%zu: raise the limit (ulimit -n, LimitNOFILE=)",
                                      (unsigned long long)most, wanted);
}

/* Reserves an eighth of the descriptors: clients must not use up all. With half of them for
 * the store's sessions, more than a third remains for connections. */
static rlim_t files_not_for_clients(void)
{
    return files_max() / 8;
}

/* No client gets a descriptor beyond those that can be tracked. */
int weir_resources_connections_below(void)
{
    const rlim_t below = files_max() - files_not_for_clients();
    return below > WEIR_DESCRIPTORS_MAX ? WEIR_DESCRIPTORS_MAX : (int)below;
}

/* HTTP gets at most half of the reserved descriptors: the store needs some of them too. */
size_t weir_resources_http_connections(size_t wanted)
{
    const rlim_t most = files_not_for_clients() / 2;
    return most >= wanted ? wanted : most > 0 ? (size_t)most : 1;
}

size_t weir_resources_sessions(const struct weir_config *config)
{
    const size_t files = weir_store_traits(config->store).files_of_session;
    if (files == 0) {
        return (size_t)config->store_connections;
    }
    const rlim_t n = files_max() / 2 / files;
    return n < SESSIONS_MIN ? SESSIONS_MIN : n > SESSIONS_MAX ? SESSIONS_MAX : (size_t)n;
}

/* A quarter of the workers, or of the store's sessions where they are fewer, stays free for other
 * calls. In a local store a read occupies a processor of this machine, so at most two slow reads
 * run for each processor. */
size_t weir_resources_slow_reads(const struct weir_config *config)
{
    const size_t most = at_most((size_t)config->workers, weir_resources_sessions(config));
    const size_t others = most / 4 > 0 ? most / 4 : 1;
    const size_t turns = most > others ? most - others : 1;
    return weir_store_traits(config->store).is_local ? at_most(turns, 2 * count_processors())
                                                     : turns;
}

weir_status weir_resources_check(const struct weir_config *config, struct weir_error *err)
{
    const weir_status st = check_files(config, err);
    return st == WEIR_OK ? check_threads(config, err) : st;
}
