/* Deferred work: a thread of the transport postpones a piece of work until nng has no task left for
 * the thread (nng_tasks.h). By then this thread or another one may have received more requests that
 * can be handled together with it.
 *
 * Each thread has at most one piece of deferred work, and runs it earlier in two cases: before it
 * begins something that takes long (weir_deferred_run), and when a request arrives after the work
 * has been deferred for WEIR_DEFER_MAX_US (weir_deferred_run_late, called by admission.c for every
 * request, whether admitted or refused). A thread that the store keeps waiting hands the work on
 * instead (weir_deferred_hand_on). No function here blocks, except through `run`. */
#ifndef WEIR_SERVER_DEFERRED_H
#define WEIR_SERVER_DEFERRED_H

#include <stdbool.h>
#include <stdint.h>

enum { WEIR_DEFER_MAX_US = 200 };

/* Defers run(context). Returns false if the caller must do the work at once: this thread has
 * deferred work already, or is not one of nng's task threads. If this thread does not get to the
 * work within WEIR_NNG_TASKS_LATE_US, another thread calls hand_on(context) instead, which passes
 * the work to a worker and must not block. */
bool weir_defer(void (*run)(void *context), void (*hand_on)(void *context), void *context);

/* Runs this thread's deferred work now, if there is any. */
void weir_deferred_run(void);

/* Calls `hand_on` for this thread's deferred work now, if there is any. Other threads come to the
 * work only when nng has a task, which on a quiet server may be never. */
void weir_deferred_hand_on(void);

/* Runs this thread's deferred work if it has been deferred for more than WEIR_DEFER_MAX_US. */
void weir_deferred_run_late(int64_t now_us);

#endif
