/* The pool of connections: at most `max` for the whole store, shared by the sessions of all
 * namespaces, the registry and pings; one is enough. Any thread may acquire and release. Where
 * there are four or more, no namespace holds all of them (weir/base/fair_share.h): one whose tables
 * are locked or slow leaves connections to the others.
 *
 * Lock order: the pool's mutex is a leaf; it is never held while the database is asked. */
#ifndef WEIR_STORE_POSTGRES_PG_POOL_H
#define WEIR_STORE_POSTGRES_PG_POOL_H

#include "store/postgres/pg_conn.h"
#include "weir/base/list.h"

#include <pthread.h>

enum {
    WEIR_PG_WAIT_MAX_US = 30 * 1000 * 1000,  // longest wait for a connection or a lock
    WEIR_PG_HOLDERS = 512
};

struct pg_pool {
    struct pg_backend *backend;
    size_t max;
    pthread_mutex_t mutex;  // guards the fields below
    size_t open;            // connections that are lent, idle, being opened or being closed
    size_t opening;         // those being opened, which `open` includes
    uint64_t served;        // owner that got a connection last
    size_t held;            // those lent or being opened for a caller, which `open` includes
    size_t held_by[WEIR_PG_HOLDERS];  // the same by owner: those whose numbers agree share a place
    int64_t open_from_us;      // before it, one is opened only if no other is open; monotonic
    struct pg_conn *idle;      // idle connections, the one used last first
    int64_t answered_us;       // when one came back that the database had answered; monotonic
    struct weir_link waiting;  // callers, in order of arrival
};

/* Prepares a pool whose fields are zero. `max` is at least 1. */
void weir_pg_pool_init(struct pg_pool *pool, struct pg_backend *backend, size_t max);

/* Closes the idle connections; none may be lent. */
void weir_pg_pool_fini(struct pg_pool *pool);

/* Lends a connection, if possible one that last ran statements of `owner`, with its limit set to
 * the deadline. Of the callers whose owners may hold another one, the caller that has waited
 * longest is served first, and owners alternate. The caller returns the connection with
 * weir_pg_release.
 * DEADLINE_EXCEEDED, BACKEND_UNAVAILABLE. */
weir_status weir_pg_acquire(struct pg_backend *backend, uint64_t owner, int64_t deadline_us,
                            struct pg_conn **conn, struct weir_error *err);

/* Returns a connection to the pool, or closes it if it is of no further use. NULL is legal. */
void weir_pg_release(struct pg_conn *conn);

/* Adds the connection that was opened before any thread used the pool. */
void weir_pg_pool_adopt(struct pg_pool *pool, struct pg_conn *conn);

#endif
