/* Whether the store answers, as /healthz and CheckHealth tell it.
 *
 * Nobody needs a token to ask, and a store that hangs takes its time. So the store is asked by one
 * at a time, and what it said holds for a moment; whoever comes while it is being asked is told
 * what was known before; or, after a second, that it does not serve. What changes is logged, once.
 */
#ifndef WEIR_SERVER_HEALTH_H
#define WEIR_SERVER_HEALTH_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct weir_server;

struct weir_health {
    atomic_bool is_being_asked;
    atomic_bool is_bad;               // when it was asked last
    _Atomic int64_t asked_at_us;      // monotonic; 0: never, since it was opened
    _Atomic int64_t asking_since_us;  // the same; 0: it is not being asked
};

/* Asks the store if need be, for a second at most. */
bool weir_health_is_good(struct weir_server *server);

#endif
