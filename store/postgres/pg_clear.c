/* The removal of all messages of a namespace.
 *
 * A clear must not be repeated blindly, because it would remove messages written since. If the
 * answer of an attempt was lost, the count of clears tells whether it was done; and an attempt that
 * arrives after it was given up does nothing if there was another clear since. */
#include "store/postgres/pg_write.h"

static weir_status read_clears(struct pg_session *session, struct pg_conn *conn, int64_t *clears,
                               int64_t *cleared, struct weir_error *err)
{
    struct pg_params none;
    weir_pg_params_init(&none, NULL);
    PGresult *result = NULL;
    weir_status status = weir_pg_run_fixed(session, conn, PG_FIXED_CLEARS, &none, &result, err);
    if (status == WEIR_OK && (PQntuples(result) != 1 || !weir_pg_int8(result, 0, 0, clears) ||
                              !weir_pg_int8(result, 0, 1, cleared))) {
        status = weir_fail(err, WEIR_DATA_CORRUPT, "the namespace's counters are missing");
    }
    PQclear(result);
    return status;
}

/* Between the question and the lock there was another clear, perhaps an earlier attempt of this
 * one. */
static weir_status fail_overtaken(struct pg_conn *conn, struct weir_error *err)
{
    conn->remedy = PG_REMEDY_AGAIN;
    return weir_fail(err, WEIR_BACKEND_UNAVAILABLE, "the namespace was cleared by another call");
}

weir_status weir_pg_clear(struct pg_run *run, struct pg_conn *conn, struct weir_error *err)
{
    struct weir_clear *clear = &(*run->first)->of.clear;
    int64_t now = 0;
    int64_t cleared = 0;
    weir_status status = read_clears(run->session, conn, &now, &cleared, err);
    if (status != WEIR_OK) {
        return status;
    }
    if (run->is_in_doubt && run->clears >= 0 && now > run->clears) {
        clear->messages_deleted = cleared;
        return weir_pg_confirm(run->session, conn, err);
    }
    run->clears = now;
    struct pg_params params;
    weir_pg_params_begin(run->session, NULL, &params);
    weir_pg_param_int8(&params, now);
    PGresult *result = NULL;
    status = weir_pg_run_fixed(run->session, conn, PG_FIXED_CLEAR, &params, &result, err);
    status = weir_pg_check_confirmed(conn, status, err);
    if (status == WEIR_OK && PQgetisnull(result, 0, 0)) {
        status = fail_overtaken(conn, err);
    } else if (status == WEIR_OK && !weir_pg_int8(result, 0, 0, &clear->messages_deleted)) {
        status =
            weir_fail(err, WEIR_BACKEND_ERROR, "the clear function returned an unexpected result");
    }
    PQclear(result);
    return status;
}
