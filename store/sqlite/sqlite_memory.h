/* Databases in memory and their locks. SQLite's memdb VFS does not wait for locks, so every
 * transaction runs between weir_sqlite_memory_begin and weir_sqlite_memory_end: readers beside each
 * other, a writer alone. Both do nothing for NULL, a database on disk. */
#ifndef WEIR_STORE_SQLITE_MEMORY_H
#define WEIR_STORE_SQLITE_MEMORY_H

#include "store/sqlite/sqlite_backend.h"

/* A database in memory, which lives until weir_sqlite_memory_remove. */
struct sqlite_memory {
    struct sqlite_memory *next;
    char name[WEIR_SQLITE_NAME_BYTES];
    sqlite3 *keeper;       // connection that keeps the database alive
    pthread_mutex_t gate;  // readers pass through it; a waiting writer holds it: none starves
    pthread_rwlock_t lock;
};

/* Returns the database of a name, NULL if there is none. */
struct sqlite_memory *weir_sqlite_memory_find(struct sqlite_backend *backend, const char *name);

/* Adds a database and takes over its connection; false, with the connection left to the caller, if
 * it fails. */
bool weir_sqlite_memory_add(struct sqlite_backend *backend, const char *name, sqlite3 *keeper);

/* Removes a database, if it exists, and closes its connection. No session of it may be open. */
void weir_sqlite_memory_remove(struct sqlite_backend *backend, const char *name);

/* Begins and ends a transaction. Beginning blocks while the other kind is under way. */
void weir_sqlite_memory_begin(struct sqlite_memory *memory, enum weir_session_kind kind);
void weir_sqlite_memory_end(struct sqlite_memory *memory);

#endif
