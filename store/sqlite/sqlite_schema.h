/* The schemas of the two kinds of database, the registry and the namespaces, and the migration of a
 * database to the newest version. */
#ifndef WEIR_STORE_SQLITE_SCHEMA_H
#define WEIR_STORE_SQLITE_SCHEMA_H

#include "weir/base/fail.h"

#include <sqlite3.h>

/* "weir" and "weiR": application ids in the headers of the files, which tell them from the files of
 * other programs. */
enum { WEIR_SQLITE_NAMESPACE_FILE = 0x77656972, WEIR_SQLITE_REGISTRY_FILE = 0x77656952 };

struct weir_backend;

struct sqlite_schema {
    int application_id;
    int version;  // of the newest step
    /* [0] makes version 1 of an empty file, [1] version 2 of version 1, …; NULL: files keep their
     * version. */
    const char *const *steps;
};

extern const struct sqlite_schema weir_sqlite_namespace_schema;
extern const struct sqlite_schema weir_sqlite_registry_schema;

/* For opening a namespace's file that is about to be removed and need not be migrated before. */
extern const struct sqlite_schema weir_sqlite_doomed_schema;

/* Applies the schema steps that the database lacks, in one transaction behind the write lock, so
 * that of two processes one applies them and the other finds it done. PRECONDITION if the schema is
 * newer than this program's; the database is then unchanged.
 *
 * Migrating an older database takes the longer the larger it is, and calls in the namespace wait;
 * `backend` reports that to the operator, with the `path`. The migration's WAL is then moved into
 * the database. `backend` and `path` are NULL for a database that is being made. */
weir_status weir_sqlite_migrate(sqlite3 *db, const struct sqlite_schema *schema,
                                struct weir_backend *backend, const char *path,
                                struct weir_error *err);

#endif
