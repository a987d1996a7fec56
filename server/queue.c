#include "server/queue.h"

bool weir_queue_init(struct weir_queue *queue)
{
    *queue = (struct weir_queue){.first = NULL};
    queue->last = &queue->first;
    return pthread_mutex_init(&queue->lock, NULL) == 0;
}

void weir_queue_fini(struct weir_queue *queue)
{
    (void)pthread_mutex_destroy(&queue->lock);
}

bool weir_taker_init(struct weir_taker *taker)
{
    *taker = (struct weir_taker){.next = NULL};
    return pthread_cond_init(&taker->woken, NULL) == 0;
}

void weir_taker_fini(struct weir_taker *taker)
{
    (void)pthread_cond_destroy(&taker->woken);
}

/* Whom the caller is to signal, without the lock; NULL for nobody. */
static struct weir_taker *wake_locked(struct weir_queue *queue)
{
    struct weir_taker *taker = queue->idle;
    if (queue->first == NULL || taker == NULL || queue->is_waking) {
        return NULL;
    }
    queue->idle = taker->next;
    queue->is_waking = true;
    taker->is_woken = true;
    return taker;
}

static void signal_to(struct weir_taker *taker)
{
    if (taker != NULL) {
        (void)pthread_cond_signal(&taker->woken);
    }
}

void weir_queue_push(struct weir_queue *queue, struct weir_job *job)
{
    job->next = NULL;
    (void)pthread_mutex_lock(&queue->lock);
    *queue->last = job;
    queue->last = &job->next;
    atomic_fetch_add_explicit(&queue->n, 1, memory_order_relaxed);
    struct weir_taker *woken = wake_locked(queue);
    (void)pthread_mutex_unlock(&queue->lock);
    signal_to(woken);
}

static void wait_locked(struct weir_queue *queue, struct weir_taker *taker)
{
    while (queue->first == NULL && !queue->is_closed) {
        taker->is_woken = false;
        taker->next = queue->idle;
        queue->idle = taker;
        while (!taker->is_woken) {
            (void)pthread_cond_wait(&taker->woken, &queue->lock);
        }
        queue->is_waking = false;
    }
}

struct weir_job *weir_queue_pop(struct weir_queue *queue, struct weir_taker *taker)
{
    (void)pthread_mutex_lock(&queue->lock);
    wait_locked(queue, taker);
    struct weir_job *job = queue->first;
    if (job != NULL) {
        queue->first = job->next;
        if (queue->first == NULL) {
            queue->last = &queue->first;
        }
        atomic_fetch_sub_explicit(&queue->n, 1, memory_order_relaxed);
    }
    struct weir_taker *woken = wake_locked(queue);
    (void)pthread_mutex_unlock(&queue->lock);
    signal_to(woken);
    return job;
}

void weir_queue_close(struct weir_queue *queue)
{
    (void)pthread_mutex_lock(&queue->lock);
    queue->is_closed = true;
    for (struct weir_taker *taker = queue->idle; taker != NULL; taker = taker->next) {
        taker->is_woken = true;
        (void)pthread_cond_signal(&taker->woken);
    }
    queue->idle = NULL;
    (void)pthread_mutex_unlock(&queue->lock);
}
