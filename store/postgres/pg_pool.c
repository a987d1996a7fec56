/* The pool of connections: at most `max` for the whole store, each lent to one call at a time.
 *
 * Callers queue in order of arrival. The first in the queue whose owner may hold another
 * connection, and was not the last to get one if others wait, takes an idle one, or opens one while
 * fewer than `max` are open. Any thread may acquire and release. The mutex is never held while a
 * connection is opened, closed or used. A connection that is lent or being opened belongs to its
 * caller; an idle one belongs to the pool.
 *
 * After a failed attempt to open a connection, no further one is opened for OPEN_AGAIN_US as long
 * as others are open, so a server whose connection limit is below `max` is served with the
 * connections it has accepted. */
#include "store/postgres/pg_pool.h"

#include "store/postgres/pg_backend.h"
#include "weir/base/fair_share.h"
#include "weir/base/monotonic.h"

#include <assert.h>

struct pg_waiter {
    uint64_t owner;
    pthread_cond_t woken;
    struct weir_link queued;
};

enum {
    REPORT_EVERY_US = 1000 * 1000,
    /* Pause after a failed attempt to open a connection, while others are open. */
    OPEN_AGAIN_US = 1000 * 1000
};

void weir_pg_pool_init(struct pg_pool *pool, struct pg_backend *backend, size_t max)
{
    assert(max >= 1);
    pool->backend = backend;
    pool->max = max;
    weir_link_init(&pool->waiting);
    (void)pthread_mutex_init(&pool->mutex, NULL);
}

void weir_pg_pool_fini(struct pg_pool *pool)
{
    while (pool->idle != NULL) {
        struct pg_conn *conn = pool->idle;
        pool->idle = conn->next;
        weir_pg_conn_close(conn);
        pool->open--;
    }
    assert(pool->open == 0 && weir_link_is_alone(&pool->waiting));
    (void)pthread_mutex_destroy(&pool->mutex);
}

/* ---- the queue; all with the mutex held ---- */

/* Whether any connection is open that is not still being opened. */
static bool has_any_locked(const struct pg_pool *pool)
{
    return pool->open > pool->opening;
}

static bool may_open_locked(const struct pg_pool *pool)
{
    return pool->open < pool->max &&
           (!has_any_locked(pool) || weir_monotonic_us() >= pool->open_from_us);
}

static size_t *held_by_locked(struct pg_pool *pool, uint64_t owner)
{
    return &pool->held_by[owner % WEIR_PG_HOLDERS];
}

/* Returns the waiter to be served next; NULL if none may be. The owner that was served last gives
 * way to others: with few connections many calls of one that each take long would keep them out. */
static struct pg_waiter *next_locked(struct pg_pool *pool)
{
    struct pg_waiter *first = NULL;
    if (pool->idle == NULL && !may_open_locked(pool)) {
        return NULL;
    }
    for (struct weir_link *at = pool->waiting.next; at != &pool->waiting; at = at->next) {
        struct pg_waiter *waiter = WEIR_LINKED(at, struct pg_waiter, queued);
        if (!weir_share_allows(*held_by_locked(pool, waiter->owner), pool->held, pool->max)) {
            continue;
        }
        if (waiter->owner != pool->served) {
            return waiter;
        }
        first = first == NULL ? waiter : first;
    }
    return first;
}

/* Wakes the waiter whose turn it is. The others would only find that it is not theirs. */
static void wake_next_locked(struct pg_pool *pool)
{
    struct pg_waiter *next = next_locked(pool);
    if (next != NULL) {
        (void)pthread_cond_signal(&next->woken);
    }
}

/* Waits until it is this waiter's turn; false if the time runs out first. Releases the mutex every
 * WEIR_PG_WAIT_SLICE_US for weir_backend_waits. */
static bool wait_locked(struct pg_pool *pool, struct pg_waiter *waiter, int64_t until_us)
{
    while (next_locked(pool) != waiter) {
        const int64_t now_us = weir_monotonic_us();
        if (now_us >= until_us) {
            return false;
        }
        const int64_t slice_us = now_us + WEIR_PG_WAIT_SLICE_US;
        if (!weir_cond_wait_until(&waiter->woken, &pool->mutex,
                                  until_us < slice_us ? until_us : slice_us)) {
            (void)pthread_mutex_unlock(&pool->mutex);
            weir_backend_waits(&pool->backend->base);
            (void)pthread_mutex_lock(&pool->mutex);
        }
    }
    return true;
}

/* Takes an idle connection, preferring one that last ran statements of the owner. Returns NULL
 * if there is none: the caller is to open one, which `open` and `opening` already count. */
static struct pg_conn *take_locked(struct pg_pool *pool, uint64_t owner)
{
    struct pg_conn **found = &pool->idle;
    for (struct pg_conn **at = &pool->idle; *at != NULL; at = &(*at)->next) {
        if ((*at)->owner == owner) {
            found = at;
            break;
        }
    }
    struct pg_conn *conn = *found;
    if (conn == NULL) {
        pool->open++;
        pool->opening++;
    } else {
        *found = conn->next;
        conn->next = NULL;
    }
    pool->served = owner;
    pool->held++;
    ++*held_by_locked(pool, owner);
    return conn;
}

/* Puts a connection that nobody holds any more among the idle ones; NULL: it is closed. */
static void put_back_locked(struct pg_pool *pool, struct pg_conn *conn)
{
    if (conn != NULL) {
        conn->next = pool->idle;
        pool->idle = conn;
    } else {
        pool->open--;
    }
    wake_next_locked(pool);
}

/* Ends the owner's hold on a connection; NULL: it is closed, or could not be opened. */
static void give_back(struct pg_pool *pool, uint64_t owner, struct pg_conn *conn)
{
    (void)pthread_mutex_lock(&pool->mutex);
    pool->held--;
    --*held_by_locked(pool, owner);
    put_back_locked(pool, conn);
    (void)pthread_mutex_unlock(&pool->mutex);
}

/* ---- lending ---- */

static weir_status fail_late(struct weir_error *err)
{
    return weir_fail(err, WEIR_DEADLINE_EXCEEDED,
                     "the deadline passed while a connection to the database was opened");
}

/* Reports the reason in `err` to the operator, at most once a second, and replaces it with the text
 * for the client. */
static weir_status fail_connecting(struct pg_backend *backend, int64_t deadline_us,
                                   struct weir_error *err)
{
    const long long now_us = weir_monotonic_us();
    long long last_us = atomic_load(&backend->last_report_us);
    if (now_us - last_us >= REPORT_EVERY_US &&
        atomic_compare_exchange_strong(&backend->last_report_us, &last_us, now_us)) {
        weir_backend_report(&backend->base, "%s", err->text);
    }
    return now_us >= deadline_us
               ? fail_late(err)
               : weir_fail(err, WEIR_BACKEND_UNAVAILABLE, "the database cannot be reached");
}

/* Counts a connection that is being opened in place of a dead one, which `open` already counts. */
static void begin_opening(struct pg_pool *pool)
{
    (void)pthread_mutex_lock(&pool->mutex);
    pool->opening++;
    (void)pthread_mutex_unlock(&pool->mutex);
}

static void end_opening(struct pg_pool *pool, bool is_open)
{
    (void)pthread_mutex_lock(&pool->mutex);
    pool->opening--;
    if (!is_open) {
        pool->open_from_us = weir_monotonic_us() + OPEN_AGAIN_US;
    }
    (void)pthread_mutex_unlock(&pool->mutex);
}

static bool has_any(struct pg_pool *pool)
{
    (void)pthread_mutex_lock(&pool->mutex);
    const bool has_any = has_any_locked(pool);
    (void)pthread_mutex_unlock(&pool->mutex);
    return has_any;
}

/* Opens a connection. One that comes too late for its caller is left to the next. */
static weir_status open_one(struct pg_backend *backend, uint64_t owner, int64_t deadline_us,
                            struct pg_conn **conn, struct weir_error *err)
{
    struct pg_conn *opened = NULL;
    const weir_status status = weir_pg_conn_open(backend, deadline_us, &opened, err);
    end_opening(&backend->pool, status == WEIR_OK);
    if (status != WEIR_OK) {
        give_back(&backend->pool, owner, NULL);
        return fail_connecting(backend, deadline_us, err);
    }
    if (weir_monotonic_us() >= deadline_us) {
        give_back(&backend->pool, owner, opened);
        return fail_late(err);
    }
    *conn = opened;
    return WEIR_OK;
}

/* Waits for a place in the pool; false if the time runs out first. *taken is an idle connection, or
 * NULL if the caller is to open one. */
static bool wait_for_turn(struct pg_pool *pool, uint64_t owner, int64_t until_us,
                          struct pg_conn **taken)
{
    struct pg_waiter waiter = {.owner = owner};
    weir_cond_init(&waiter.woken);
    (void)pthread_mutex_lock(&pool->mutex);
    weir_link_append(&pool->waiting, &waiter.queued);
    const bool is_turn = wait_locked(pool, &waiter, until_us);
    if (is_turn) {
        *taken = take_locked(pool, owner);
    }
    weir_link_remove(&waiter.queued);
    wake_next_locked(pool);
    (void)pthread_mutex_unlock(&pool->mutex);
    (void)pthread_cond_destroy(&waiter.woken);
    return is_turn;
}

/* If no connection can be opened but others are open, the caller queues again for one of those. */
weir_status weir_pg_acquire(struct pg_backend *backend, uint64_t owner, int64_t deadline_us,
                            struct pg_conn **conn, struct weir_error *err)
{
    struct pg_pool *pool = &backend->pool;
    const int64_t longest_us = weir_monotonic_us() + WEIR_PG_WAIT_MAX_US;
    struct pg_conn *taken = NULL;
    weir_status status = WEIR_OK;
    do {
        if (!wait_for_turn(pool, owner, deadline_us < longest_us ? deadline_us : longest_us,
                           &taken)) {
            return weir_fail_connections_in_use(deadline_us, err);
        }
        if (taken != NULL && !weir_pg_conn_is_alive(taken)) {
            begin_opening(pool);
            weir_pg_conn_close(taken);
            taken = NULL;
        }
        status = taken != NULL ? WEIR_OK : open_one(backend, owner, deadline_us, &taken, err);
    } while (status == WEIR_BACKEND_UNAVAILABLE && has_any(pool));
    if (status != WEIR_OK) {
        return status;
    }
    weir_error_init(err);
    taken->remedy = PG_REMEDY_NONE;
    taken->lent_us = weir_monotonic_us();
    taken->lent_to = owner;
    weir_pg_conn_limit(taken, deadline_us);
    *conn = taken;
    return WEIR_OK;
}

/* Notes whether the database has answered on a connection that comes back. Returns the idle
 * connections, if the database has answered on none since this one was lent. */
static struct pg_conn *take_suspects(struct pg_pool *pool, const struct pg_conn *conn)
{
    struct pg_conn *suspects = NULL;
    (void)pthread_mutex_lock(&pool->mutex);
    if (conn->remedy != PG_REMEDY_RECONNECT) {
        pool->answered_us = weir_monotonic_us();
    } else if (pool->answered_us < conn->lent_us) {
        suspects = pool->idle;
        pool->idle = NULL;
    }
    (void)pthread_mutex_unlock(&pool->mutex);
    return suspects;
}

/* What has made one connection useless, such as a firewall that forgot it or a host that vanished,
 * may have met the idle ones too, and nothing shows that before they are used: each would cost
 * another call its time. */
static void drop_suspects(struct pg_pool *pool, const struct pg_conn *conn)
{
    struct pg_conn *suspect = take_suspects(pool, conn);
    while (suspect != NULL) {
        struct pg_conn *next = suspect->next;
        weir_pg_conn_close(suspect);
        (void)pthread_mutex_lock(&pool->mutex);
        put_back_locked(pool, NULL);
        (void)pthread_mutex_unlock(&pool->mutex);
        suspect = next;
    }
}

void weir_pg_release(struct pg_conn *conn)
{
    if (conn == NULL) {
        return;
    }
    struct pg_pool *pool = &conn->backend->pool;
    const bool is_kept = conn->remedy != PG_REMEDY_RECONNECT &&
                         conn->statements_n < WEIR_PG_STATEMENTS_MAX &&
                         PQtransactionStatus(conn->pq) == PQTRANS_IDLE;
    const uint64_t owner = conn->lent_to;
    drop_suspects(pool, conn);
    if (!is_kept) {
        weir_pg_conn_close(conn);
        conn = NULL;
    }
    give_back(pool, owner, conn);
}

void weir_pg_pool_adopt(struct pg_pool *pool, struct pg_conn *conn)
{
    conn->next = pool->idle;
    pool->idle = conn;
    pool->open++;
}
