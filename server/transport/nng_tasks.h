/* Which threads nng wakes for its tasks, and when.
 *
 * nng has its tasks done by a few threads, and wakes one of them for each task, whoever is awake. A
 * request and its reply are several small tasks, most of what these do is under one lock, and a
 * thread looks for further tasks before it sleeps again. So most of those that are woken find
 * nothing, or find the lock taken; and waking may itself have to wait for the threads that were
 * woken before (glibc 2.36). Therefore, where nng is bound to what stands in nng_wakes.c:
 *
 * - One thread is woken at a time. While it is on its way, for a millisecond at most, it is only
 *   noted that another is wanted, and it has that one woken when it arrives. Further ones are woken
 *   by the tasks that come later: two are enough for all that are short, and only one at a time
 *   serves a call (the spot, dispatch.h).
 * - A thread that sends a burst of replies has one woken at the end, and one behind that, and not
 *   two for each reply, which would be in its own way.
 *
 * No task is forgotten. A wake-up is left out only while a thread is to arrive and look for tasks:
 * one that has just been woken, or one that the end of the burst wakes.
 *
 * Thread-safe; nothing fails. */
#ifndef WEIR_SERVER_NNG_TASKS_H
#define WEIR_SERVER_NNG_TASKS_H

#include <nng/nng.h>
#include <pthread.h>
#include <stdbool.h>

/* How long one that has been woken is relied on: a core may be busy with something else, and the C
 * library may have lost the signal (glibc bug 25847, to 2.40). */
enum { WEIR_NNG_TASKS_COMING_US = 1000 };

/* How long what is deferred may wait, where there is always a task. */
enum { WEIR_NNG_TASKS_LATE_US = 2000 };

/* ---- for who sends ---- */

/* Between these two calls a thread sends replies and does not wait for anything. Not nested. */
void weir_nng_tasks_burst_begin(void);
void weir_nng_tasks_burst_end(void);

/* nng_ctx_send(), in a burst or not. */
void weir_nng_tasks_send(nng_ctx ctx, nng_aio *aio);

/* ---- for who may put something off ---- */

/* On one of nng's threads for tasks: `run` is called by this thread once it finds no task left. If
 * that is not within WEIR_NNG_TASKS_LATE_US, another one calls `hand_on` instead, when nng has it
 * tell of a task: under nng's locks, so that does not block and calls nothing of nng. False where
 * something is deferred already, on any other thread, and where nng is not bound to nng_wakes.c. */
bool weir_nng_tasks_defer(void (*run)(void *context), void (*hand_on)(void *context),
                          void *context);

struct weir_nng_tasks_work {
    void (*run)(void *context);
    void *context;
};

/* What this thread has deferred, which is not called any more: the caller does it. `run` is NULL
 * where there is nothing, or it has been handed on. */
struct weir_nng_tasks_work weir_nng_tasks_take_deferred(void);

/* ---- for nng_wakes.c: as pthread_cond_signal() and pthread_cond_wait() ---- */

int weir_nng_tasks_signal(pthread_cond_t *condition);
int weir_nng_tasks_wait(pthread_cond_t *condition, pthread_mutex_t *lock);

#endif
