/* The part of an exchange that waits, for the transport, which has it as a member and knows nothing
 * of the wake list (wake.h). */
#ifndef WEIR_SERVER_WAITER_H
#define WEIR_SERVER_WAITER_H

#include "weir/base/list.h"

#include <stdint.h>

struct weir_tenant;
struct weir_watch;

enum weir_waiter_state {
    WEIR_WAITER_IDLE,    // not in the wake list
    WEIR_WAITER_ARMED,   // its read is under way
    WEIR_WAITER_MARKED,  // its read is under way, and something that concerns it has happened
    WEIR_WAITER_PARKED   // waits
};

struct weir_waiter {
    enum weir_waiter_state state;
    struct weir_tenant *tenant;  // counted; NULL while idle
    struct weir_watch *watch;    // NULL while idle
    struct weir_link at_watch;
    struct weir_link at_tenant;
    struct weir_link at_peer;  // while parked
    int64_t group_size;        // from here on as in struct weir_interest
    int64_t group_member;
    uint64_t types;
    uint64_t correlation;
    size_t heap_at;  // index among the deadlines, while parked

    /* Kept from one read to the next; the owner's while the waiter is not parked. */
    bool is_resumed;        // the read has waited before
    int64_t next_position;  // where the next read goes on
    int64_t created_at_us;  // of the namespace; a new namespace of the same id does not continue it
    int64_t until_us;       // end of the wait, monotonic
    size_t method;          // of the call, for the metrics
};

/* Makes an idle waiter. */
static inline void weir_waiter_init(struct weir_waiter *waiter)
{
    *waiter = (struct weir_waiter){.state = WEIR_WAITER_IDLE};
    weir_link_init(&waiter->at_watch);
    weir_link_init(&waiter->at_tenant);
    weir_link_init(&waiter->at_peer);
}

#endif
