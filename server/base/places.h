/* Places: how many calls, or reads that wait, there may be at a time, of one owner and of all.
 *
 * One owner has a limit of its own, and all together may have a third more (weir_share_places), so
 * that an owner at its limit leaves places to others; where several have many, each gets its share
 * (weir/base/fair_share.h). Owners are told apart by number as in turns.h. Any thread; nothing here
 * blocks. The counts are exact, but of places taken at the same instant one more than needed may be
 * refused. */
#ifndef WEIR_SERVER_PLACES_H
#define WEIR_SERVER_PLACES_H

#include "weir/base/fail.h"

#include <stdatomic.h>

enum { WEIR_PLACES_LINES = 512 };

struct weir_places {
    size_t most_of_one;
    atomic_size_t taken;
    atomic_size_t taken_by[WEIR_PLACES_LINES];  // owner, modulo their number
};

void weir_places_init(struct weir_places *places, size_t most_of_one);

/* Takes a place for an owner; false where it may have none. */
bool weir_places_take(struct weir_places *places, uint32_t owner);

/* Gives back a place that the owner took. */
void weir_places_end(struct weir_places *places, uint32_t owner);

/* Returns LIMIT_EXCEEDED, for an owner that could not take a place in `queue`, whose limit the
 * operator sets by `option`. */
weir_status weir_places_fail(const struct weir_places *places, uint32_t owner, const char *queue,
                             const char *option, struct weir_error *err);

#endif
