/* Lets a test's thread act as one of nng's task threads: it takes their name and waits as they do,
 * on a condition variable of this module. Only that thread calls the functions, except
 * task_thread_wake. */
#ifndef WEIR_TESTS_LIB_TASK_THREAD_H
#define WEIR_TESTS_LIB_TASK_THREAD_H

/* Gives the calling thread the name and waits once. */
void task_thread_become(void);

/* Starts a thread that wakes the caller, and waits for it. */
void task_thread_wait(void);

/* Waits without a task. Call only if work has been deferred; the work is done when this returns. */
void task_thread_find_none(void);

/* Signals a task from another thread. */
void task_thread_wake(void);

#endif
