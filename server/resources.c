#include "server/resources.h"

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    /* Of nng 1.5.2: two for each processor that run its tasks and one for each that keeps time, at
     * most so many, and then timer, poller, reaper and four that resolve names. */
    NNG_TASK_THREADS_MAX = 16,
    NNG_TIME_THREADS_MAX = 256,
    NNG_OTHER_THREADS = 7,
    /* Beside the workers: the checkpointer, two that wake waiting reads, HTTP. */
    OWN_THREADS = 4,
    /* For what comes and goes, and for other processes of the same user. */
    SPARE_THREADS = 4
};

static size_t at_most(size_t n, size_t most)
{
    return n < most ? n : most;
}

static size_t threads_wanted(const struct weir_config *config)
{
    const long online = sysconf(_SC_NPROCESSORS_ONLN);
    const size_t processors = online < 1 ? 1 : (size_t)online;
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

/* How many of `n` threads there can be at a time. */
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

/* nng 1.5.2 crashes or never comes back where it gets some of its threads and not the others. */
static weir_status check_threads(const struct weir_config *config, struct weir_error *err)
{
    const size_t wanted = threads_wanted(config);
    pthread_t *threads = calloc(wanted, sizeof *threads);
    if (threads == NULL) {
        return weir_fail(err, WEIR_BACKEND_UNAVAILABLE, "no memory to start");
    }
    const size_t made = try_threads(threads, wanted);
    free(threads);
    return made == wanted
               ? WEIR_OK
               : weir_fail(err, WEIR_BACKEND_UNAVAILABLE,
                           "the system gives %zu threads and no more, the server needs %zu: raise "
                           "its limit (ulimit -u, TasksMax=) or lower --workers",
                           made, wanted);
}

weir_status weir_resources_check(const struct weir_config *config, struct weir_error *err)
{
    return check_threads(config, err);
}
