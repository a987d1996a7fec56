/* The backend: opening, closing and pinging the store. The first connection is opened here, and
 * checks whether weir can use the database at all. */
#include "store/postgres/pg_backend.h"
#include "store/postgres/pg_pooler.h"
#include "store/postgres/pg_schema.h"
#include "store/postgres/pg_work.h"
#include "weir/rules/random.h"

#include <stdlib.h>

/* A session holds no connection, so there may be more of them: a write that waits for its
 * namespace's lock keeps its session and leaves the connection to others in between. */
enum { SESSIONS_MAX = 128 };

const struct pg_layout *weir_pg_find_layout(const struct pg_dialect *dialect,
                                            struct weir_slice name)
{
    for (size_t l = 0; l < dialect->layouts_n; l++) {
        if (weir_slice_is(name, dialect->layouts[l]->name)) {
            return dialect->layouts[l];
        }
    }
    return NULL;
}

/* ---- the backend ---- */

int weir_pg_schema_version(const struct weir_backend *base)
{
    const struct pg_backend *backend = (const struct pg_backend *)base;
    return backend->dialect->layouts[0]->version;
}

static struct pg_backend *backend_new(const struct pg_dialect *dialect,
                                      const struct weir_store_ops *ops,
                                      const struct weir_store_options *options)
{
    struct pg_backend *backend = calloc(1, sizeof *backend);
    if (backend == NULL || !weir_random_bytes(&backend->hash_seed, sizeof backend->hash_seed)) {
        free(backend);
        return NULL;
    }
    backend->base.ops = ops;
    backend->base.max_sessions = SESSIONS_MAX;
    backend->base.groups_reads = true;
    backend->dialect = dialect;
    backend->is_durability_normal = options->is_durability_normal;
    backend->base.report = options->report;
    backend->base.report_context = options->report_context;
    atomic_init(&backend->good_host, 0);
    atomic_init(&backend->last_report_us, INT64_MIN / 2);
    weir_link_init(&backend->sessions);
    (void)pthread_mutex_init(&backend->namespaces_mutex, NULL);
    return backend;
}

static void backend_free(struct pg_backend *backend)
{
    weir_pg_url_free(&backend->url);
    (void)pthread_mutex_destroy(&backend->namespaces_mutex);
    free(backend);
}

/* Opens the first connection and checks the database. Failures here are for the operator, so their
 * texts say everything. */
static weir_status start(struct pg_backend *backend, struct weir_error *err)
{
    struct pg_conn *conn = NULL;
    weir_status status = weir_pg_conn_open(backend, INT64_MAX, &conn, err);
    if (status == WEIR_OK) {
        weir_pg_conn_limit(conn, INT64_MAX);
        status = weir_pg_check_pooler(conn, err);
    }
    if (status == WEIR_OK) {
        status = weir_pg_check_extension(conn, err);
    }
    if (status == WEIR_OK) {
        status = weir_pg_registry_prepare(conn, err);
    }
    if (status != WEIR_OK) {
        weir_pg_conn_close(conn);
        return status;
    }
    weir_pg_pool_adopt(&backend->pool, conn);
    return WEIR_OK;
}

weir_status weir_pg_open(const struct pg_dialect *dialect, const struct weir_store_ops *ops,
                         const struct weir_store_options *options, struct weir_backend **base,
                         struct weir_error *err)
{
    struct pg_backend *backend = backend_new(dialect, ops, options);
    if (backend == NULL) {
        return weir_fail(err, WEIR_BACKEND_UNAVAILABLE,
                         "out of memory, or cannot get random bytes from the system");
    }
    weir_status status = weir_pg_url_parse(options->url, dialect->scheme, &backend->url, err);
    if (status != WEIR_OK) {
        backend_free(backend);
        return status;
    }
    weir_pg_pool_init(&backend->pool, backend, options->max_sessions);
    status = start(backend, err);
    if (status != WEIR_OK) {
        weir_pg_close(&backend->base);
        return status;
    }
    *base = &backend->base;
    return WEIR_OK;
}

/* The database may be on another machine, and may be given any number of connections. */
void weir_pg_traits(const char *url, struct weir_store_traits *traits)
{
    (void)url;
    (void)traits;
}

void weir_pg_close(struct weir_backend *base)
{
    struct pg_backend *backend = (struct pg_backend *)base;
    weir_pg_pool_fini(&backend->pool);
    backend_free(backend);
}

/* Reads from the registry, because a server that cannot read the list of namespaces serves none.
 * The deadline holds without the grace for statements that have begun. */
static weir_status ask(struct pg_conn *conn, void *context, struct weir_error *err)
{
    weir_pg_conn_limit(conn, *(const int64_t *)context);
    return weir_pg_script(conn, "SELECT schema_version FROM weir_registry.about", err);
}

weir_status weir_pg_ping(struct weir_backend *base, int64_t deadline_us, struct weir_error *err)
{
    const struct pg_work work = {ask, &deadline_us};
    return weir_pg_run((struct pg_backend *)base, 0, deadline_us, &work, err);
}

/* ---- PostgreSQL itself ---- */

static const struct pg_layout *const layouts[] = {&weir_pg_rows_layout, &weir_pg_adopted_layout};

static const struct pg_dialect dialect = {
    .scheme = "postgresql://",
    .layouts = layouts,
    .layouts_n = WEIR_COUNTOF(layouts),
};

static weir_status open_postgres(const struct weir_store_options *options,
                                 struct weir_backend **base, struct weir_error *err)
{
    return weir_pg_open(&dialect, &weir_postgres_ops, options, base, err);
}

const struct weir_store_ops weir_postgres_ops = {
    .name = "postgresql",
    .open = open_postgres,
    WEIR_PG_SHARED_OPS,
};
