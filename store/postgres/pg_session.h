/* Sessions: a namespace's id, and what is known of that namespace.
 *
 * A session holds no connection: each call takes one from the pool and gives it back. One thread at
 * a time has the session; only the fields marked below are touched by others. */
#ifndef WEIR_STORE_POSTGRES_PG_SESSION_H
#define WEIR_STORE_POSTGRES_PG_SESSION_H

#include "store/postgres/pg_backend.h"
#include "store/postgres/pg_spans.h"
#include "store/postgres/pg_versions.h"
#include "store/postgres/pg_work.h"

struct pg_session {
    struct weir_session base;
    struct pg_backend *backend;
    struct pg_namespace ns;
    bool is_large;  // a page was cut by its size: pages are measured from then on
    struct pg_window window;
    struct pg_versions versions;
    struct weir_arena arena;  // for the parameters of one write
    uint8_t id[WEIR_NAMESPACE_MAX_BYTES];
    size_t id_n;

    atomic_bool is_outdated;  // the id may belong to another namespace; set by any thread
    /* Guarded by the backend's namespaces_mutex: */
    int64_t created_at_us;  // that of `ns`
    struct weir_link open;  // among the open sessions
};

/* Begins a call of the session. If its id may belong to another namespace by then, finds that one
 * and forgets what was known of the old one. */
weir_status weir_pg_session_begin(struct pg_session *session, int64_t deadline_us,
                                  struct weir_error *err);

/* Runs the work of a session's call as weir_pg_run does, after weir_pg_session_begin, and with
 * weir_pg_fail_missing if something is missing. */
weir_status weir_pg_session_run(struct pg_session *session, const struct pg_work *work,
                                struct weir_error *err);

/* Prepares a text with the marks of pg_dialect.h for the session's namespace. */
weir_status weir_pg_session_prepare(struct pg_session *session, struct pg_conn *conn,
                                    struct pg_key key, const char *text, struct weir_error *err);

/* Runs a statement of fixed text for the session's namespace, and prepares it first if the
 * connection does not have it. *result is NULL on failure. */
weir_status weir_pg_run_fixed(struct pg_session *session, struct pg_conn *conn, enum pg_fixed which,
                              const struct pg_params *params, PGresult **result,
                              struct weir_error *err);

/* Fails a call whose statement found a schema, table or function missing: NAMESPACE_NOT_FOUND if
 * the namespace was deleted meanwhile; BACKEND_UNAVAILABLE if it was created anew as well, or is
 * damaged, which is reported to the operator. */
weir_status weir_pg_fail_missing(struct pg_session *session, int64_t deadline_us,
                                 struct weir_error *err);

#endif
