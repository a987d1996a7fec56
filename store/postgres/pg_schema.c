/* Creates the registry and the schemas of namespaces, and brings them up to date. Each change is a
 * transaction behind an advisory lock, so that servers may start together: one of them makes the
 * change and the others find it made. */
#include "store/postgres/pg_schema.h"

#include "store/postgres/pg_backend.h"
#include "store/postgres/pg_work.h"
#include "weir/base/monotonic.h"

#include <stdio.h>
#include <stdlib.h>

enum { REGISTRY_VERSION = 1 };

#define MIGRATION_US (INT64_C(3600) * 1000 * 1000)  // limit for the steps of a schema with messages

/* The lock for creating the registry: "weir" as a number, and 1. Namespaces have locks of one
 * 64-bit number, which PostgreSQL keeps apart from locks of two. */
#define REGISTRY_LOCK "SELECT pg_advisory_xact_lock(2003134834, 1)"

static const char *const registry_steps[] = {weir_pg_sql_registry_001};

/* ---- the extension ---- */

/* Reports roles that may create functions in the extension's schema, which is on the search path: a
 * function of theirs that matches better is called in place of another. The types in this query are
 * exact, so that it calls none of those. */
static weir_status report_other_creators(struct pg_conn *conn, const struct pg_params *name,
                                         struct weir_error *err)
{
    PGresult *result = NULL;
    const weir_status status = weir_pg_query(
        conn,
        "SELECT pg_catalog.quote_ident(n.nspname::text), pg_catalog.string_agg(CASE WHEN a.grantee"
        " = '0'::oid THEN 'PUBLIC' ELSE pg_catalog.quote_ident("
        "pg_catalog.pg_get_userbyid(a.grantee)::text) END, ', '::text)"
        " FROM pg_extension AS e JOIN pg_namespace AS n ON n.oid = e.extnamespace,"
        " LATERAL pg_catalog.aclexplode(coalesce(n.nspacl, pg_catalog.acldefault('n'::\"char\","
        " n.nspowner))) AS a WHERE e.extname = $1::name AND a.privilege_type = 'CREATE'::text"
        " AND a.grantee NOT IN (n.nspowner, (SELECT r.oid FROM pg_roles AS r"
        " WHERE r.rolname = current_user)) GROUP BY n.nspname",
        name, &result, err);
    if (status == WEIR_OK && PQntuples(result) > 0) {
        const struct weir_slice schema = weir_pg_slice(result, 0, 0);
        const struct weir_slice roles = weir_pg_slice(result, 0, 1);
        weir_backend_report(
            &conn->backend->base,
            "other roles may create functions in %.*s, the schema of the extension %s, which would "
            "run with the rights of weir's role: REVOKE CREATE ON SCHEMA %.*s FROM %.*s",
            WEIR_SLICE_ARG(schema), conn->backend->dialect->extension, WEIR_SLICE_ARG(schema),
            WEIR_SLICE_ARG(roles));
    }
    PQclear(result);
    return status;
}

weir_status weir_pg_check_extension(struct pg_conn *conn, struct weir_error *err)
{
    const char *extension = conn->backend->dialect->extension;
    if (extension == NULL) {
        return WEIR_OK;
    }
    struct pg_params params;
    weir_pg_params_init(&params, NULL);
    weir_pg_param_slice(&params, weir_slice_of(extension));
    PGresult *result = NULL;
    weir_status status =
        weir_pg_query(conn, "SELECT 1 FROM pg_extension WHERE extname = $1", &params, &result, err);
    if (status == WEIR_OK && PQntuples(result) == 0) {
        status = weir_fail(err, WEIR_PRECONDITION,
                           "the database has no extension %s: CREATE EXTENSION %s, or give the "
                           "store's URL as postgresql://…",
                           extension, extension);
    }
    PQclear(result);
    return status == WEIR_OK ? report_other_creators(conn, &params, err) : status;
}

/* ---- the registry ---- */

static weir_status read_number(struct pg_conn *conn, const char *text, int32_t *number,
                               struct weir_error *err)
{
    struct pg_params none;
    weir_pg_params_init(&none, NULL);
    PGresult *result = NULL;
    const weir_status status = weir_pg_query(conn, text, &none, &result, err);
    if (status == WEIR_OK && (PQntuples(result) != 1 || !weir_pg_int4(result, 0, 0, number))) {
        PQclear(result);
        return weir_fail(err, WEIR_DATA_CORRUPT, "the store's registry is damaged");
    }
    PQclear(result);
    return status;
}

/* Reads the registry's version; 0 if there is no registry. A schema of that name that is not weir's
 * is left alone. The catalogue is read as tables, because to_regclass() may answer from what this
 * session knew before it had the lock. */
static weir_status read_version(struct pg_conn *conn, int32_t *version, struct weir_error *err)
{
    int32_t state = 0;
    weir_status status =
        read_number(conn,
                    "SELECT coalesce(max(CASE WHEN c.oid IS NULL THEN 1 ELSE 2 END), 0)::int4"
                    " FROM pg_namespace AS n"
                    " LEFT JOIN pg_class AS c ON c.relnamespace = n.oid AND c.relname = 'about'"
                    " WHERE n.nspname = 'weir_registry'",
                    &state, err);
    *version = 0;
    if (status == WEIR_OK && state == 1) {
        return weir_fail(err, WEIR_PRECONDITION,
                         "the database has a schema weir_registry that is not weir's: use another "
                         "database, or remove that schema");
    }
    if (status == WEIR_OK && state == 2) {
        status = read_number(conn, "SELECT schema_version FROM weir_registry.about", version, err);
    }
    return status;
}

static weir_status create_registry(struct pg_conn *conn, struct weir_error *err)
{
    weir_status status = weir_pg_script(conn, "BEGIN;" REGISTRY_LOCK, err);
    int32_t version = 0;
    if (status == WEIR_OK) {
        status = read_version(conn, &version, err);
    }
    if (status == WEIR_OK && version == 0) {
        status = weir_pg_script(conn, "CREATE SCHEMA weir_registry", err);
        for (size_t s = 0; status == WEIR_OK && s < WEIR_COUNTOF(registry_steps); s++) {
            status = weir_pg_script(conn, registry_steps[s], err);
        }
    }
    if (status == WEIR_OK) {
        status = weir_pg_script(conn, "COMMIT", err);
    }
    const bool is_forbidden =
        status != WEIR_OK && strcmp(conn->sqlstate, PG_STATE_INSUFFICIENT_PRIVILEGE) == 0;
    if (status != WEIR_OK) {
        weir_pg_roll_back(conn);
    }
    if (is_forbidden) {
        return weir_fail(
            err, WEIR_PRECONDITION,
            "the database user may not create schemas: GRANT CREATE ON DATABASE … TO that user");
    }
    return status;
}

weir_status weir_pg_registry_prepare(struct pg_conn *conn, struct weir_error *err)
{
    int32_t version = 0;
    weir_status status = read_version(conn, &version, err);
    if (status == WEIR_OK && version == 0) {
        status = create_registry(conn, err);
        if (status == WEIR_OK) {
            status = read_version(conn, &version, err);
        }
    }
    if (status == WEIR_OK && version > REGISTRY_VERSION) {
        return weir_fail(err, WEIR_PRECONDITION,
                         "the store's schema has version %d, but this program supports at most %d: "
                         "use the newer weir-server, or another database",
                         (int)version, REGISTRY_VERSION);
    }
    return status;
}

/* ---- namespaces ---- */

static weir_status apply(struct pg_conn *conn, const struct pg_namespace *ns, const char *file,
                         struct weir_error *err)
{
    char *text = weir_pg_expand(ns, file);
    const weir_status status = text == NULL
                                   ? weir_fail(err, WEIR_BACKEND_UNAVAILABLE, "out of memory")
                                   : weir_pg_script(conn, text, err);
    free(text);
    return status;
}

weir_status weir_pg_bring_up_to_date(struct pg_conn *conn, const struct pg_namespace *ns,
                                     int version, struct weir_error *err)
{
    const struct pg_layout *layout = ns->layout;
    weir_status status = WEIR_OK;
    if (version == layout->version) {
        return WEIR_OK;  // another server has done it
    }
    for (size_t s = 0; status == WEIR_OK && s < layout->steps_n; s++) {
        if (layout->steps[s].version > version) {
            status = apply(conn, ns, layout->steps[s].text, err);
        }
    }
    for (size_t f = 0; status == WEIR_OK && f < layout->functions_n; f++) {
        status = apply(conn, ns, layout->functions[f], err);
    }
    return status == WEIR_OK ? apply(conn, ns, weir_pg_sql_drop_earlier_signatures, err) : status;
}

/* A namespace as the registry has it. */
struct registration {
    struct weir_slice id;
    struct pg_namespace *ns;
    int32_t version;
};

static weir_status fail_unusable(struct pg_conn *conn, const struct registration *entry,
                                 struct weir_slice layout, struct weir_error *err)
{
    if (entry->ns->layout == NULL) {
        weir_backend_report(&conn->backend->base,
                            "%s has the layout '%.*s', which this store does not support: it was "
                            "made by a server whose store's URL began otherwise, as timescaledb:// "
                            "does",
                            entry->ns->schema, WEIR_SLICE_ARG(layout));
        return weir_fail(
            err, WEIR_BACKEND_UNAVAILABLE,
            "the namespace's storage has a layout that this store does not support (%.*s)",
            WEIR_SLICE_ARG(layout));
    }
    weir_backend_report(&conn->backend->base,
                        "%s has the schema version %d, but this program supports at most %d",
                        entry->ns->schema, (int)entry->version, entry->ns->layout->version);
    return weir_fail(err, WEIR_BACKEND_UNAVAILABLE,
                     "the namespace's schema is newer than this program");
}

/* Returns a number of its own for each namespace there ever was; never 0. */
static uint64_t owner_of(const struct pg_namespace *ns)
{
    const uint64_t owner =
        (uint64_t)ns->lock_key ^ (uint64_t)ns->created_at_us * UINT64_C(0x9e3779b97f4a7c15);
    return owner == 0 ? 1 : owner;
}

static weir_status look_up(struct pg_conn *conn, struct registration *entry, struct weir_error *err)
{
    struct pg_params params;
    weir_pg_params_init(&params, NULL);
    weir_pg_param_slice(&params, entry->id);
    PGresult *result = NULL;
    weir_status status = weir_pg_query(conn,
                                       "SELECT layout, schema_version, created_at"
                                       " FROM weir_registry.namespaces WHERE id = $1",
                                       &params, &result, err);
    if (status != WEIR_OK) {
        return status;
    }
    if (PQntuples(result) == 0) {
        status = weir_fail_no_namespace(err, entry->id);
    } else {
        const struct weir_slice layout = weir_pg_slice(result, 0, 0);
        entry->ns->layout = weir_pg_find_layout(conn->backend->dialect, layout);
        if (!weir_pg_int4(result, 0, 1, &entry->version) || entry->ns->layout == NULL ||
            entry->version > entry->ns->layout->version) {
            status = fail_unusable(conn, entry, layout, err);
        }
        (void)weir_pg_time(result, 0, 2, &entry->ns->created_at_us);
        entry->ns->owner = owner_of(entry->ns);
    }
    PQclear(result);
    return status;
}

weir_status weir_pg_namespace_lock(struct pg_conn *conn, const struct pg_namespace *ns,
                                   struct weir_error *err)
{
    struct pg_params params;
    weir_pg_params_init(&params, NULL);
    weir_pg_param_int8(&params, ns->lock_key);
    weir_pg_param_int4(&params, WEIR_PG_LOCK_SLICE_MS);
    PGresult *result = NULL;
    const weir_status status =
        weir_pg_query(conn,
                      "SELECT pg_advisory_xact_lock($1::int8)"
                      " FROM set_config('lock_timeout', $2::int4::text, true)",
                      &params, &result, err);
    PQclear(result);
    return status == WEIR_OK
               ? weir_pg_script(conn, "SET LOCAL lock_timeout = " WEIR_PG_LOCK_TIMEOUT, err)
               : status;
}

/* Tells the operator what keeps a namespace from being brought up to date, and thus from being
 * served. */
static void report_unmigrated(const struct pg_conn *conn, const struct registration *entry,
                              const struct weir_error *err)
{
    const char *why = err->text;
    if (strcmp(conn->sqlstate, PG_STATE_LOCK_NOT_AVAILABLE) == 0) {
        why = "another session, such as that of a backup, holds locks on its tables";
    } else if (strcmp(conn->sqlstate, PG_STATE_INSUFFICIENT_PRIVILEGE) == 0) {
        why = "weir's role must own the schema and all that is in it";
    }
    weir_backend_report(&conn->backend->base,
                        "%s cannot be brought from schema version %d to version %d: %s",
                        entry->ns->schema, (int)entry->version, entry->ns->layout->version, why);
}

/* Migrates behind the namespace's own lock: one of several servers does it, the others find it
 * done. */
static weir_status migrate_locked(struct pg_conn *conn, struct registration *entry,
                                  struct weir_error *err)
{
    weir_status status = weir_pg_namespace_lock(conn, entry->ns, err);
    if (status == WEIR_OK) {
        status = look_up(conn, entry, err);
    }
    /* The time depends on the number of messages. A new schema, which has none, is not made
     * here. */
    if (status == WEIR_OK) {
        weir_pg_conn_limit(conn, weir_monotonic_us() + MIGRATION_US);
        status = weir_pg_script(conn, "SET LOCAL statement_timeout = 0", err);
    }
    if (status == WEIR_OK) {
        status = weir_pg_bring_up_to_date(conn, entry->ns, entry->version, err);
        if (status != WEIR_OK) {
            report_unmigrated(conn, entry, err);
        }
    }
    if (status != WEIR_OK) {
        return status;
    }
    struct pg_params params;
    PGresult *result = NULL;
    weir_pg_params_init(&params, NULL);
    weir_pg_param_slice(&params, entry->id);
    weir_pg_param_int4(&params, entry->ns->layout->version);
    status = weir_pg_query(conn,
                           "UPDATE weir_registry.namespaces SET schema_version = $2::int4"
                           " WHERE id = $1",
                           &params, &result, err);
    PQclear(result);
    return status;
}

static weir_status migrate(struct pg_conn *conn, struct registration *entry, struct weir_error *err)
{
    weir_status status = weir_pg_script(conn, "BEGIN", err);
    if (status == WEIR_OK) {
        status = migrate_locked(conn, entry, err);
    }
    if (status == WEIR_OK) {
        status = weir_pg_script(conn, "COMMIT", err);
    }
    if (status != WEIR_OK) {
        weir_pg_roll_back(conn);
    }
    return status;
}

static weir_status locate(struct pg_conn *conn, void *context, struct weir_error *err)
{
    struct registration *entry = context;
    const weir_status status = look_up(conn, entry, err);
    if (status == WEIR_OK && entry->version < entry->ns->layout->version) {
        return migrate(conn, entry, err);
    }
    return status;
}

weir_status weir_pg_namespace_locate(struct pg_backend *backend, struct weir_slice id,
                                     int64_t deadline_us, struct pg_namespace *ns,
                                     struct weir_error *err)
{
    weir_pg_namespace_name(id, ns);
    if (weir_pg_namespace_recall(backend, ns)) {
        return WEIR_OK;
    }
    struct registration entry = {.id = id, .ns = ns};
    const struct pg_work work = {locate, &entry};
    const weir_status status =
        weir_pg_run(backend, 0, weir_pg_call_deadline(deadline_us), &work, err);
    if (status == WEIR_OK) {
        weir_pg_namespace_remember(backend, ns);
    }
    return status;
}
