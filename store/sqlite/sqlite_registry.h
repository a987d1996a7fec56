/* The registry, the list of namespaces in registry.db: the functions that sqlite_registry.c and
 * sqlite_namespaces.c share. They run on a connection that the caller has locked, and functions
 * that return int return SQLite's extended result codes. */
#ifndef WEIR_STORE_SQLITE_REGISTRY_H
#define WEIR_STORE_SQLITE_REGISTRY_H

#include "store/sqlite/sqlite_session.h"

/* Locks a connection for one call, and opens it anew if it is broken. Fails, without holding the
 * lock, if the connection cannot be opened, if it is the one for changes and the store is not where
 * it was opened, or if the deadline has passed when the lock is taken. */
weir_status weir_sqlite_registry_lock(struct sqlite_backend *backend,
                                      struct sqlite_registry_connection *connection,
                                      int64_t deadline_us, struct weir_error *err);
void weir_sqlite_registry_unlock(struct sqlite_registry_connection *connection);

/* Prepares `text` and binds the id as its first parameter. The caller finalizes the statement, even
 * after a failure. */
int weir_sqlite_registry_prepare(sqlite3 *db, const char *text, struct weir_slice id,
                                 sqlite3_stmt **statement);

/* Runs a change whose only parameter is a name or an id. */
int weir_sqlite_registry_run(sqlite3 *db, const char *text, struct weir_slice id);

/* Rolls back the open transaction, if there is one. */
void weir_sqlite_registry_roll_back(sqlite3 *db);

/* Fails a call, reports the failure to the operator, and marks the connection as broken if it
 * cannot be used any more. */
weir_status weir_sqlite_registry_fail(struct sqlite_backend *backend,
                                      struct sqlite_registry_connection *connection, int rc,
                                      struct weir_error *err);

/* Reads the hash of a token from a column. */
int weir_sqlite_registry_hash(sqlite3_stmt *statement, int column, struct weir_token_hash *hash);

/* Finishes deletions that were interrupted. */
void weir_sqlite_registry_sweep(struct sqlite_backend *backend);

#endif
