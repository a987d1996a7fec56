/* Opening a store on the backend that its URL names, and the calls that run in a namespace: each
 * borrows a session from the pool, calls the backend with it and returns it. */
#include "store/store.h"

#include "store/store_int.h"

#include "weir/base/monotonic.h"
#include "weir/rules/limits.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { REPORT_BYTES = 512 };

/* ---- the backends ---- */

struct scheme {
    const char *prefix;  // of the URL
    const struct weir_store_ops *ops;
};

static const struct scheme schemes[] = {
    {"sqlite:", &weir_sqlite_ops},
    {"postgresql://", &weir_postgres_ops},
    {"postgres://", &weir_postgres_ops},  // the other form that libpq takes
    {"timescaledb://", &weir_timescale_ops},
};

/* Returns the backend that serves a URL; NULL for none. */
static const struct weir_store_ops *find_backend(const char *url)
{
    for (size_t s = 0; s < WEIR_COUNTOF(schemes); s++) {
        if (strncmp(url, schemes[s].prefix, strlen(schemes[s].prefix)) == 0) {
            return schemes[s].ops;
        }
    }
    return NULL;
}

struct weir_store_traits weir_store_traits(const char *url)
{
    const struct weir_store_ops *ops = find_backend(url);
    struct weir_store_traits traits = {.is_local = false};
    if (ops != NULL) {
        ops->traits(url, &traits);
    }
    return traits;
}

static weir_status start(struct weir_store *store, const struct weir_store_options *options,
                         struct weir_error *err)
{
    if (!weir_namespaces_init(store)) {
        return weir_fail(err, WEIR_BACKEND_UNAVAILABLE, "the system gives no random bytes");
    }
    const size_t own = store->backend->max_sessions;
    weir_session_pool_init(&store->pool, store->backend, own > 0 ? own : options->max_sessions);
    return WEIR_OK;
}

weir_status weir_store_open(const struct weir_store_options *options, struct weir_store **store,
                            struct weir_error *err)
{
    const struct weir_store_ops *ops = find_backend(options->url);
    return ops == NULL ? weir_fail_field(err, "store",
                                         "unknown store URL: it must be sqlite:DIR, "
                                         "sqlite::memory:, postgresql://… or timescaledb://…")
                       : weir_store_open_on(ops, options, store, err);
}

weir_status weir_store_open_on(const struct weir_store_ops *ops,
                               const struct weir_store_options *options, struct weir_store **store,
                               struct weir_error *err)
{
    assert(options->max_sessions >= 1);
    struct weir_store *opened = calloc(1, sizeof *opened);
    if (opened == NULL) {
        return weir_fail(err, WEIR_BACKEND_UNAVAILABLE, "out of memory");
    }
    ops->traits(options->url, &opened->traits);
    weir_status status = ops->open(options, &opened->backend, err);
    if (status == WEIR_OK) {
        status = start(opened, options, err);
        if (status != WEIR_OK) {
            ops->close(opened->backend);
        }
    }
    if (status != WEIR_OK) {
        free(opened);
        return status;
    }
    *store = opened;
    return WEIR_OK;
}

void weir_store_close(struct weir_store *store)
{
    if (store == NULL) {
        return;
    }
    weir_session_pool_fini(&store->pool);
    weir_namespaces_fini(store);
    store->backend->ops->close(store->backend);
    free(store);
}

bool weir_store_is_local(const struct weir_store *store)
{
    return store->traits.is_local;
}

bool weir_store_is_in_memory(const struct weir_store *store)
{
    return store->traits.is_in_memory;
}

void weir_store_on_wait(struct weir_store *store, void (*waits)(void *context), void *context)
{
    store->backend->waits = waits;
    store->backend->waits_context = context;
}

const char *weir_store_backend_name(const struct weir_store *store)
{
    return store->backend->ops->name;
}

int weir_store_schema_version(const struct weir_store *store)
{
    return store->backend->ops->schema_version(store->backend);
}

weir_status weir_store_ping(struct weir_store *store, int64_t deadline_us, struct weir_error *err)
{
    return store->backend->ops->ping(store->backend, deadline_us, err);
}

/* Lists take an absent prefix or cursor for the empty one; backends get the empty one. */
static struct weir_slice or_empty(struct weir_slice text)
{
    return text.p == NULL ? weir_slice("", 0) : text;
}

/* ---- the registry ---- */

weir_status weir_namespace_find(struct weir_store *store, struct weir_namespace_record *record,
                                int64_t deadline_us, struct weir_arena *arena,
                                struct weir_error *err)
{
    return store->backend->ops->namespace_find(store->backend, record, deadline_us, arena, err);
}

weir_status weir_namespace_set_token(struct weir_store *store, struct weir_slice id,
                                     const struct weir_token_hash *hash, int64_t deadline_us,
                                     struct weir_error *err)
{
    return store->backend->ops->namespace_set_token(store->backend, id, hash, deadline_us, err);
}

weir_status weir_namespace_list(struct weir_store *store, const struct weir_registry_query *query,
                                struct weir_arena *arena, struct weir_registry_page *page,
                                struct weir_error *err)
{
    assert(query->limit >= 1);
    struct weir_registry_query present = *query;
    present.after = or_empty(query->after);
    return store->backend->ops->namespace_list(store->backend, &present, arena, page, err);
}

/* ---- calls in a namespace: borrow a session, call the backend, return the session ---- */

static weir_status borrow(struct weir_namespace *ns, int64_t deadline_us,
                          struct weir_session **session, struct weir_error *err)
{
    return weir_session_borrow(&ns->store->pool, &ns->shelf, WEIR_SESSION_READ, deadline_us,
                               session, err);
}

static weir_status give_back(struct weir_namespace *ns, struct weir_session *session,
                             weir_status status)
{
    weir_session_return(&ns->store->pool, session);
    return status;
}

weir_status weir_read(struct weir_namespace *ns, const struct weir_query *query,
                      struct weir_arena *arena, struct weir_rows *rows, struct weir_error *err)
{
    assert(query->max_messages >= 0 && query->types_n <= WEIR_READ_TYPES_MAX);
    assert(query->group_size == 0 ||
           (query->group_member >= 0 && query->group_member < query->group_size));
    assert(query->selector != WEIR_SELECT_STREAM ||
           (query->group_size == 0 && query->correlation.p == NULL));
    struct weir_session *session = NULL;
    if (borrow(ns, query->deadline_us, &session, err) != WEIR_OK) {
        return err->status;
    }
    return give_back(ns, session, session->ops->read(session, query, arena, rows, err));
}

/* ---- reads in a group ---- */

bool weir_store_groups_reads(const struct weir_store *store)
{
    return store->backend->groups_reads;
}

bool weir_query_is_small(const struct weir_query *query)
{
    return query->max_messages >= 1 && query->max_messages <= WEIR_READ_SMALL_MESSAGES &&
           query->types_n == 0 && query->correlation.p == NULL && query->group_size == 0 &&
           !query->is_from_global;
}

void weir_read_singly(struct weir_session *session, struct weir_read *group)
{
    struct weir_read *next = NULL;
    for (struct weir_read *read = group; read != NULL; read = next) {
        next = read->next;
        session->deadline_us = read->query.deadline_us;
        (void)session->ops->read(session, &read->query, read->arena, &read->rows, read->err);
        read->done(read);
    }
}

static int64_t last_deadline(const struct weir_read *group)
{
    int64_t last_us = INT64_MIN;
    for (const struct weir_read *read = group; read != NULL; read = read->next) {
        last_us = read->query.deadline_us > last_us ? read->query.deadline_us : last_us;
    }
    return last_us;
}

static void fail_group(struct weir_read *group, const struct weir_error *err)
{
    struct weir_read *next = NULL;
    for (struct weir_read *read = group; read != NULL; read = next) {
        next = read->next;
        weir_error_copy(read->err, err);
        read->done(read);
    }
}

void weir_read_group(struct weir_namespace *ns, struct weir_read *group)
{
    struct weir_error err;
    weir_error_init(&err);
    struct weir_session *session = NULL;
    if (borrow(ns, last_deadline(group), &session, &err) != WEIR_OK) {
        fail_group(group, &err);
        return;
    }
    session->ops->read_group(session, group);
    (void)give_back(ns, session, WEIR_OK);
}

struct weir_query weir_query_of_last(const struct weir_query *query)
{
    assert(query->types_n <= 1);
    struct weir_query last = *query;
    last.selector = WEIR_SELECT_STREAM;
    last.is_backward = true;
    last.is_from_newest = true;
    last.is_from_global = false;
    last.is_unlimited = false;
    last.max_messages = 1;
    last.max_bytes = SIZE_MAX;
    if (last.types_n == 1 && last.types[0].n == 0) {  // the empty type is no filter
        last.types_n = 0;
    }
    return last;
}

weir_status weir_stream_version(struct weir_namespace *ns, struct weir_slice stream,
                                int64_t deadline_us, int64_t *version, struct weir_error *err)
{
    struct weir_session *session = NULL;
    if (borrow(ns, deadline_us, &session, err) != WEIR_OK) {
        return err->status;
    }
    return give_back(ns, session, session->ops->stream_version(session, stream, version, err));
}

weir_status weir_head(struct weir_namespace *ns, int64_t deadline_us, struct weir_head *head,
                      struct weir_error *err)
{
    struct weir_session *session = NULL;
    if (borrow(ns, deadline_us, &session, err) != WEIR_OK) {
        return err->status;
    }
    return give_back(ns, session, session->ops->head(session, head, err));
}

weir_status weir_namespace_totals(struct weir_namespace *ns, int64_t deadline_us,
                                  struct weir_namespace_totals *totals, struct weir_error *err)
{
    struct weir_session *session = NULL;
    if (borrow(ns, deadline_us, &session, err) != WEIR_OK) {
        return err->status;
    }
    return give_back(ns, session, session->ops->totals(session, totals, err));
}

weir_status weir_list_streams(struct weir_namespace *ns, const struct weir_page_query *query,
                              struct weir_arena *arena, struct weir_stream_page *page,
                              struct weir_error *err)
{
    assert(query->limit >= 1 && query->limit <= WEIR_LIST_LIMIT_MAX);
    struct weir_page_query present = *query;
    present.prefix = or_empty(query->prefix);
    present.after = or_empty(query->after);
    struct weir_session *session = NULL;
    if (borrow(ns, query->deadline_us, &session, err) != WEIR_OK) {
        return err->status;
    }
    return give_back(ns, session, session->ops->list_streams(session, &present, arena, page, err));
}

weir_status weir_list_categories(struct weir_namespace *ns, int64_t deadline_us,
                                 struct weir_arena *arena, struct weir_category_list *list,
                                 struct weir_error *err)
{
    struct weir_session *session = NULL;
    if (borrow(ns, deadline_us, &session, err) != WEIR_OK) {
        return err->status;
    }
    return give_back(ns, session, session->ops->list_categories(session, arena, list, err));
}

weir_status weir_chunks(struct weir_namespace *ns, const struct weir_chunk_query *query,
                        struct weir_arena *arena, struct weir_chunk_list *list,
                        struct weir_error *err)
{
    struct weir_session *session = NULL;
    if (borrow(ns, query->deadline_us, &session, err) != WEIR_OK) {
        return err->status;
    }
    return give_back(ns, session, session->ops->chunks(session, query, arena, list, err));
}

/* ---- for backends ---- */

weir_status weir_fail_connections_in_use(int64_t deadline_us, struct weir_error *err)
{
    if (weir_monotonic_us() >= deadline_us) {
        return weir_fail(err, WEIR_DEADLINE_EXCEEDED,
                         "the deadline passed while all connections to the store were in use "
                         "(--store-connections)");
    }
    return weir_fail(err, WEIR_BACKEND_UNAVAILABLE, "all connections are in use");
}

void weir_backend_report(const struct weir_backend *backend, const char *format, ...)
{
    if (backend->report == NULL) {
        return;
    }
    char text[REPORT_BYTES];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    backend->report(backend->report_context, text);
}

weir_status weir_chunks_unsupported(struct weir_session *session,
                                    const struct weir_chunk_query *query, struct weir_arena *arena,
                                    struct weir_chunk_list *list, struct weir_error *err)
{
    (void)session;
    (void)query;
    (void)arena;
    (void)list;
    return weir_fail(err, WEIR_FEATURE_UNSUPPORTED,
                     "the namespace has no chunks: only a store on TimescaleDB has them");
}
