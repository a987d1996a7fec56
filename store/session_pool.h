/* Lends backend sessions: at most a fixed number are open at once, over all namespaces together.
 *
 * A session belongs to the shelf of its namespace. For reading as many are lent as are wanted, for
 * writing one of a namespace. Idle sessions are kept for the next borrower, who gets the one last
 * used for the same, or, where there is none, one of the other use: a namespace with little to do
 * has one session. When the bound is reached, the one that has been idle longest, of whatever
 * namespace, is closed to make room; when none is idle, the borrower waits. It is closed as well
 * where the process has no file left for another. A thread borrows one session at a time, so a
 * bound of 1 works.
 *
 * Thread-safe. The pool's mutex guards the pool and all shelves, is never held while a backend is
 * called, and is a leaf of the lock order. */
#ifndef WEIR_STORE_SESSION_POOL_H
#define WEIR_STORE_SESSION_POOL_H

#include "store/store_backend.h"

#include <pthread.h>

enum { WEIR_SESSION_WAIT_MAX_US = 30 * 1000 * 1000 };  // nobody waits longer for a session

struct weir_session_pool {
    struct weir_backend *backend;
    size_t max;  // sessions at most

    pthread_mutex_t mutex;
    pthread_cond_t changed;  // a session or a place has become free, a shelf has closed
    size_t open;             // sessions that are open, being opened or being closed
    size_t waiting;          // threads at `changed`
    struct weir_session *oldest, *newest;  // idle ones, by when they were returned
};

/* The sessions of one namespace. */
struct weir_shelf {
    struct weir_slice id;  // the namespace's; lives as long as the shelf
    size_t borrowed;
    struct weir_session *idle;  // linked by `beside`, the one returned last first
    bool is_write_out;          // the write session is lent, or being opened
    bool is_closed;             // nothing is lent: the namespace is being deleted, or has been
    bool is_gone;               // it has been
};

weir_status weir_session_pool_init(struct weir_session_pool *pool, struct weir_backend *backend,
                                   size_t max, struct weir_error *err);

/* Closes the idle sessions; none may be lent. */
void weir_session_pool_fini(struct weir_session_pool *pool);

/* Lends a session until weir_session_return. Blocks until one is free, the deadline (then
 * DEADLINE_EXCEEDED) or WEIR_SESSION_WAIT_MAX_US (then BACKEND_UNAVAILABLE). BACKEND_UNAVAILABLE
 * where the shelf is closed, NAMESPACE_NOT_FOUND once its namespace has been deleted; what
 * session_open returns otherwise. */
weir_status weir_session_borrow(struct weir_session_pool *pool, struct weir_shelf *shelf,
                                enum weir_session_kind kind, int64_t deadline_us,
                                struct weir_session **session, struct weir_error *err);

/* Takes a session back; a broken or stale one is closed. */
void weir_session_return(struct weir_session_pool *pool, struct weir_session *session);

/* Lends nothing more from this shelf, waits until everything lent has come back, and closes that.
 * False where the deadline passes first: it lends again then. */
bool weir_shelf_close(struct weir_session_pool *pool, struct weir_shelf *shelf,
                      int64_t deadline_us);

/* The end of what it was closed for: the namespace has been deleted; or has not, and it lends
 * again. */
void weir_shelf_end(struct weir_session_pool *pool, struct weir_shelf *shelf);
void weir_shelf_reopen(struct weir_session_pool *pool, struct weir_shelf *shelf);

/* What is told of a namespace while it is being deleted: BACKEND_UNAVAILABLE, because that may
 * fail, and then it is there as before. */
weir_status weir_shelf_fail_closed(struct weir_error *err);

/* True where no session of the shelf is open. */
bool weir_shelf_is_empty(struct weir_session_pool *pool, struct weir_shelf *shelf);

#endif
