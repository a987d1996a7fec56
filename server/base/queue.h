/* Jobs for the workers, many producers, many consumers. Jobs of the same owner are first in, first
 * out; those of different owners take turns, and where there are four or more no owner gets all
 * workers (turns.h).
 *
 * A job is a member of the struct that it works on, so pushing allocates nothing and cannot fail.
 * The queue has no bound of its own: its producers bound what they push (admission the calls in
 * flight, each namespace one job of its lane of writes and a few of its lane of reads). Pushing
 * blocks no longer than a mutex is held for a few instructions, so transport callbacks may push.
 *
 * The queue wakes one idle worker at a time, and that one wakes the next if it finds more than one
 * job, so that a burst of short jobs does not wake a thread for each. The worker that became idle
 * last is woken first: there are as many workers as may block on a disk at once, and while none
 * blocks a few of them do everything and the others sleep.
 *
 * Thread-safe. The lock is a leaf; no job is called under it. */
#ifndef WEIR_SERVER_QUEUE_H
#define WEIR_SERVER_QUEUE_H

#include "server/base/turns.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

/* A consumer's place among those that wait. It must stay in place while jobs may be pushed; the
 * queue guards its fields. */
struct weir_taker {
    pthread_cond_t woken;
    bool is_woken;
    bool has_turn;            // it runs a job
    uint32_t owner;           // of that job
    struct weir_taker *next;  // the taker that has been idle for longer
};

struct weir_queue {
    pthread_mutex_t lock;     // guards all but n; a leaf
    struct weir_turns turns;  // a worker has a turn from one call of weir_queue_pop to the next
    struct weir_taker *idle;  // waiting takers, the last to come first
    bool is_waking;           // a taker has been woken and has not arrived yet
    bool is_expiring;         // weir_queue_expire has taken the jobs out, and will put them back
    bool is_closed;
    atomic_size_t n;  // queued jobs
};

/* `takers`: how many will take jobs. */
void weir_queue_init(struct weir_queue *queue, size_t takers);

/* No thread may use the queue any more. */
void weir_queue_fini(struct weir_queue *queue);

/* Appends a job and wakes an idle worker if none is being woken. Never blocks. */
void weir_queue_push(struct weir_queue *queue, struct weir_job *job);

void weir_taker_init(struct weir_taker *taker);
void weir_taker_fini(struct weir_taker *taker);

/* Calls `expire` for each job that is due; jobs that still have something to run keep their places.
 * The workers see only new jobs meanwhile, so this is for a thread that the store keeps waiting, as
 * it may keep all workers. Returns at once where another thread is at it. */
void weir_queue_expire(struct weir_queue *queue);

/* Ends the taker's last job; waits for another one and takes it. NULL once the queue is closed and
 * empty: shares do not count any more in a closed queue. */
struct weir_job *weir_queue_pop(struct weir_queue *queue, struct weir_taker *taker);

/* Closes the queue: weir_queue_pop returns NULL once it is empty. A job pushed afterwards still
 * runs as long as a worker is left. */
void weir_queue_close(struct weir_queue *queue);

/* Returns how many jobs are queued at this moment. */
static inline size_t weir_queue_length(const struct weir_queue *queue)
{
    return atomic_load_explicit(&queue->n, memory_order_relaxed);
}

#endif
