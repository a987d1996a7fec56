/* A VFS in front of SQLite's own that gathers writes to the WAL, so that a commit reaches the file
 * in a few large writes instead of two for each page. SQLite writes a frame's header and its page
 * separately, and a group of messages changes dozens of pages.
 *
 * For `synchronous = FULL` only: SQLite then syncs the WAL before it shows other connections the
 * new frames, and gathered bytes are written at the latest with that sync. */
#ifndef WEIR_STORE_SQLITE_WAL_FILE_H
#define WEIR_STORE_SQLITE_WAL_FILE_H

#include <sqlite3.h>

/* Returns the name of the VFS to open databases with; NULL, which stands for the default VFS, if
 * there is no memory for it. Its files are passed on to the VFS that is the default when this is
 * first called. Thread-safe. */
const char *weir_sqlite_wal_vfs(void);

/* Drops the gathered bytes of this connection's WAL at each rollback; to be called for every new
 * connection. A transaction that exceeds the page cache writes to the WAL before it is committed;
 * after its rollback the next connection that gets the write lock writes to the same place. */
void weir_sqlite_wal_watch(sqlite3 *db);

/* Brings to the disk what the WAL of a connection that has read the database holds. A process that
 * was killed may have left a whole transaction there without a sync, which SQLite takes for
 * committed: this is called before anything of it is shown. Works with any VFS. Returns a result
 * code. */
int weir_sqlite_wal_sync(sqlite3 *db);

#endif
