/* Checks at start-up whether a pooler between weir and PostgreSQL keeps sessions. Settings and
 * prepared statements belong to a session, so a connection must keep the one it has. A second
 * connection, which is closed again, shows whether sessions are exchanged. */
#include "store/postgres/pg_pooler.h"

#include "store/postgres/pg_backend.h"
#include "weir/base/monotonic.h"

enum {
    LOOKS = 4,  // other clients of the pooler may take the session that we would have got
    LOOK_US = 2 * 1000 * 1000
};

static weir_status read_pid(struct pg_conn *conn, int32_t *pid, struct weir_error *err)
{
    struct pg_params none;
    weir_pg_params_init(&none, NULL);
    PGresult *result = NULL;
    weir_status status = weir_pg_query(conn, "SELECT pg_backend_pid()", &none, &result, err);
    if (status == WEIR_OK && (PQntuples(result) != 1 || !weir_pg_int4(result, 0, 0, pid))) {
        status =
            weir_fail(err, WEIR_BACKEND_ERROR, "pg_backend_pid() returned an unexpected result");
    }
    PQclear(result);
    return status;
}

/* Whether the process that answers is the one that the server's greeting named, or the greeting
 * named none. A pooler passes on another process's answers, under a greeting of its own. */
static bool is_own_greeting(const struct pg_conn *conn, int32_t pid)
{
    const int greeted = PQbackendPID(conn->pq);
    return greeted == 0 || greeted == pid;
}

static weir_status fail_shared(struct weir_error *err)
{
    return weir_fail(err, WEIR_PRECONDITION,
                     "a connection pooler switches weir's connections to other PostgreSQL sessions "
                     "between transactions: set it to session pooling (PgBouncer: pool_mode = "
                     "session), or name PostgreSQL itself in the store's URL");
}

/* A pooler that exchanges sessions gives one connection the session that the other leaves free
 * between two transactions. */
static weir_status compare(struct pg_conn *conn, int32_t pid, struct pg_conn *other,
                           struct weir_error *err)
{
    struct weir_error ignored;
    weir_error_init(&ignored);
    for (int look = 0; look < LOOKS; look++) {
        int32_t other_pid = 0;
        int32_t now_pid = 0;
        if (read_pid(other, &other_pid, &ignored) != WEIR_OK) {
            return WEIR_OK;
        }
        const weir_status status = read_pid(conn, &now_pid, err);
        if (status != WEIR_OK) {
            return status;
        }
        if (now_pid != pid || other_pid == pid) {
            return fail_shared(err);
        }
    }
    return WEIR_OK;
}

/* If the second connection cannot be opened the check passes: a pooler without a second session has
 * none to exchange. A store that is to have one connection opens the second one as well, because
 * other programs would get its session. */
weir_status weir_pg_check_pooler(struct pg_conn *conn, struct weir_error *err)
{
    int32_t pid = 0;
    weir_status status = read_pid(conn, &pid, err);
    if (status != WEIR_OK || is_own_greeting(conn, pid)) {
        return status;
    }
    struct weir_error ignored;
    weir_error_init(&ignored);
    const int64_t until_us = weir_monotonic_us() + LOOK_US;
    struct pg_conn *other = NULL;
    if (weir_pg_conn_open(conn->backend, until_us, &other, &ignored) == WEIR_OK) {
        weir_pg_conn_limit(other, until_us);
        status = compare(conn, pid, other, err);
    }
    weir_pg_conn_close(other);
    return status;
}
