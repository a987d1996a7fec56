/* Replies that leave one after the other, and the threads of nng that they wake.
 *
 * Each reply that nng takes makes two small tasks for its threads, and wakes a thread for each.
 * Awake they are in each other's way, and in that of the thread that sends the next reply: all of
 * it happens under one lock of nng. So while a thread sends a burst nng's threads are left asleep,
 * and one of them is woken at the end. It does what there is to be done; before it goes to do
 * something that takes longer, it has another one woken.
 *
 * nng 1.5.2 wakes its threads by pthread_cond_signal(), which the program stands in for
 * (nng_wakes.c). Without that nothing is left asleep.
 *
 * Thread-safe; nothing blocks or fails. */
#ifndef WEIR_SERVER_BURST_H
#define WEIR_SERVER_BURST_H

#include <nng/nng.h>
#include <pthread.h>
#include <stdbool.h>

/* Between these two calls a thread sends replies and does not wait for anything. Not nested. */
void weir_burst_begin(void);
void weir_burst_end(void);

/* nng_ctx_send(), in a burst or not. */
void weir_burst_send(nng_ctx ctx, nng_aio *aio);

/* This thread, which may be one of nng's, is about to do something that takes long. */
void weir_burst_relieve(void);

/* For nng_wakes.c: whether the thread that waits for this is to be left asleep for now. */
bool weir_burst_leaves_asleep(pthread_cond_t *tasks);

#endif
