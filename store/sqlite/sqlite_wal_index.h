/* The WAL's index: how much of a WAL counts as moved into the database. */
#ifndef WEIR_STORE_SQLITE_WAL_INDEX_H
#define WEIR_STORE_SQLITE_WAL_INDEX_H

#include <sqlite3.h>
#include <stdbool.h>

/* Declares all pages of the WAL unmoved, for every process. The connection must have begun a
 * checkpoint before. Waits a few seconds for another checkpoint. False if it fails. */
bool weir_sqlite_declare_unmoved(sqlite3 *db);

#endif
