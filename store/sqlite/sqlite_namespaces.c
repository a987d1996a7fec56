/* Making and deleting namespaces: their rows in the registry and their files, in an order in which
 * a crash at any point leaves each namespace whole or gone.
 *
 * A creation makes the file before it commits the row. A deletion locks the namespace's database,
 * moves its row to the table of doomed files, marks the database as deleted for all processes that
 * have it open, and then removes the file. What a crash leaves in the table of doomed files is
 * removed when the store is next opened.
 *
 * A deletion locks the namespace's database before it locks the registry. A creation that removes
 * the remains of an earlier namespace locks them the other way round, but waits for the database no
 * longer than WEIR_SQLITE_BUSY_US. */
#include "store/sqlite/sqlite_namespaces.h"

#include "store/sqlite/sqlite_checkpoint.h"
#include "store/sqlite/sqlite_connect.h"
#include "store/sqlite/sqlite_create.h"
#include "store/sqlite/sqlite_files.h"
#include "store/sqlite/sqlite_location.h"
#include "store/sqlite/sqlite_registry.h"
#include "store/sqlite/sqlite_remove.h"
#include "store/sqlite/sqlite_session.h"

#include "weir/base/monotonic.h"
#include "weir/rules/time_text.h"

#include <stdio.h>

static int begin(sqlite3 *db)
{
    return sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
}

static int commit(sqlite3 *db)
{
    return sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
}

/* ---- making ---- */

/* Looks up an id that is to be created: *exists, and if so *is_same tells whether it has the same
 * token, and record->created_at_us is set. */
static int look_up(sqlite3 *db, struct weir_namespace_record *record, bool *exists, bool *is_same)
{
    sqlite3_stmt *statement = NULL;
    int rc = weir_sqlite_registry_prepare(
        db, "SELECT token_hash, created_at_us FROM namespaces WHERE id = ?1", record->id,
        &statement);
    if (rc == SQLITE_OK) {
        rc = sqlite3_step(statement);
    }
    *exists = rc == SQLITE_ROW;
    if (rc == SQLITE_ROW) {
        struct weir_token_hash hash;
        rc = weir_sqlite_registry_hash(statement, 0, &hash);
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
    int rc = weir_sqlite_registry_prepare(
        db,
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

/* Returns whether a file that is not listed may be replaced, because an interrupted creation or
 * deletion has left it. A file that holds messages is somebody's data. */
static bool is_leftover(struct sqlite_backend *backend, const char *name)
{
    sqlite3 *db = NULL;
    struct weir_error err;
    weir_error_init(&err);
    const struct sqlite_wanted wanted = {name, &weir_sqlite_namespace_schema, INT64_MAX};
    if (weir_sqlite_connect(backend, &wanted, &db, NULL, &err) != WEIR_OK) {
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

static weir_status create_file(struct sqlite_backend *backend, const char *name, bool *is_there,
                               struct weir_error *err)
{
    const weir_status status =
        weir_sqlite_create(backend, name, &weir_sqlite_namespace_schema, is_there, err);
    if (status != WEIR_OK) {
        /* The text names the directory, which the operator may see but not the client. */
        weir_backend_report(&backend->base, "%s", err->text);
        return weir_fail(err, status, "the namespace's storage cannot be created");
    }
    return WEIR_OK;
}

/* Fails with PRECONDITION, so that the client sees the reason, although a later call may
 * succeed. */
static weir_status fail_in_the_way(struct sqlite_backend *backend, const char *name,
                                   struct weir_error *err)
{
    weir_backend_report(
        &backend->base,
        "%s of a deleted namespace is in the way of a new one and cannot be removed: "
        "end the other processes that use it",
        name);
    return weir_fail(err, WEIR_PRECONDITION,
                     "storage of a deleted namespace of this id is in the way, because another "
                     "process uses it or because the disk fails: try again when that has ended");
}

static weir_status create_storage(struct sqlite_backend *backend, const char *name, bool is_doomed,
                                  struct weir_error *err)
{
    bool is_there = false;
    if (is_doomed && !weir_sqlite_destroy(backend, name)) {
        return fail_in_the_way(backend, name, err);
    }
    if (!weir_sqlite_unlink_leftovers(backend, name)) {
        return weir_fail(err, WEIR_BACKEND_UNAVAILABLE, "old files are in the way");
    }
    weir_status status = create_file(backend, name, &is_there, err);
    if (status == WEIR_OK && is_there && is_leftover(backend, name)) {
        if (!weir_sqlite_destroy(backend, name)) {
            return fail_in_the_way(backend, name, err);
        }
        status = create_file(backend, name, &is_there, err);
    }
    if (status == WEIR_OK && is_there) {
        weir_backend_report(&backend->base,
                            "%s holds messages, but its namespace is not listed: move it away",
                            name);
        return weir_fail(err, WEIR_PRECONDITION,
                         "storage of a namespace of this id already exists, but is not listed");
    }
    return status;
}

/* Adds the row, not yet committed; *is_doomed if a deleted namespace of this id still has its
 * file. */
static int list_namespace(sqlite3 *db, struct weir_namespace_record *record, const char *name,
                          bool *is_doomed)
{
    int rc = add_row(db, record);
    if (rc == SQLITE_OK) {
        rc = weir_sqlite_registry_run(db, "DELETE FROM doomed_files WHERE name = ?1",
                                      weir_slice_of(name));
    }
    *is_doomed = rc == SQLITE_OK && sqlite3_changes(db) == 1;
    return rc;
}

/* Makes the file and then commits the row, behind the registry's write lock: a row always has its
 * file. */
static weir_status create_listed(struct sqlite_backend *backend,
                                 struct weir_namespace_record *record, struct weir_error *err)
{
    char name[WEIR_SQLITE_NAME_BYTES];
    weir_sqlite_database_name(record->id, name);
    bool is_doomed = false;
    int rc = list_namespace(backend->changes.db, record, name, &is_doomed);
    if (rc == SQLITE_OK) {
        const weir_status status = create_storage(backend, name, is_doomed, err);
        if (status != WEIR_OK) {
            return status;
        }
        rc = commit(backend->changes.db);
        if (rc != SQLITE_OK && backend->dir == NULL) {
            (void)weir_sqlite_destroy(backend, name);
        }
        /* On disk the file stays: the row may turn out to have been committed after all, and a
         * later creation replaces an empty file. */
    }
    return rc == SQLITE_OK ? weir_sqlite_location_confirm(backend, err)
                           : weir_sqlite_registry_fail(backend, &backend->changes, rc, err);
}

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
    if (rc != SQLITE_OK) {
        return weir_sqlite_registry_fail(backend, &backend->changes, rc, err);
    }
    if (exists) {
        return weir_fail_namespace_exists(err, record->id);
    }
    return create_listed(backend, record, err);
}

weir_status weir_sqlite_namespace_create(struct weir_backend *base,
                                         struct weir_namespace_record *record, int64_t deadline_us,
                                         bool *is_same, struct weir_error *err)
{
    struct sqlite_backend *backend = (struct sqlite_backend *)base;
    *is_same = false;
    if (weir_sqlite_registry_borrow(backend, &backend->changes, deadline_us, err) != WEIR_OK) {
        return err->status;
    }
    const weir_status status = create_locked(backend, record, is_same, err);
    weir_sqlite_registry_roll_back(backend->changes.db);
    weir_sqlite_registry_return(&backend->changes);
    return status;
}

/* ---- deleting ---- */

/* Replaces `name` by the next name in the list of doomed files; *is_found if there is one. */
static int next_doomed(sqlite3 *db, char name[WEIR_SQLITE_NAME_BYTES], bool *is_found)
{
    sqlite3_stmt *statement = NULL;
    int rc = weir_sqlite_registry_prepare(
        db, "SELECT name FROM doomed_files WHERE name > ?1 ORDER BY name LIMIT 1",
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

/* Removes a doomed file by `remove_file`, behind the registry's write lock, so that no other
 * process makes a namespace of the same name meanwhile. If one has done so before, its creation
 * took the name off the list, and the file stays. The namespace is deleted by then, so that lock is
 * waited for whatever the deletion's deadline was. */
static int remove_doomed(struct sqlite_backend *backend, const char *name,
                         bool (*remove_file)(struct sqlite_backend *backend, const char *name))
{
    sqlite3 *db = backend->changes.db;
    const struct weir_slice key = weir_slice_of(name);
    (void)sqlite3_busy_timeout(db, weir_sqlite_busy_ms(INT64_MAX));
    int rc = begin(db);
    if (rc == SQLITE_OK) {
        rc = weir_sqlite_registry_run(db, "DELETE FROM doomed_files WHERE name = ?1", key);
    }
    if (rc == SQLITE_OK && sqlite3_changes(db) == 1 && !remove_file(backend, name)) {
        rc = SQLITE_IOERR_DELETE;
    }
    rc = rc == SQLITE_OK ? commit(db) : rc;
    weir_sqlite_registry_roll_back(db);
    return rc;
}

/* Files that still cannot be removed stay listed. */
void weir_sqlite_finish_deletions(struct sqlite_backend *backend)
{
    char name[WEIR_SQLITE_NAME_BYTES] = "";
    bool is_found = true;
    int rc = SQLITE_OK;
    while (rc == SQLITE_OK && is_found) {
        rc = next_doomed(backend->changes.db, name, &is_found);
        if (rc == SQLITE_OK && is_found &&
            remove_doomed(backend, name, weir_sqlite_destroy) != SQLITE_OK) {
            weir_backend_report(&backend->base, "%s is left to be removed at the next start", name);
        }
    }
}

/* Moves a namespace from the list of namespaces to that of doomed files, not yet committed. */
static int doom(sqlite3 *db, struct weir_slice id, const char *name, bool *is_found)
{
    int rc = begin(db);
    if (rc == SQLITE_OK) {
        rc = weir_sqlite_registry_run(db, "DELETE FROM namespaces WHERE id = ?1", id);
        *is_found = rc == SQLITE_OK && sqlite3_changes(db) == 1;
    }
    if (rc == SQLITE_OK && *is_found) {
        rc = weir_sqlite_registry_run(db, "INSERT OR IGNORE INTO doomed_files (name) VALUES (?1)",
                                      weir_slice_of(name));
    }
    return rc;
}

static weir_status fail_lock(struct sqlite_backend *backend, const char *name, int64_t deadline_us,
                             struct weir_error *err)
{
    weir_backend_report(&backend->base, "cannot delete %s: %s", name, err->text);
    if (err->status == WEIR_PRECONDITION) {
        return weir_fail(err, WEIR_PRECONDITION,
                         "the namespace's storage was written by a newer weir-server: delete it "
                         "with that version");
    }
    if (weir_monotonic_us() >= deadline_us) {
        return weir_fail(err, WEIR_DEADLINE_EXCEEDED,
                         "the deadline passed while another process wrote to the namespace's "
                         "storage; it has not been deleted");
    }
    return weir_fail(err, WEIR_BACKEND_UNAVAILABLE,
                     "the namespace cannot be deleted now, because another process writes to its "
                     "storage or because the disk fails");
}

/* Returns whether the locked database, or the lack of one (NULL), may be what another process has
 * left of a namespace that it has deleted. */
static bool may_be_remains(sqlite3 *db)
{
    return db == NULL || weir_sqlite_has_moved(db) || weir_sqlite_is_marked_deleted(db);
}

/* Takes the write lock of a listed namespace's database. This may wait for another process, so
 * nothing of the registry is locked meanwhile.
 *
 * Begins again if another process was faster and has deleted the namespace that was listed. The
 * lock of the remains is then released at once, because a creation of the same id waits for it. */
static weir_status lock_listed(struct sqlite_backend *backend, struct weir_slice id,
                               int64_t deadline_us, sqlite3 **db, struct weir_error *err)
{
    char name[WEIR_SQLITE_NAME_BYTES];
    weir_sqlite_database_name(id, name);
    for (;;) {
        int64_t created_at_us = 0;
        if (weir_sqlite_check_listed(backend, id, deadline_us, &created_at_us, err) != WEIR_OK) {
            return err->status;
        }
        const weir_status status =
            weir_sqlite_lock_for_removal(backend, name, deadline_us, db, err);
        if ((status == WEIR_OK && !may_be_remains(*db)) ||
            !weir_sqlite_was_deleted(backend, id, deadline_us, created_at_us)) {
            return status == WEIR_OK ? WEIR_OK : fail_lock(backend, name, deadline_us, err);
        }
        weir_sqlite_close_without_checkpoint(*db);
        weir_error_init(err);
    }
}

/* Deletes the namespace behind the write lock of its database, which `db` holds and which is
 * released here. So other processes that have the database open acknowledge nothing more once the
 * namespace is off the list. `db` is NULL if there is no usable database. */
static weir_status delete_locked(struct sqlite_backend *backend, struct weir_slice id, sqlite3 *db,
                                 int64_t *messages, struct weir_error *err)
{
    char name[WEIR_SQLITE_NAME_BYTES];
    weir_sqlite_database_name(id, name);
    bool is_found = false;
    int rc = doom(backend->changes.db, id, name, &is_found);
    weir_status status = WEIR_OK;
    if (rc == SQLITE_OK && !is_found) {
        status = weir_fail_no_namespace(err, id);
    } else if (rc == SQLITE_OK && db != NULL && weir_sqlite_has_moved(db)) {
        status = weir_fail(err, WEIR_BACKEND_UNAVAILABLE,
                           "another process has changed the namespace meanwhile");
    } else {
        rc = rc == SQLITE_OK ? commit(backend->changes.db) : rc;
        status = rc == SQLITE_OK ? weir_sqlite_location_confirm(backend, err)
                                 : weir_sqlite_registry_fail(backend, &backend->changes, rc, err);
    }
    if (status != WEIR_OK) {
        weir_sqlite_close_without_checkpoint(db);
        return status;
    }
    if (!weir_sqlite_mark_deleted(backend, name, db, messages) ||
        remove_doomed(backend, name, weir_sqlite_remove_deleted) != SQLITE_OK) {
        /* Nevertheless the namespace is deleted. */
        weir_backend_report(&backend->base, "%s is left to be removed at the next start", name);
    }
    weir_sqlite_close_without_checkpoint(db);
    return WEIR_OK;
}

weir_status weir_sqlite_namespace_delete(struct weir_backend *base, struct weir_slice id,
                                         int64_t deadline_us, int64_t *messages_deleted,
                                         struct weir_error *err)
{
    struct sqlite_backend *backend = (struct sqlite_backend *)base;
    char name[WEIR_SQLITE_NAME_BYTES];
    weir_sqlite_database_name(id, name);
    *messages_deleted = 0;
    if (!weir_sqlite_checkpointer_forget(backend->checkpointer, name, deadline_us)) {
        return weir_fail(err, WEIR_DEADLINE_EXCEEDED,
                         "the deadline passed while the namespace's WAL was moved into its file; "
                         "it has not been deleted");
    }
    sqlite3 *db = NULL;
    if (weir_sqlite_location_check(backend, err) != WEIR_OK ||
        lock_listed(backend, id, deadline_us, &db, err) != WEIR_OK) {
        return err->status;
    }
    if (weir_sqlite_registry_borrow(backend, &backend->changes, deadline_us, err) != WEIR_OK) {
        weir_sqlite_close_without_checkpoint(db);
        return err->status;
    }
    const weir_status status = delete_locked(backend, id, db, messages_deleted, err);
    weir_sqlite_registry_roll_back(backend->changes.db);
    weir_sqlite_registry_return(&backend->changes);
    return status;
}
