#include "server/base/workers.h"

static void *work(void *context)
{
    struct weir_worker *worker = context;
    for (;;) {
        struct weir_job *job = weir_queue_pop(worker->queue, &worker->taker);
        if (job == NULL) {
            return NULL;
        }
        job->run(job);
    }
}

static bool start(struct weir_worker *worker, struct weir_queue *queue)
{
    worker->queue = queue;
    weir_taker_init(&worker->taker);
    if (pthread_create(&worker->thread, NULL, work, worker) != 0) {
        weir_taker_fini(&worker->taker);
        return false;
    }
    return true;
}

weir_status weir_workers_start(struct weir_workers *workers, struct weir_queue *queue, size_t n,
                               struct weir_error *err)
{
    workers->queue = queue;
    workers->n = 0;
    while (workers->n < n) {
        if (!start(&workers->all[workers->n], queue)) {
            const size_t started = workers->n;
            weir_workers_stop(workers);
            return weir_fail(err, WEIR_BACKEND_UNAVAILABLE,
                             "the system allows only %zu threads, but --workers asks for %zu",
                             started, n);
        }
        workers->n++;
    }
    return WEIR_OK;
}

/* Joins all threads before it releases the first taker, which another thread may be waking. */
void weir_workers_stop(struct weir_workers *workers)
{
    weir_queue_close(workers->queue);
    for (size_t w = 0; w < workers->n; w++) {
        (void)pthread_join(workers->all[w].thread, NULL);
    }
    while (workers->n > 0) {
        weir_taker_fini(&workers->all[--workers->n].taker);
    }
}
