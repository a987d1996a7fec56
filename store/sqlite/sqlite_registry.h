/* The registry, the list of namespaces in registry.db (sqlite_registry.c; sqlite_namespaces.c makes
 * and deletes namespaces). The registry has one connection for changes and one for reads, each
 * lent to one call at a time.
 *
 * Functions that return int return SQLite's extended result codes. */
#ifndef WEIR_STORE_SQLITE_REGISTRY_H
#define WEIR_STORE_SQLITE_REGISTRY_H

#include "store/sqlite/sqlite_backend.h"

/* ---- opening ---- */

/* Initialise and free a connection that is not open. */
void weir_sqlite_registry_connection_init(struct sqlite_registry_connection *connection);
void weir_sqlite_registry_connection_fini(struct sqlite_registry_connection *connection);

/* Opens the registry and finishes what crashes have left undone. Makes a registry if there is none;
 * PRECONDITION if the directory then holds other files of a store. */
weir_status weir_sqlite_registry_open(struct sqlite_backend *backend, struct weir_error *err);
void weir_sqlite_registry_close(struct sqlite_backend *backend);

/* ---- slots of `struct weir_store_ops`: thread-safe, semantics as in store.h ---- */

weir_status weir_sqlite_registry_ping(struct weir_backend *base, int64_t deadline_us,
                                      struct weir_error *err);
weir_status weir_sqlite_namespace_find(struct weir_backend *base,
                                       struct weir_namespace_record *record, int64_t deadline_us,
                                       struct weir_arena *arena, struct weir_error *err);
weir_status weir_sqlite_namespace_set_token(struct weir_backend *base, struct weir_slice id,
                                            const struct weir_token_hash *hash, int64_t deadline_us,
                                            struct weir_error *err);
weir_status weir_sqlite_namespace_list(struct weir_backend *base,
                                       const struct weir_registry_query *query,
                                       struct weir_arena *arena, struct weir_registry_page *page,
                                       struct weir_error *err);

/* ---- whether a namespace is listed; for callers that hold no connection ---- */

/* Sets *created_at_us; NAMESPACE_NOT_FOUND for a namespace that is not listed. Its file may still
 * exist, if the end of its deletion has been put off. */
weir_status weir_sqlite_check_listed(struct sqlite_backend *backend, struct weir_slice id,
                                     int64_t deadline_us, int64_t *created_at_us,
                                     struct weir_error *err);

/* Returns whether the namespace of this id that was created at created_at_us has been deleted
 * meanwhile by another process, which may have made a new one. Files that were not as expected a
 * moment ago may then have been its remains. */
bool weir_sqlite_was_deleted(struct sqlite_backend *backend, struct weir_slice id,
                             int64_t deadline_us, int64_t created_at_us);

/* ---- one call on a connection ---- */

/* Lends a connection to one call, until weir_sqlite_registry_return, and opens it anew if it is
 * broken. The call waits for others until its deadline, and then for other processes as
 * weir_sqlite_busy_ms says. Fails if the connection cannot be opened, if it is the one for changes
 * and the store is not where it was opened, or if the deadline passes. */
weir_status weir_sqlite_registry_borrow(struct sqlite_backend *backend,
                                        struct sqlite_registry_connection *connection,
                                        int64_t deadline_us, struct weir_error *err);
void weir_sqlite_registry_return(struct sqlite_registry_connection *connection);

/* Lends a connection as it is; false if the deadline passes before the call that has it returns
 * it. */
bool weir_sqlite_registry_take(struct sqlite_registry_connection *connection, int64_t deadline_us);

/* Prepares `text` and binds the id as its first parameter. The caller finalizes the statement, even
 * after a failure. */
int weir_sqlite_registry_prepare(sqlite3 *db, const char *text, struct weir_slice id,
                                 sqlite3_stmt **statement);

/* Runs a change whose only parameter is a name or an id. */
int weir_sqlite_registry_run(sqlite3 *db, const char *text, struct weir_slice id);

/* Rolls back the open transaction, if there is one. */
void weir_sqlite_registry_roll_back(sqlite3 *db);

/* Fails a call, with DEADLINE_EXCEEDED if it has waited for another process until its deadline.
 * Reports the failure to the operator, and marks the connection as broken if it cannot be used any
 * more. */
weir_status weir_sqlite_registry_fail(struct sqlite_backend *backend,
                                      struct sqlite_registry_connection *connection, int rc,
                                      struct weir_error *err);

/* Reads the hash of a token from a column. */
int weir_sqlite_registry_hash(sqlite3_stmt *statement, int column, struct weir_token_hash *hash);

#endif
