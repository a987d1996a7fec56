/* How a call writes: into its namespace's lane, and back with its group.
 *
 * A thread of the transport that comes to lead a lane puts that off (deferred.h): what it, or
 * another, has received by then is one group, with one commit, whose replies leave together. Where
 * nothing waits for a disk there would be a group for each write. */
#ifndef WEIR_SERVER_WRITE_LANE_H
#define WEIR_SERVER_WRITE_LANE_H

#include "server/calls/call.h"

/* For dispatch: gives the call to the lane. Where nobody leads that, a worker does so at once, a
 * thread of the transport as above, or on the spot, or it asks a worker to. */
void weir_write_lane_start(struct weir_call *call);

#endif
