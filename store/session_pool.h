/* The pool of backend sessions. It opens at most a fixed number of sessions, over all namespaces
 * together, and lends them to calls.
 *
 * A session belongs to the shelf of its namespace. A shelf lends any number of sessions for
 * reading, but only one at a time for writing. Returned sessions stay open, idle, for the next
 * borrower, which gets the session last used for the same purpose or, if there is none, one last
 * used for the other; so a namespace with little to do has one session.
 *
 * When the bound is reached, or the process has no file descriptors left, the session that has been
 * idle longest, of whatever namespace, is closed to make room; when none is idle, the borrower
 * waits. A thread borrows one session at a time, so a bound of 1 works.
 *
 * Thread-safe. The pool's mutex guards the pool and all shelves, is never held while a backend is
 * called, and is a leaf of the lock order. */
#ifndef WEIR_STORE_SESSION_POOL_H
#define WEIR_STORE_SESSION_POOL_H

#include "store/store_backend.h"

#include <pthread.h>

enum { WEIR_SESSION_WAIT_MAX_US = 30 * 1000 * 1000 };  // longest wait for a session

struct weir_session_pool {
    struct weir_backend *backend;
    size_t max;  // sessions at most

    pthread_mutex_t mutex;
    pthread_cond_t changed;  // a session became idle or was closed, or a shelf was closed
    size_t open;             // sessions that are open, being opened or being closed
    size_t waiting;          // threads at `changed`
    struct weir_link idle;   // idle sessions, by time of return
};

/* The sessions of one namespace. */
struct weir_shelf {
    struct weir_slice id;  // of the namespace; lives as long as the shelf
    size_t borrowed;
    struct weir_link idle;  // idle sessions, by time of return
    bool is_write_out;      // the session for writing is lent or being opened
    bool is_closed;         // lends nothing: the namespace is being or has been deleted
    bool is_gone;           // the namespace has been deleted
};

/* Initialises a pool of at most `max` sessions, >= 1. */
void weir_session_pool_init(struct weir_session_pool *pool, struct weir_backend *backend,
                            size_t max);

/* Closes the idle sessions; none may be lent. */
void weir_session_pool_fini(struct weir_session_pool *pool);

/* Initialises the shelf of namespace `id`, all other fields of which are zero. */
void weir_shelf_init(struct weir_shelf *shelf, struct weir_slice id);

/* Lends a session until weir_session_return. Blocks until one is free, until the deadline (then
 * DEADLINE_EXCEEDED) or for WEIR_SESSION_WAIT_MAX_US (then BACKEND_UNAVAILABLE). Fails with
 * BACKEND_UNAVAILABLE if the shelf is closed, with NAMESPACE_NOT_FOUND once its namespace has been
 * deleted, and otherwise as the backend's session_open fails. */
weir_status weir_session_borrow(struct weir_session_pool *pool, struct weir_shelf *shelf,
                                enum weir_session_kind kind, int64_t deadline_us,
                                struct weir_session **session, struct weir_error *err);

/* Takes a session back, and closes it if it is broken or stale. */
void weir_session_return(struct weir_session_pool *pool, struct weir_session *session);

/* Stops lending from a shelf, waits until all its sessions have been returned, and closes them.
 * Returns false if the deadline passes first; the shelf then lends again. */
bool weir_shelf_close(struct weir_session_pool *pool, struct weir_shelf *shelf,
                      int64_t deadline_us);

/* After weir_shelf_close: weir_shelf_end says that the namespace has been deleted,
 * weir_shelf_reopen that it has not, and makes the shelf lend again. */
void weir_shelf_end(struct weir_session_pool *pool, struct weir_shelf *shelf);
void weir_shelf_reopen(struct weir_session_pool *pool, struct weir_shelf *shelf);

/* Fails a call in a namespace that is being deleted: BACKEND_UNAVAILABLE, because the deletion may
 * fail and leave the namespace as it was. */
weir_status weir_shelf_fail_closed(struct weir_error *err);

/* Returns whether no session of the shelf is open. */
bool weir_shelf_is_empty(struct weir_session_pool *pool, struct weir_shelf *shelf);

#endif
