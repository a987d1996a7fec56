/* The schemas of the two kinds of file, and bringing a file up to date. */
#ifndef WEIR_STORE_SQLITE_SCHEMA_H
#define WEIR_STORE_SQLITE_SCHEMA_H

#include "weir/base/status.h"

#include <sqlite3.h>

/* "weir" and "weiR": what the files carry in their headers, so that no other program's file is
 * taken for one. */
enum { WEIR_SQLITE_NAMESPACE_FILE = 0x77656972, WEIR_SQLITE_REGISTRY_FILE = 0x77656952 };

struct weir_backend;

struct sqlite_schema {
    int application_id;
    int version;  // of the newest step
    /* [0] makes version 1 of an empty file, [1] version 2 of that, …; NULL: files stay as they
     * are. */
    const char *const *steps;
};

extern const struct sqlite_schema weir_sqlite_namespace_schema;
extern const struct sqlite_schema weir_sqlite_registry_schema;

/* Of a namespace's file that is about to be removed: it is not brought up to date before. */
extern const struct sqlite_schema weir_sqlite_doomed_schema;

/* Texts of the numbered files, embedded by the build. */
extern const char weir_sqlite_sql_namespace_001[];
extern const char weir_sqlite_sql_namespace_002[];
extern const char weir_sqlite_sql_namespace_003[];
extern const char weir_sqlite_sql_registry_001[];

/* Applies the steps that the database lacks, in one transaction behind the write lock, so that of
 * two processes one does it and the other finds it done. PRECONDITION where the schema is newer
 * than this program's; the database is then unchanged.
 *
 * With an older database that takes as long as it is large, and calls wait: the operator is told,
 * by `backend`, with the `path`. What it leaves in the WAL is moved. NULL both for a database that
 * is being made. */
weir_status weir_sqlite_migrate(sqlite3 *db, const struct sqlite_schema *schema,
                                struct weir_backend *backend, const char *path,
                                struct weir_error *err);

#endif
