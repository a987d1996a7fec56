/* Runs repeatable work on a connection of the pool, and again where that may help. A lock is waited
 * for in slices: after each the connection goes back to the pool, so that a waiter does not keep it
 * from others. */
#include "store/postgres/pg_work.h"

#include "store/postgres/pg_backend.h"
#include "weir/base/monotonic.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

enum { PASS_US = 250 * 1000, BEGIN_BYTES = 96 };

int64_t weir_pg_call_deadline(int64_t deadline_us)
{
    return deadline_us == INT64_MAX ? weir_monotonic_us() + WEIR_PG_CALL_US : deadline_us;
}

void weir_pg_limit_with_grace(struct pg_conn *conn, int64_t deadline_us, int64_t grace_us)
{
    const int64_t least_us = weir_monotonic_us() + grace_us;
    weir_pg_conn_limit(conn, deadline_us > least_us ? deadline_us : least_us);
}

weir_status weir_pg_begin_long(struct pg_conn *conn, struct weir_error *err)
{
    char text[BEGIN_BYTES];
    int64_t left_ms = (conn->deadline_us - weir_monotonic_us()) / 1000;
    left_ms = left_ms > INT32_MAX ? INT32_MAX : left_ms;  // PostgreSQL's own limit: 24 days
    (void)snprintf(text, sizeof text, "BEGIN; SET LOCAL statement_timeout = %" PRId64,
                   left_ms < 1 ? 1 : left_ms);
    return weir_pg_script(conn, text, err);
}

void weir_pg_roll_back(struct pg_conn *conn)
{
    const enum pg_remedy remedy = conn->remedy;
    if (remedy != PG_REMEDY_RECONNECT) {
        struct weir_error ignored;
        weir_error_init(&ignored);
        if (weir_pg_script(conn, "ROLLBACK", &ignored) == WEIR_OK) {
            conn->remedy = remedy;
        }
    }
}

static bool is_worth_another(enum pg_remedy remedy)
{
    return remedy == PG_REMEDY_RECONNECT || remedy == PG_REMEDY_WAIT || remedy == PG_REMEDY_AGAIN ||
           remedy == PG_REMEDY_INTERNAL;
}

/* Lets those who queue for the lock behind this call go first. */
static void let_others_pass(struct pg_backend *backend, int64_t deadline_us)
{
    const int64_t left_us = deadline_us - weir_monotonic_us();
    const int64_t nap_us = left_us < PASS_US ? left_us : PASS_US;
    weir_backend_waits(&backend->base);
    if (nap_us > 0) {
        const struct timespec nap = {.tv_nsec = (long)nap_us * 1000};
        (void)nanosleep(&nap, NULL);
    }
}

weir_status weir_pg_run(struct pg_backend *backend, uint64_t owner, int64_t deadline_us,
                        const struct pg_work *work, struct weir_error *err)
{
    struct weir_error failure;
    weir_status status = WEIR_OK;
    if (weir_monotonic_us() >= deadline_us) {
        return weir_fail(err, WEIR_DEADLINE_EXCEEDED, "the deadline passed");
    }
    const int64_t start_us = weir_monotonic_us();
    for (int attempt = 1; attempt <= WEIR_PG_ATTEMPTS;) {
        struct pg_conn *conn = NULL;
        weir_error_init(&failure);
        status = weir_pg_acquire(backend, owner, deadline_us, &conn, &failure);
        if (status != WEIR_OK) {
            break;
        }
        weir_pg_limit_with_grace(conn, deadline_us, WEIR_PG_GRACE_US);
        status = work->run(conn, work->context, &failure);
        const enum pg_remedy remedy = conn->remedy;
        weir_pg_release(conn);
        if (status == WEIR_OK) {
            return WEIR_OK;
        }
        if (!is_worth_another(remedy) || weir_monotonic_us() >= deadline_us) {
            break;
        }
        /* Slices of a wait for a lock are no attempts. */
        if (remedy == PG_REMEDY_WAIT && weir_monotonic_us() - start_us < WEIR_PG_WAIT_MAX_US) {
            let_others_pass(backend, deadline_us);
        } else {
            attempt++;
        }
    }
    weir_error_copy(err, &failure);
    return status;
}
