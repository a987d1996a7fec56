/* Jobs for the workers: first in, first out, many producers, many consumers.
 *
 * A job is a member of what it works on, so pushing allocates nothing and cannot fail. The queue
 * itself knows no bound: what is pushed is bounded by who pushes (calls in flight by admission, one
 * lane job per namespace). Pushing never blocks longer than a mutex is held for a few instructions,
 * so transport callbacks may do it.
 *
 * One idle worker at a time is being woken: it wakes the next one if it finds more than one job. So
 * a burst of short jobs does not wake a thread for each of them. The one that became idle last is
 * woken first: there are as many workers as may block on a disk at once, and while they do not, a
 * few of them do everything and the others sleep. */
#ifndef WEIR_SERVER_QUEUE_H
#define WEIR_SERVER_QUEUE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct weir_job {
    void (*run)(struct weir_job *job);  // on a worker; the job may be gone when it returns
    /* While all workers are held up, and not before `due_us` (monotonic): ends what of the job is
     * too late, without blocking. False where nothing of it is left to be run. */
    bool (*look)(struct weir_job *job);
    int64_t due_us;
    struct weir_job *next;  // the queue's
};

/* What a thread waits for jobs with. It stays where it is until nobody pushes any more; its fields
 * are the queue's. */
struct weir_taker {
    pthread_cond_t woken;
    bool is_woken;
    struct weir_taker *next;  // idle for longer
};

struct weir_queue {
    pthread_mutex_t lock;  // guards all but n; a leaf
    struct weir_job *first;
    struct weir_job **last;   // where the next job is linked in
    struct weir_taker *idle;  // those that wait, the last to come first
    bool is_waking;           // one of them has been woken and has not come yet
    bool is_looked_at;        // what was there is in the hands of one who looks, and comes back
    bool is_closed;
    atomic_size_t n;  // jobs waiting
};

void weir_queue_init(struct weir_queue *queue);

/* No thread may use it any more. */
void weir_queue_fini(struct weir_queue *queue);

void weir_queue_push(struct weir_queue *queue, struct weir_job *job);

void weir_taker_init(struct weir_taker *taker);
void weir_taker_fini(struct weir_taker *taker);

/* Calls `look` for each job that is due; those of which something is left keep their places. For a
 * thread that has nothing better to do: until it is done the workers see only jobs that are new. */
void weir_queue_look(struct weir_queue *queue);

/* Waits for a job. NULL once the queue is closed and empty. */
struct weir_job *weir_queue_pop(struct weir_queue *queue, struct weir_taker *taker);

/* Lets the workers end when nothing is left. Jobs pushed afterwards still run as long as one is
 * there. */
void weir_queue_close(struct weir_queue *queue);

/* Jobs that wait at this moment. */
static inline size_t weir_queue_length(const struct weir_queue *queue)
{
    return atomic_load_explicit(&queue->n, memory_order_relaxed);
}

#endif
