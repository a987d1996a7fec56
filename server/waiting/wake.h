/* The wake list: the reads that wait, what they wait for, and what ends their wait.
 *
 * A long poll that finds nothing keeps neither a worker nor a call. What remains is its exchange,
 * with the request and the waiter in it. A waiter is armed before the store is read, so that no
 * commit falls between the read and the wait: a commit meanwhile marks the waiter, and parking a
 * marked waiter wakes it at once. Waiters are woken by
 *   - commits of this process that concern them: by stream, category or whole namespace, and by
 *     consumer group, types and correlation as far as these can be told without reading;
 *   - changes by other processes, which the poller finds by comparing the heads of the namespaces
 *     that have waiters: appended messages wake as above, by their headers; anything else, and many
 *     messages at once, wake all waiters of the namespace;
 *   - a change of the namespace itself (deleted, token rotated);
 *   - the end of their time, which the timer watches; the end of their connection; the server's
 *     stop.
 * A woken waiter is handed to the callback (weir_woken), without any lock; the wake list has let go
 * of it by then.
 *
 * Thread-safe; nothing here blocks on the store but the poller. One lock guards everything, held no
 * longer than it takes to walk the waiters concerned. It comes before the tenants' lock. */
#ifndef WEIR_SERVER_WAKE_H
#define WEIR_SERVER_WAKE_H

#include "server/namespaces/tenants.h"
#include "server/waiting/waiter.h"

struct weir_wake;

/* What a waiting read selects. */
struct weir_interest {
    enum weir_selector selector;
    struct weir_slice name;  // stream or category
    int64_t group_size;      // of the consumer group; 0: none
    int64_t group_member;
    uint64_t types;        // marks of the types; 0: all types
    uint64_t correlation;  // mark of the correlation; 0: all
};

/* Returns the mark of a text: one of 64 bits, the same for equal texts. Different texts may share a
 * mark; a waiter is then woken for nothing. */
uint64_t weir_interest_mark(struct weir_slice text);

enum weir_wake_reason {
    WEIR_WAKE_CHANGE,  // there may be something to read, or the namespace has changed: read again
    WEIR_WAKE_TIME,    // the wait is over
    WEIR_WAKE_STOP,    // the server stops
    WEIR_WAKE_GONE  // the connection has ended, or is not tracked, so that its end would be missed
};

/* Takes over a woken waiter, which is idle. Called on any thread, without locks. */
typedef void (*weir_woken)(void *context, struct weir_waiter *waiter, enum weir_wake_reason reason);

/* Makes the wake list and starts its two threads, timer and poller. Borrows `tenants`. NULL without
 * memory or threads. */
struct weir_wake *weir_wake_new(struct weir_tenants *tenants, weir_woken woken, void *context);

/* After weir_wake_stop: waits for the end of both threads. The poller may still wait for the
 * store's answer to its last question; afterwards the store is not asked any more. */
void weir_wake_join(struct weir_wake *wake);

/* Frees the wake list. No waiter may be in it, and no thread may use it any more. */
void weir_wake_free(struct weir_wake *wake);

/* Arms an idle waiter for what `interest` selects, and holds the tenant. The waiter is marked at
 * once where the tenant is out of date already. False without memory. */
bool weir_wake_arm(struct weir_wake *wake, struct weir_waiter *waiter, struct weir_tenant *tenant,
                   const struct weir_interest *interest);

/* Takes an armed or marked waiter out, because its read is answered. It is idle then. */
void weir_wake_disarm(struct weir_wake *wake, struct weir_waiter *waiter);

/* Parks an armed waiter until waiter->until_us, or wakes it at once: where it is marked, its
 * connection is gone, the server stops or memory is short. The callback may be called before this
 * returns. `peer` is the ring of the connection's waiters, NULL where the connection is gone. */
void weir_wake_park(struct weir_wake *wake, struct weir_waiter *waiter, struct weir_link *peer,
                    const bool *is_peer_gone);

/* Wakes the waiters that a durable write of this process concerns. Returns by how many messages it
 * has changed the namespace. */
int64_t weir_wake_committed(struct weir_wake *wake, struct weir_tenant *tenant,
                            const struct weir_write *write);

/* Wakes all waiters of a tenant: its namespace has changed, or may have. */
void weir_wake_tenant(struct weir_wake *wake, struct weir_tenant *tenant);

/* After the end of a connection: sets *is_gone and wakes its waiters with WEIR_WAKE_GONE. */
void weir_wake_peer_gone(struct weir_wake *wake, struct weir_link *peer, bool *is_gone);

/* Wakes all parked waiters with WEIR_WAKE_STOP, and from then on each that is parked. Lets the two
 * threads end. */
void weir_wake_stop(struct weir_wake *wake);

#endif
