/* The registry, the list of namespaces in registry.db: opening it, looking namespaces up and
 * listing them, and changing tokens. Statements are prepared for each call, because callers cache
 * the results that they need often. */
#include "store/sqlite/sqlite_registry.h"

#include "store/sqlite/sqlite_checkpoint.h"
#include "store/sqlite/sqlite_connect.h"
#include "store/sqlite/sqlite_create.h"
#include "store/sqlite/sqlite_files.h"
#include "store/sqlite/sqlite_identity.h"
#include "store/sqlite/sqlite_location.h"
#include "store/sqlite/sqlite_namespaces.h"
#include "store/sqlite/sqlite_session.h"
#include "store/sqlite/sqlite_status.h"
#include "store/sqlite/sqlite_wal_file.h"

#include "weir/base/monotonic.h"

#include <dirent.h>

enum { WAL_PAGES = 1000 };  // length of the WAL from which a change moves it into the registry

/* ---- one call on one connection ---- */

static struct sqlite_registry_connection *reading(struct sqlite_backend *backend)
{
    return backend->reads.db != NULL ? &backend->reads : &backend->changes;
}

/* Makes the checkpoints of the registry on the thread of the change that needs one: changes are few
 * and small. */
static int on_wal(void *context, sqlite3 *db, const char *schema, int pages)
{
    (void)schema;
    if (pages >= WAL_PAGES) {
        (void)weir_sqlite_checkpoint(context, weir_sqlite_registry_name, db,
                                     SQLITE_CHECKPOINT_PASSIVE, NULL);
    }
    return SQLITE_OK;
}

/* Opens a connection that syncs every change, whatever the durability chosen for messages: a token
 * that a client or the file of the default token holds must be here after a power loss too. */
static weir_status connect_registry(struct sqlite_backend *backend, sqlite3 **db,
                                    enum sqlite_presence *presence, struct weir_error *err)
{
    const struct sqlite_wanted wanted = {weir_sqlite_registry_name, &weir_sqlite_registry_schema,
                                         INT64_MAX};
    sqlite3 *opened = NULL;
    const weir_status status = weir_sqlite_connect(backend, &wanted, &opened, presence, err);
    if (status != WEIR_OK) {
        return status;
    }
    int rc = sqlite3_exec(opened, "PRAGMA synchronous = FULL", NULL, NULL, NULL);
    if (rc == SQLITE_OK && backend->dir != NULL) {
        rc = weir_sqlite_wal_sync(opened);
    }
    if (rc != SQLITE_OK) {
        (void)sqlite3_close(opened);
        return weir_sqlite_fail(err, rc, "open a database");
    }
    (void)sqlite3_wal_hook(opened, on_wal, backend);
    *db = opened;
    return WEIR_OK;
}

static weir_status reconnect(struct sqlite_backend *backend,
                             struct sqlite_registry_connection *connection, struct weir_error *err)
{
    sqlite3 *fresh = NULL;
    const weir_status status = connect_registry(backend, &fresh, NULL, err);
    if (status != WEIR_OK) {
        /* The text names the file, which the operator may see but not the client. */
        weir_backend_report(&backend->base, "%s", err->text);
        return weir_fail(err, WEIR_BACKEND_UNAVAILABLE, "the list of namespaces cannot be used");
    }
    (void)sqlite3_close(connection->db);
    connection->db = fresh;
    connection->is_broken = false;
    return WEIR_OK;
}

void weir_sqlite_registry_connection_init(struct sqlite_registry_connection *connection)
{
    (void)pthread_mutex_init(&connection->mutex, NULL);
    weir_cond_init(&connection->returned);
}

void weir_sqlite_registry_connection_fini(struct sqlite_registry_connection *connection)
{
    (void)pthread_cond_destroy(&connection->returned);
    (void)pthread_mutex_destroy(&connection->mutex);
}

bool weir_sqlite_registry_take(struct sqlite_registry_connection *connection, int64_t deadline_us)
{
    (void)pthread_mutex_lock(&connection->mutex);
    while (connection->is_lent &&
           weir_cond_wait_until(&connection->returned, &connection->mutex, deadline_us)) {
    }
    const bool is_taken = !connection->is_lent;
    connection->is_lent = true;
    (void)pthread_mutex_unlock(&connection->mutex);
    return is_taken;
}

static weir_status fail_in_use(struct weir_error *err)
{
    return weir_fail(err, WEIR_DEADLINE_EXCEEDED,
                     "the deadline passed while the list of namespaces was in use");
}

weir_status weir_sqlite_registry_borrow(struct sqlite_backend *backend,
                                        struct sqlite_registry_connection *connection,
                                        int64_t deadline_us, struct weir_error *err)
{
    if (connection == &backend->changes && weir_sqlite_location_check(backend, err) != WEIR_OK) {
        return err->status;
    }
    if (!weir_sqlite_registry_take(connection, deadline_us)) {
        return fail_in_use(err);
    }
    weir_status status = WEIR_OK;
    if (weir_monotonic_us() >= deadline_us) {
        status = fail_in_use(err);
    } else if (connection->is_broken && backend->dir != NULL) {
        status = reconnect(backend, connection, err);
    }
    if (status != WEIR_OK) {
        weir_sqlite_registry_return(connection);
        return status;
    }
    connection->deadline_us = deadline_us;
    (void)sqlite3_busy_timeout(connection->db, weir_sqlite_busy_ms(deadline_us));
    return WEIR_OK;
}

/* Wakes all who wait: the C library may lose a signal for one (glibc bug 25847). */
void weir_sqlite_registry_return(struct sqlite_registry_connection *connection)
{
    (void)pthread_mutex_lock(&connection->mutex);
    connection->is_lent = false;
    (void)pthread_cond_broadcast(&connection->returned);
    (void)pthread_mutex_unlock(&connection->mutex);
}

int weir_sqlite_registry_prepare(sqlite3 *db, const char *text, struct weir_slice id,
                                 sqlite3_stmt **statement)
{
    *statement = NULL;
    const int rc = sqlite3_prepare_v2(db, text, -1, statement, NULL);
    return rc != SQLITE_OK ? rc : weir_sqlite_bind_text(*statement, 1, id);
}

int weir_sqlite_registry_run(sqlite3 *db, const char *text, struct weir_slice id)
{
    sqlite3_stmt *statement = NULL;
    int rc = weir_sqlite_registry_prepare(db, text, id, &statement);
    if (rc == SQLITE_OK) {
        rc = sqlite3_step(statement);
    }
    (void)sqlite3_finalize(statement);
    return rc == SQLITE_DONE || rc == SQLITE_ROW ? SQLITE_OK : rc;
}

void weir_sqlite_registry_roll_back(sqlite3 *db)
{
    if (sqlite3_get_autocommit(db) == 0) {
        (void)sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
    }
}

weir_status weir_sqlite_registry_fail(struct sqlite_backend *backend,
                                      struct sqlite_registry_connection *connection, int rc,
                                      struct weir_error *err)
{
    connection->is_broken = connection->is_broken || weir_sqlite_is_breaking(rc);
    weir_backend_report(&backend->base, "%s: %s (%d)", weir_sqlite_registry_name,
                        sqlite3_errmsg(connection->db), rc);
    if ((rc & 0xff) == SQLITE_BUSY && weir_monotonic_us() >= connection->deadline_us) {
        return weir_fail(
            err, WEIR_DEADLINE_EXCEEDED,
            "the deadline passed while another process had the list of namespaces locked");
    }
    return weir_sqlite_fail(err, rc, "use the list of namespaces");
}

/* ---- opening ---- */

/* Returns whether a file belongs to a store whose registry is missing because it was removed or
 * lost. A new registry would hide the loss, and SQLite would take an old WAL for that of the new
 * registry. */
static bool is_orphan(const char *name)
{
    const size_t n = strlen(name);
    const size_t registry_n = strlen(weir_sqlite_registry_name);
    return (weir_sqlite_is_database_name(name) && strcmp(name + n - 3, ".db") == 0) ||
           (strncmp(name, weir_sqlite_registry_name, registry_n) == 0 &&
            strcmp(name + registry_n, "-wal") == 0);
}

static bool has_orphans(const struct sqlite_backend *backend)
{
    DIR *dir = opendir(backend->dir);
    if (dir == NULL) {
        return false;
    }
    bool is_any = false;
    for (const struct dirent *entry = readdir(dir); entry != NULL && !is_any;
         entry = readdir(dir)) {
        is_any = is_orphan(entry->d_name);
    }
    (void)closedir(dir);
    return is_any;
}

/* Makes the registry, which did not exist a moment ago, and connects to it. */
static weir_status create_registry(struct sqlite_backend *backend, struct weir_error *err)
{
    const bool has_lost_registry = backend->dir != NULL && has_orphans(backend);
    bool is_there = false;
    weir_status status = WEIR_OK;
    if (!has_lost_registry) {
        status = weir_sqlite_create(backend, weir_sqlite_registry_name,
                                    &weir_sqlite_registry_schema, &is_there, err);
    }
    enum sqlite_presence presence = WEIR_SQLITE_OURS;
    if (status == WEIR_OK) {
        status = connect_registry(backend, &backend->changes.db, &presence, err);
    }
    /* Unless another process has just made the registry and the files. */
    if (has_lost_registry && presence == WEIR_SQLITE_MISSING) {
        return weir_fail(
            err, WEIR_PRECONDITION,
            "%s holds files of a store, but %s is missing: put it back, or use another directory",
            backend->dir, weir_sqlite_registry_name);
    }
    return status;
}

weir_status weir_sqlite_registry_open(struct sqlite_backend *backend, struct weir_error *err)
{
    enum sqlite_presence presence = WEIR_SQLITE_MISSING;
    weir_status status = WEIR_OK;
    if (backend->dir != NULL) {
        status = connect_registry(backend, &backend->changes.db, &presence, err);
    }
    if (presence == WEIR_SQLITE_MISSING) {
        weir_error_init(err);
        status = create_registry(backend, err);
    }
    if (status == WEIR_OK && backend->dir != NULL) {
        status = connect_registry(backend, &backend->reads.db, NULL, err);
    }
    if (status == WEIR_OK && backend->dir != NULL) {
        status = weir_sqlite_location_keep(backend, err);
    }
    if (status == WEIR_OK && backend->dir != NULL) {
        weir_sqlite_sweep_drafts(backend);
    }
    if (status == WEIR_OK) {
        weir_sqlite_finish_deletions(backend);
    }
    return status;
}

void weir_sqlite_registry_close(struct sqlite_backend *backend)
{
    (void)sqlite3_close(backend->reads.db);
    (void)sqlite3_close(backend->changes.db);
}

/* ---- reading ---- */

int weir_sqlite_registry_hash(sqlite3_stmt *statement, int column, struct weir_token_hash *hash)
{
    if (sqlite3_column_bytes(statement, column) != WEIR_TOKEN_HASH_BYTES) {
        return SQLITE_CORRUPT;
    }
    memcpy(hash->bytes, sqlite3_column_blob(statement, column), sizeof hash->bytes);
    return SQLITE_OK;
}

#define RECORD_COLUMNS "id, token_hash, description, metadata, created_at_us"
enum { RECORD_ID, RECORD_TOKEN, RECORD_DESCRIPTION, RECORD_METADATA, RECORD_CREATED };

static weir_status copy_record(sqlite3_stmt *statement, struct weir_arena *arena,
                               struct weir_namespace_record *record, struct weir_error *err)
{
    struct weir_slice id;
    struct weir_slice description;
    struct weir_slice metadata;
    if (!weir_sqlite_text(statement, RECORD_ID, &id) ||
        !weir_sqlite_text(statement, RECORD_DESCRIPTION, &description) ||
        !weir_sqlite_text(statement, RECORD_METADATA, &metadata) ||
        weir_sqlite_registry_hash(statement, RECORD_TOKEN, &record->token_hash) != SQLITE_OK) {
        return weir_fail(err, WEIR_DATA_CORRUPT, "the list of namespaces is damaged");
    }
    record->created_at_us = sqlite3_column_int64(statement, RECORD_CREATED);
    if (!weir_arena_copy(arena, id, &record->id) ||
        !weir_arena_copy(arena, description, &record->description) ||
        !weir_arena_copy(arena, metadata, &record->metadata)) {
        return weir_arena_fail(arena, err);
    }
    return WEIR_OK;
}

weir_status weir_sqlite_registry_ping(struct weir_backend *base, int64_t deadline_us,
                                      struct weir_error *err)
{
    struct sqlite_backend *backend = (struct sqlite_backend *)base;
    struct sqlite_registry_connection *connection = reading(backend);
    if (weir_sqlite_location_check(backend, err) != WEIR_OK ||
        weir_sqlite_location_check_disk(backend, err) != WEIR_OK ||
        weir_sqlite_registry_borrow(backend, connection, deadline_us, err) != WEIR_OK) {
        return err->status;
    }
    const int rc = weir_sqlite_registry_run(
        connection->db, "SELECT 1 FROM namespaces WHERE id >= ?1 LIMIT 1", weir_slice("", 0));
    const weir_status status =
        rc == SQLITE_OK ? WEIR_OK : weir_sqlite_registry_fail(backend, connection, rc, err);
    weir_sqlite_registry_return(connection);
    return status;
}

static weir_status find(struct sqlite_backend *backend, struct weir_namespace_record *record,
                        int64_t deadline_us, struct weir_arena *arena, struct weir_error *err)
{
    const struct weir_slice id = record->id;
    struct sqlite_registry_connection *connection = reading(backend);
    weir_status status = WEIR_OK;
    sqlite3_stmt *statement = NULL;
    if (weir_sqlite_registry_borrow(backend, connection, deadline_us, err) != WEIR_OK) {
        return err->status;
    }
    int rc = weir_sqlite_registry_prepare(
        connection->db, "SELECT " RECORD_COLUMNS " FROM namespaces WHERE id = ?1", id, &statement);
    if (rc == SQLITE_OK) {
        rc = sqlite3_step(statement);
    }
    if (rc == SQLITE_ROW) {
        status = copy_record(statement, arena, record, err);
    } else if (rc == SQLITE_DONE) {
        status = weir_fail_no_namespace(err, id);
    } else {
        status = weir_sqlite_registry_fail(backend, connection, rc, err);
    }
    (void)sqlite3_finalize(statement);
    weir_sqlite_registry_return(connection);
    return status;
}

/* Marks the open sessions of an earlier namespace of this id as stale: another process may have
 * deleted it since they were opened, and made a new one. */
static void mark_sessions_stale(struct sqlite_backend *backend, struct weir_slice id,
                                int64_t created_at_us)
{
    char name[WEIR_SQLITE_NAME_BYTES];
    if (backend->dir != NULL) {
        weir_sqlite_database_name(id, name);
        weir_sqlite_identity_renew(backend, name, created_at_us);
    }
}

weir_status weir_sqlite_namespace_find(struct weir_backend *base,
                                       struct weir_namespace_record *record, int64_t deadline_us,
                                       struct weir_arena *arena, struct weir_error *err)
{
    const struct weir_slice id = record->id;
    struct sqlite_backend *backend = (struct sqlite_backend *)base;
    const weir_status status = find(backend, record, deadline_us, arena, err);
    if (status == WEIR_OK || status == WEIR_NAMESPACE_NOT_FOUND) {
        mark_sessions_stale(backend, id, status == WEIR_OK ? record->created_at_us : 0);
    }
    return status;
}

weir_status weir_sqlite_check_listed(struct sqlite_backend *backend, struct weir_slice id,
                                     int64_t deadline_us, int64_t *created_at_us,
                                     struct weir_error *err)
{
    struct weir_arena arena;
    weir_arena_init(&arena, WEIR_NAMESPACE_RECORD_BYTES_MAX, 0);
    struct weir_namespace_record record = {.id = id};
    const weir_status status =
        weir_sqlite_namespace_find(&backend->base, &record, deadline_us, &arena, err);
    weir_arena_fini(&arena);
    *created_at_us = record.created_at_us;
    return status;
}

bool weir_sqlite_was_deleted(struct sqlite_backend *backend, struct weir_slice id,
                             int64_t deadline_us, int64_t created_at_us)
{
    int64_t now_us = 0;
    struct weir_error err;
    weir_error_init(&err);
    const weir_status status = weir_sqlite_check_listed(backend, id, deadline_us, &now_us, &err);
    return status == WEIR_NAMESPACE_NOT_FOUND || (status == WEIR_OK && now_us != created_at_us);
}

/* Counts the rows that a listing can give, so that their array is allocated once. */
static int count_after(sqlite3 *db, struct weir_slice after, size_t limit, size_t *n)
{
    sqlite3_stmt *statement = NULL;
    int rc = weir_sqlite_registry_prepare(
        db, "SELECT count(*) FROM (SELECT 1 FROM namespaces WHERE id > ?1 LIMIT ?2)", after,
        &statement);
    if (rc == SQLITE_OK) {
        rc = sqlite3_bind_int64(statement, 2, (sqlite3_int64)limit);
    }
    if (rc == SQLITE_OK) {
        rc = sqlite3_step(statement);
    }
    if (rc == SQLITE_ROW) {
        *n = (size_t)sqlite3_column_int64(statement, 0);
        rc = SQLITE_OK;
    }
    (void)sqlite3_finalize(statement);
    return rc;
}

struct listing {
    const struct weir_registry_query *query;
    struct weir_arena *arena;
    struct weir_registry_page *page;
    size_t room;  // entries in the array: one more than the limit where there are that many
};

static weir_status list_rows(struct sqlite_backend *backend, sqlite3_stmt *statement,
                             const struct listing *listing, struct weir_error *err)
{
    const struct weir_registry_query *query = listing->query;
    struct weir_registry_page *page = listing->page;
    size_t bytes = 0;
    page->records = weir_arena_array(listing->arena, listing->room, sizeof *page->records);
    if (page->records == NULL) {
        return weir_arena_fail(listing->arena, err);
    }
    int rc = sqlite3_bind_int64(statement, 2, (sqlite3_int64)listing->room);
    while (rc == SQLITE_OK && !page->is_more && (rc = sqlite3_step(statement)) == SQLITE_ROW) {
        struct weir_namespace_record *record = &page->records[page->n];
        const weir_status status = copy_record(statement, listing->arena, record, err);
        if (status != WEIR_OK) {
            return status;
        }
        rc = SQLITE_OK;
        bytes += weir_namespace_record_bytes(record);
        page->is_more = page->n == query->limit || (page->n > 0 && bytes > query->max_bytes);
        page->n += page->is_more ? 0 : 1;
    }
    return rc == SQLITE_DONE || page->is_more
               ? WEIR_OK
               : weir_sqlite_registry_fail(backend, reading(backend), rc, err);
}

weir_status weir_sqlite_namespace_list(struct weir_backend *base,
                                       const struct weir_registry_query *query,
                                       struct weir_arena *arena, struct weir_registry_page *page,
                                       struct weir_error *err)
{
    struct sqlite_backend *backend = (struct sqlite_backend *)base;
    struct sqlite_registry_connection *connection = reading(backend);
    struct listing listing = {.query = query, .arena = arena, .page = page};
    sqlite3_stmt *statement = NULL;
    *page = (struct weir_registry_page){.n = 0};
    if (weir_sqlite_registry_borrow(backend, connection, query->deadline_us, err) != WEIR_OK) {
        return err->status;
    }
    int rc = count_after(connection->db, query->after, query->limit + 1, &listing.room);
    if (rc == SQLITE_OK) {
        rc = weir_sqlite_registry_prepare(connection->db,
                                          "SELECT " RECORD_COLUMNS
                                          " FROM namespaces WHERE id > ?1 ORDER BY id LIMIT ?2",
                                          query->after, &statement);
    }
    const weir_status status = rc == SQLITE_OK
                                   ? list_rows(backend, statement, &listing, err)
                                   : weir_sqlite_registry_fail(backend, connection, rc, err);
    (void)sqlite3_finalize(statement);
    weir_sqlite_registry_return(connection);
    return status;
}

/* ---- the token ---- */

weir_status weir_sqlite_namespace_set_token(struct weir_backend *base, struct weir_slice id,
                                            const struct weir_token_hash *hash, int64_t deadline_us,
                                            struct weir_error *err)
{
    struct sqlite_backend *backend = (struct sqlite_backend *)base;
    weir_status status = WEIR_OK;
    sqlite3_stmt *statement = NULL;
    if (weir_sqlite_registry_borrow(backend, &backend->changes, deadline_us, err) != WEIR_OK) {
        return err->status;
    }
    sqlite3 *db = backend->changes.db;
    int rc = weir_sqlite_registry_prepare(db, "UPDATE namespaces SET token_hash = ?2 WHERE id = ?1",
                                          id, &statement);
    if (rc == SQLITE_OK) {
        rc = sqlite3_bind_blob(statement, 2, hash->bytes, sizeof hash->bytes, SQLITE_STATIC);
    }
    if (rc == SQLITE_OK) {
        rc = sqlite3_step(statement);
    }
    if (rc != SQLITE_DONE) {
        status = weir_sqlite_registry_fail(backend, &backend->changes, rc, err);
    } else if (sqlite3_changes(db) == 0) {
        status = weir_fail_no_namespace(err, id);
    } else {
        status = weir_sqlite_location_confirm(backend, err);
    }
    (void)sqlite3_finalize(statement);
    weir_sqlite_registry_return(&backend->changes);
    return status;
}
