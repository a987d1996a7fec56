/* The list of namespaces. Its statements are prepared for each call: callers cache what they ask
 * often. */
#include "store/sqlite/sqlite_int.h"

#include "weir/rules/time_text.h"

#include <dirent.h>
#include <stdio.h>

/* ---- one call on one connection ---- */

static struct sqlite_registry_connection *reading(struct sqlite_backend *backend)
{
    return backend->reads.db != NULL ? &backend->reads : &backend->changes;
}

static int bind_id(sqlite3_stmt *statement, struct weir_slice id)
{
    return sqlite3_bind_text64(statement, 1, id.n == 0 ? "" : (const char *)id.p, id.n,
                               SQLITE_STATIC, SQLITE_UTF8);
}

/* Prepares `text`, binds the id as its first parameter. Release in every case. */
static int prepare(sqlite3 *db, const char *text, struct weir_slice id, sqlite3_stmt **statement)
{
    *statement = NULL;
    const int rc = sqlite3_prepare_v2(db, text, -1, statement, NULL);
    return rc != SQLITE_OK ? rc : bind_id(*statement, id);
}

/* Runs a change of one statement whose only parameter is a name or an id. */
static int run(sqlite3 *db, const char *text, struct weir_slice id)
{
    sqlite3_stmt *statement = NULL;
    int rc = prepare(db, text, id, &statement);
    if (rc == SQLITE_OK) {
        rc = sqlite3_step(statement);
    }
    (void)sqlite3_finalize(statement);
    return rc == SQLITE_DONE || rc == SQLITE_ROW ? SQLITE_OK : rc;
}

static int begin(sqlite3 *db)
{
    return sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
}

static int commit(sqlite3 *db)
{
    return sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
}

static void roll_back(sqlite3 *db)
{
    if (sqlite3_get_autocommit(db) == 0) {
        (void)sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
    }
}

static weir_status fail(struct sqlite_backend *backend, sqlite3 *db, int rc, struct weir_error *err)
{
    weir_sqlite_report(backend, "%s: %s (%d)", weir_sqlite_registry_name, sqlite3_errmsg(db), rc);
    return weir_sqlite_fail(err, rc, "use the list of namespaces");
}

static weir_status fail_missing(struct weir_slice id, struct weir_error *err)
{
    (void)weir_fail(err, WEIR_NAMESPACE_NOT_FOUND, "namespace '%.*s' does not exist",
                    WEIR_SLICE_ARG(id));
    weir_error_detail_slice(err, "namespace", id);
    return WEIR_NAMESPACE_NOT_FOUND;
}

/* ---- opening ---- */

/* Files without their registry: somebody has removed or lost it. Making a new one would hide that,
 * or, beside an old WAL, be taken for the old one. */
static bool is_orphan(const char *name)
{
    const size_t n = strlen(name);
    const bool is_namespace = strncmp(name, "ns-", 3) == 0 && strcmp(name + n - 3, ".db") == 0;
    return is_namespace || strcmp(name, "registry.db-wal") == 0;
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

static weir_status connect_registry(struct sqlite_backend *backend,
                                    struct sqlite_registry_connection *connection, bool *is_missing,
                                    struct weir_error *err)
{
    return weir_sqlite_connect(backend, weir_sqlite_registry_name, &weir_sqlite_registry_schema,
                               &connection->db, is_missing, err);
}

/* Where there was no registry a moment ago. */
static weir_status create_registry(struct sqlite_backend *backend, struct weir_error *err)
{
    const bool is_odd = backend->dir != NULL && has_orphans(backend);
    bool is_there = false;
    weir_status status = WEIR_OK;
    if (!is_odd) {
        status = weir_sqlite_create(backend, weir_sqlite_registry_name,
                                    &weir_sqlite_registry_schema, &is_there, err);
    }
    bool is_missing = false;
    if (status == WEIR_OK) {
        status = connect_registry(backend, &backend->changes, &is_missing, err);
    }
    /* Not so where another process has made the registry and all just now. */
    if (is_odd && is_missing) {
        return weir_fail(err, WEIR_PRECONDITION,
                         "%s holds files of a store but no %s: put that back, or use another "
                         "directory",
                         backend->dir, weir_sqlite_registry_name);
    }
    return status;
}

/* Takes the first name after `name` from the list of doomed files; *is_found where there is one. */
static int next_doomed(sqlite3 *db, char name[WEIR_SQLITE_NAME_BYTES], bool *is_found)
{
    sqlite3_stmt *statement = NULL;
    int rc = prepare(db, "SELECT name FROM doomed_files WHERE name > ?1 ORDER BY name LIMIT 1",
                     weir_slice_of(name), &statement);
    if (rc == SQLITE_OK) {
        rc = sqlite3_step(statement);
    }
    *is_found = rc == SQLITE_ROW;
    if (rc == SQLITE_ROW) {
        const unsigned char *found = sqlite3_column_text(statement, 0);
        (void)snprintf(name, WEIR_SQLITE_NAME_BYTES, "%s",
                       found == NULL ? "" : (const char *)found);
        rc = found == NULL ? SQLITE_NOMEM : SQLITE_OK;
    }
    (void)sqlite3_finalize(statement);
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* Removes a doomed file behind the registry's write lock, so that no other process makes a
 * namespace of the same name meanwhile. If one has, its creation took the name off the list. */
static int remove_doomed(struct sqlite_backend *backend, const char *name, int64_t *messages)
{
    sqlite3 *db = backend->changes.db;
    const struct weir_slice key = weir_slice_of(name);
    int rc = begin(db);
    if (rc == SQLITE_OK) {
        rc = run(db, "DELETE FROM doomed_files WHERE name = ?1", key);
    }
    if (rc == SQLITE_OK && sqlite3_changes(db) == 1 &&
        !weir_sqlite_destroy(backend, name, messages)) {
        rc = SQLITE_IOERR_DELETE;
    }
    rc = rc == SQLITE_OK ? commit(db) : rc;
    roll_back(db);
    return rc;
}

/* Finishes deletions that were cut short. What still cannot be removed stays listed. */
static void sweep(struct sqlite_backend *backend)
{
    char name[WEIR_SQLITE_NAME_BYTES] = "";
    bool is_found = true;
    int rc = SQLITE_OK;
    while (rc == SQLITE_OK && is_found) {
        rc = next_doomed(backend->changes.db, name, &is_found);
        int64_t messages = 0;
        if (rc == SQLITE_OK && is_found && remove_doomed(backend, name, &messages) != SQLITE_OK) {
            weir_sqlite_report(backend, "%s is left to be removed at the next start", name);
        }
    }
}

weir_status weir_sqlite_registry_open(struct sqlite_backend *backend, struct weir_error *err)
{
    bool is_missing = backend->dir == NULL;
    weir_status status = WEIR_OK;
    if (!is_missing) {
        status = connect_registry(backend, &backend->changes, &is_missing, err);
    }
    if (is_missing) {
        weir_error_init(err);
        status = create_registry(backend, err);
    }
    if (status == WEIR_OK && backend->dir != NULL) {
        status = connect_registry(backend, &backend->reads, NULL, err);
    }
    if (status == WEIR_OK) {
        sweep(backend);
    }
    return status;
}

void weir_sqlite_registry_close(struct sqlite_backend *backend)
{
    (void)sqlite3_close(backend->reads.db);
    (void)sqlite3_close(backend->changes.db);
}

/* ---- reading ---- */

static int blob_of(sqlite3_stmt *statement, int column, struct weir_token_hash *hash)
{
    if (sqlite3_column_bytes(statement, column) != WEIR_TOKEN_HASH_BYTES) {
        return SQLITE_CORRUPT;
    }
    memcpy(hash->bytes, sqlite3_column_blob(statement, column), sizeof hash->bytes);
    return SQLITE_OK;
}

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
        blob_of(statement, RECORD_TOKEN, &record->token_hash) != SQLITE_OK) {
        return weir_fail(err, WEIR_DATA_CORRUPT, "the list of namespaces is damaged");
    }
    record->created_at_us = sqlite3_column_int64(statement, RECORD_CREATED);
    if (!weir_arena_copy(arena, id, &record->id) ||
        !weir_arena_copy(arena, description, &record->description) ||
        !weir_arena_copy(arena, metadata, &record->metadata)) {
        return weir_sqlite_fail_arena(arena, id.n + description.n + metadata.n, err);
    }
    return WEIR_OK;
}

weir_status weir_sqlite_registry_ping(struct weir_backend *base, int64_t deadline_us,
                                      struct weir_error *err)
{
    struct sqlite_backend *backend = (struct sqlite_backend *)base;
    if (weir_monotonic_us() >= deadline_us) {
        return weir_fail(err, WEIR_DEADLINE_EXCEEDED, "the deadline passed");
    }
    struct sqlite_registry_connection *connection = reading(backend);
    (void)pthread_mutex_lock(&connection->mutex);
    const int rc =
        run(connection->db, "SELECT 1 FROM namespaces WHERE id >= ?1 LIMIT 1", weir_slice("", 0));
    const weir_status status = rc == SQLITE_OK ? WEIR_OK : fail(backend, connection->db, rc, err);
    (void)pthread_mutex_unlock(&connection->mutex);
    return status;
}

weir_status weir_sqlite_namespace_find(struct weir_backend *base, struct weir_slice id,
                                       struct weir_arena *arena,
                                       struct weir_namespace_record *record, struct weir_error *err)
{
    struct sqlite_backend *backend = (struct sqlite_backend *)base;
    struct sqlite_registry_connection *connection = reading(backend);
    weir_status status = WEIR_OK;
    sqlite3_stmt *statement = NULL;
    (void)pthread_mutex_lock(&connection->mutex);
    int rc = prepare(connection->db,
                     "SELECT id, token_hash, description, metadata, created_at_us FROM namespaces "
                     "WHERE id = ?1",
                     id, &statement);
    if (rc == SQLITE_OK) {
        rc = sqlite3_step(statement);
    }
    if (rc == SQLITE_ROW) {
        status = copy_record(statement, arena, record, err);
    } else if (rc == SQLITE_DONE) {
        status = fail_missing(id, err);
    } else {
        status = fail(backend, connection->db, rc, err);
    }
    (void)sqlite3_finalize(statement);
    (void)pthread_mutex_unlock(&connection->mutex);
    return status;
}

/* How many rows there may be, so that the array is made once. */
static int count_after(sqlite3 *db, struct weir_slice after, size_t limit, size_t *n)
{
    sqlite3_stmt *statement = NULL;
    int rc = prepare(db, "SELECT count(*) FROM (SELECT 1 FROM namespaces WHERE id > ?1 LIMIT ?2)",
                     after, &statement);
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

static weir_status list_rows(struct sqlite_backend *backend, sqlite3_stmt *statement,
                             struct weir_arena *arena, struct weir_namespace_record *records,
                             size_t *n, struct weir_error *err)
{
    const size_t room = *n;
    int rc = sqlite3_bind_int64(statement, 2, (sqlite3_int64)room);
    *n = 0;
    while (rc == SQLITE_OK && (rc = sqlite3_step(statement)) == SQLITE_ROW) {
        const weir_status status = copy_record(statement, arena, &records[*n], err);
        if (status != WEIR_OK) {
            return status;
        }
        rc = SQLITE_OK;
        (*n)++;
    }
    return rc == SQLITE_DONE ? WEIR_OK : fail(backend, sqlite3_db_handle(statement), rc, err);
}

weir_status weir_sqlite_namespace_list(struct weir_backend *base, struct weir_slice after,
                                       size_t limit, struct weir_arena *arena,
                                       struct weir_namespace_record **records, size_t *n,
                                       struct weir_error *err)
{
    struct sqlite_backend *backend = (struct sqlite_backend *)base;
    struct sqlite_registry_connection *connection = reading(backend);
    weir_status status = WEIR_OK;
    sqlite3_stmt *statement = NULL;
    (void)pthread_mutex_lock(&connection->mutex);
    int rc = count_after(connection->db, after, limit, n);
    if (rc == SQLITE_OK) {
        rc = prepare(connection->db,
                     "SELECT id, token_hash, description, metadata, created_at_us FROM namespaces "
                     "WHERE id > ?1 ORDER BY id LIMIT ?2",
                     after, &statement);
    }
    if (rc != SQLITE_OK) {
        status = fail(backend, connection->db, rc, err);
    } else {
        const size_t bytes = *n * sizeof **records;
        *records = weir_arena_array(arena, *n, sizeof **records);
        status = *records != NULL ? list_rows(backend, statement, arena, *records, n, err)
                                  : weir_sqlite_fail_arena(arena, bytes, err);
    }
    (void)sqlite3_finalize(statement);
    (void)pthread_mutex_unlock(&connection->mutex);
    return status;
}

/* ---- changing ---- */

weir_status weir_sqlite_namespace_set_token(struct weir_backend *base, struct weir_slice id,
                                            const struct weir_token_hash *hash,
                                            struct weir_error *err)
{
    struct sqlite_backend *backend = (struct sqlite_backend *)base;
    weir_status status = WEIR_OK;
    sqlite3_stmt *statement = NULL;
    (void)pthread_mutex_lock(&backend->changes.mutex);
    sqlite3 *db = backend->changes.db;
    int rc = prepare(db, "UPDATE namespaces SET token_hash = ?2 WHERE id = ?1", id, &statement);
    if (rc == SQLITE_OK) {
        rc = sqlite3_bind_blob(statement, 2, hash->bytes, sizeof hash->bytes, SQLITE_STATIC);
    }
    if (rc == SQLITE_OK) {
        rc = sqlite3_step(statement);
    }
    if (rc != SQLITE_DONE) {
        status = fail(backend, db, rc, err);
    } else if (sqlite3_changes(db) == 0) {
        status = fail_missing(id, err);
    }
    (void)sqlite3_finalize(statement);
    (void)pthread_mutex_unlock(&backend->changes.mutex);
    return status;
}

/* What the registry says of an id that is to be created: *exists, and then is it the same token? */
static int look_up(sqlite3 *db, struct weir_namespace_record *record, bool *exists, bool *is_same)
{
    sqlite3_stmt *statement = NULL;
    int rc = prepare(db, "SELECT token_hash, created_at_us FROM namespaces WHERE id = ?1",
                     record->id, &statement);
    if (rc == SQLITE_OK) {
        rc = sqlite3_step(statement);
    }
    *exists = rc == SQLITE_ROW;
    if (rc == SQLITE_ROW) {
        struct weir_token_hash hash;
        rc = blob_of(statement, 0, &hash);
        *is_same = rc == SQLITE_OK && weir_token_hash_equal(&hash, &record->token_hash);
        record->created_at_us = sqlite3_column_int64(statement, 1);
    } else if (rc == SQLITE_DONE) {
        rc = SQLITE_OK;
    }
    (void)sqlite3_finalize(statement);
    return rc;
}

static int add_row(sqlite3 *db, struct weir_namespace_record *record)
{
    record->created_at_us = weir_now_us();
    sqlite3_stmt *statement = NULL;
    int rc = prepare(db,
                     "INSERT INTO namespaces (id, token_hash, description, metadata, "
                     "created_at_us) VALUES (?1, ?2, ?3, ?4, ?5)",
                     record->id, &statement);
    if (rc == SQLITE_OK) {
        rc = sqlite3_bind_blob(statement, 2, record->token_hash.bytes,
                               sizeof record->token_hash.bytes, SQLITE_STATIC);
    }
    if (rc == SQLITE_OK) {
        rc = weir_sqlite_bind_text(statement, 3, record->description);
    }
    if (rc == SQLITE_OK) {
        rc = weir_sqlite_bind_text(statement, 4, record->metadata);
    }
    if (rc == SQLITE_OK) {
        rc = sqlite3_bind_int64(statement, 5, record->created_at_us);
    }
    if (rc == SQLITE_OK) {
        rc = sqlite3_step(statement);
    }
    (void)sqlite3_finalize(statement);
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* Whether a file that nobody lists may be replaced: it is what a creation or a deletion left when
 * it was cut short. One that holds messages is somebody's data. */
static bool is_leftover(struct sqlite_backend *backend, const char *name)
{
    sqlite3 *db = NULL;
    struct weir_error err;
    weir_error_init(&err);
    if (weir_sqlite_connect(backend, name, &weir_sqlite_namespace_schema, &db, NULL, &err) !=
        WEIR_OK) {
        return false;
    }
    sqlite3_stmt *statement = NULL;
    const int rc = sqlite3_prepare_v2(db, "SELECT 1 FROM counters WHERE message_count > 0", -1,
                                      &statement, NULL);
    const bool is_empty = rc == SQLITE_OK && sqlite3_step(statement) == SQLITE_DONE;
    (void)sqlite3_finalize(statement);
    (void)sqlite3_close(db);
    return is_empty;
}

static weir_status create_storage(struct sqlite_backend *backend, const char *name,
                                  struct weir_error *err)
{
    bool is_there = false;
    int64_t messages = 0;
    if (!weir_sqlite_clear_place(backend, name)) {
        return weir_fail(err, WEIR_BACKEND_UNAVAILABLE, "old files are in the way");
    }
    weir_status status =
        weir_sqlite_create(backend, name, &weir_sqlite_namespace_schema, &is_there, err);
    if (status == WEIR_OK && is_there && is_leftover(backend, name) &&
        weir_sqlite_destroy(backend, name, &messages)) {
        status = weir_sqlite_create(backend, name, &weir_sqlite_namespace_schema, &is_there, err);
    }
    if (status == WEIR_OK && is_there) {
        weir_sqlite_report(backend, "%s is not listed but holds messages: move it away", name);
        return weir_fail(err, WEIR_PRECONDITION,
                         "there is storage of a namespace of this id already, which is not listed");
    }
    return status;
}

/* The file first and then the row's commit, behind the write lock: a row always has its file. */
static weir_status create_locked(struct sqlite_backend *backend,
                                 struct weir_namespace_record *record, bool *is_same,
                                 struct weir_error *err)
{
    sqlite3 *db = backend->changes.db;
    bool exists = false;
    int rc = begin(db);
    if (rc == SQLITE_OK) {
        rc = look_up(db, record, &exists, is_same);
    }
    if (rc == SQLITE_OK && exists) {
        (void)weir_fail(err, WEIR_NAMESPACE_EXISTS, "namespace '%.*s' exists already",
                        WEIR_SLICE_ARG(record->id));
        weir_error_detail_slice(err, "namespace", record->id);
        return WEIR_NAMESPACE_EXISTS;
    }
    char name[WEIR_SQLITE_NAME_BYTES];
    weir_sqlite_database_name(record->id, name);
    if (rc == SQLITE_OK) {
        rc = add_row(db, record);
    }
    if (rc == SQLITE_OK) {
        rc = run(db, "DELETE FROM doomed_files WHERE name = ?1", weir_slice_of(name));
    }
    if (rc != SQLITE_OK) {
        return fail(backend, db, rc, err);
    }
    weir_status status = create_storage(backend, name, err);
    if (status != WEIR_OK) {
        return status;
    }
    rc = commit(db);
    if (rc != SQLITE_OK) {
        status = fail(backend, db, rc, err);
        int64_t messages = 0;
        (void)weir_sqlite_destroy(backend, name, &messages);
    }
    return status;
}

weir_status weir_sqlite_namespace_create(struct weir_backend *base,
                                         struct weir_namespace_record *record, bool *is_same,
                                         struct weir_error *err)
{
    struct sqlite_backend *backend = (struct sqlite_backend *)base;
    *is_same = false;
    (void)pthread_mutex_lock(&backend->changes.mutex);
    const weir_status status = create_locked(backend, record, is_same, err);
    roll_back(backend->changes.db);
    (void)pthread_mutex_unlock(&backend->changes.mutex);
    return status;
}

/* From the list of namespaces to that of doomed files, durably. */
static int doom(sqlite3 *db, struct weir_slice id, const char *name, bool *is_found)
{
    int rc = begin(db);
    if (rc == SQLITE_OK) {
        rc = run(db, "DELETE FROM namespaces WHERE id = ?1", id);
        *is_found = rc == SQLITE_OK && sqlite3_changes(db) == 1;
    }
    if (rc == SQLITE_OK && *is_found) {
        rc = run(db, "INSERT OR IGNORE INTO doomed_files (name) VALUES (?1)", weir_slice_of(name));
    }
    return rc == SQLITE_OK && *is_found ? commit(db) : rc;
}

weir_status weir_sqlite_namespace_delete(struct weir_backend *base, struct weir_slice id,
                                         int64_t *messages_deleted, struct weir_error *err)
{
    struct sqlite_backend *backend = (struct sqlite_backend *)base;
    char name[WEIR_SQLITE_NAME_BYTES];
    weir_sqlite_database_name(id, name);
    *messages_deleted = 0;
    weir_status status = WEIR_OK;
    bool is_found = false;
    weir_sqlite_checkpointer_forget(backend->checkpointer, name);
    (void)pthread_mutex_lock(&backend->changes.mutex);
    sqlite3 *db = backend->changes.db;
    const int rc = doom(db, id, name, &is_found);
    roll_back(db);
    if (rc != SQLITE_OK) {
        status = fail(backend, db, rc, err);
    } else if (!is_found) {
        status = fail_missing(id, err);
    } else if (remove_doomed(backend, name, messages_deleted) != SQLITE_OK) {
        /* The namespace is gone all the same. */
        weir_sqlite_report(backend, "%s is left to be removed at the next start", name);
    }
    (void)pthread_mutex_unlock(&backend->changes.mutex);
    return status;
}
