/* Database files as files: their paths, raw access to their bytes, their removal, and the store's
 * directory. */
#ifndef WEIR_STORE_SQLITE_FILES_H
#define WEIR_STORE_SQLITE_FILES_H

#include "store/sqlite/sqlite_backend.h"

extern const char weir_sqlite_registry_name[];

/* Return the path of a database of the store, or of its WAL, to be freed by the caller; NULL
 * without memory. */
char *weir_sqlite_path(const struct sqlite_backend *backend, const char *name);
char *weir_sqlite_wal_path(const struct sqlite_backend *backend, const char *name);

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

/* Removes the side files that an old database may have left, unless a database of that name exists.
 * Called before a namespace's database is made. False if a file is left. */
bool weir_sqlite_unlink_leftovers(struct sqlite_backend *backend, const char *name);

/* Syncs a directory, which makes new and removed entries durable. Returns 0, or -1 with errno. */
int weir_sqlite_sync_dir(const char *dir);

/* Makes a directory and its parents, durably. */
weir_status weir_sqlite_make_dir(const char *dir, struct weir_error *err);

#endif
