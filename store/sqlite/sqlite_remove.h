/* Removing the databases of deleted namespaces: lock, mark as deleted, remove, and close the
 * connection that holds the lock. Several processes may have the database open, and several may try
 * to remove it.
 *
 * The connection is closed after the files have been removed, and not before: SQLite lets the last
 * connection that closes a database remove the WAL by its name, which may belong to the next
 * namespace by then. */
#ifndef WEIR_STORE_SQLITE_REMOVE_H
#define WEIR_STORE_SQLITE_REMOVE_H

#include "store/sqlite/sqlite_backend.h"

/* Takes the write lock of a namespace's database that is to be removed. *db is the connection that
 * holds it, which the caller closes with weir_sqlite_close_without_checkpoint. *db is NULL if there
 * is nothing that a process could have open: no file, or one that is foreign or damaged. Fails if
 * the database can be in use nevertheless: BACKEND_UNAVAILABLE, and PRECONDITION if only a newer
 * server can remove it. */
weir_status weir_sqlite_lock_for_removal(struct sqlite_backend *backend, const char *name,
                                         int64_t deadline_us, sqlite3 **db, struct weir_error *err);

/* Returns whether a database that is locked for removal had been marked as deleted before. */
bool weir_sqlite_is_marked_deleted(sqlite3 *db);

/* Marks a database that is locked for removal as deleted for every process that has it open, by
 * deleting the row of its counters, without which no process reads or writes a namespace. Commits,
 * and sets *messages to the number of messages that it had. Returns false if a process may still
 * use the database; true, and does nothing, if `db` is NULL. */
bool weir_sqlite_mark_deleted(struct sqlite_backend *backend, const char *name, sqlite3 *db,
                              int64_t *messages);

/* Removes the files of a database that has been marked as deleted, durably; false if that fails.
 * The lock is not needed, and another process that wanted to delete the namespace too may hold it.
 */
bool weir_sqlite_remove_deleted(struct sqlite_backend *backend, const char *name);

/* Locks a namespace's database, marks it as deleted and removes it. Returns false if anything is
 * left of it. A database on disk that cannot be marked, but that a process may still use, is not
 * removed: that process would go on with a file that no other process sees. */
bool weir_sqlite_destroy(struct sqlite_backend *backend, const char *name);

#endif
