/* A VFS in front of SQLite's own: what a commit adds to the WAL reaches the file in large writes
 * and not in two for each page. SQLite writes a frame's header and its page each by itself, and a
 * group of messages changes dozens of pages.
 *
 * For `synchronous = FULL` only: SQLite then syncs the WAL before it tells other connections of
 * what is new in it, and what has been gathered is written at the latest with that sync. */
#ifndef WEIR_STORE_SQLITE_WAL_FILE_H
#define WEIR_STORE_SQLITE_WAL_FILE_H

#include <sqlite3.h>

/* The name to open databases with; NULL, for the default VFS, where there is no memory for another.
 * It stands in front of what is the default when this is first called. Thread-safe. */
const char *weir_sqlite_wal_vfs(void);

/* For each connection. A transaction that is larger than the page cache writes to the WAL before it
 * is committed. Where it is taken back, what was gathered of it must go: the place is another's,
 * who gets the write lock next. */
void weir_sqlite_wal_watch(sqlite3 *db);

#endif
