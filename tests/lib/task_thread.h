/* A thread that passes for one of nng's for tasks: it has their name, and waits as they do, for a
 * condition of this file. All but task_thread_wake are for that thread. */
#ifndef WEIR_TESTS_LIB_TASK_THREAD_H
#define WEIR_TESTS_LIB_TASK_THREAD_H

/* The thread takes the name and waits for the first time. */
void task_thread_become(void);

/* Waits until another thread has woken it, for which it starts one. */
void task_thread_wait(void);

/* Finds no task. Only where something is put off: then it has been done when this returns. */
void task_thread_find_none(void);

/* Another thread tells of a task. */
void task_thread_wake(void);

#endif
