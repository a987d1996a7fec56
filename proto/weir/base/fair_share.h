/* How many of a fixed number of places (threads, connections, turns) one of their users may hold.
 *
 * Each user may hold three times as many as stay free beside it: a single one three quarters, two
 * three sevenths each where both grow together, and so on. So unless there are many, some are free
 * for a user that comes later, however long the others keep theirs, and one that holds none may
 * always take a free place. Where there are fewer than four places none is kept free. Pure. */
#ifndef WEIR_BASE_FAIR_SHARE_H
#define WEIR_BASE_FAIR_SHARE_H

#include <stdbool.h>
#include <stddef.h>

enum { WEIR_SHARE_FROM = 4, WEIR_SHARE_OF_FREE = 3 };

/* Whether a user that holds `own` places may take another one, of `most` places of which `taken`
 * are held in all. */
static inline bool weir_share_allows(size_t own, size_t taken, size_t most)
{
    return taken < most && (own == 0 || most < WEIR_SHARE_FROM ||
                            own + 1 <= WEIR_SHARE_OF_FREE * (most - taken - 1));
}

/* How many places there are to be, so that a single user may hold `own_most` of them. */
static inline size_t weir_share_places(size_t own_most)
{
    return own_most + (own_most + WEIR_SHARE_OF_FREE - 1) / WEIR_SHARE_OF_FREE;
}

#endif
