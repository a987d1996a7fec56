/* The wake list as its own files see it: waiters and watches (wake.c), deadlines and the timer
 * (wake_timer.c), changes by other processes and the poller (wake_poll.c). */
#ifndef WEIR_SERVER_WAKE_INT_H
#define WEIR_SERVER_WAKE_INT_H

#include "server/waiting/wake.h"

#include <pthread.h>

enum { WEIR_WATCH_BUCKETS = 4096 };

enum { WEIR_NEWS_STREAMS_MAX = 8 };

/* New messages that a watch is told of, as far as waiters can tell them apart. */
struct weir_news {
    uint64_t types;         // marks of their types
    uint64_t correlations;  // marks of their correlations
    /* Their streams, for consumer groups; a stream may be there twice. */
    size_t streams_n;
    struct weir_slice streams[WEIR_NEWS_STREAMS_MAX];
    int64_t cardinal_hashes[WEIR_NEWS_STREAMS_MAX];  // of the first `hashed` ones
    size_t hashed;
    bool has_more_streams;  // than are kept
};

/* The waiters of one namespace that select the same stream, category or everything; freed with the
 * last of them. */
struct weir_watch {
    struct weir_watch *next;     // in its bucket
    struct weir_tenant *tenant;  // held by the waiters
    enum weir_selector selector;
    uint64_t hash;
    struct weir_link waiters;
    /* While a commit is told. */
    struct weir_link at_told;  // among the watches that it concerns
    struct weir_news news;
    size_t name_n;
    uint8_t name[];
};

struct weir_wake {
    struct weir_tenants *tenants;
    weir_woken woken;
    void *context;
    uint64_t seed;  // of the hash of the buckets

    /* Guards all below, all waiters that are not idle, and the wake list's fields of tenants and
     * connections. Comes before the tenants' lock. */
    pthread_mutex_t lock;
    struct weir_watch *buckets[WEIR_WATCH_BUCKETS];
    struct weir_link watched;  // tenants with waiters
    size_t watched_n;
    bool is_stopping;

    /* The parked waiters as a heap: the one whose time ends first is the first. */
    struct weir_waiter **deadlines;
    size_t deadlines_n;
    size_t deadlines_cap;
    pthread_cond_t earlier;  // the timer waits: the first deadline has changed, or the list stops

    bool is_joined;  // of the thread that stops the wake list
    pthread_t timer;
    pthread_t poller;
    pthread_cond_t poll;  // the poller waits: a first tenant has waiters, or the list stops
};

/* Takes a waiter out of all lists and makes it idle, and appends it to the ring `out`. */
void weir_wake_take_locked(struct weir_wake *wake, struct weir_waiter *waiter,
                           struct weir_link *out);

/* Calls the callback for each waiter of a ring that weir_wake_take_locked has filled. The lock must
 * not be held. */
void weir_wake_call_back(struct weir_wake *wake, struct weir_link *out,
                         enum weir_wake_reason reason);

/* Wakes the waiters of the tenant that the messages concern, as far as their headers tell: a waiter
 * with a correlation is woken whatever the messages' correlations are. */
void weir_wake_rows(struct weir_wake *wake, struct weir_tenant *tenant,
                    const struct weir_rows *rows);

/* ---- wake_timer.c ---- */

/* Adds a waiter to the heap; false without memory. */
bool weir_deadlines_add_locked(struct weir_wake *wake, struct weir_waiter *waiter);
void weir_deadlines_remove_locked(struct weir_wake *wake, struct weir_waiter *waiter);

/* The timer's thread: wakes waiters whose time ends. */
void *weir_wake_keep_time(void *wake);

/* ---- wake_poll.c ---- */

/* The poller's thread: finds changes by other processes. */
void *weir_wake_poll(void *wake);

#endif
