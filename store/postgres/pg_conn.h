/* One connection to the database. No call of it waits longer than its deadline, but for one thing:
 * the name of a host is looked up by the system's resolver, in its own time.
 *
 * A connection belongs to one thread at a time. What went wrong last stands in `remedy`; a
 * connection whose remedy is RECONNECT is of no further use and is closed by the pool. Whoever gets
 * a result clears it (PQclear). */
#ifndef WEIR_STORE_POSTGRES_PG_CONN_H
#define WEIR_STORE_POSTGRES_PG_CONN_H

#include "store/postgres/pg_sqlstate.h"
#include "store/postgres/pg_value.h"

#include <libpq-fe.h>

struct pg_backend;

enum {
    WEIR_PG_DETAIL_BYTES = 1536,  // of a raised error: a stream's name and numbers
    WEIR_PG_STATEMENT_SLOTS = 1024,
    WEIR_PG_STATEMENTS_MAX = 512,                // prepared on one connection; then it is replaced
    WEIR_PG_STATEMENT_MAX_US = 60 * 1000 * 1000  // for calls without a deadline
};

/* Names a prepared statement: whose it is (0: the registry's), which, and the second since which it
 * looks at messages (0: it has no such bound). */
struct pg_key {
    uint64_t owner;
    uint32_t kind;  // never 0
    int64_t since_s;
};

struct pg_conn {
    struct pg_backend *backend;
    PGconn *pq;
    int64_t deadline_us;    // of what is under way; monotonic
    bool is_limit_ours;     // the caller set none
    enum pg_remedy remedy;  // of the last failure; NONE again when the next statement is sent
    char sqlstate[6];       // of the last failure, "" if it was none of the server's
    bool has_warned;        // since the statement was sent: a commit may not be confirmed
    bool is_ending;         // the server has said unasked that it ends the connection
    uint64_t owner;         // whose statements it ran last
    struct pg_conn *next;   // the pool's
    char detail[WEIR_PG_DETAIL_BYTES];  // of an error raised by a function of our schema, or ""
    size_t statements_n;
    struct pg_key statements[WEIR_PG_STATEMENT_SLOTS];  // those prepared, hashed
};

/* Connects to the primary, to the host that answered last time first. A short deadline bounds it no
 * further than a connection may need. BACKEND_UNAVAILABLE, DEADLINE_EXCEEDED, PRECONDITION (not
 * UTF8, too old); the text names hosts and reasons and is for the operator. */
weir_status weir_pg_conn_open(struct pg_backend *backend, int64_t deadline_us,
                              struct pg_conn **conn, struct weir_error *err);
void weir_pg_conn_close(struct pg_conn *conn);

/* False where an idle connection has been closed by the other side, or is about to be. */
bool weir_pg_conn_is_alive(struct pg_conn *conn);

/* The time limit of the statements that follow. INT64_MAX: WEIR_PG_STATEMENT_MAX_US from now. */
void weir_pg_conn_limit(struct pg_conn *conn, int64_t deadline_us);

bool weir_pg_is_prepared(const struct pg_conn *conn, struct pg_key key);
weir_status weir_pg_prepare(struct pg_conn *conn, struct pg_key key, const char *text,
                            struct weir_error *err);

/* Runs a prepared statement; results come in binary. *result is NULL on failure. */
weir_status weir_pg_execute(struct pg_conn *conn, struct pg_key key, const struct pg_params *params,
                            PGresult **result, struct weir_error *err);

/* A pipeline: prepared statements that are sent together, each with a snapshot of its own. Begin
 * one, add to it, send it, take the result of each in their order, and end it: between begin and
 * end nothing else is done with the connection, and one that fails on the way is of no further use.
 *
 * *result is NULL with OK where the statement was refused, or not run because one before it was. */
weir_status weir_pg_pipeline_begin(struct pg_conn *conn, struct weir_error *err);
weir_status weir_pg_pipeline_add(struct pg_conn *conn, struct pg_key key,
                                 const struct pg_params *params, struct weir_error *err);
weir_status weir_pg_pipeline_send(struct pg_conn *conn, struct weir_error *err);
weir_status weir_pg_pipeline_take(struct pg_conn *conn, PGresult **result, struct weir_error *err);
weir_status weir_pg_pipeline_end(struct pg_conn *conn, struct weir_error *err);

/* Runs a statement once. */
weir_status weir_pg_query(struct pg_conn *conn, const char *text, const struct pg_params *params,
                          PGresult **result, struct weir_error *err);

/* Runs several statements without parameters, dropping what they give. */
weir_status weir_pg_script(struct pg_conn *conn, const char *text, struct weir_error *err);

/* Waits until the socket is ready for `events` (poll's). False when the limit has passed. */
bool weir_pg_wait(struct pg_conn *conn, short events, short *ready);

#endif
