/* Defines pthread_cond_signal() and pthread_cond_wait() for the whole program: the calls of nng
 * and of weir itself are bound to these definitions. nng's task threads are treated as nng_tasks.h
 * describes; all other threads get the C library's behaviour. */
#include "server/transport/nng_tasks.h"

int pthread_cond_signal(pthread_cond_t *condition)
{
    return weir_nng_tasks_signal(condition);
}

int pthread_cond_wait(pthread_cond_t *condition, pthread_mutex_t *lock)
{
    return weir_nng_tasks_wait(condition, lock);
}
