/* What the two files about the list of namespaces share: calls on a connection that the caller has
 * locked. All return SQLite's extended result codes unless said otherwise. */
#ifndef WEIR_STORE_SQLITE_REGISTRY_H
#define WEIR_STORE_SQLITE_REGISTRY_H

#include "store/sqlite/sqlite_session.h"

/* Locks a connection for one call; one on which something broke is opened anew first. Where that
 * fails, where changes would go to a store that is not where it was, or where the deadline has
 * passed by then, it is not locked. */
weir_status weir_sqlite_registry_lock(struct sqlite_backend *backend,
                                      struct sqlite_registry_connection *connection,
                                      int64_t deadline_us, struct weir_error *err);
void weir_sqlite_registry_unlock(struct sqlite_registry_connection *connection);

/* Prepares `text` and binds the id as its first parameter. The statement is to be finalized in
 * every case. */
int weir_sqlite_registry_prepare(sqlite3 *db, const char *text, struct weir_slice id,
                                 sqlite3_stmt **statement);

/* Runs a change whose only parameter is a name or an id. */
int weir_sqlite_registry_run(sqlite3 *db, const char *text, struct weir_slice id);

/* Ends the transaction that is open, if one is. */
void weir_sqlite_registry_roll_back(sqlite3 *db);

/* Fails a call, tells the operator, and marks the connection where it cannot be used any more. */
weir_status weir_sqlite_registry_fail(struct sqlite_backend *backend,
                                      struct sqlite_registry_connection *connection, int rc,
                                      struct weir_error *err);

/* The token's hash in a column. */
int weir_sqlite_registry_hash(sqlite3_stmt *statement, int column, struct weir_token_hash *hash);

/* Finishes deletions that were cut short. */
void weir_sqlite_registry_sweep(struct sqlite_backend *backend);

#endif
