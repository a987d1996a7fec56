/* Connections to databases: opening them, and closing them without a checkpoint. A connection is
 * used by one thread at a time. */
#ifndef WEIR_STORE_SQLITE_CONNECT_H
#define WEIR_STORE_SQLITE_CONNECT_H

#include "store/sqlite/sqlite_backend.h"
#include "store/sqlite/sqlite_schema.h"

/* A database to be opened. */
struct sqlite_wanted {
    const char *name;
    const struct sqlite_schema *schema;
    int64_t deadline_us;  // of the wait for another process, WEIR_SQLITE_BUSY_US at most
};

/* What is found at a database's name. */
enum sqlite_presence {
    WEIR_SQLITE_OURS,
    WEIR_SQLITE_MISSING,
    WEIR_SQLITE_FOREIGN,
    WEIR_SQLITE_NEWER,
    WEIR_SQLITE_NO_FILE,  // but a link or a directory
    WEIR_SQLITE_UNREADABLE
};

/* Opens a connection to an existing database, sets it up, and migrates the schema. PRECONDITION for
 * a file that is foreign or newer, which is left unchanged; BACKEND_UNAVAILABLE if the file is
 * missing or cannot be used. *presence is set after a failure too, unless memory runs out; it may
 * be NULL. */
weir_status weir_sqlite_connect(struct sqlite_backend *backend, const struct sqlite_wanted *wanted,
                                sqlite3 **db, enum sqlite_presence *presence,
                                struct weir_error *err);

/* Opens a connection to any database and sets it up, without looking at the file before. It waits
 * for another connection's lock for busy_ms. Returns a result code. */
int weir_sqlite_open(const struct sqlite_backend *backend, const char *path, int flags, int busy_ms,
                     sqlite3 **db);

/* Returns how long a call with this deadline waits for another connection's lock, in milliseconds:
 * until the deadline, WEIR_SQLITE_BUSY_US at most. */
int weir_sqlite_busy_ms(int64_t deadline_us);

/* Returns whether the file of a connection has lost its name, to another file or to none. */
bool weir_sqlite_has_moved(sqlite3 *db);

/* Closes a connection without moving its WAL into the database: for a database that is to be
 * removed, or whose name may belong to another one. Releases the locks of the connection. NULL is
 * allowed. */
void weir_sqlite_close_without_checkpoint(sqlite3 *db);

#endif
