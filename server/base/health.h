/* Whether the store answers, for /healthz and CheckHealth.
 *
 * Clients need no token to ask, and a store that hangs keeps a thread busy. So one thread at a time
 * asks the store, and its answer holds for half a second. A caller that comes meanwhile gets the
 * last known answer, or "not serving" once the question has been open for a second. Each change is
 * logged once. Any thread; the state is atomic. */
#ifndef WEIR_SERVER_HEALTH_H
#define WEIR_SERVER_HEALTH_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct weir_log;
struct weir_store;

struct weir_health {
    struct weir_store *store;
    const struct weir_log *log;
    atomic_bool is_being_asked;       // a thread asks, or is about to
    atomic_bool is_bad;               // last answer
    _Atomic int64_t asked_at_us;      // time of the last answer, monotonic; 0: none
    _Atomic int64_t asking_since_us;  // start of the open question, monotonic; 0: none is open
};

/* Whether the store serves. Asks it where the last answer is too old; may block for a second. */
bool weir_health_is_good(struct weir_health *health);

#endif
