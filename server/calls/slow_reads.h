/* Reads that may look at much to find little: those with a filter, be it for the last message of a
 * type, and those of a stream that start at a global position, as no index leads there.
 *
 * They take as long as what they look at is large, and where many come together all of them end
 * late. So only some of the workers do them at a time; the others are there for whatever else
 * comes, writes above all. A read that finds no turn free waits for one without a thread.
 *
 * On the spot every read comes here, slow or not, because the thread is the transport's: the read
 * has WEIR_SPOT_US and is then begun again by a worker, a slow one in its turn. What the thread has
 * deferred is not kept waiting by a read that is not small: it is run, or handed on, before. */
#ifndef WEIR_SERVER_SLOW_READS_H
#define WEIR_SERVER_SLOW_READS_H

#include "server/calls/queue.h"
#include "store/store.h"

struct weir_call;
struct weir_server;

struct weir_slow_reads {
    pthread_mutex_t lock;  // guards all below; a leaf
    size_t turns;          // that are free
    struct weir_job *first;
    struct weir_job **last;  // where the next one is linked in
};

/* So many at a time. */
void weir_slow_reads_init(struct weir_slow_reads *reads, size_t turns);
void weir_slow_reads_fini(struct weir_slow_reads *reads);

bool weir_query_is_slow(const struct weir_query *query);

/* For dispatch: does the call's read: a slow one in its turn, or any read on the spot, at once and
 * without a turn. */
void weir_slow_reads_start(struct weir_call *call);

/* Ends the reads that wait for a turn and whose deadline has passed. Called now and then, also
 * while the store keeps a thread waiting. */
void weir_slow_reads_end_late(struct weir_server *server);

#endif
