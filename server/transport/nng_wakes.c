/* nng calls pthread_cond_signal() and pthread_cond_wait() as any program does, so it is bound to
 * the ones that stand here; so are this program's own calls. What they do with nng's threads stands
 * in nng_tasks.h; with all others they do what the C library's do. */
#include "server/transport/nng_tasks.h"

int pthread_cond_signal(pthread_cond_t *condition)
{
    return weir_nng_tasks_signal(condition);
}

int pthread_cond_wait(pthread_cond_t *condition, pthread_mutex_t *lock)
{
    return weir_nng_tasks_wait(condition, lock);
}
