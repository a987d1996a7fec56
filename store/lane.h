/* The lane of a namespace: the queue of its writes, and the lead over it.
 *
 * There is no writer thread. The thread that adds a write to an idle lane becomes its leader: it
 * takes and commits one group of writes after the other until the queue is empty, or asks another
 * thread to do so. A lane has one leader at most, so groups are committed one after the other, in
 * the order of their writes.
 *
 * Thread-safe. The mutex guards every field except those marked as the leader's own, is held for a
 * few instructions only, never over I/O or a callback, and is a leaf of the lock order. */
#ifndef WEIR_STORE_LANE_H
#define WEIR_STORE_LANE_H

#include "store/store.h"

#include <pthread.h>

enum {
    WEIR_GROUP_WRITES_MAX = 256,
    WEIR_GROUP_MESSAGES_MAX = 4096,
    WEIR_GROUP_BYTES_MAX = 8 * 1024 * 1024
};

/* Numbers of writes under way at once that decide whether a leader waits for its group to grow.
 * Below WAITS_FROM it does not wait, as each further write would come later than a commit takes.
 * From WAITS_FROM on it waits until its group has a third of the writes under way, from MANY on
 * until it has half. */
enum { WEIR_LANE_WAITS_FROM = 8, WEIR_LANE_MANY = 32 };

/* The size of a group. */
struct weir_load {
    size_t writes;
    size_t messages;
    size_t bytes;
};

struct weir_lane {
    pthread_mutex_t mutex;
    struct weir_write *first, *last;  // linked by `next`
    size_t queued;
    bool is_led;
    bool is_waiting;        // the leader waits at `enough`
    pthread_cond_t enough;  // signalled when group and queue together have `wanted` writes
    struct weir_load load;  // of the group taken last; the leader's own
    size_t wanted;          // writes that a group should have; the leader's own
};

/* Initialise and free a lane. weir_lane_fini requires it to be empty and without a leader. */
void weir_lane_init(struct weir_lane *lane);
void weir_lane_fini(struct weir_lane *lane);

/* Adds a write. Returns true if the lane had no leader: the caller leads it from then on. */
bool weir_lane_add(struct weir_lane *lane, struct weir_write *write);

/* Takes the next group off the queue, linked by `next`; NULL if the queue is empty. The first write
 * is taken whatever its size, further ones within the bounds of a group. Called by the leader. */
struct weir_write *weir_lane_take(struct weir_lane *lane);

/* Adds the writes that have been queued since to the group taken last, behind its last write, and
 * returns the first of them. NULL if none is queued or the group would exceed its bounds. Called by
 * the leader.
 *
 * If none is queued and the group is small compared to the writes that were under way during the
 * last one, waits for more, for wait_us at most and once for each group: the writers of the last
 * group are about to send their next writes, each of which would otherwise wait for one more
 * commit. */
struct weir_write *weir_lane_join(struct weir_lane *lane, struct weir_write *last, int64_t wait_us);

/* Takes the writes whose deadline has passed off the queue, linked by `next`. Called by the
 * leader. */
struct weir_write *weir_lane_take_late(struct weir_lane *lane);

/* Ends a group. Returns true if more writes are queued and the caller still leads, false if it has
 * ceased to lead. Called by the leader. */
bool weir_lane_go_on(struct weir_lane *lane);

#endif
