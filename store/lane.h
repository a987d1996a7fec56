/* The queue of a namespace's writes, and who leads it.
 *
 * There is no writer thread: whoever adds to an idle lane leads it, which means taking and
 * committing one group after the other until none is left, or asking another thread to. A lane has
 * one leader at most, so the groups are committed one after the other, in the order of their
 * writes.
 *
 * Thread-safe. The mutex guards every field but the leader's own, is held for a few instructions
 * only, never over I/O or a callback, and is a leaf of the lock order. */
#ifndef WEIR_STORE_LANE_H
#define WEIR_STORE_LANE_H

#include "store/store.h"

#include <pthread.h>

enum {
    WEIR_GROUP_WRITES_MAX = 256,
    WEIR_GROUP_MESSAGES_MAX = 4096,
    WEIR_GROUP_BYTES_MAX = 8 * 1024 * 1024
};

/* With fewer writes than WAITS_FROM on their way at once a leader does not wait for more, as each
 * would come later than a commit takes. From WAITS_FROM on it waits until its group has a third of
 * them, from MANY on until it has half. */
enum { WEIR_LANE_WAITS_FROM = 8, WEIR_LANE_MANY = 32 };

/* How big a group is. */
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
    bool is_waiting;        // the leader, for the group to have `wanted` writes with those queued
    pthread_cond_t enough;  // it has
    struct weir_load load;  // of the group taken last; the leader's own
    size_t wanted;          // writes in a group; the leader's own
};

bool weir_lane_init(struct weir_lane *lane);
void weir_lane_fini(struct weir_lane *lane);

/* Adds a write. True where nobody led the lane: the caller leads it now. */
bool weir_lane_add(struct weir_lane *lane, struct weir_write *write);

/* For the leader: takes the next group off the queue, linked by `next`, NULL if there is none. The
 * first write is taken whatever its size; more follow within the bounds above. */
struct weir_write *weir_lane_take(struct weir_lane *lane);

/* For the leader: adds what has been queued since to the group that it took last, behind the
 * group's last write, and gives back the first of that. NULL if there is none, or where the group
 * would go beyond the bounds above.
 *
 * Where there is none it waits for it, so long at most and once for a group, if the group is small
 * beside what was on its way during the last one: the writers of that are about to send their next,
 * and would each wait for a commit more. */
struct weir_write *weir_lane_join(struct weir_lane *lane, struct weir_write *last, int64_t wait_us);

/* For the leader: takes off the queue those whose deadline has passed, linked by `next`. */
struct weir_write *weir_lane_take_late(struct weir_lane *lane);

/* For the leader, when its group is done: true where more is queued and it still leads, false where
 * it has ceased to lead. */
bool weir_lane_go_on(struct weir_lane *lane);

#endif
