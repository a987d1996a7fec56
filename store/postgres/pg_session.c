/* Sessions. A session holds the id of a namespace and what is known of that namespace, but no
 * connection: each call takes one from the pool. When this process learns that the namespace was
 * deleted, and perhaps made anew, it marks the sessions of the id as outdated, and the next call of
 * each asks the registry again. */
#include "store/postgres/pg_session.h"

#include "store/postgres/pg_chunks.h"
#include "store/postgres/pg_list.h"
#include "store/postgres/pg_read.h"
#include "store/postgres/pg_schema.h"
#include "store/postgres/pg_write.h"

#include <assert.h>
#include <stdlib.h>

enum {
    WRITE_ARENA_BYTES = 512 * 1024 * 1024,  // for the statement of one write
    WRITE_ARENA_KEEP_BYTES = 256 * 1024,
    KIND_FIXED = 1  // the first kind of the fixed texts; kinds of SELECTs have the highest bit
};

weir_status weir_pg_session_prepare(struct pg_session *session, struct pg_conn *conn,
                                    struct pg_key key, const char *text, struct weir_error *err)
{
    char *expanded = weir_pg_expand(&session->ns, text);
    const weir_status status = expanded == NULL
                                   ? weir_fail(err, WEIR_BACKEND_UNAVAILABLE, "out of memory")
                                   : weir_pg_prepare(conn, key, expanded, err);
    free(expanded);
    return status;
}

weir_status weir_pg_run_fixed(struct pg_session *session, struct pg_conn *conn, enum pg_fixed which,
                              const struct pg_params *params, PGresult **result,
                              struct weir_error *err)
{
    const struct pg_key key = {session->ns.owner, KIND_FIXED + (uint32_t)which, 0};
    *result = NULL;
    if (!weir_pg_is_prepared(conn, key)) {
        const weir_status status =
            weir_pg_session_prepare(session, conn, key, session->ns.layout->fixed[which], err);
        if (status != WEIR_OK) {
            return status;
        }
    }
    return weir_pg_execute(conn, key, params, result, err);
}

static struct weir_slice id_of(const struct pg_session *session)
{
    return weir_slice(session->id, session->id_n);
}

/* Finds the namespace of the session's id. A thread that learns meanwhile of yet another one marks
 * the session again, and the next call asks again. */
static weir_status find_namespace(struct pg_session *session, int64_t deadline_us,
                                  struct pg_namespace *ns, struct weir_error *err)
{
    struct pg_backend *backend = session->backend;
    atomic_store(&session->is_outdated, false);
    const weir_status status =
        weir_pg_namespace_locate(backend, id_of(session), deadline_us, ns, err);
    if (status == WEIR_OK) {
        (void)pthread_mutex_lock(&backend->namespaces_mutex);
        session->created_at_us = ns->created_at_us;
        (void)pthread_mutex_unlock(&backend->namespaces_mutex);
    }
    return status;
}

static void take_namespace(struct pg_session *session, const struct pg_namespace *ns)
{
    session->ns.created_at_us = ns->created_at_us;
    session->ns.layout = ns->layout;
    session->ns.owner = ns->owner;
    session->is_large = false;
    session->window = (struct pg_window){.version = 0};
    weir_pg_versions_forget(session);
}

weir_status weir_pg_session_begin(struct pg_session *session, int64_t deadline_us,
                                  struct weir_error *err)
{
    if (!atomic_load(&session->is_outdated)) {
        return WEIR_OK;
    }
    struct pg_namespace ns;
    const weir_status status = find_namespace(session, deadline_us, &ns, err);
    if (status != WEIR_OK) {
        session->base.is_broken = true;
        atomic_store(&session->is_outdated, true);
    } else if (ns.created_at_us != session->ns.created_at_us) {
        take_namespace(session, &ns);
    }
    return status;
}

weir_status weir_pg_fail_missing(struct pg_session *session, int64_t deadline_us,
                                 struct weir_error *err)
{
    struct pg_namespace ns;
    weir_pg_namespace_forget(session->backend, &session->ns);
    session->base.is_broken = true;
    const weir_status status =
        weir_pg_namespace_locate(session->backend, id_of(session), deadline_us, &ns, err);
    if (status != WEIR_OK) {
        return status;
    }
    if (ns.created_at_us != session->ns.created_at_us) {
        return weir_fail(
            err, WEIR_BACKEND_UNAVAILABLE,
            "the namespace was deleted and created again while the call was under way");
    }
    weir_backend_report(&session->backend->base, "%s: the namespace's schema is damaged",
                        ns.schema);
    return weir_fail(err, WEIR_BACKEND_UNAVAILABLE, "the namespace's storage is damaged");
}

/* Notes whether something was missing, because the connection is given back before the caller
 * asks. */
struct noted {
    const struct pg_work *work;
    bool is_missing;
};

static weir_status run_noting(struct pg_conn *conn, void *context, struct weir_error *err)
{
    struct noted *noted = context;
    const weir_status status = noted->work->run(conn, noted->work->context, err);
    noted->is_missing = status != WEIR_OK && conn->remedy == PG_REMEDY_MISSING;
    return status;
}

weir_status weir_pg_session_run(struct pg_session *session, const struct pg_work *work,
                                struct weir_error *err)
{
    struct noted noted = {work, false};
    const struct pg_work outer = {run_noting, &noted};
    const int64_t deadline_us = session->base.deadline_us;
    weir_status status = weir_pg_session_begin(session, deadline_us, err);
    if (status != WEIR_OK) {
        return status;
    }
    status = weir_pg_run(session->backend, session->ns.owner, deadline_us, &outer, err);
    return noted.is_missing ? weir_pg_fail_missing(session, deadline_us, err) : status;
}

/* ---- opening and closing ---- */

static void enlist(struct pg_session *session)
{
    struct pg_backend *backend = session->backend;
    (void)pthread_mutex_lock(&backend->namespaces_mutex);
    weir_link_append(&backend->sessions, &session->open);
    (void)pthread_mutex_unlock(&backend->namespaces_mutex);
}

static void delist(struct pg_session *session)
{
    struct pg_backend *backend = session->backend;
    (void)pthread_mutex_lock(&backend->namespaces_mutex);
    weir_link_remove(&session->open);
    (void)pthread_mutex_unlock(&backend->namespaces_mutex);
}

static void session_close(struct weir_session *base)
{
    struct pg_session *session = (struct pg_session *)base;
    delist(session);
    weir_arena_fini(&session->arena);
    free(session->versions.slots);
    free(session);
}

static const struct weir_session_ops session_ops = {
    .close = session_close,
    .commit = weir_pg_commit,
    .read = weir_pg_read,
    .read_group = weir_pg_read_group,
    .stream_version = weir_pg_stream_version,
    .head = weir_pg_head,
    .totals = weir_pg_totals,
    .list_streams = weir_pg_list_streams,
    .list_categories = weir_pg_list_categories,
    .chunks = weir_pg_chunks,
};

weir_status weir_pg_session_open(struct weir_backend *base, struct weir_slice id,
                                 int64_t deadline_us, struct weir_session **session,
                                 bool *is_short_of_files, struct weir_error *err)
{
    (void)is_short_of_files;  // a session keeps none open
    assert(id.n <= WEIR_NAMESPACE_MAX_BYTES);
    struct pg_session *opened = calloc(1, sizeof *opened);
    if (opened == NULL) {
        return weir_fail(err, WEIR_BACKEND_UNAVAILABLE, "out of memory");
    }
    opened->base.ops = &session_ops;
    opened->base.deadline_us = INT64_MAX;
    opened->backend = (struct pg_backend *)base;
    memcpy(opened->id, id.p, id.n);
    opened->id_n = id.n;
    weir_arena_init(&opened->arena, WRITE_ARENA_BYTES, WRITE_ARENA_KEEP_BYTES);
    weir_pg_namespace_name(id, &opened->ns);
    enlist(opened);
    struct pg_namespace ns;
    const weir_status status = find_namespace(opened, deadline_us, &ns, err);
    if (status != WEIR_OK) {
        session_close(&opened->base);
        return status;
    }
    take_namespace(opened, &ns);
    *session = &opened->base;
    return WEIR_OK;
}
