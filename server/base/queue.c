#include "server/base/queue.h"

#include "weir/base/monotonic.h"

void weir_queue_init(struct weir_queue *queue, size_t takers)
{
    *queue = (struct weir_queue){.is_closed = false};
    weir_turns_init(&queue->turns, takers);
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

/* Whether there is a job that a taker may take. */
static bool has_next_locked(const struct weir_queue *queue)
{
    return weir_turns_has_next(&queue->turns, queue->is_closed);
}

/* Returns the taker that the caller is to signal once the lock is released; NULL for none. */
static struct weir_taker *wake_locked(struct weir_queue *queue)
{
    struct weir_taker *taker = queue->idle;
    if (taker == NULL || queue->is_waking || !has_next_locked(queue)) {
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
    (void)pthread_mutex_lock(&queue->lock);
    weir_turns_add(&queue->turns, job);
    atomic_fetch_add_explicit(&queue->n, 1, memory_order_relaxed);
    struct weir_taker *woken = wake_locked(queue);
    (void)pthread_mutex_unlock(&queue->lock);
    signal_to(woken);
}

/* ---- deadlines ---- */

/* Takes all jobs out; false where there are none, or another thread has taken them out. */
static bool take_all(struct weir_queue *queue, struct weir_link *taken)
{
    (void)pthread_mutex_lock(&queue->lock);
    const bool takes = !queue->is_expiring && !weir_link_is_alone(&queue->turns.waiting);
    if (takes) {
        queue->is_expiring = true;
        weir_turns_take_out(&queue->turns, taken);
    }
    (void)pthread_mutex_unlock(&queue->lock);
    return takes;
}

static void wake_all_locked(struct weir_queue *queue)
{
    for (struct weir_taker *taker = queue->idle; taker != NULL; taker = taker->next) {
        taker->is_woken = true;
        (void)pthread_cond_signal(&taker->woken);
    }
    queue->idle = NULL;
}

/* Puts jobs back in front of those that have come meanwhile. `ended`: how many have not come
 * back. */
static void put_back(struct weir_queue *queue, struct weir_link *left, size_t ended)
{
    struct weir_taker *woken = NULL;
    (void)pthread_mutex_lock(&queue->lock);
    weir_turns_put_back(&queue->turns, left);
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
    struct weir_link taken;
    struct weir_link left;
    weir_link_init(&taken);
    weir_link_init(&left);
    if (!take_all(queue, &taken)) {
        return;
    }
    size_t ended = 0;
    struct weir_job *job = NULL;
    while ((job = WEIR_FIRST_LINKED(&taken, struct weir_job, queued)) != NULL) {
        weir_link_remove(&job->queued);
        if (job->expire == NULL || job->due_us > now_us || job->expire(job)) {
            weir_link_append(&left, &job->queued);
        } else {
            ended++;
        }
    }
    put_back(queue, &left, ended);
}

/* ---- taking ---- */

static void end_turn_locked(struct weir_queue *queue, struct weir_taker *taker)
{
    if (taker->has_turn) {
        taker->has_turn = false;
        weir_turns_end(&queue->turns, taker->owner);
    }
}

static void wait_locked(struct weir_queue *queue, struct weir_taker *taker)
{
    while (!has_next_locked(queue) && (!queue->is_closed || queue->is_expiring)) {
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
    end_turn_locked(queue, taker);
    wait_locked(queue, taker);
    struct weir_job *job = weir_turns_take(&queue->turns, queue->is_closed);
    if (job != NULL) {
        taker->has_turn = true;
        taker->owner = job->owner;
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
