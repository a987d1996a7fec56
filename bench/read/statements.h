/* Learns the statements that the store executes for a read: SQLite traces every statement on
 * connections opened from now on. The floor therefore always measures what the store really
 * executes. One thread at a time uses it. */
#ifndef WEIR_BENCH_STATEMENTS_H
#define WEIR_BENCH_STATEMENTS_H

#include "bench/read/reader.h"

/* The caller owns the plans; they receive the statements. */
struct statements {
    struct read_plan *plans;
    size_t plans_n;
    sqlite3 *db;  // own connection to the file that the store reads
};

/* Learns and prepares the statements of all plans. Reopens the store twice: to trace its
 * connections from their start, and to leave it untraced. After a failure the caller still calls
 * statements_close. */
weir_status statements_learn(struct statements *statements, struct dataset *dataset,
                             const char *url, struct weir_error *err);

void statements_close(struct statements *statements);

#endif
