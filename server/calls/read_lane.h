/* How small reads go to a store that answers several at once for little more than one.
 *
 * A namespace has a queue of such reads and a few leaders, who take what is queued as one group,
 * have the store answer it, and go on until nothing is left. While they are at work reads
 * are queued, so that the groups grow with the load, and a read that comes alone is read at once.
 *
 * Leaders are workers. Where the store has been quick and nothing else is queued, the thread of the
 * transport that a read came by leads itself, on the spot (dispatch.h), which spares it the way to
 * a worker. Should the store hang then, the reads are a worker's after a second, all from the
 * beginning.
 *
 * No thread waits for another: whoever does not lead leaves his read to those who do. Where the
 * store is slow (its pages come from a disk), waiting side by side is worth more than going
 * together: then there are more leaders, who take one read each. There are more as well where those
 * at work seem to hang: a connection that gives no answer holds up its own group only. */
#ifndef WEIR_SERVER_READ_LANE_H
#define WEIR_SERVER_READ_LANE_H

#include "store/store.h"

#include <pthread.h>

struct weir_call;

/* A namespace's queue. */
struct weir_read_lane {
    pthread_mutex_t lock;  // guards all below; a leaf
    struct weir_read *first;
    struct weir_read **last;  // where the next one is linked in
    size_t leaders;
    int64_t us_per_read;  // what one has taken lately
    int64_t moved_us;     // when a leader took a group last, or had one answered; monotonic
    bool has_answered;    // a group
};

void weir_read_lane_init(struct weir_read_lane *lane);
void weir_read_lane_fini(struct weir_read_lane *lane);

/* For dispatch: gives the call's read to its namespace's lane. If there are leaders to be had and
 * the call may block, this thread leads. */
void weir_read_lane_start(struct weir_call *call);

/* Now and then, while the store keeps this thread waiting: where it leads, ends the reads that are
 * queued behind it and whose deadline has passed. */
void weir_read_lane_end_late(void);

#endif
