/* Making databases. */
#ifndef WEIR_STORE_SQLITE_CREATE_H
#define WEIR_STORE_SQLITE_CREATE_H

#include "store/sqlite/sqlite_backend.h"
#include "store/sqlite/sqlite_schema.h"

/* Makes a database with its schema; no process ever sees it incomplete. *is_there is set, and the
 * existing file left alone, if there is one of that name, e.g. because another process was faster.
 */
weir_status weir_sqlite_create(struct sqlite_backend *backend, const char *name,
                               const struct sqlite_schema *schema, bool *is_there,
                               struct weir_error *err);

/* Removes the drafts of databases that a crash has left in the directory. */
void weir_sqlite_sweep_drafts(const struct sqlite_backend *backend);

#endif
