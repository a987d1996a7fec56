/* Removing the databases of deleted namespaces: lock, mark as deleted, remove, unlock
 * (weir_sqlite_destroy does all four). A database that a process may still use is not removed
 * before its mark is committed: that process would go on with a file that no other process sees. */
#include "store/sqlite/sqlite_remove.h"

#include "store/sqlite/sqlite_connect.h"
#include "store/sqlite/sqlite_files.h"
#include "store/sqlite/sqlite_memory.h"
#include "store/sqlite/sqlite_status.h"

#include <errno.h>

/* Returns whether some process may use a database that cannot be locked or marked: one that is
 * unavailable for the moment, or one that only a newer server can read. After other failures it is
 * no database that any process could use. */
static bool may_be_in_use(weir_status status, enum sqlite_presence presence)
{
    return presence == WEIR_SQLITE_NEWER ||
           (status == WEIR_BACKEND_UNAVAILABLE && presence != WEIR_SQLITE_MISSING);
}

weir_status weir_sqlite_lock_for_removal(struct sqlite_backend *backend, const char *name,
                                         int64_t deadline_us, sqlite3 **db, struct weir_error *err)
{
    const struct sqlite_wanted wanted = {name, &weir_sqlite_doomed_schema, deadline_us};
    enum sqlite_presence presence = WEIR_SQLITE_OURS;
    *db = NULL;
    weir_status status = weir_sqlite_connect(backend, &wanted, db, &presence, err);
    if (status == WEIR_OK) {
        const int rc = sqlite3_exec(*db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
        status = rc == SQLITE_OK ? WEIR_OK : weir_sqlite_fail(err, rc, "lock a namespace");
    }
    if (status != WEIR_OK) {
        weir_sqlite_close_without_checkpoint(*db);
        *db = NULL;
    }
    if (may_be_in_use(status, presence)) {
        return status;
    }
    weir_error_init(err);
    return WEIR_OK;
}

bool weir_sqlite_is_marked_deleted(sqlite3 *db)
{
    sqlite3_stmt *statement = NULL;
    const int rc = sqlite3_prepare_v2(db, "SELECT 1 FROM counters", -1, &statement, NULL);
    const bool is_marked = rc == SQLITE_OK && sqlite3_step(statement) == SQLITE_DONE;
    (void)sqlite3_finalize(statement);
    return is_marked;
}

static int delete_counters(sqlite3 *db, int64_t *messages)
{
    sqlite3_stmt *statement = NULL;
    int rc = sqlite3_prepare_v2(db, "DELETE FROM counters RETURNING message_count", -1, &statement,
                                NULL);
    if (rc == SQLITE_OK && sqlite3_step(statement) == SQLITE_ROW) {
        *messages = sqlite3_column_int64(statement, 0);
    }
    const int end_rc = sqlite3_finalize(statement);
    rc = rc != SQLITE_OK ? rc : end_rc;
    return rc != SQLITE_OK ? rc : sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
}

bool weir_sqlite_mark_deleted(struct sqlite_backend *backend, const char *name, sqlite3 *db,
                              int64_t *messages)
{
    *messages = 0;
    if (db == NULL) {
        return true;
    }
    const int rc = delete_counters(db, messages);
    if (rc != SQLITE_OK) {
        weir_backend_report(&backend->base, "%s: cannot mark the namespace as deleted: %s", name,
                            sqlite3_errstr(rc));
    }
    return !may_be_in_use(weir_sqlite_status(rc), WEIR_SQLITE_OURS);
}

bool weir_sqlite_remove_deleted(struct sqlite_backend *backend, const char *name)
{
    if (backend->dir == NULL) {  // no other process can have it
        weir_sqlite_memory_remove(backend, name);
        return true;
    }
    if (!weir_sqlite_unlink(backend, name)) {
        return false;
    }
    /* So that a power loss does not bring back a file that is no longer listed. */
    const bool is_synced = weir_sqlite_sync_dir(backend->dir) == 0;
    if (!is_synced) {
        weir_backend_report(&backend->base, "cannot sync %s: %s", backend->dir, strerror(errno));
    }
    return is_synced;
}

bool weir_sqlite_destroy(struct sqlite_backend *backend, const char *name)
{
    sqlite3 *db = NULL;
    int64_t messages = 0;
    struct weir_error err;
    weir_error_init(&err);
    bool may_remove = weir_sqlite_lock_for_removal(backend, name, INT64_MAX, &db, &err) == WEIR_OK;
    if (!may_remove) {
        weir_backend_report(&backend->base,
                            "cannot remove %s, which belongs to a deleted namespace: %s", name,
                            err.text);
    } else {
        may_remove = weir_sqlite_mark_deleted(backend, name, db, &messages);
    }
    const bool is_removed =
        (may_remove || backend->dir == NULL) && weir_sqlite_remove_deleted(backend, name);
    weir_sqlite_close_without_checkpoint(db);
    return is_removed;
}
