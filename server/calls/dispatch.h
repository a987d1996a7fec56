/* From a request to its one reply: parses, finds the method, authenticates, checks and decodes the
 * payload, runs the handler, sends.
 *
 * Workers serve calls; they may block on the store. Waking a worker costs more than most calls, so
 * two kinds of calls are served without one:
 *
 * - On the spot. One thread of the transport at a time serves a call itself, or leads a lane, if
 *   nothing is queued and the store is local or has lately answered the namespace's reads quickly.
 *   The thread may block as a worker may, with two exceptions: a worker takes over a read or a
 *   listing that takes longer than WEIR_SPOT_US (the lane of reads has a limit of its own), and a
 *   call whose namespace must be opened, which may take long. The transport has two threads for
 *   each core, so the others carry on meanwhile.
 * - Through a lane. Small writes, and reads for a store that answers them in groups, are parsed,
 *   checked and put into their lane by the transport's thread that received them. That is computing
 *   only, in time bounded by the request: call->must_not_block makes everything fail that would
 *   have to ask the store. A call that fails that way, or is not small, is begun anew on the spot
 *   or by a worker. write_lane.h and read_lane.h say who leads the lane.
 *
 * Slow reads run on some of the workers at a time only (slow_reads.h). Where all workers are held
 * up because another machine does not answer, the threads that wait for it end the queued calls
 * whose deadline passes (weir_queue_expire).
 *
 * Exactly one reply leaves for each request, whatever the request holds. The outcome is logged
 * here, once: at level debug; at warn where the store is unavailable; at error for a fault of the
 * store. BACKEND_ERROR has a reference, which the client gets instead of the store's own words. */
#ifndef WEIR_SERVER_DISPATCH_H
#define WEIR_SERVER_DISPATCH_H

#include "weir/base/fail.h"

struct weir_call;
struct weir_exchange;
struct weir_limits;
struct weir_server;

enum {
    /* How long a leader of a lane keeps other work waiting; see must_hand_on() of either lane. */
    WEIR_LEAD_US = 2000,
    /* How long the store may take over what a call asks on the spot; then a worker asks again. The
     * transport needs its thread; and if the connection whose request is served on the spot ends,
     * nng releases no connection until the spot is left. */
    WEIR_SPOT_US = 20 * 1000
};

/* Takes over an admitted exchange, on a thread of the transport. Blocks only on the spot. */
void weir_dispatch_arrived(struct weir_server *server, struct weir_exchange *exchange);

/* Takes over an exchange whose wait has ended by a change, on any thread: its request is begun
 * again. Never blocks. */
void weir_dispatch_woken(struct weir_server *server, struct weir_exchange *exchange);

/* Takes the spot for this thread of the transport, which may block until it leaves it. False where
 * another thread has the spot, or jobs are queued. */
bool weir_dispatch_take_spot(struct weir_server *server);

/* Leaves the spot, after serving a call that was woken on it. The server may be gone afterwards. */
void weir_dispatch_leave_spot(struct weir_server *server);

/* Whether this thread is one of the transport and has the spot: it may block, but should return to
 * the transport soon. */
bool weir_dispatch_is_on_the_spot(void);

/* Returns until when (monotonic) the store may take over a call that this thread serves: the call's
 * deadline, or WEIR_SPOT_US from now on the spot, if that is earlier. A handler that fails with
 * DEADLINE_EXCEEDED by the latter is run again by a worker; it must have left no trace. */
int64_t weir_dispatch_store_deadline(const struct weir_call *call);

/* Carries out the next step of a call, given the status that its handler, or its on_read, has
 * returned. The call belongs to another owner, or is gone, afterwards. */
void weir_dispatch_go_on(struct weir_call *call, weir_status st);

/* Ends a call with `st`: packs the reply of a failure, logs, releases everything and sends. The
 * call is gone afterwards, and the server may be. A call whose namespace was not found is begun
 * anew instead if its tenant was read before the call arrived. */
void weir_dispatch_finish(struct weir_call *call, weir_status st);

/* Returns the most memory that one call may use, in bytes. */
size_t weir_dispatch_memory_max(const struct weir_limits *limits);

#endif
