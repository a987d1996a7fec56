/* Pacing of a checkpoint: its writes are brought to the disk piece by piece.
 *
 * SQLite syncs the database once, at the end of a checkpoint. Until then the pages wait in the
 * system's cache, and then all go to the disk at once: the sync of a concurrent commit waits behind
 * hundreds of them. A paced thread brings its pages to the disk while it writes, a few at a time,
 * so a concurrent commit waits for a few at most. The guarantees of SQLite's own syncs stay as they
 * are. */
#ifndef WEIR_STORE_SQLITE_PACING_H
#define WEIR_STORE_SQLITE_PACING_H

#include <stdbool.h>

/* Installs pacing; to be called once, after SQLite has been configured and before it is used. If
 * its VFS does not allow it, nothing is paced. */
void weir_sqlite_pacing_install(void);

/* Between these two calls SQLite's writes by the calling thread are paced. weir_sqlite_pace_end
 * must come before the file is closed. */
void weir_sqlite_pace_begin(void);
void weir_sqlite_pace_end(void);

/* Sets whether the calling thread waits until each piece is on the disk, as it does by default, or
 * only has the system begin to write it. A failure of a piece that is not waited for is reported by
 * the next sync of the file. */
void weir_sqlite_pace_waits(bool waits);

/* Brings to the disk the pages that the calling thread has written since the last piece. False,
 * with errno, if the disk fails. */
bool weir_sqlite_pace_out(void);

#endif
