/* Checkpoints, and the checkpointer, the thread that makes them for the namespaces' databases. The
 * writer of a namespace asks for one when the WAL has grown, and moves the last pages itself. */
#ifndef WEIR_STORE_SQLITE_CHECKPOINT_H
#define WEIR_STORE_SQLITE_CHECKPOINT_H

#include "store/sqlite/sqlite_backend.h"

enum {
    /* Growth of the WAL after which the checkpointer is asked. Two blocks of the WAL's index are
     * full then (4,062 and 4,096 pages), so the writer that moves the rest has little to sort. */
    WEIR_SQLITE_CHECKPOINT_PAGES = 8160,
    /* Length to which a longer WAL is cut when it begins anew, while the write that begins it
     * waits. A WAL that begins anew with the second checkpoint is not that long. */
    WEIR_SQLITE_WAL_PAGES_KEPT = 3 * WEIR_SQLITE_CHECKPOINT_PAGES,
    /* Length of the WAL from which the writer makes the whole checkpoint itself, unless a reader
     * keeps it from being moved. */
    WEIR_SQLITE_WAL_PAGES_MAX = 4 * WEIR_SQLITE_CHECKPOINT_PAGES
};

/* The progress of a checkpoint, in pages. */
struct sqlite_progress {
    int pages;  // length of the WAL
    int moved;  // pages of the WAL that are in the database
};

/* Makes a checkpoint of SQLite's `mode` and returns its result code. *progress is set in every case
 * unless it is NULL. A failure is reported to the operator; if pages may have been moved by then,
 * all pages of the WAL are declared unmoved. BUSY is no failure. */
int weir_sqlite_checkpoint(struct sqlite_backend *backend, const char *name, sqlite3 *db, int mode,
                           struct sqlite_progress *progress);

/* Starts the checkpointer; NULL without memory or threads. */
struct sqlite_checkpointer *weir_sqlite_checkpointer_start(struct sqlite_backend *backend);

/* Waits until the checkpoint under way is done, drops the requests and frees the checkpointer. NULL
 * is allowed. */
void weir_sqlite_checkpointer_stop(struct sqlite_checkpointer *checkpointer);

/* Asks for a checkpoint of a database; does not wait for the disk. */
void weir_sqlite_checkpointer_ask(struct sqlite_checkpointer *checkpointer, const char *name);

/* Returns true once for each requested checkpoint that has left only a few pages: the writer then
 * moves these between two of its writes, and the WAL begins anew. */
bool weir_sqlite_checkpointer_take(struct sqlite_checkpointer *checkpointer, const char *name);

/* Lets a checkpoint of the database that is asked for or under way come nearer to its end, for a
 * tenth of a second at most. For writers of a WAL that is long already: they can be faster than the
 * checkpointer. Does not wait where a reader holds the WAL. */
void weir_sqlite_checkpointer_let_work(struct sqlite_checkpointer *checkpointer, const char *name);

/* Returns whether a reader that has stayed for long keeps much of a database's WAL from being
 * moved, as checkpoints by the checkpointer have found one after the other. */
bool weir_sqlite_checkpointer_is_held(struct sqlite_checkpointer *checkpointer, const char *name);

/* Drops the requests for a database, and waits until the checkpointer does not work on it; false if
 * the deadline passes first. A NULL checkpointer is allowed. */
bool weir_sqlite_checkpointer_forget(struct sqlite_checkpointer *checkpointer, const char *name,
                                     int64_t deadline_us);

#endif
