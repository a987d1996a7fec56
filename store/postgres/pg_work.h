/* Work that is done again where that may help: on another connection, or after others have passed.
 *
 * Limits of time: a call has a deadline; a statement that has begun gets the grace at least; a wait
 * for a lock holds a connection for one slice only. */
#ifndef WEIR_STORE_POSTGRES_PG_WORK_H
#define WEIR_STORE_POSTGRES_PG_WORK_H

#include "store/postgres/pg_conn.h"

enum {
    WEIR_PG_ATTEMPTS = 3,
    WEIR_PG_GRACE_US = 500 * 1000,         // least time for a statement that has begun
    WEIR_PG_GROUP_GRACE_US = 1000 * 1000,  // least time for one that serves several calls
    WEIR_PG_CALL_US = 10 * 1000 * 1000,    // for calls without a deadline
    WEIR_PG_LOCK_SLICE_MS = 500            // of a wait for a lock while holding a connection
};

/* Returns the deadline of a call about the registry: WEIR_PG_CALL_US from now if it brings none
 * (INT64_MAX). */
int64_t weir_pg_call_deadline(int64_t deadline_us);

/* Limits the statements that follow to the deadline, but to no less than `grace_us` from now:
 * giving up a statement that was sent costs the connection, so a call that is nearly out of time
 * waits a little longer instead. */
void weir_pg_limit_with_grace(struct pg_conn *conn, int64_t deadline_us, int64_t grace_us);

/* Begins a transaction whose statements may take as long as the connection's limit, and not only as
 * long as the session's statement_timeout. */
weir_status weir_pg_begin_long(struct pg_conn *conn, struct weir_error *err);

/* Rolls back a transaction that has failed, and keeps the remedy. If that fails too, the connection
 * is of no further use. */
void weir_pg_roll_back(struct pg_conn *conn);

struct pg_work {
    weir_status (*run)(struct pg_conn *conn, void *context, struct weir_error *err);
    void *context;
};

/* Runs the work on a connection of the pool, for statements of `owner` (0: the registry's). Runs it
 * again, WEIR_PG_ATTEMPTS times in all, if the connection broke, the transaction gave way to others
 * or PostgreSQL met an internal error. Waits for a lock are no attempts: they go on until the
 * deadline, or for WEIR_PG_WAIT_MAX_US. For work that may be repeated. Returns the status of the
 * last attempt. */
weir_status weir_pg_run(struct pg_backend *backend, uint64_t owner, int64_t deadline_us,
                        const struct pg_work *work, struct weir_error *err);

#endif
