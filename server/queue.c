#include "server/queue.h"

bool weir_queue_init(struct weir_queue *queue)
{
    *queue = (struct weir_queue){.first = NULL};
    queue->last = &queue->first;
    if (pthread_mutex_init(&queue->lock, NULL) != 0) {
        return false;
    }
    if (pthread_cond_init(&queue->filled, NULL) != 0) {
        (void)pthread_mutex_destroy(&queue->lock);
        return false;
    }
    return true;
}

void weir_queue_fini(struct weir_queue *queue)
{
    (void)pthread_cond_destroy(&queue->filled);
    (void)pthread_mutex_destroy(&queue->lock);
}

/* Whether the caller is to signal, without the lock. */
static bool must_wake_locked(struct weir_queue *queue)
{
    if (queue->first == NULL || queue->idle == 0 || queue->is_waking) {
        return false;
    }
    queue->is_waking = true;
    return true;
}

void weir_queue_push(struct weir_queue *queue, struct weir_job *job)
{
    job->next = NULL;
    (void)pthread_mutex_lock(&queue->lock);
    *queue->last = job;
    queue->last = &job->next;
    atomic_fetch_add_explicit(&queue->n, 1, memory_order_relaxed);
    const bool wakes = must_wake_locked(queue);
    (void)pthread_mutex_unlock(&queue->lock);
    if (wakes) {
        (void)pthread_cond_signal(&queue->filled);
    }
}

static void wait_locked(struct weir_queue *queue)
{
    while (queue->first == NULL && !queue->is_closed) {
        queue->idle++;
        (void)pthread_cond_wait(&queue->filled, &queue->lock);
        queue->idle--;
        queue->is_waking = false;
    }
}

struct weir_job *weir_queue_pop(struct weir_queue *queue)
{
    (void)pthread_mutex_lock(&queue->lock);
    wait_locked(queue);
    struct weir_job *job = queue->first;
    if (job != NULL) {
        queue->first = job->next;
        if (queue->first == NULL) {
            queue->last = &queue->first;
        }
        atomic_fetch_sub_explicit(&queue->n, 1, memory_order_relaxed);
    }
    const bool wakes = must_wake_locked(queue);
    (void)pthread_mutex_unlock(&queue->lock);
    if (wakes) {
        (void)pthread_cond_signal(&queue->filled);
    }
    return job;
}

void weir_queue_close(struct weir_queue *queue)
{
    (void)pthread_mutex_lock(&queue->lock);
    queue->is_closed = true;
    (void)pthread_mutex_unlock(&queue->lock);
    (void)pthread_cond_broadcast(&queue->filled);
}
