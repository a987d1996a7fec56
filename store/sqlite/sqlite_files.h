/* What the files share that open, make and remove databases: sqlite_connect.c, sqlite_create.c,
 * sqlite_remove.c. It is in sqlite_files.c, but for the last. */
#ifndef WEIR_STORE_SQLITE_FILES_H
#define WEIR_STORE_SQLITE_FILES_H

#include "store/sqlite/sqlite_int.h"

/* A file is opened by SQLite's VFS and not by a descriptor of our own: to close that would take
 * from every connection of this process to the same file the lock which tells other programs that
 * it is in use. The last of those to close it would then remove the WAL under our connections. */
struct sqlite_raw_file {
    sqlite3_filename name;
    sqlite3_file *file;
};

/* Result codes. One whose opening failed is closed as well. */
int weir_sqlite_raw_open(struct sqlite_raw_file *raw, const char *path, int flags);
void weir_sqlite_raw_close(struct sqlite_raw_file *raw);

/* Removes a database and what SQLite keeps beside it. The database itself goes last: while it is
 * there, nobody makes another one beside old files. False where something is left, of which the
 * operator is told. */
bool weir_sqlite_unlink(const struct sqlite_backend *backend, const char *name);

/* Makes durable what has been added to a directory; -1 with errno. */
int weir_sqlite_sync_dir(const char *dir);

/* A connection that is set up, to whatever is there (sqlite_connect.c); a result code. It waits for
 * another's lock for so long. */
int weir_sqlite_open(const struct sqlite_backend *backend, const char *path, int flags, int busy_ms,
                     sqlite3 **db);

#endif
