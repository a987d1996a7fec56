/* Connections of the whole store, lent to one call at a time. */
#include "store/postgres/pg_int.h"

#include "weir/base/monotonic.h"
#include "weir/rules/time_text.h"

#include <assert.h>

struct pg_waiter {
    struct pg_waiter *next;
};

enum {
    REPORT_EVERY_US = 1000 * 1000,
    /* Where a connection could not be opened, those that there are do for so long. */
    OPEN_AGAIN_US = 1000 * 1000
};

weir_status weir_pg_pool_init(struct pg_pool *pool, struct pg_backend *backend, size_t max,
                              struct weir_error *err)
{
    assert(max >= 1);
    pool->backend = backend;
    pool->max = max;
    if (!weir_cond_init(&pool->changed)) {
        return weir_fail(err, WEIR_BACKEND_UNAVAILABLE, "out of memory");
    }
    /* On Linux initialising a plain mutex takes nothing and cannot fail. */
    (void)pthread_mutex_init(&pool->mutex, NULL);
    return WEIR_OK;
}

void weir_pg_pool_fini(struct pg_pool *pool)
{
    while (pool->idle != NULL) {
        struct pg_conn *conn = pool->idle;
        pool->idle = conn->next;
        weir_pg_conn_close(conn);
        pool->open--;
    }
    assert(pool->open == 0 && pool->first == NULL);
    (void)pthread_cond_destroy(&pool->changed);
    (void)pthread_mutex_destroy(&pool->mutex);
}

/* ---- the queue; all with the mutex held ---- */

static void enqueue_locked(struct pg_pool *pool, struct pg_waiter *waiter)
{
    waiter->next = NULL;
    if (pool->last != NULL) {
        pool->last->next = waiter;
    } else {
        pool->first = waiter;
    }
    pool->last = waiter;
}

static void dequeue_locked(struct pg_pool *pool, struct pg_waiter *waiter)
{
    struct pg_waiter *before = NULL;
    struct pg_waiter *at = pool->first;
    while (at != waiter) {
        before = at;
        at = at->next;
    }
    if (before == NULL) {
        pool->first = waiter->next;
    } else {
        before->next = waiter->next;
    }
    if (pool->last == waiter) {
        pool->last = before;
    }
    /* The next in the queue may find a connection as well. */
    if (pool->first != NULL) {
        (void)pthread_cond_broadcast(&pool->changed);
    }
}

/* Others than those that are being opened. */
static bool has_any_locked(const struct pg_pool *pool)
{
    return pool->open > pool->opening;
}

static bool may_open_locked(const struct pg_pool *pool)
{
    return pool->open < pool->max &&
           (!has_any_locked(pool) || weir_monotonic_us() >= pool->open_from_us);
}

static bool is_turn_locked(const struct pg_pool *pool, const struct pg_waiter *waiter)
{
    return pool->first == waiter && (pool->idle != NULL || may_open_locked(pool));
}

/* Waits for this waiter's turn; false where the time has passed without it. The mutex is let go
 * now and then. */
static bool wait_locked(struct pg_pool *pool, const struct pg_waiter *waiter, int64_t until_us)
{
    while (!is_turn_locked(pool, waiter)) {
        const int64_t now_us = weir_monotonic_us();
        if (now_us >= until_us) {
            return false;
        }
        const int64_t patrol_us = now_us + WEIR_PG_PATROL_US;
        if (!weir_cond_wait_until(&pool->changed, &pool->mutex,
                                  until_us < patrol_us ? until_us : patrol_us)) {
            (void)pthread_mutex_unlock(&pool->mutex);
            weir_backend_waits(&pool->backend->base);
            (void)pthread_mutex_lock(&pool->mutex);
        }
    }
    return true;
}

/* Takes an idle connection, preferring one that knows the owner's statements. NULL where a new one
 * may be opened instead; that is counted already. */
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
    return conn;
}

static void give_back(struct pg_pool *pool, struct pg_conn *conn)
{
    (void)pthread_mutex_lock(&pool->mutex);
    if (conn != NULL) {
        conn->next = pool->idle;
        pool->idle = conn;
    } else {
        pool->open--;
    }
    if (pool->first != NULL) {
        (void)pthread_cond_broadcast(&pool->changed);
    }
    (void)pthread_mutex_unlock(&pool->mutex);
}

/* ---- lending ---- */

static weir_status fail_late(struct weir_error *err)
{
    return weir_fail(err, WEIR_DEADLINE_EXCEEDED,
                     "the deadline passed while a connection to the database was opened");
}

/* What the operator is told, at most once a second, and what the client is told. */
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

/* In place of one that is of no further use. */
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

/* One that is opened too late for the caller is there for the next. */
static weir_status open_one(struct pg_backend *backend, int64_t deadline_us, struct pg_conn **conn,
                            struct weir_error *err)
{
    struct pg_conn *opened = NULL;
    const weir_status status = weir_pg_conn_open(backend, deadline_us, &opened, err);
    end_opening(&backend->pool, status == WEIR_OK);
    if (status != WEIR_OK) {
        give_back(&backend->pool, NULL);
        return fail_connecting(backend, deadline_us, err);
    }
    if (weir_monotonic_us() >= deadline_us) {
        give_back(&backend->pool, opened);
        return fail_late(err);
    }
    *conn = opened;
    return WEIR_OK;
}

/* *taken is NULL where one may be opened instead; false where the time has passed. */
static bool wait_for_turn(struct pg_pool *pool, uint64_t owner, int64_t until_us,
                          struct pg_conn **taken)
{
    struct pg_waiter waiter;
    (void)pthread_mutex_lock(&pool->mutex);
    enqueue_locked(pool, &waiter);
    const bool is_turn = wait_locked(pool, &waiter, until_us);
    if (is_turn) {
        *taken = take_locked(pool, owner);
    }
    dequeue_locked(pool, &waiter);
    (void)pthread_mutex_unlock(&pool->mutex);
    return is_turn;
}

/* A database that takes no more connections, though more are allowed here, serves by those that it
 * has taken. */
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
        status = taken != NULL ? WEIR_OK : open_one(backend, deadline_us, &taken, err);
    } while (status == WEIR_BACKEND_UNAVAILABLE && has_any(pool));
    if (status != WEIR_OK) {
        return status;
    }
    weir_error_init(err);
    taken->remedy = PG_REMEDY_NONE;
    weir_pg_conn_limit(taken, deadline_us);
    *conn = taken;
    return WEIR_OK;
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
    if (!is_kept) {
        weir_pg_conn_close(conn);
        conn = NULL;
    }
    give_back(pool, conn);
}

void weir_pg_pool_adopt(struct pg_pool *pool, struct pg_conn *conn)
{
    conn->next = pool->idle;
    pool->idle = conn;
    pool->open++;
}
