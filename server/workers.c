#include "server/workers.h"

static void *work(void *context)
{
    struct weir_workers *workers = context;
    for (;;) {
        struct weir_job *job = weir_queue_pop(workers->queue);
        if (job == NULL) {
            return NULL;
        }
        job->run(job);
    }
}

weir_status weir_workers_start(struct weir_workers *workers, struct weir_queue *queue, size_t n,
                               struct weir_error *err)
{
    workers->queue = queue;
    workers->n = 0;
    while (workers->n < n) {
        if (pthread_create(&workers->threads[workers->n], NULL, work, workers) != 0) {
            const size_t started = workers->n;
            weir_workers_stop(workers);
            return weir_fail(err, WEIR_BACKEND_UNAVAILABLE,
                             "the system gives %zu threads and no more, --workers asks for %zu",
                             started, n);
        }
        workers->n++;
    }
    return WEIR_OK;
}

void weir_workers_stop(struct weir_workers *workers)
{
    weir_queue_close(workers->queue);
    while (workers->n > 0) {
        (void)pthread_join(workers->threads[--workers->n], NULL);
    }
}
