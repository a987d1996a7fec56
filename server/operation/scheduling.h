/* The scheduling policy of the server's threads. */
#ifndef WEIR_SERVER_SCHEDULING_H
#define WEIR_SERVER_SCHEDULING_H

/* Sets SCHED_BATCH for the calling thread and all threads that it starts from then on: a thread
 * that is woken does not preempt the one that woke it. A request passes several threads, each of
 * which wakes the next and has more to do itself; with preemption both would do small pieces of
 * work with a switch after each. Leaves any policy but the default one alone, as the operator has
 * chosen it. A failure is ignored: it only costs speed. */
void weir_schedule_as_batch(void);

#endif
