/* The wake list as its own files see it: waiters and watches (wake.c), deadlines and their thread
 * (wake_timer.c), other people's changes (wake_poll.c). */
#ifndef WEIR_SERVER_WAKE_INT_H
#define WEIR_SERVER_WAKE_INT_H

#include "server/waiting/wake.h"

#include <pthread.h>

enum { WEIR_WATCH_BUCKETS = 4096 };

/* All waiters of one namespace that select the same; gone with the last of them. */
struct weir_watch {
    struct weir_watch *next;  // in its bucket
    struct weir_tenant *tenant;
    enum weir_selector selector;
    uint64_t hash;
    struct weir_link waiters;
    size_t name_n;
    uint8_t name[];
};

struct weir_wake {
    struct weir_tenants *tenants;
    const struct weir_log *log;
    weir_woken woken;
    void *context;
    uint64_t seed;  // of the buckets

    pthread_mutex_t lock;  // guards all below, all waiters that are not idle, and what the
                           // tenants say; before the tenants' lock
    struct weir_watch *buckets[WEIR_WATCH_BUCKETS];
    struct weir_link watched;  // tenants with waiters
    size_t watched_n;
    bool is_stopping;

    /* A heap: the waiter whose time comes first is the first. */
    struct weir_waiter **deadlines;
    size_t deadlines_n;
    size_t deadlines_cap;
    pthread_cond_t earlier;  // the first deadline has changed, or the end has come

    bool is_joined;  // of the one who ends it
    pthread_t timer;
    pthread_t poller;
    pthread_cond_t poll;  // the first tenant is watched, or the end has come
};

/* Takes a parked waiter out of everything, into the ring `out`. */
void weir_wake_take_locked(struct weir_wake *wake, struct weir_waiter *waiter,
                           struct weir_link *out);

/* Calls back for a ring made by weir_wake_take_locked. Without the lock. */
void weir_wake_call_back(struct weir_wake *wake, struct weir_link *out,
                         enum weir_wake_reason reason);

/* ---- wake_timer.c ---- */

/* False without memory. */
bool weir_deadlines_add_locked(struct weir_wake *wake, struct weir_waiter *waiter);
void weir_deadlines_remove_locked(struct weir_wake *wake, struct weir_waiter *waiter);
void *weir_wake_keep_time(void *wake);

/* ---- wake_poll.c ---- */

void *weir_wake_poll(void *wake);

#endif
