#include "server/base/queue.h"

#include "weir/base/monotonic.h"

void weir_queue_init(struct weir_queue *queue)
{
    *queue = (struct weir_queue){.first = NULL};
    queue->last = &queue->first;
    (void)pthread_mutex_init(&queue->lock, NULL);
}

void weir_queue_fini(struct weir_queue *queue)
{
    (void)pthread_mutex_destroy(&queue->lock);
}

void weir_taker_init(struct weir_taker *taker)
{
    *taker = (struct weir_taker){.next = NULL};
    (void)pthread_cond_init(&taker->woken, NULL);
}

void weir_taker_fini(struct weir_taker *taker)
{
    (void)pthread_cond_destroy(&taker->woken);
}

/* Returns the taker that the caller is to signal once the lock is released; NULL for none. */
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

/* ---- deadlines ---- */

/* Takes all jobs out; NULL where there are none, or another thread has taken them out. */
static struct weir_job *take_all(struct weir_queue *queue)
{
    struct weir_job *first = NULL;
    (void)pthread_mutex_lock(&queue->lock);
    if (!queue->is_expiring && queue->first != NULL) {
        queue->is_expiring = true;
        first = queue->first;
        queue->first = NULL;
        queue->last = &queue->first;
    }
    (void)pthread_mutex_unlock(&queue->lock);
    return first;
}

static void wake_all_locked(struct weir_queue *queue)
{
    for (struct weir_taker *taker = queue->idle; taker != NULL; taker = taker->next) {
        taker->is_woken = true;
        (void)pthread_cond_signal(&taker->woken);
    }
    queue->idle = NULL;
}

/* Puts the jobs back in front of those that have come meanwhile, which are linked in at `last`.
 * `ended`: jobs that have not come back. */
static void put_back(struct weir_queue *queue, struct weir_job *first, struct weir_job **last,
                     size_t ended)
{
    struct weir_taker *woken = NULL;
    (void)pthread_mutex_lock(&queue->lock);
    if (first != NULL) {
        *last = queue->first;
        queue->last = queue->first == NULL ? last : queue->last;
        queue->first = first;
    }
    atomic_fetch_sub_explicit(&queue->n, ended, memory_order_relaxed);
    queue->is_expiring = false;
    if (queue->is_closed) {
        wake_all_locked(queue);
    } else {
        woken = wake_locked(queue);
    }
    (void)pthread_mutex_unlock(&queue->lock);
    signal_to(woken);
}

void weir_queue_expire(struct weir_queue *queue)
{
    const int64_t now_us = weir_monotonic_us();
    struct weir_job *job = take_all(queue);
    if (job == NULL) {
        return;
    }
    struct weir_job *first = NULL;
    struct weir_job **last = &first;
    size_t ended = 0;
    for (struct weir_job *next = NULL; job != NULL; job = next) {
        next = job->next;
        if (job->expire == NULL || job->due_us > now_us || job->expire(job)) {
            job->next = NULL;
            *last = job;
            last = &job->next;
        } else {
            ended++;
        }
    }
    put_back(queue, first, last, ended);
}

/* ---- taking ---- */

static void wait_locked(struct weir_queue *queue, struct weir_taker *taker)
{
    while (queue->first == NULL && (!queue->is_closed || queue->is_expiring)) {
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
    wake_all_locked(queue);
    (void)pthread_mutex_unlock(&queue->lock);
}
