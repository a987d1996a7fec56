/* Slow reads: reads that may examine many messages to find few, and in a local store any read that
 * has turned out to take long. The former have a filter (the last message of a type included), or
 * start in a stream at a global position, to which no index leads.
 *
 * Their time grows with what they examine, and where many come together all of them end late. So a
 * slow read needs a turn, and turns are limited to some of the workers; the others remain for all
 * other calls, writes above all. A read that finds no turn free is queued here, without a thread.
 * Namespaces take turns (turns.h): the slow reads of one, however many, delay those of another by
 * one read each.
 *
 * In a local store every read comes here. On the spot, slow or not, because the thread is the
 * transport's, and elsewhere if it is not slow by its query, it has WEIR_SPOT_US without a turn; a
 * read that takes longer is begun again by a worker in its turn. Before a read that is not small,
 * the work that the thread has deferred is run or handed on.
 *
 * Thread-safe; the lock is a leaf. */
#ifndef WEIR_SERVER_SLOW_READS_H
#define WEIR_SERVER_SLOW_READS_H

#include "server/base/queue.h"
#include "store/store.h"

struct weir_call;
struct weir_server;

struct weir_slow_reads {
    pthread_mutex_t lock;     // guards turns; a leaf
    struct weir_turns turns;  // those of the jobs of reads
};

/* `turns`: how many slow reads may run at a time. */
void weir_slow_reads_init(struct weir_slow_reads *reads, size_t turns);
void weir_slow_reads_fini(struct weir_slow_reads *reads);

/* Whether a read with this query is a slow one. */
bool weir_query_is_slow(const struct weir_query *query);

/* For dispatch: does the call's read, now or later, and goes on with its on_read. Blocks on the
 * store. */
void weir_slow_reads_start(struct weir_call *call);

/* Ends the reads whose deadline has passed while they wait for a turn. Called after each slow read,
 * and by threads that the store keeps waiting. */
void weir_slow_reads_end_late(struct weir_server *server);

#endif
