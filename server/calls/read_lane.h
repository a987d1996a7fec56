/* The lane of reads: how small reads go to a store that answers several at once for little more
 * than the cost of one.
 *
 * Each namespace has a queue of small reads (struct weir_read_lane in tenants.h) and a few leaders.
 * A leader takes what is queued as one group, has the store answer it, and goes on until nothing is
 * left. While leaders are at work reads are queued, so groups grow with the load; a read that comes
 * alone is read at once.
 *
 * Leaders are workers. Where the store has been quick and no job is queued, the transport's thread
 * that received the read leads itself, on the spot (dispatch.h), which saves waking a worker. If
 * the store hangs then, a worker takes over the reads after a second, from the beginning.
 *
 * No thread waits for another: a thread that does not lead leaves its read to the leaders. A slow
 * store (its pages come from a disk) serves reads side by side better than in groups: there are
 * more leaders then, and each takes one read. There are more leaders as well where those at work
 * seem to hang, so that a connection that gives no answer holds up its own group only. */
#ifndef WEIR_SERVER_READ_LANE_H
#define WEIR_SERVER_READ_LANE_H

struct weir_call;

/* For dispatch: gives the call's read to the lane of its namespace. The thread leads where another
 * leader is allowed and it may block or takes the spot; it blocks on the store then. The call
 * belongs to the lane, or is gone, afterwards. */
void weir_read_lane_start(struct weir_call *call);

/* For a thread that the store keeps waiting: if it leads a lane, ends the queued reads of the lane
 * whose deadline has passed, and has another leader take the others where one is allowed. */
void weir_read_lane_is_kept_waiting(void);

#endif
