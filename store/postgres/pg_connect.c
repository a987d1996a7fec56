/* Opening and closing connections. The hosts of the URL are tried one after the other, each with an
 * equal share of the time that is left; then the server is checked and its session is set up. */
#include "store/postgres/pg_conn.h"

#include "store/postgres/pg_backend.h"
#include "weir/base/monotonic.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

enum {
    /* For all hosts together. The minimum holds even if the caller's deadline is nearer, because
     * the connection will serve other calls as well. */
    CONNECT_MIN_US = 1000 * 1000,
    CONNECT_MAX_US = 10 * 1000 * 1000,
    SERVER_VERSION_MIN = 120000,
    SERVER_VERSION_CHECKS_CLIENT = 140000,
    SERVER_VERSION_TRANSACTION_TIMEOUT = 170000,
    REASON_BYTES = 256
};

/* Settings of each session. A read is one SELECT over an index whose order is that of the rows, and
 * the planner is held to that plan: it must not choose between a scan of microseconds and one of
 * minutes by statistics, which are missing or stale just while a store is being filled, and it need
 * not plan the same statement again. Where another program shares the session (a single-session
 * database), its prepared statements are dropped. */
static const char settings[] =
    /* First, so that the names below mean PostgreSQL's own functions: in a schema on the
     * connection's original path, another role may have a function that matches better. */
    "SET search_path = pg_catalog;"
    "DEALLOCATE ALL;"
    "SET plan_cache_mode = force_generic_plan;"
    "SET enable_seqscan = off; SET enable_bitmapscan = off; SET enable_sort = off;"
    /* Overrides the settings of the role and the database. */
    "SET enable_indexscan = on; SET enable_indexonlyscan = on; SET enable_nestloop = on;"
    "SET enable_tidscan = on;"
    "SET jit = off; SET max_parallel_workers_per_gather = 0;"
    "SET default_transaction_isolation = 'read committed';"
    /* Triggers maintain the views and tables of an adopted namespace, and 'replica' disables them.
     * If the role may not change the setting, the connection is not made. */
    "SELECT set_config('session_replication_role', 'origin', false)"
    " WHERE current_setting('session_replication_role') = 'replica';"
    /* Where row-level security would hide rows from this role a statement fails. Without the
     * setting messages would be missing from reads, and namespaces from their list. */
    "SET row_security = off;"
    /* A commit that no standby has confirmed gives a warning. */
    "SET client_min_messages = warning;"
    "SET statement_timeout = '60s'; SET lock_timeout = " WEIR_PG_LOCK_TIMEOUT ";"
    "SET idle_in_transaction_session_timeout = '10s'";

static const char durable[] =
    "SELECT set_config('synchronous_commit', 'on', false)"
    " WHERE current_setting('synchronous_commit') NOT IN ('on', 'remote_apply')";

static const char fast[] = "SET synchronous_commit = off";

/* A limit of the role would end the connection in the middle of what may take long, such as
 * bringing a namespace up to date. */
static const char unlimited[] = "SET transaction_timeout = 0";

/* With this setting, a server whose client is gone stops waiting for locks on the client's behalf.
 * Not every system supports it. */
static const char checks_client[] = "SET client_connection_check_interval = '1s'";

/* ---- one host ---- */

/* Whether the notice may mean that no standby has confirmed a commit. Warnings of three other
 * origins do not: functions of other programs, plans from auto_explain, and transaction numbers
 * that run short. Their commits are good, and repeating one would use up the numbers even
 * faster. */
static bool is_doubt(const PGresult *notice)
{
    static const char *const others[] = {"exec_stmt_raise", "explain_ExecutorEnd",
                                         "GetNewTransactionId"};
    const char *severity = PQresultErrorField(notice, PG_DIAG_SEVERITY_NONLOCALIZED);
    const char *function = PQresultErrorField(notice, PG_DIAG_SOURCE_FUNCTION);
    bool is_other = severity == NULL || strcmp(severity, "WARNING") != 0;
    for (size_t o = 0; !is_other && function != NULL && o < WEIR_COUNTOF(others); o++) {
        is_other = strcmp(function, others[o]) == 0;
    }
    return !is_other;
}

static void on_notice(void *context, const PGresult *notice)
{
    struct pg_conn *conn = context;
    const char *sqlstate = PQresultErrorField(notice, PG_DIAG_SQLSTATE);
    conn->has_warned = conn->has_warned || is_doubt(notice);
    conn->is_ending = conn->is_ending || (sqlstate != NULL &&
                                          weir_pg_sqlstate(sqlstate).remedy == PG_REMEDY_RECONNECT);
}

/* Reports what PostgreSQL warns of while a connection is made, such as a setting of the role that
 * does not work. libpq alone would write it to stderr, between the lines of the log. */
static void on_greeting(void *context, const PGresult *notice)
{
    const struct pg_conn *conn = context;
    const char *severity = PQresultErrorField(notice, PG_DIAG_SEVERITY_NONLOCALIZED);
    const char *text = PQresultErrorField(notice, PG_DIAG_MESSAGE_PRIMARY);
    if (severity != NULL && strcmp(severity, "WARNING") == 0 && text != NULL) {
        char warning[REASON_BYTES];
        (void)snprintf(warning, sizeof warning, "%s", text);
        weir_pg_url_redact(&conn->backend->url, warning);
        weir_backend_report(&conn->backend->base, "PostgreSQL: %s", warning);
    }
}

/* Returns false if the connection failed or was not made in time. */
static bool finish_connecting(struct pg_conn *conn)
{
    PostgresPollingStatusType state = PGRES_POLLING_WRITING;
    while (state == PGRES_POLLING_WRITING || state == PGRES_POLLING_READING) {
        short ready = 0;
        if (!weir_pg_wait(conn, state == PGRES_POLLING_WRITING ? POLLOUT : POLLIN, &ready)) {
            return false;
        }
        state = PQconnectPoll(conn->pq);
    }
    return state == PGRES_POLLING_OK;
}

static bool connect_host(struct pg_conn *conn, size_t host, char reason[REASON_BYTES])
{
    struct pg_target target;
    weir_pg_url_target(&conn->backend->url, host, &target);
    conn->pq = PQconnectStartParams(target.keywords, target.values, 0);
    if (conn->pq == NULL) {
        (void)snprintf(reason, REASON_BYTES, "out of memory");
        return false;
    }
    (void)PQsetNoticeReceiver(conn->pq, on_greeting, conn);
    if (PQstatus(conn->pq) != CONNECTION_BAD && finish_connecting(conn)) {
        (void)PQsetNoticeReceiver(conn->pq, on_notice, conn);
        return PQsetnonblocking(conn->pq, 1) == 0;
    }
    if (PQstatus(conn->pq) == CONNECTION_BAD) {
        (void)snprintf(reason, REASON_BYTES, "%s", PQerrorMessage(conn->pq));
    } else {
        (void)snprintf(reason, REASON_BYTES, "no answer from %s in time",
                       PQhost(conn->pq) == NULL ? "the server" : PQhost(conn->pq));
    }
    weir_pg_url_redact(&conn->backend->url, reason);
    return false;
}

/* ---- checks and settings of a new connection ---- */

static weir_status check_server(struct pg_conn *conn, struct weir_error *err)
{
    const char *encoding = PQparameterStatus(conn->pq, "server_encoding");
    if (encoding == NULL || strcmp(encoding, "UTF8") != 0) {
        return weir_fail(err, WEIR_PRECONDITION,
                         "the database's encoding is %s but must be UTF8: create another database, "
                         "with CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0",
                         encoding == NULL ? "unknown" : encoding);
    }
    const int version = PQserverVersion(conn->pq);
    if (version < SERVER_VERSION_MIN) {
        return weir_fail(err, WEIR_PRECONDITION, "PostgreSQL %d is too old: weir needs %d or newer",
                         version / 10000, SERVER_VERSION_MIN / 10000);
    }
    return WEIR_OK;
}

/* Adds the extension's schema, which the database's owner has chosen, to the search path. */
static weir_status add_extension(struct pg_conn *conn, struct weir_error *err)
{
    if (conn->backend->dialect->extension == NULL) {
        return WEIR_OK;
    }
    struct pg_params params;
    weir_pg_params_init(&params, NULL);
    weir_pg_param_slice(&params, weir_slice_of(conn->backend->dialect->extension));
    PGresult *result = NULL;
    const weir_status status = weir_pg_query(
        conn,
        "SELECT set_config('search_path', 'pg_catalog, ' || quote_ident(n.nspname), false)"
        " FROM pg_extension AS e JOIN pg_namespace AS n ON n.oid = e.extnamespace"
        " WHERE e.extname = $1",
        &params, &result, err);
    PQclear(result);
    return status;
}

static weir_status set_up(struct pg_conn *conn, struct weir_error *err)
{
    weir_status status = check_server(conn, err);
    if (status == WEIR_OK) {
        status = weir_pg_script(conn, settings, err);
    }
    if (status == WEIR_OK) {
        status = add_extension(conn, err);
    }
    if (status == WEIR_OK) {
        status = weir_pg_script(conn, conn->backend->is_durability_normal ? fast : durable, err);
    }
    if (status == WEIR_OK && PQserverVersion(conn->pq) >= SERVER_VERSION_TRANSACTION_TIMEOUT) {
        status = weir_pg_script(conn, unlimited, err);
    }
    if (status == WEIR_OK && PQserverVersion(conn->pq) >= SERVER_VERSION_CHECKS_CLIENT) {
        struct weir_error ignored;
        weir_error_init(&ignored);
        (void)weir_pg_script(conn, checks_client, &ignored);
        conn->remedy = PG_REMEDY_NONE;
    }
    return status;
}

/* ---- all hosts ---- */

static struct pg_conn *new_conn(struct pg_backend *backend)
{
    struct pg_conn *conn = calloc(1, sizeof *conn);
    if (conn != NULL) {
        conn->backend = backend;
    }
    return conn;
}

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t time_to_connect(int64_t deadline_us)
{
    const int64_t now_us = weir_monotonic_us();
    const int64_t until_us = smaller(deadline_us, now_us + CONNECT_MAX_US);
    return until_us > now_us + CONNECT_MIN_US ? until_us : now_us + CONNECT_MIN_US;
}

/* Tries each host once, beginning with the one that was reached last. */
static bool connect_any(struct pg_conn *conn, int64_t until_us, char reason[REASON_BYTES])
{
    struct pg_backend *backend = conn->backend;
    const size_t hosts = backend->url.hosts;
    const size_t first = atomic_load(&backend->good_host) % hosts;
    for (size_t k = 0; k < hosts; k++) {
        const size_t host = (first + k) % hosts;
        const int64_t now_us = weir_monotonic_us();
        int64_t share_us = (until_us - now_us) / (int64_t)(hosts - k);
        share_us = smaller(share_us, backend->url.connect_timeout_us);
        conn->deadline_us = now_us + share_us;
        if (connect_host(conn, host, reason)) {
            atomic_store(&backend->good_host, host);
            return true;
        }
        PQfinish(conn->pq);
        conn->pq = NULL;
    }
    return false;
}

weir_status weir_pg_conn_open(struct pg_backend *backend, int64_t deadline_us,
                              struct pg_conn **conn, struct weir_error *err)
{
    struct pg_conn *opened = new_conn(backend);
    if (opened == NULL) {
        return weir_fail(err, WEIR_BACKEND_UNAVAILABLE, "out of memory");
    }
    const int64_t until_us = time_to_connect(deadline_us);
    char reason[REASON_BYTES] = "";
    weir_status status = WEIR_OK;
    if (!connect_any(opened, until_us, reason)) {
        status = weir_fail(err, WEIR_BACKEND_UNAVAILABLE,
                           "cannot connect to PostgreSQL for writing; check the host, port, "
                           "database, user and password of the store's URL: %s",
                           reason);
    }
    if (status == WEIR_OK) {
        weir_pg_conn_limit(opened, until_us);
        status = set_up(opened, err);
    }
    if (status != WEIR_OK) {
        weir_pg_conn_close(opened);
        return status;
    }
    *conn = opened;
    return WEIR_OK;
}

/* Discards what the server has not yet taken of an abandoned statement. The system would go on
 * sending it for minutes after the close, and once the network was back the server would execute
 * it, after writes that had been acknowledged in between. */
static void drop_unsent(const struct pg_conn *conn)
{
    const struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    (void)setsockopt(PQsocket(conn->pq), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

void weir_pg_conn_close(struct pg_conn *conn)
{
    if (conn != NULL) {
        if (conn->remedy == PG_REMEDY_RECONNECT) {
            drop_unsent(conn);
        }
        PQfinish(conn->pq);
        free(conn);
    }
}
