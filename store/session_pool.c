#include "store/session_pool.h"

#include "weir/base/monotonic.h"

#include <assert.h>

void weir_session_pool_init(struct weir_session_pool *pool, struct weir_backend *backend,
                            size_t max)
{
    assert(max >= 1);
    *pool = (struct weir_session_pool){.backend = backend, .max = max};
    weir_link_init(&pool->idle);
    weir_cond_init(&pool->changed);
    (void)pthread_mutex_init(&pool->mutex, NULL);
}

void weir_shelf_init(struct weir_shelf *shelf, struct weir_slice id)
{
    shelf->id = id;
    weir_link_init(&shelf->idle);
}

/* ---- the lists of idle sessions; all with the mutex held ---- */

static void shelve_locked(struct weir_session_pool *pool, struct weir_session *session)
{
    weir_link_append(&pool->idle, &session->at_pool);
    weir_link_append(&session->shelf->idle, &session->at_shelf);
}

static void unshelve_locked(struct weir_session *session)
{
    weir_link_remove(&session->at_pool);
    weir_link_remove(&session->at_shelf);
}

/* Returns the session that has been idle longest; NULL if none is idle. */
static struct weir_session *oldest_locked(const struct weir_session_pool *pool)
{
    return WEIR_FIRST_LINKED(&pool->idle, struct weir_session, at_pool);
}

/* Returns the session used last for the same kind, because its caches are warm, else the session
 * used last; NULL if none is idle. */
static struct weir_session *find_idle_locked(const struct weir_shelf *shelf,
                                             enum weir_session_kind kind)
{
    struct weir_session *last = NULL;
    for (struct weir_link *at = shelf->idle.before; at != &shelf->idle; at = at->before) {
        struct weir_session *session = WEIR_LINKED(at, struct weir_session, at_shelf);
        if (session->kind == kind) {
            return session;
        }
        last = last == NULL ? session : last;
    }
    return last;
}

static void wake_locked(struct weir_session_pool *pool)
{
    if (pool->waiting > 0) {
        (void)pthread_cond_broadcast(&pool->changed);
    }
}

/* ---- borrowing ---- */

/* Waits for a change; false once `until_us` has passed. */
static bool wait_locked(struct weir_session_pool *pool, int64_t until_us)
{
    pool->waiting++;
    const bool goes_on = weir_cond_wait_until(&pool->changed, &pool->mutex, until_us);
    pool->waiting--;
    return goes_on;
}

/* The request of a borrower. */
struct demand {
    struct weir_shelf *shelf;
    enum weir_session_kind kind;
    int64_t deadline_us;
};

enum decision { LENT, MAY_OPEN, MUST_CLOSE_FIRST, MUST_WAIT, IS_CLOSED, IS_GONE };

/* Returns whether an idle session is stale and must be closed instead of being lent. It is then
 * closed as a reading session: the borrower may be lent the shelf's writing session in its place,
 * and giving the stale one back must not mark that as returned. */
static bool is_to_be_closed_locked(struct weir_session *session)
{
    const bool is_stale = atomic_load(&session->is_stale);
    if (is_stale) {
        session->kind = WEIR_SESSION_READ;
    }
    return is_stale;
}

static void lend_locked(struct weir_shelf *shelf, enum weir_session_kind kind)
{
    shelf->borrowed++;
    shelf->is_write_out = shelf->is_write_out || kind == WEIR_SESSION_WRITE;
}

static void give_back_locked(struct weir_session_pool *pool, struct weir_shelf *shelf,
                             enum weir_session_kind kind)
{
    shelf->borrowed--;
    if (kind == WEIR_SESSION_WRITE) {
        shelf->is_write_out = false;
    }
    wake_locked(pool);
}

/* Decides what a borrower gets. LENT: *session. MAY_OPEN: permission to open a session, which the
 * shelf counts as lent already. MUST_CLOSE_FIRST: the same permission after closing *session, which
 * its own shelf counts as lent until then, so that weir_shelf_close waits for it. */
static enum decision decide_locked(struct weir_session_pool *pool, struct weir_shelf *shelf,
                                   enum weir_session_kind kind, struct weir_session **session)
{
    if (shelf->is_closed) {
        return shelf->is_gone ? IS_GONE : IS_CLOSED;
    }
    if (kind == WEIR_SESSION_WRITE && shelf->is_write_out) {
        return MUST_WAIT;
    }
    enum decision decision = LENT;
    *session = find_idle_locked(shelf, kind);
    if (*session == NULL && pool->open < pool->max) {
        pool->open++;
        decision = MAY_OPEN;
    } else if (*session == NULL) {
        *session = oldest_locked(pool);
        if (*session == NULL) {
            return MUST_WAIT;
        }
        decision = MUST_CLOSE_FIRST;
    } else if (is_to_be_closed_locked(*session)) {
        decision = MUST_CLOSE_FIRST;
    }
    if (decision == MUST_CLOSE_FIRST) {
        lend_locked((*session)->shelf, (*session)->kind);
    }
    if (*session != NULL) {
        unshelve_locked(*session);
    }
    if (decision == LENT) {
        (*session)->kind = kind;
    }
    lend_locked(shelf, kind);
    return decision;
}

/* Closes a session without giving up its place among the open ones, which the caller takes over. */
static void close_for_place(struct weir_session_pool *pool, struct weir_session *session)
{
    struct weir_shelf *shelf = session->shelf;
    const enum weir_session_kind kind = session->kind;
    session->ops->close(session);
    (void)pthread_mutex_lock(&pool->mutex);
    give_back_locked(pool, shelf, kind);
    (void)pthread_mutex_unlock(&pool->mutex);
}

/* Closes the session that has been idle longest; false if none is idle. */
static bool close_oldest(struct weir_session_pool *pool)
{
    (void)pthread_mutex_lock(&pool->mutex);
    struct weir_session *oldest = oldest_locked(pool);
    if (oldest != NULL) {
        unshelve_locked(oldest);
        lend_locked(oldest->shelf, oldest->kind);
    }
    (void)pthread_mutex_unlock(&pool->mutex);
    if (oldest == NULL) {
        return false;
    }
    close_for_place(pool, oldest);
    (void)pthread_mutex_lock(&pool->mutex);
    pool->open--;
    wake_locked(pool);
    (void)pthread_mutex_unlock(&pool->mutex);
    return true;
}

/* Opens a session, closing idle ones as long as the process has no file descriptors left. One
 * closed session may not be enough: it frees few descriptors if others of its namespace are
 * open. */
static weir_status open_with_files(struct weir_session_pool *pool, const struct demand *demand,
                                   struct weir_session **session, struct weir_error *err)
{
    struct weir_backend *backend = pool->backend;
    for (;;) {
        bool is_short_of_files = false;
        const weir_status status = backend->ops->session_open(
            backend, demand->shelf->id, demand->deadline_us, session, &is_short_of_files, err);
        if (status == WEIR_OK || !is_short_of_files || !close_oldest(pool)) {
            return status;
        }
        weir_error_init(err);
    }
}

/* Opens a session for a borrower that `decide_locked` has counted as lent already. */
static weir_status open_session(struct weir_session_pool *pool, const struct demand *demand,
                                struct weir_session **session, struct weir_error *err)
{
    struct weir_shelf *shelf = demand->shelf;
    const weir_status status = open_with_files(pool, demand, session, err);
    if (status == WEIR_OK) {
        (*session)->shelf = shelf;
        (*session)->kind = demand->kind;
        return WEIR_OK;
    }
    (void)pthread_mutex_lock(&pool->mutex);
    pool->open--;
    give_back_locked(pool, shelf, demand->kind);
    (void)pthread_mutex_unlock(&pool->mutex);
    return status;
}

weir_status weir_shelf_fail_closed(struct weir_error *err)
{
    return weir_fail(err, WEIR_BACKEND_UNAVAILABLE, "the namespace is being deleted");
}

weir_status weir_session_borrow(struct weir_session_pool *pool, struct weir_shelf *shelf,
                                enum weir_session_kind kind, int64_t deadline_us,
                                struct weir_session **session, struct weir_error *err)
{
    int64_t until_us = weir_monotonic_us() + WEIR_SESSION_WAIT_MAX_US;
    until_us = deadline_us < until_us ? deadline_us : until_us;
    bool is_in_time = true;
    enum decision decision = MUST_WAIT;
    struct weir_session *found = NULL;

    (void)pthread_mutex_lock(&pool->mutex);
    while ((decision = decide_locked(pool, shelf, kind, &found)) == MUST_WAIT && is_in_time) {
        is_in_time = until_us > 0 && wait_locked(pool, until_us);
    }
    (void)pthread_mutex_unlock(&pool->mutex);

    weir_status status = WEIR_OK;
    const struct demand demand = {shelf, kind, deadline_us};
    switch (decision) {
    case LENT:
        break;
    case MUST_CLOSE_FIRST:
        close_for_place(pool, found);
        status = open_session(pool, &demand, &found, err);
        break;
    case MAY_OPEN:
        status = open_session(pool, &demand, &found, err);
        break;
    case MUST_WAIT:
        return weir_fail_connections_in_use(deadline_us, err);
    case IS_CLOSED:
        return weir_shelf_fail_closed(err);
    case IS_GONE:
        return weir_fail_no_namespace(err, shelf->id);
    }
    if (status == WEIR_OK) {
        found->deadline_us = deadline_us;
        *session = found;
    }
    return status;
}

void weir_session_return(struct weir_session_pool *pool, struct weir_session *session)
{
    struct weir_shelf *shelf = session->shelf;
    const enum weir_session_kind kind = session->kind;
    const bool is_kept = !session->is_broken && !atomic_load(&session->is_stale);
    if (!is_kept) {
        session->ops->close(session);
    }
    (void)pthread_mutex_lock(&pool->mutex);
    if (is_kept) {
        shelve_locked(pool, session);
    } else {
        pool->open--;
    }
    give_back_locked(pool, shelf, kind);
    (void)pthread_mutex_unlock(&pool->mutex);
}

/* ---- closing ---- */

/* Moves the idle sessions of a shelf (NULL: of all shelves) to the ring `taken`. */
static void take_idle_locked(struct weir_session_pool *pool, const struct weir_shelf *shelf,
                             struct weir_link *taken)
{
    struct weir_link *next = NULL;
    for (struct weir_link *at = pool->idle.next; at != &pool->idle; at = next) {
        struct weir_session *session = WEIR_LINKED(at, struct weir_session, at_pool);
        next = at->next;
        if (shelf == NULL || session->shelf == shelf) {
            unshelve_locked(session);
            weir_link_append(taken, at);
        }
    }
}

static size_t close_all(struct weir_link *taken)
{
    size_t n = 0;
    struct weir_session *session = NULL;
    while ((session = WEIR_FIRST_LINKED(taken, struct weir_session, at_pool)) != NULL) {
        weir_link_remove(&session->at_pool);
        session->ops->close(session);
        n++;
    }
    return n;
}

bool weir_shelf_close(struct weir_session_pool *pool, struct weir_shelf *shelf, int64_t deadline_us)
{
    (void)pthread_mutex_lock(&pool->mutex);
    shelf->is_closed = true;
    wake_locked(pool);
    bool is_in_time = true;
    while (shelf->borrowed > 0 && is_in_time) {
        is_in_time = wait_locked(pool, deadline_us);
    }
    const bool is_closed = shelf->borrowed == 0;
    shelf->is_closed = is_closed;
    struct weir_link taken;
    weir_link_init(&taken);
    if (is_closed) {
        take_idle_locked(pool, shelf, &taken);
    }
    (void)pthread_mutex_unlock(&pool->mutex);

    const size_t n = close_all(&taken);

    (void)pthread_mutex_lock(&pool->mutex);
    pool->open -= n;
    wake_locked(pool);
    (void)pthread_mutex_unlock(&pool->mutex);
    return is_closed;
}

void weir_shelf_end(struct weir_session_pool *pool, struct weir_shelf *shelf)
{
    (void)pthread_mutex_lock(&pool->mutex);
    shelf->is_gone = true;
    (void)pthread_mutex_unlock(&pool->mutex);
}

void weir_shelf_reopen(struct weir_session_pool *pool, struct weir_shelf *shelf)
{
    (void)pthread_mutex_lock(&pool->mutex);
    shelf->is_closed = false;
    (void)pthread_mutex_unlock(&pool->mutex);
}

bool weir_shelf_is_empty(struct weir_session_pool *pool, struct weir_shelf *shelf)
{
    (void)pthread_mutex_lock(&pool->mutex);
    const bool is_empty = shelf->borrowed == 0 && weir_link_is_alone(&shelf->idle);
    (void)pthread_mutex_unlock(&pool->mutex);
    return is_empty;
}

void weir_session_pool_fini(struct weir_session_pool *pool)
{
    struct weir_link taken;
    weir_link_init(&taken);
    take_idle_locked(pool, NULL, &taken);
    pool->open -= close_all(&taken);
    assert(pool->open == 0);
    (void)pthread_cond_destroy(&pool->changed);
    (void)pthread_mutex_destroy(&pool->mutex);
}
