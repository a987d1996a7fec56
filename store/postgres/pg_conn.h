/* One connection to the database: connecting, statements and pipelines. No function waits beyond
 * the connection's deadline, with one exception: the system's resolver looks up host names in its
 * own time.
 *
 * A connection belongs to one thread at a time. After a failure, `remedy` tells what the connection
 * is still good for; the pool closes one with PG_REMEDY_RECONNECT. The caller frees every result
 * with PQclear. */
#ifndef WEIR_STORE_POSTGRES_PG_CONN_H
#define WEIR_STORE_POSTGRES_PG_CONN_H

#include "store/postgres/pg_sqlstate.h"
#include "store/postgres/pg_value.h"

#include <libpq-fe.h>

struct pg_backend;

enum {
    WEIR_PG_DETAIL_BYTES = 1536,  // a raised error's stream name and numbers
    WEIR_PG_STATEMENT_SLOTS = 1024,
    WEIR_PG_STATEMENTS_MAX = 512,  // prepared on one connection, which is then replaced
    WEIR_PG_STATEMENT_MAX_US = 60 * 1000 * 1000  // for calls without a deadline
};

/* How long a statement waits for a lock unless it says otherwise. */
#define WEIR_PG_LOCK_TIMEOUT "'5s'"

/* How often a thread that waits for the database, or for a connection, calls weir_backend_waits. */
enum { WEIR_PG_WAIT_SLICE_US = 100 * 1000 };

/* Identifies a prepared statement: its owner (0: the registry, else `owner` of struct
 * pg_namespace), its kind, and the second since 1970 from which it reads messages (0: no lower
 * bound). */
struct pg_key {
    uint64_t owner;
    uint32_t kind;  // never 0
    int64_t since_s;
};

struct pg_conn {
    struct pg_backend *backend;
    PGconn *pq;
    int64_t deadline_us;    // of the current call; monotonic
    bool is_limit_ours;     // the caller gave no deadline
    enum pg_remedy remedy;  // of the last failure; the next statement resets it
    char sqlstate[6];       // of the last failure; "" if the server reported none
    bool has_warned;        // the last statement gave a warning: its commit may be unconfirmed
    bool is_ending;         // the server has announced that it ends the connection
    bool has_old_plans;     // plans may be cached that were made while a chunk changed
    uint64_t owner;         // of the statement that ran last
    uint64_t lent_to;       // owner for which the pool lent it
    struct pg_conn *next;   // in the pool's idle list
    int64_t lent_us;        // when the pool lent it; monotonic
    char detail[WEIR_PG_DETAIL_BYTES];  // DETAIL of an error raised by a function of weir's schema,
                                        // else ""
    size_t statements_n;
    struct pg_key statements[WEIR_PG_STATEMENT_SLOTS];  // hash table of those prepared
};

/* Connects to the primary, trying first the host that was reached last. Tries for at least a
 * second, even if the deadline is nearer, and for ten at most. BACKEND_UNAVAILABLE,
 * DEADLINE_EXCEEDED, PRECONDITION (encoding not UTF8, server too old). The error text names hosts
 * and reasons: it is for the operator. */
weir_status weir_pg_conn_open(struct pg_backend *backend, int64_t deadline_us,
                              struct pg_conn **conn, struct weir_error *err);
void weir_pg_conn_close(struct pg_conn *conn);

/* Returns false if the other side has closed the idle connection, or has announced that it will. */
bool weir_pg_conn_is_alive(struct pg_conn *conn);

/* Sets the deadline of the statements that follow. INT64_MAX: WEIR_PG_STATEMENT_MAX_US from now. */
void weir_pg_conn_limit(struct pg_conn *conn, int64_t deadline_us);

bool weir_pg_is_prepared(const struct pg_conn *conn, struct pg_key key);
weir_status weir_pg_prepare(struct pg_conn *conn, struct pg_key key, const char *text,
                            struct weir_error *err);

/* Runs a prepared statement. The result is in binary format; *result is NULL on failure. */
weir_status weir_pg_execute(struct pg_conn *conn, struct pg_key key, const struct pg_params *params,
                            PGresult **result, struct weir_error *err);

/* A pipeline sends several prepared statements together, each with a snapshot of its own. Call
 * begin, then add for each statement, send, take for each statement in the same order, and end.
 * Nothing else may use the connection between begin and end, and if one of these calls fails the
 * connection is of no further use.
 *
 * weir_pg_pipeline_take returns WEIR_OK with *result NULL if the statement was refused, or was
 * skipped because an earlier one was refused. */
weir_status weir_pg_pipeline_begin(struct pg_conn *conn, struct weir_error *err);
weir_status weir_pg_pipeline_add(struct pg_conn *conn, struct pg_key key,
                                 const struct pg_params *params, struct weir_error *err);
weir_status weir_pg_pipeline_send(struct pg_conn *conn, struct weir_error *err);
weir_status weir_pg_pipeline_take(struct pg_conn *conn, PGresult **result, struct weir_error *err);
weir_status weir_pg_pipeline_end(struct pg_conn *conn, struct weir_error *err);

/* Runs a statement once, without preparing it. The result is in binary format; *result is NULL on
 * failure. */
weir_status weir_pg_query(struct pg_conn *conn, const char *text, const struct pg_params *params,
                          PGresult **result, struct weir_error *err);

/* Runs one or more statements without parameters and discards their results. */
weir_status weir_pg_script(struct pg_conn *conn, const char *text, struct weir_error *err);

/* Waits until the socket is ready for one of `events` (as poll() names them) and stores the ready
 * ones in *ready. Returns false once the deadline has passed. */
bool weir_pg_wait(struct pg_conn *conn, short events, short *ready);

#endif
