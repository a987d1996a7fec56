/* Writes of a checkpoint, brought to the disk piece by piece.
 *
 * SQLite syncs the database once, at the end of a checkpoint. Until then its pages wait in the
 * system's cache, and then they all go to the disk at once: a commit that comes then waits for its
 * own sync behind hundreds of them. A thread that paces itself has its writes go to the disk while
 * it writes, a few at a time, so a commit beside it waits for a few at most. That takes nothing
 * from what SQLite's own syncs promise. */
#ifndef WEIR_STORE_SQLITE_PACING_H
#define WEIR_STORE_SQLITE_PACING_H

#include <stdbool.h>

/* Once, after SQLite has been configured and before it is used. Where its VFS does not allow it,
 * nothing is paced. */
void weir_sqlite_pacing_install(void);

/* From now on SQLite's writes by the calling thread are paced, until the end, which comes before
 * the file is closed. */
void weir_sqlite_pace_begin(void);
void weir_sqlite_pace_end(void);

/* Whether the calling thread waits until a piece is on the disk, as it does from the beginning, or
 * has the system begin with it and goes on. What fails then is told by the next sync of the file.
 */
void weir_sqlite_pace_waits(bool waits);

/* Brings to the disk what the calling thread has written since the last piece. False, with errno,
 * where the disk fails. */
bool weir_sqlite_pace_out(void);

#endif
