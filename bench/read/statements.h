/* The statements that the store executes for a read, learnt by watching it: SQLite is asked to tell
 * of every statement that runs on connections opened from now on. So the floor is always the floor
 * of what the store does, whatever that is. Used by one thread. */
#ifndef WEIR_BENCH_STATEMENTS_H
#define WEIR_BENCH_STATEMENTS_H

#include "bench/read/reader.h"

/* The plans are the caller's, and get the statements. */
struct statements {
    struct read_plan *plans;
    size_t plans_n;
    sqlite3 *db;  // a connection of its own to the file that the store reads
};

/* Learns and prepares the statements of all plans. The store is opened again twice: to be watched
 * from its first connection on, and to be unwatched, which is how it is left. On failure what was
 * prepared is still to be closed. */
weir_status statements_learn(struct statements *statements, struct dataset *dataset,
                             const char *url, struct weir_error *err);

void statements_close(struct statements *statements);

#endif
