/* The backend: opening and closing the store, and the names of what belongs to a namespace. The
 * first connection is opened here, and checks whether weir can use the database at all. */
#include "store/postgres/pg_int.h"

#include "weir/rules/digest.h"
#include "weir/rules/hex.h"
#include "weir/rules/random.h"
#include "weir/rules/time_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* A session holds no connection, so there may be more of them: a write that waits for its
 * namespace's lock keeps its session and leaves the connection to others in between. */
enum { SESSIONS_MAX = 128 };

/* ---- names ---- */

/* Two ids that share 224 bits of their SHA-256 cannot be found. PostgreSQL's names end at 63
 * bytes. */
void weir_pg_namespace_name(struct weir_slice id, struct pg_namespace *ns)
{
    static const char prefix[] = "weir_";
    uint8_t digest[WEIR_SHA256_BYTES];
    weir_digest_sha256(id, digest);
    memcpy(ns->schema, prefix, sizeof prefix - 1);
    *weir_hex_write(ns->schema + sizeof prefix - 1, digest, WEIR_PG_SCHEMA_DIGEST_BYTES) = '\0';
    uint64_t key = 0;
    for (size_t i = 0; i < sizeof key; i++) {
        key = key << 8 | digest[i];
    }
    ns->lock_key = (int64_t)key;
}

enum { LOCK_BYTES = 32 };  // of a number and its type

static size_t replaced_size(const struct pg_namespace *ns, const char *text)
{
    size_t n = strlen(text) + 1;
    for (const char *at = strchr(text, '@'); at != NULL; at = strchr(at + 1, '@')) {
        n += sizeof ns->schema + LOCK_BYTES;
    }
    return n;
}

/* Writes to `out` what replaces the mark at the beginning of `text`; returns the mark's length, 0
 * if there is no mark. */
static size_t replace_mark(const struct pg_namespace *ns, const char *text, char *out)
{
    const bool has_side = ns->layout->has_side_tables;
    *out = '\0';
    if (strncmp(text, "@.", 2) == 0) {
        (void)snprintf(out, sizeof ns->schema + LOCK_BYTES, "%s.", ns->schema);
        return 2;
    }
    if (strncmp(text, "@name@", 6) == 0) {
        (void)snprintf(out, sizeof ns->schema, "%s", ns->schema);
        return 6;
    }
    if (strncmp(text, "@keys@", 6) == 0) {
        (void)snprintf(out, sizeof ns->schema + LOCK_BYTES, "%s.%s", ns->schema,
                       has_side ? "keys" : "stored");
        return 6;
    }
    if (strncmp(text, "@lock@", 6) == 0) {
        (void)snprintf(out, LOCK_BYTES, "(%" PRId64 ")::int8", ns->lock_key);
        return 6;
    }
    const bool is_side = strncmp(text, "@side{", 6) == 0;
    const bool is_plain = strncmp(text, "@plain{", 7) == 0;
    if (is_side || is_plain) {
        const size_t mark = is_side ? 6 : 7;
        return is_side == has_side ? mark : (size_t)(strstr(text, "}@") + 2 - text);
    }
    return strncmp(text, "}@", 2) == 0 ? 2 : 0;
}

char *weir_pg_expand(const struct pg_namespace *ns, const char *text)
{
    char *out = malloc(replaced_size(ns, text));
    size_t n = 0;
    while (out != NULL && *text != '\0') {
        const size_t mark = *text == '@' || *text == '}' ? replace_mark(ns, text, out + n) : 0;
        if (mark == 0) {
            out[n++] = *text++;
        } else {
            text += mark;
            n += strlen(out + n);
        }
    }
    if (out != NULL) {
        out[n] = '\0';
    }
    return out;
}

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
    (void)pthread_mutex_init(&backend->known_mutex, NULL);
    return backend;
}

static void backend_free(struct pg_backend *backend)
{
    weir_pg_url_free(&backend->url);
    (void)pthread_mutex_destroy(&backend->known_mutex);
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
    .name = "postgresql",
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
