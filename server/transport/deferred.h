/* What a thread of the transport is to do, and puts off until nng has no task left for it
 * (nng_tasks.h): by then it, or another, may have received more that can be done together.
 *
 * It is one thing at a time. It is done sooner where the thread is to begin something that is not
 * brief, and where it has been put off for WEIR_DEFER_MAX_US, which is looked for at each request
 * that comes (admission.c), whatever becomes of it. Each thread has its own; nothing here blocks,
 * but for what `run` does. */
#ifndef WEIR_SERVER_DEFERRED_H
#define WEIR_SERVER_DEFERRED_H

#include <stdbool.h>
#include <stdint.h>

enum { WEIR_DEFER_MAX_US = 200 };

/* False where it is to be done now: this thread has put something off already, or cannot. Where the
 * thread does not come to it for long, another one calls `hand_on` instead, which has a worker do
 * it: that must not block. */
bool weir_defer(void (*run)(void *context), void (*hand_on)(void *context), void *context);

/* What has been put off is done now. */
void weir_deferred_run(void);

/* The same, where it has been put off for long. */
void weir_deferred_run_late(int64_t now_us);

#endif
