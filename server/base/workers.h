/* The threads that run jobs. A job may block on the store: it holds up its own worker only. Not
 * every call needs a worker; see dispatch.h. */
#ifndef WEIR_SERVER_WORKERS_H
#define WEIR_SERVER_WORKERS_H

#include "server/base/queue.h"
#include "weir/base/fail.h"

enum { WEIR_WORKERS_MAX = 256 };

struct weir_worker {
    pthread_t thread;
    struct weir_queue *queue;
    struct weir_taker taker;
};

struct weir_workers {
    struct weir_queue *queue;
    struct weir_worker all[WEIR_WORKERS_MAX];
    size_t n;
};

/* Starts `n` threads. BACKEND_UNAVAILABLE where the system grants too few; the threads already
 * started are ended then. */
weir_status weir_workers_start(struct weir_workers *workers, struct weir_queue *queue, size_t n,
                               struct weir_error *err);

/* Closes the queue, waits until all jobs have run, and ends the threads. */
void weir_workers_stop(struct weir_workers *workers);

#endif
