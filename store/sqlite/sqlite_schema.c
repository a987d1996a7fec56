#include "store/sqlite/sqlite_schema.h"

#include "store/sqlite/sqlite_checkpoint.h"
#include "store/sqlite/sqlite_pacing.h"
#include "store/sqlite/sqlite_packed.h"
#include "store/sqlite/sqlite_sql.h"
#include "store/sqlite/sqlite_status.h"

#include <stdio.h>

static const char *const namespace_steps[] = {
    weir_sqlite_sql_namespace_001, weir_sqlite_sql_namespace_002, weir_sqlite_sql_namespace_003};
static const char *const registry_steps[] = {weir_sqlite_sql_registry_001};

const struct sqlite_schema weir_sqlite_namespace_schema = {
    WEIR_SQLITE_NAMESPACE_FILE, WEIR_COUNTOF(namespace_steps), namespace_steps};
const struct sqlite_schema weir_sqlite_doomed_schema = {WEIR_SQLITE_NAMESPACE_FILE,
                                                        WEIR_COUNTOF(namespace_steps), NULL};
const struct sqlite_schema weir_sqlite_registry_schema = {
    WEIR_SQLITE_REGISTRY_FILE, WEIR_COUNTOF(registry_steps), registry_steps};

static int read_version(sqlite3 *db, int *version)
{
    sqlite3_stmt *statement = NULL;
    int rc = sqlite3_prepare_v2(db, "PRAGMA user_version", -1, &statement, NULL);
    if (rc == SQLITE_OK) {
        rc = sqlite3_step(statement);
    }
    if (rc == SQLITE_ROW) {
        *version = sqlite3_column_int(statement, 0);
        rc = SQLITE_OK;
    }
    const int end_rc = sqlite3_finalize(statement);
    return rc != SQLITE_OK ? rc : end_rc;
}

static int apply_steps(sqlite3 *db, const struct sqlite_schema *schema, int version)
{
    int rc = weir_sqlite_packed_prepare(db);
    for (int step = version; rc == SQLITE_OK && step < schema->version; step++) {
        rc = sqlite3_exec(db, schema->steps[step], NULL, NULL, NULL);
    }
    char pragmas[96];
    (void)snprintf(pragmas, sizeof pragmas, "PRAGMA application_id = %d; PRAGMA user_version = %d",
                   schema->application_id, schema->version);
    return rc != SQLITE_OK ? rc : sqlite3_exec(db, pragmas, NULL, NULL, NULL);
}

/* Begins the migration. Making an index, SQLite sorts: in memory the sort would be unbounded; with
 * files it uses as much memory as the page cache has, and writes only what exceeds that. A new file
 * has nothing to sort, and temporary tables are made faster in memory. */
static int begin(sqlite3 *db, int version)
{
    const char *text =
        version == 0 ? "BEGIN IMMEDIATE" : "PRAGMA temp_store = FILE; BEGIN IMMEDIATE";
    return sqlite3_exec(db, text, NULL, NULL, NULL);
}

static int commit(sqlite3 *db)
{
    return sqlite3_exec(db, "COMMIT; PRAGMA temp_store = MEMORY", NULL, NULL, NULL);
}

/* *version is then that which this connection has brought up to date, or that of another process,
 * which was faster. */
static int migrate_locked(sqlite3 *db, const struct sqlite_schema *schema,
                          struct weir_backend *backend, const char *path, int *version)
{
    const int rc = read_version(db, version);
    if (rc != SQLITE_OK || *version >= schema->version) {
        return rc;
    }
    if (*version > 0) {
        weir_backend_report(backend,
                            "%s: migrating to schema version %d; its namespace waits meanwhile",
                            path, schema->version);
    }
    return apply_steps(db, schema, *version);
}

static int migrate(sqlite3 *db, const struct sqlite_schema *schema, struct weir_backend *backend,
                   const char *path, int *version)
{
    int rc = begin(db, *version);
    if (rc == SQLITE_OK) {
        rc = migrate_locked(db, schema, backend, path, version);
        rc = rc != SQLITE_OK ? rc : commit(db);
    }
    if (rc != SQLITE_OK && sqlite3_get_autocommit(db) == 0) {
        (void)sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
    }
    return rc;
}

/* Moves the WAL of a migration, which holds the whole file, into the database; the first writer
 * would otherwise have to move it before its write is acknowledged. The namespace waits meanwhile,
 * so pieces are not waited for one by one. */
static void move_wal(sqlite3 *db, struct weir_backend *backend, const char *path)
{
    weir_sqlite_pace_begin();
    weir_sqlite_pace_waits(false);
    (void)weir_sqlite_checkpoint((struct sqlite_backend *)backend, path, db,
                                 SQLITE_CHECKPOINT_PASSIVE, NULL);
    weir_sqlite_pace_waits(true);
    weir_sqlite_pace_end();
}

static void end_migration(sqlite3 *db, const struct sqlite_schema *schema,
                          struct weir_backend *backend, const char *path)
{
    move_wal(db, backend, path);
    weir_backend_report(backend, "%s: migrated to schema version %d", path, schema->version);
}

weir_status weir_sqlite_migrate(sqlite3 *db, const struct sqlite_schema *schema,
                                struct weir_backend *backend, const char *path,
                                struct weir_error *err)
{
    int version = 0;
    int rc = read_version(db, &version);
    if (rc == SQLITE_OK && version < schema->version && schema->steps != NULL) {
        rc = migrate(db, schema, backend, path, &version);
        if (rc == SQLITE_OK && version > 0 && version < schema->version) {
            end_migration(db, schema, backend, path);
        }
    }
    if (rc != SQLITE_OK) {
        return weir_sqlite_fail(err, rc, "migrate the schema");
    }
    if (version > schema->version) {
        return weir_fail(err, WEIR_PRECONDITION,
                         "the store's schema has version %d, but this program supports at most %d: "
                         "use the newer weir-server, or another directory",
                         version, schema->version);
    }
    return WEIR_OK;
}
