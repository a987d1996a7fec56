/* Database files as files: raw access to their bytes, and their removal; used by the files that
 * open, make and remove databases. */
#ifndef WEIR_STORE_SQLITE_FILES_H
#define WEIR_STORE_SQLITE_FILES_H

#include "store/sqlite/sqlite_int.h"

/* A file opened through SQLite's VFS. A descriptor of our own would not do: closing it would
 * release the locks that every connection of this process holds on the file. The locks tell other
 * programs that the file is in use; the last of those to close it would then remove the WAL under
 * our connections. */
struct sqlite_raw_file {
    sqlite3_filename name;
    sqlite3_file *file;
};

/* Opens and closes a file; weir_sqlite_raw_open returns a result code. A file must be closed even
 * if opening it has failed. */
int weir_sqlite_raw_open(struct sqlite_raw_file *raw, const char *path, int flags);
void weir_sqlite_raw_close(struct sqlite_raw_file *raw);

/* Removes a database and its side files. The database itself is removed last: as long as it exists,
 * no process makes another one beside old side files. Returns false if a file is left, and reports
 * it to the operator. */
bool weir_sqlite_unlink(const struct sqlite_backend *backend, const char *name);

/* Syncs a directory, which makes new and removed entries durable. Returns 0, or -1 with errno. */
int weir_sqlite_sync_dir(const char *dir);

/* Opens a connection to any database and sets it up (sqlite_connect.c). It waits for another
 * connection's lock for busy_ms. Returns a result code. */
int weir_sqlite_open(const struct sqlite_backend *backend, const char *path, int flags, int busy_ms,
                     sqlite3 **db);

#endif
