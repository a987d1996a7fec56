/* Statements on a connection, in libpq's asynchronous form, so that each has a time limit. While
 * the calling thread waits for the socket it calls weir_backend_waits every WEIR_PG_WAIT_SLICE_US.
 * Each failure sets the connection's `remedy`, which tells the caller whether and where to try
 * again. */
#include "store/postgres/pg_conn.h"

#include "store/postgres/pg_backend.h"
#include "weir/base/monotonic.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>

enum { BINARY = 1, NAME_BYTES = 64, REASON_BYTES = 256 };

/* ---- time ---- */

void weir_pg_conn_limit(struct pg_conn *conn, int64_t deadline_us)
{
    conn->is_limit_ours = deadline_us == INT64_MAX;
    conn->deadline_us =
        conn->is_limit_ours ? weir_monotonic_us() + WEIR_PG_STATEMENT_MAX_US : deadline_us;
}

bool weir_pg_wait(struct pg_conn *conn, short events, short *ready)
{
    for (;;) {
        const int64_t left_us = conn->deadline_us - weir_monotonic_us();
        if (left_us <= 0) {
            return false;
        }
        const int64_t turn_us = left_us < WEIR_PG_WAIT_SLICE_US ? left_us : WEIR_PG_WAIT_SLICE_US;
        struct pollfd fd = {.fd = PQsocket(conn->pq), .events = events};
        const int n = poll(&fd, 1, (int)((turn_us + 999) / 1000));
        if (n > 0) {
            *ready = fd.revents;
            return true;
        }
        if (n == 0) {
            weir_backend_waits(&conn->backend->base);
        }
        if (n < 0 && errno != EINTR) {
            *ready = POLLERR;  // PQconsumeInput finds out why
            return true;
        }
    }
}

bool weir_pg_conn_is_alive(struct pg_conn *conn)
{
    struct pollfd fd = {.fd = PQsocket(conn->pq), .events = POLLIN};
    if (poll(&fd, 1, 0) == 0) {
        return PQstatus(conn->pq) == CONNECTION_OK;
    }
    /* Unasked input is a notice, a changed setting or the end of the connection. The server
     * announces the end by a notice, and the end itself may follow a moment later. */
    return PQconsumeInput(conn->pq) == 1 && !PQisBusy(conn->pq) &&
           PQstatus(conn->pq) == CONNECTION_OK && !conn->is_ending;
}

/* ---- failing ---- */

/* A connection that broke or did not answer in time is of no further use. */
static weir_status fail_lost(struct pg_conn *conn, struct weir_error *err)
{
    conn->remedy = PG_REMEDY_RECONNECT;
    weir_backend_report(&conn->backend->base, "a connection to the database broke");
    return weir_fail(err, WEIR_BACKEND_UNAVAILABLE, "the connection to the database broke");
}

static weir_status fail_late(struct pg_conn *conn, struct weir_error *err)
{
    conn->remedy = PG_REMEDY_RECONNECT;
    if (conn->is_limit_ours) {
        weir_backend_report(&conn->backend->base, "the database does not answer");
        return weir_fail(err, WEIR_BACKEND_UNAVAILABLE, "the database does not answer");
    }
    return weir_fail(err, WEIR_DEADLINE_EXCEEDED,
                     "the deadline passed while the database was working");
}

/* Copies a field; one that is too long is cut at the end of a character. */
static void copy_field(char *to, size_t size, const PGresult *result, int field)
{
    const char *value = PQresultErrorField(result, field);
    size_t n = value == NULL ? 0 : strlen(value);
    if (n >= size) {
        n = weir_utf8_whole(value, size - 1);
    }
    if (n > 0) {
        memcpy(to, value, n);
    }
    to[n] = '\0';
}

/* Reports PostgreSQL's error to the operator. If a setting is too low, the hint names it. */
static void report(const struct pg_conn *conn, const PGresult *result)
{
    char reason[REASON_BYTES];
    char hint[REASON_BYTES];
    copy_field(reason, sizeof reason, result, PG_DIAG_MESSAGE_PRIMARY);
    copy_field(hint, sizeof hint, result, PG_DIAG_MESSAGE_HINT);
    weir_pg_url_redact(&conn->backend->url, reason);
    weir_pg_url_redact(&conn->backend->url, hint);
    weir_backend_report(&conn->backend->base, "PostgreSQL: %s (SQLSTATE %s)%s%s", reason,
                        conn->sqlstate[0] == '\0' ? "none" : conn->sqlstate,
                        hint[0] == '\0' ? "" : ": ", hint);
}

/* Turns an error result into the failure. The error text is for clients and quotes neither SQL nor
 * values; PostgreSQL's own text goes to the operator. */
static weir_status fail_result(struct pg_conn *conn, const PGresult *result, struct weir_error *err)
{
    copy_field(conn->sqlstate, sizeof conn->sqlstate, result, PG_DIAG_SQLSTATE);
    const struct pg_verdict verdict = weir_pg_sqlstate(conn->sqlstate);
    conn->remedy = verdict.remedy;
    switch (verdict.remedy) {
    case PG_REMEDY_WAIT:
    case PG_REMEDY_AGAIN:
        return weir_fail(err, verdict.status, "the database is busy with other writers");
    case PG_REMEDY_RAISED:
        copy_field(conn->detail, sizeof conn->detail, result, PG_DIAG_MESSAGE_DETAIL);
        return weir_fail(err, verdict.status, "a record cannot be imported");
    case PG_REMEDY_NONE:
    case PG_REMEDY_RECONNECT:
    case PG_REMEDY_INTERNAL:
    case PG_REMEDY_MISSING:
    case PG_REMEDY_UNIQUE:
        break;
    }
    if (strcmp(conn->sqlstate, PG_STATE_DATETIME_FIELD_OVERFLOW) == 0) {
        return weir_fail(err, verdict.status,
                         "a time is outside the database's range, 4713 BC to the year 294276");
    }
    report(conn, result);
    if (verdict.remedy == PG_REMEDY_RECONNECT) {
        return weir_fail(err, verdict.status, "the connection to the database broke");
    }
    if (verdict.status == WEIR_OUT_OF_POSITIONS) {
        return weir_fail(err, verdict.status, "no position is left");
    }
    return weir_fail(err, verdict.status, "the database refused a statement (SQLSTATE %s)",
                     conn->sqlstate);
}

/* ---- results ---- */

/* Sends what is still unsent and waits until a result can be taken without blocking. */
static weir_status wait_for_result(struct pg_conn *conn, struct weir_error *err)
{
    for (;;) {
        const int unsent = PQflush(conn->pq);
        if (unsent < 0) {
            return fail_lost(conn, err);
        }
        if (unsent == 0 && PQisBusy(conn->pq) == 0) {
            return WEIR_OK;
        }
        short ready = 0;
        if (!weir_pg_wait(conn, unsent > 0 ? POLLIN | POLLOUT : POLLIN, &ready)) {
            return fail_late(conn, err);
        }
        if ((ready & ~POLLOUT) != 0 && PQconsumeInput(conn->pq) == 0) {
            return fail_lost(conn, err);
        }
    }
}

/* Takes the next result. NULL, which follows the results of each statement, is one as well. */
static weir_status next_result(struct pg_conn *conn, PGresult **result, struct weir_error *err)
{
    const weir_status status = wait_for_result(conn, err);
    *result = status == WEIR_OK ? PQgetResult(conn->pq) : NULL;
    return status;
}

static bool is_good(const PGresult *result)
{
    const ExecStatusType type = PQresultStatus(result);
    return type == PGRES_TUPLES_OK || type == PGRES_COMMAND_OK;
}

/* Takes all results of what was sent. *result is the last good one; the first bad one is the
 * failure. */
static weir_status take_results(struct pg_conn *conn, PGresult **result, struct weir_error *err)
{
    weir_status status = WEIR_OK;
    *result = NULL;
    for (;;) {
        PGresult *next = NULL;
        const weir_status wait_status = next_result(conn, &next, err);
        if (wait_status != WEIR_OK) {
            status = wait_status;
            break;
        }
        if (next == NULL) {
            break;
        }
        if (is_good(next) && status == WEIR_OK) {
            PQclear(*result);
            *result = next;
            continue;
        }
        if (!is_good(next) && status == WEIR_OK) {
            status = fail_result(conn, next, err);
        }
        PQclear(next);
    }
    if (status == WEIR_OK && *result == NULL) {
        status = fail_lost(conn, err);
    }
    if (PQstatus(conn->pq) != CONNECTION_OK && status != WEIR_OK) {
        conn->remedy = PG_REMEDY_RECONNECT;
    }
    if (status != WEIR_OK) {
        PQclear(*result);
        *result = NULL;
    }
    return status;
}

/* ---- statements ---- */

static void begin(struct pg_conn *conn)
{
    conn->remedy = PG_REMEDY_NONE;
    conn->sqlstate[0] = '\0';
    conn->detail[0] = '\0';
    conn->has_warned = false;
}

static weir_status run(struct pg_conn *conn, int is_sent, PGresult **result, struct weir_error *err)
{
    *result = NULL;
    return is_sent == 1 ? take_results(conn, result, err) : fail_lost(conn, err);
}

static void name_statement(struct pg_key key, char name[NAME_BYTES])
{
    (void)snprintf(name, NAME_BYTES, "w%016" PRIx64 "_%" PRIx32 "_%" PRIx64, key.owner, key.kind,
                   (uint64_t)key.since_s);
}

/* Returns the slot that holds the key, or the free slot in which it belongs. */
static size_t slot_of(const struct pg_conn *conn, struct pg_key key)
{
    uint64_t hash = (key.owner ^ (uint64_t)key.since_s ^ key.kind * UINT64_C(0x9e3779b97f4a7c15)) *
                    UINT64_C(0xff51afd7ed558ccd);
    size_t slot = (size_t)(hash >> 32) % WEIR_PG_STATEMENT_SLOTS;
    while (conn->statements[slot].kind != 0 &&
           (conn->statements[slot].kind != key.kind || conn->statements[slot].owner != key.owner ||
            conn->statements[slot].since_s != key.since_s)) {
        slot = (slot + 1) % WEIR_PG_STATEMENT_SLOTS;
    }
    return slot;
}

bool weir_pg_is_prepared(const struct pg_conn *conn, struct pg_key key)
{
    return conn->statements[slot_of(conn, key)].kind != 0;
}

weir_status weir_pg_prepare(struct pg_conn *conn, struct pg_key key, const char *text,
                            struct weir_error *err)
{
    assert(key.kind != 0 && conn->statements_n < WEIR_PG_STATEMENT_SLOTS - 1);
    char name[NAME_BYTES];
    name_statement(key, name);
    begin(conn);
    PGresult *result = NULL;
    const weir_status status =
        run(conn, PQsendPrepare(conn->pq, name, text, 0, NULL), &result, err);
    PQclear(result);
    if (status == WEIR_OK) {
        conn->statements[slot_of(conn, key)] = key;
        conn->statements_n++;
    }
    return status;
}

/* Returns what PQsendQueryPrepared returns. */
static int send_prepared(struct pg_conn *conn, struct pg_key key, const struct pg_params *params)
{
    char name[NAME_BYTES];
    name_statement(key, name);
    conn->owner = key.owner;
    return PQsendQueryPrepared(conn->pq, name, params->n, params->values, params->lengths,
                               params->formats, BINARY);
}

weir_status weir_pg_execute(struct pg_conn *conn, struct pg_key key, const struct pg_params *params,
                            PGresult **result, struct weir_error *err)
{
    begin(conn);
    return run(conn, send_prepared(conn, key, params), result, err);
}

weir_status weir_pg_query(struct pg_conn *conn, const char *text, const struct pg_params *params,
                          PGresult **result, struct weir_error *err)
{
    begin(conn);
    return run(conn,
               PQsendQueryParams(conn->pq, text, params->n, NULL, params->values, params->lengths,
                                 params->formats, BINARY),
               result, err);
}

weir_status weir_pg_script(struct pg_conn *conn, const char *text, struct weir_error *err)
{
    begin(conn);
    PGresult *result = NULL;
    const weir_status status = run(conn, PQsendQuery(conn->pq, text), &result, err);
    PQclear(result);
    return status;
}

/* ---- pipelines ---- */

weir_status weir_pg_pipeline_begin(struct pg_conn *conn, struct weir_error *err)
{
    begin(conn);
    return PQenterPipelineMode(conn->pq) == 1 ? WEIR_OK : fail_lost(conn, err);
}

weir_status weir_pg_pipeline_add(struct pg_conn *conn, struct pg_key key,
                                 const struct pg_params *params, struct weir_error *err)
{
    return send_prepared(conn, key, params) == 1 ? WEIR_OK : fail_lost(conn, err);
}

weir_status weir_pg_pipeline_send(struct pg_conn *conn, struct weir_error *err)
{
    return PQpipelineSync(conn->pq) == 1 ? WEIR_OK : fail_lost(conn, err);
}

static bool is_of_lost_connection(const struct pg_conn *conn, const PGresult *result)
{
    const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    return PQstatus(conn->pq) != CONNECTION_OK ||
           (sqlstate != NULL && weir_pg_sqlstate(sqlstate).remedy == PG_REMEDY_RECONNECT);
}

weir_status weir_pg_pipeline_take(struct pg_conn *conn, PGresult **result, struct weir_error *err)
{
    weir_status status = next_result(conn, result, err);
    if (status == WEIR_OK && !is_good(*result)) {
        if (is_of_lost_connection(conn, *result)) {
            status = fail_lost(conn, err);
        }
        PQclear(*result);
        *result = NULL;
    }
    PGresult *end = NULL;
    if (status == WEIR_OK) {
        status = next_result(conn, &end, err);
    }
    if (status == WEIR_OK && end != NULL) {
        status = fail_lost(conn, err);
    }
    PQclear(end);
    if (status != WEIR_OK) {
        PQclear(*result);
        *result = NULL;
    }
    return status;
}

weir_status weir_pg_pipeline_end(struct pg_conn *conn, struct weir_error *err)
{
    PGresult *end = NULL;
    weir_status status = next_result(conn, &end, err);
    if (status == WEIR_OK &&
        (PQresultStatus(end) != PGRES_PIPELINE_SYNC || PQexitPipelineMode(conn->pq) != 1)) {
        status = fail_lost(conn, err);
    }
    PQclear(end);
    return status;
}
