/* How a call writes: into the lane of its namespace (store/lane.h), and back with its group.
 *
 * A lane has one leader at most. A thread of the transport that becomes the leader defers the lead
 * (deferred.h): the writes that this thread and others have received by then form one group, with
 * one commit, and their replies leave together. Without that there would be a group for each write
 * where no commit waits for a disk. */
#ifndef WEIR_SERVER_WRITE_LANE_H
#define WEIR_SERVER_WRITE_LANE_H

#include "server/calls/call.h"

/* For dispatch: gives the call's write to the lane. Where the lane has no leader this thread
 * becomes it. A worker leads at once and blocks on the store. A thread of the transport defers the
 * lead and takes it on the spot, or asks a worker to lead: where the spot is taken, or the store is
 * not local. The call belongs to the lane, or is gone, afterwards. */
void weir_write_lane_start(struct weir_call *call);

#endif
