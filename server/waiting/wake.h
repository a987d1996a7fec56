/* Reads that wait: who waits for what, and what ends the wait.
 *
 * A long poll that finds nothing leaves its worker and its call; what stays is its exchange with
 * the request in it, and the waiter in the exchange. A waiter is armed before the store is read, so
 * that no commit falls between the read and the wait; a commit meanwhile only marks it, and parking
 * it then resumes it at once. Waiters are woken by
 *   - commits of this process that concern them: by stream, category or whole namespace, and by
 *     consumer group, types and correlation as far as these can be told without reading;
 *   - changes by others, which a thread finds by looking at the heads of the namespaces that
 * have waiters; a change of the namespace itself (deleted, its token rotated);
 *   - their time, which a second thread keeps; the end of their connection; the server's stop.
 * A woken waiter is called back (weir_woken) outside of all locks and belongs to nobody here any
 * more.
 *
 * Thread-safe. One lock guards everything, held for as long as it takes to walk the waiters
 * concerned. */
#ifndef WEIR_SERVER_WAKE_H
#define WEIR_SERVER_WAKE_H

#include "server/list.h"
#include "server/namespaces/tenants.h"
#include "server/operation/log.h"

struct weir_wake;
struct weir_watch;

/* What a waiting read selects. */
struct weir_interest {
    enum weir_selector selector;
    struct weir_slice name;  // of the stream or category
    int64_t group_size;      // 0: all
    int64_t group_member;
    uint64_t types;        // the marks of its types; 0: all
    uint64_t correlation;  // the mark of its correlation; 0: all
};

/* A mark is one bit that equal texts have in common. */
uint64_t weir_interest_mark(struct weir_slice text);

enum weir_waiter_state {
    WEIR_WAITER_IDLE,
    WEIR_WAITER_ARMED,   // its read is under way
    WEIR_WAITER_MARKED,  // the same, and something has happened
    WEIR_WAITER_PARKED
};

/* The part of an exchange that waits. Set up by weir_waiter_init. */
struct weir_waiter {
    enum weir_waiter_state state;
    struct weir_tenant *tenant;  // counted, while not idle
    struct weir_watch *watch;    // what it waits at
    struct weir_link at_watch;
    struct weir_link at_tenant;
    struct weir_link at_peer;
    int64_t group_size;
    int64_t group_member;
    uint64_t types;
    uint64_t correlation;
    size_t heap_at;  // its place among the deadlines, while parked

    /* Kept from one reading to the next; the caller's while idle or armed. */
    bool is_resumed;        // it has read before: next_position says where to go on
    int64_t next_position;  // what was examined
    int64_t created_at_us;  // of the namespace: another of that id is none to go on with
    int64_t until_us;       // monotonic
    size_t method;          // of the call, for the server's numbers
};

void weir_waiter_init(struct weir_waiter *waiter);

enum weir_wake_reason {
    WEIR_WAKE_CHANGE,  // there may be something to read, or the namespace is another: look again
    WEIR_WAKE_TIME,    // the wait is over
    WEIR_WAKE_STOP,    // the server stops
    WEIR_WAKE_GONE     // the client has gone, or has a connection whose end nobody would tell of
};

typedef void (*weir_woken)(void *context, struct weir_waiter *waiter, enum weir_wake_reason reason);

/* Starts its threads. NULL without memory or threads. */
struct weir_wake *weir_wake_new(struct weir_tenants *tenants, const struct weir_log *log,
                                weir_woken woken, void *context);

/* Ends its threads: the store is not asked any more, when what it was asked last has been answered.
 * After weir_wake_stop. */
void weir_wake_join(struct weir_wake *wake);

/* Nothing waits any more, and nobody will call. */
void weir_wake_free(struct weir_wake *wake);

/* Begins to watch. Where the tenant has changed since it was looked up, the waiter is marked from
 * the start. False without memory. */
bool weir_wake_arm(struct weir_wake *wake, struct weir_waiter *waiter, struct weir_tenant *tenant,
                   const struct weir_interest *interest);

/* Ends it: the read is answered. */
void weir_wake_disarm(struct weir_wake *wake, struct weir_waiter *waiter);

/* Parks an armed waiter until waiter->until_us. It may be called back before this returns. `peer`
 * is the ring of its connection's waiters, NULL where the connection is gone. */
void weir_wake_park(struct weir_wake *wake, struct weir_waiter *waiter, struct weir_link *peer,
                    const bool *is_peer_gone);

/* A write of this process is durable: wakes those whom it concerns. Returns by how many messages it
 * has changed the namespace. */
int64_t weir_wake_committed(struct weir_wake *wake, struct weir_tenant *tenant,
                            const struct weir_write *write);

/* The namespace is not what it was. */
void weir_wake_tenant(struct weir_wake *wake, struct weir_tenant *tenant);

/* A connection has ended: sets *is_gone and gives up what waited for it. */
void weir_wake_peer_gone(struct weir_wake *wake, struct weir_link *peer, bool *is_gone);

/* Ends every wait; whoever parks from now on is woken at once. */
void weir_wake_stop(struct weir_wake *wake);

#endif
