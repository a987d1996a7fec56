/* How the system's scheduler is to treat the server. */
#ifndef WEIR_SERVER_SCHEDULING_H
#define WEIR_SERVER_SCHEDULING_H

/* Makes the calling thread, and every thread that it starts from then on, one that does not
 * interrupt another when it is woken (SCHED_BATCH). A request passes several threads, each of which
 * wakes the next and has more to do itself; where the woken one takes the processor at once, both
 * do little pieces of work with a switch after each. A policy other than the system's usual one
 * stays: somebody has chosen it. What the system refuses changes nothing but the speed. */
void weir_schedule_as_batch(void);

#endif
