/* The deadlines of parked waiters, a binary heap, and the timer: a thread that sleeps until the
 * first deadline, takes the waiters whose time has ended and calls back for them without the lock.
 * It never asks the store. The heap is guarded by wake->lock; each waiter knows its index
 * (heap_at), so that one that is woken by something else leaves in logarithmic time. */
#include "server/waiting/wake_int.h"

#include "weir/base/monotonic.h"

#include <assert.h>
#include <stdlib.h>

enum { DEADLINES_FIRST = 64 };

/* ---- the heap ---- */

static void put_locked(struct weir_wake *wake, size_t at, struct weir_waiter *waiter)
{
    wake->deadlines[at] = waiter;
    waiter->heap_at = at;
}

static void rise_locked(struct weir_wake *wake, size_t at)
{
    struct weir_waiter *waiter = wake->deadlines[at];
    while (at > 0 && wake->deadlines[(at - 1) / 2]->until_us > waiter->until_us) {
        put_locked(wake, at, wake->deadlines[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    put_locked(wake, at, waiter);
}

static void sink_locked(struct weir_wake *wake, size_t at)
{
    struct weir_waiter *waiter = wake->deadlines[at];
    for (;;) {
        size_t child = 2 * at + 1;
        if (child + 1 < wake->deadlines_n &&
            wake->deadlines[child + 1]->until_us < wake->deadlines[child]->until_us) {
            child++;
        }
        if (child >= wake->deadlines_n || wake->deadlines[child]->until_us >= waiter->until_us) {
            break;
        }
        put_locked(wake, at, wake->deadlines[child]);
        at = child;
    }
    put_locked(wake, at, waiter);
}

static bool make_room_locked(struct weir_wake *wake)
{
    if (wake->deadlines_n < wake->deadlines_cap) {
        return true;
    }
    const size_t cap = wake->deadlines_cap == 0 ? DEADLINES_FIRST : 2 * wake->deadlines_cap;
    struct weir_waiter **deadlines = realloc(wake->deadlines, cap * sizeof(struct weir_waiter *));
    if (deadlines == NULL) {
        return false;
    }
    wake->deadlines = deadlines;
    wake->deadlines_cap = cap;
    return true;
}

bool weir_deadlines_add_locked(struct weir_wake *wake, struct weir_waiter *waiter)
{
    if (!make_room_locked(wake)) {
        return false;
    }
    put_locked(wake, wake->deadlines_n++, waiter);
    rise_locked(wake, waiter->heap_at);
    if (waiter->heap_at == 0) {
        (void)pthread_cond_signal(&wake->earlier);
    }
    return true;
}

void weir_deadlines_remove_locked(struct weir_wake *wake, struct weir_waiter *waiter)
{
    const size_t at = waiter->heap_at;
    assert(at < wake->deadlines_n && wake->deadlines[at] == waiter);
    struct weir_waiter *last = wake->deadlines[--wake->deadlines_n];
    if (last != waiter) {
        put_locked(wake, at, last);
        rise_locked(wake, at);
        sink_locked(wake, last->heap_at);
    }
}

/* ---- the thread ---- */

/* Waits until the first deadline, until that has changed, or until the wake list stops. */
static void wait_locked(struct weir_wake *wake)
{
    if (wake->deadlines_n == 0) {
        (void)pthread_cond_wait(&wake->earlier, &wake->lock);
        return;
    }
    (void)weir_cond_wait_until(&wake->earlier, &wake->lock, wake->deadlines[0]->until_us);
}

static void take_due_locked(struct weir_wake *wake, struct weir_link *out)
{
    const int64_t now_us = weir_monotonic_us();
    while (wake->deadlines_n > 0 && wake->deadlines[0]->until_us <= now_us) {
        weir_wake_take_locked(wake, wake->deadlines[0], out);
    }
}

void *weir_wake_keep_time(void *context)
{
    struct weir_wake *wake = context;
    struct weir_link out;
    weir_link_init(&out);
    (void)pthread_mutex_lock(&wake->lock);
    while (!wake->is_stopping) {
        take_due_locked(wake, &out);
        if (weir_link_is_alone(&out)) {
            wait_locked(wake);
            continue;
        }
        (void)pthread_mutex_unlock(&wake->lock);
        weir_wake_call_back(wake, &out, WEIR_WAKE_TIME);
        (void)pthread_mutex_lock(&wake->lock);
    }
    (void)pthread_mutex_unlock(&wake->lock);
    return NULL;
}
