/* From a request to its one reply: parse, find the method, authenticate, check and decode the
 * payload, run the handler, send.
 *
 * Calls are served by the workers, where they may block on the store. Two things spare a call the
 * way to a worker, because waking a thread costs more than most calls:
 *
 * - The spot. One thread of the transport at a time serves a call itself, or leads what is written,
 *   if nothing is queued and the store is local, or has answered the namespace's reads quickly of
 *   late. It may block as a worker may, but opens no namespace, which may take long: that is a
 *   worker's. The transport has two threads for each core, so the others carry on meanwhile.
 * - Small writes, and reads for a store that answers them in groups, are parsed, checked and put
 *   into their lane on the thread that they came by. That is computing in time bounded by the
 *   request: `must_not_block` makes whatever would ask the store fail, and a call that fails there
 *   is begun anew on the spot or by a worker. So is what is not small. Who leads the lane then, and
 *   when: write_lane.h, read_lane.h.
 *
 * Reads that may look at much have only some of the workers at a time (slow_reads.h).
 *
 * Where all workers are held up, because another machine does not answer, those who wait for it see
 * to it that a call ends at its deadline though nobody has begun it (weir_queue_look).
 *
 * Whatever a request holds, exactly one reply leaves, and what happened is logged here, once: what
 * a client did wrong at debug, what the store did wrong at error, with a reference that the client
 * is given instead of the store's own words. */
#ifndef WEIR_SERVER_DISPATCH_H
#define WEIR_SERVER_DISPATCH_H

#include "server/server.h"

enum {
    /* A leader of a lane, of writes or of reads, lets other work pass after so long. */
    WEIR_LEAD_US = 2000,
    /* What a call asks of the store on the spot ends after so long and is asked again by a worker:
     * the transport's thread is to go on, and nng releases no connection while one whose request is
     * served on the spot has gone. */
    WEIR_SPOT_US = 20 * 1000
};

/* Takes an admitted exchange, on a thread of the transport. */
void weir_dispatch_arrived(struct weir_server *server, struct weir_exchange *exchange);

/* Takes one that has waited for something to read. Never blocks. */
void weir_dispatch_woken(struct weir_server *server, struct weir_exchange *exchange);

/* On a thread of the transport, which may block from here on, until it leaves the spot. False where
 * another has it, or work is queued. */
bool weir_dispatch_take_spot(struct weir_server *server);

/* The server may be gone afterwards. */
void weir_dispatch_leave_spot(struct weir_server *server);

/* Whether this thread is the transport's and serves on the spot: it may block, but is to be given
 * back soon. */
bool weir_dispatch_is_on_the_spot(void);

/* Returns until when (monotonic) the store may take over a call that this thread serves: the call's
 * deadline, or WEIR_SPOT_US from now on the spot. A handler that was given less than the call has
 * and fails with DEADLINE_EXCEEDED is run again by a worker; until then it has left no trace. */
int64_t weir_dispatch_store_deadline(const struct weir_call *call);

/* For lanes: does what the call's handler has left to be done, given its outcome. The call is
 * another's, or gone, afterwards. */
void weir_dispatch_go_on(struct weir_call *call, weir_status st);

/* Sends the one reply, which is made here for a failure, and lets go of everything. The call is
 * gone afterwards. */
void weir_dispatch_finish(struct weir_call *call, weir_status st);

/* The most memory one call may use. */
size_t weir_dispatch_memory_max(const struct weir_limits *limits);

#endif
