/* Decides which of nng's task threads are woken, and when, and runs deferred work on them.
 *
 * nng wakes a task thread for every task, even when others are awake. A request and its reply are
 * several short tasks, most of their work is done under one lock, and a thread looks for further
 * tasks before it sleeps. So most woken threads find no task, or find the lock taken; and a wake-up
 * may itself have to wait for threads woken before (glibc 2.36). nng's calls of
 * pthread_cond_signal() and pthread_cond_wait() are therefore bound to nng_wakes.c, which passes
 * them on to this module:
 *
 * - One thread is woken at a time. While a woken thread is on its way, for 1 ms at most, a further
 *   wake-up is only noted, and the arriving thread passes it on. Later tasks wake further threads:
 *   two threads suffice for all short tasks, and only one thread of the transport at a time serves
 *   a call (the spot, dispatch.h).
 * - A thread that sends a burst of replies wakes one thread at the end of the burst, which wakes
 *   another one; two wake-ups for each reply would slow down the sender itself.
 *
 * Invariant: no task is forgotten. A wake-up is left out only while some thread is certain to look
 * for tasks later: one that was just woken, or the one that the end of the burst wakes.
 *
 * Thread-safe; no function fails. */
#ifndef WEIR_SERVER_NNG_TASKS_H
#define WEIR_SERVER_NNG_TASKS_H

#include <nng/nng.h>
#include <pthread.h>
#include <stdbool.h>

/* How long a woken thread is expected to arrive. After that another one is woken: its core may be
 * busy, or the C library may have lost the signal (glibc bug 25847, up to 2.40). */
enum { WEIR_NNG_TASKS_COMING_US = 1000 };

/* How long deferred work waits for its own thread while that thread always finds another task. */
enum { WEIR_NNG_TASKS_LATE_US = 2000 };

/* ---- for threads that send replies ---- */

/* Open and close a burst: in between, the calling thread sends replies and waits for nothing.
 * Bursts are not nested. */
void weir_nng_tasks_burst_begin(void);
void weir_nng_tasks_burst_end(void);

/* nng_ctx_send(). To be used for every reply, inside a burst or not. */
void weir_nng_tasks_send(nng_ctx ctx, nng_aio *aio);

/* ---- for threads with work to defer ---- */

/* Defers run(context) on the calling task thread of nng, which calls it once it finds no task left.
 * If the thread has not done so within WEIR_NNG_TASKS_LATE_US, another thread, when nng has it
 * signal a task, calls hand_on(context) instead. That happens under nng's locks, so `hand_on` must
 * neither block nor call nng. Returns false if this thread has deferred work already, if it is no
 * task thread, and always if nng is not bound to nng_wakes.c. */
bool weir_nng_tasks_defer(void (*run)(void *context), void (*hand_on)(void *context),
                          void *context);

struct weir_nng_tasks_work {
    void (*run)(void *context);
    void (*hand_on)(void *context);
    void *context;
};

/* Takes back this thread's deferred work: it will not be called, and the caller does it. Returns
 * `run` NULL if there is none or it has been handed on. */
struct weir_nng_tasks_work weir_nng_tasks_take_deferred(void);

/* ---- for nng_wakes.c: pthread_cond_signal() and pthread_cond_wait() ---- */

int weir_nng_tasks_signal(pthread_cond_t *condition);
int weir_nng_tasks_wait(pthread_cond_t *condition, pthread_mutex_t *lock);

#endif
