/* The scheduling policy of the process's threads, SCHED_BATCH or Linux's default.
 *
 * Under SCHED_BATCH a thread that is woken does not preempt the one that runs. A request passes
 * several threads, each of which wakes the next and has more to do itself; with preemption both
 * would do small pieces of work with a switch after each. But beside programs that keep the
 * processors busy each thread that is woken waits until they have used up their time. So the policy
 * is SCHED_BATCH, and the default one for a while whenever the threads have waited for processors
 * many times as long as they have run.
 *
 * State of the process, as the policy is. Failures are ignored: they only cost speed. */
#ifndef WEIR_SERVER_SCHEDULING_H
#define WEIR_SERVER_SCHEDULING_H

#include <stdint.h>

/* Sets SCHED_BATCH. Does nothing, then or later, where the policy is not the default one, as the
 * operator has chosen it, or where the system does not tell how long threads wait. Call before
 * other threads exist. */
void weir_scheduling_begin(void);

/* Looks at the threads' waits twice a second at most, and changes the policy of all threads where
 * that is called for. For a thread that has just been at work, so that nothing happens while the
 * server is idle; a look takes a quarter of a millisecond. `now_us` is monotonic. Any thread. */
void weir_scheduling_look(int64_t now_us);

#endif
