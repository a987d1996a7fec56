/* What the files of the SQLite backend share.
 *
 * On disk a store is a directory: registry.db with the list of namespaces, and one file for each
 * namespace, named by a digest of its id. In memory each of them is a database of SQLite's memdb
 * VFS. A session is a connection, of which one of a namespace writes at a time and any number
 * read; the files are in WAL mode, so neither blocks the other. */
#ifndef WEIR_STORE_SQLITE_INT_H
#define WEIR_STORE_SQLITE_INT_H

#include "store/sqlite/sqlite_schema.h"
#include "store/sqlite/sqlite_status.h"
#include "store/store_backend.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <sys/types.h>

/* ---- the backend ---- */

enum {
    WEIR_SQLITE_NAME_BYTES = 80,               // of a database within the store, with its NUL
    WEIR_SQLITE_SESSION_LISTS = 1024,          // about as many as there are databases in use
    WEIR_SQLITE_BUSY_US = 5 * 1000 * 1000,     // another process's lock is waited for so long
    WEIR_SQLITE_READERS_WAIT_US = 1000 * 1000  // and readers that are in the way of a checkpoint
};

/* One connection to the registry, used by one thread at a time. */
struct sqlite_registry_connection {
    pthread_mutex_t mutex;
    sqlite3 *db;
    bool is_broken;  // to be opened anew before it is used again
};

/* Which file one is, whatever its name. */
struct sqlite_file_id {
    dev_t device;
    ino_t inode;
};

/* Where the registry and its WAL were when they were opened. */
struct sqlite_location {
    char *path, *wal_path;  // NULL in memory
    struct sqlite_file_id file, wal;
    atomic_int_fast64_t look_at_us;  // not before
    atomic_bool is_lost;             // for good
};

struct sqlite_memory;
struct sqlite_session;
struct sqlite_checkpointer;

/* An empty database, as the bytes of its file (sqlite_image.c). */
struct sqlite_image {
    unsigned char *bytes;  // NULL: none
    size_t n;
};

struct sqlite_backend {
    struct weir_backend base;
    char *dir;  // NULL in memory
    bool is_durability_normal;
    size_t cache_kib;               // page cache of a connection, at most
    atomic_size_t cache_taken_kib;  // by the sessions
    unsigned number;                // of this backend in this process: makes memdb's names its own

    /* Changes and reads have connections of their own, so that a change that waits for the disk
     * does not keep a read waiting. In memory both use `changes`. */
    struct sqlite_registry_connection changes, reads;
    struct sqlite_location location;

    pthread_mutex_t sessions_mutex;  // guards the lists; a leaf of the lock order
    /* That are open, on disk. Which list one is in follows from its database's name. */
    struct sqlite_session *sessions[WEIR_SQLITE_SESSION_LISTS];

    pthread_mutex_t memory_mutex;  // guards the list
    struct sqlite_memory *memory;  // databases in memory

    pthread_mutex_t image_mutex;  // guards the image, which stays once it has been made
    struct sqlite_image image;    // of a namespace

    struct sqlite_checkpointer *checkpointer;  // NULL in memory
};

/* The size of a new session's page cache: less where many have theirs, so that the memory of all
 * is bounded. */
size_t weir_sqlite_cache_take(struct sqlite_backend *backend);
void weir_sqlite_cache_give_back(struct sqlite_backend *backend, size_t kib);

/* The name of a namespace's database: injective, and safe whatever the id holds. */
void weir_sqlite_database_name(struct weir_slice id, char name[WEIR_SQLITE_NAME_BYTES]);

/* Whether a file's name begins as those do. */
bool weir_sqlite_is_database_name(const char *name);

/* ---- files (sqlite_files.c) ---- */

extern const char weir_sqlite_registry_name[];

/* The path of a database of the store, or of its WAL, to be freed; NULL without memory. */
char *weir_sqlite_path(const struct sqlite_backend *backend, const char *name);
char *weir_sqlite_wal_path(const struct sqlite_backend *backend, const char *name);

/* Before a namespace's database is made: where there is none, removes what an old one may have left
 * beside it. */
bool weir_sqlite_clear_place(struct sqlite_backend *backend, const char *name);

/* Makes the directory and its parents, durably. */
weir_status weir_sqlite_make_dir(const char *dir, struct weir_error *err);

/* ---- databases (sqlite_connect.c, sqlite_create.c, sqlite_remove.c) ---- */

/* A database that is to be opened. */
struct sqlite_wanted {
    const char *name;
    const struct sqlite_schema *schema;
    int64_t deadline_us;  // of waiting for another process, which is never longer than BUSY_US
};

/* What stands at its name. */
enum sqlite_presence {
    WEIR_SQLITE_OURS,
    WEIR_SQLITE_MISSING,
    WEIR_SQLITE_FOREIGN,
    WEIR_SQLITE_NEWER,
    WEIR_SQLITE_UNREADABLE
};

/* Opens a connection to a database that exists, sets it up, and brings its schema up to date. A
 * file that is foreign or newer is not touched: PRECONDITION. `presence` may be NULL. */
weir_status weir_sqlite_connect(struct sqlite_backend *backend, const struct sqlite_wanted *wanted,
                                sqlite3 **db, enum sqlite_presence *presence,
                                struct weir_error *err);

/* Makes a database and its schema; it is there whole or not at all. *is_there where another process
 * was faster. */
weir_status weir_sqlite_create(struct sqlite_backend *backend, const char *name,
                               const struct sqlite_schema *schema, bool *is_there,
                               struct weir_error *err);

/* Removes what crashes have left of databases that were being made. */
void weir_sqlite_sweep_drafts(const struct sqlite_backend *backend);

/* Takes the write lock of a namespace's database that is to be removed: *db, to be buried or let
 * go. NULL where there is nothing that anybody could have open: no file, or one that is not ours or
 * is damaged. It fails where the database can be in use all the same: BACKEND_UNAVAILABLE, and
 * PRECONDITION where it is for a newer server to remove it. */
weir_status weir_sqlite_lock_for_removal(struct sqlite_backend *backend, const char *name,
                                         int64_t deadline_us, sqlite3 **db, struct weir_error *err);
void weir_sqlite_unlock_removed(sqlite3 *db);

/* Whether the file that is open has lost its name, to another one or to none. */
bool weir_sqlite_has_moved(sqlite3 *db);

/* Whether one that was seized had been buried before. */
bool weir_sqlite_is_marked_deleted(sqlite3 *db);

/* Marks a database that was seized as dead for everybody who still has it open: without its
 * counters nobody reads or writes a namespace any more. *messages is how many it had. False where
 * somebody may still use it.
 *
 * It is let go once its files are removed, and not before: SQLite lets the last one who closes a
 * database remove the WAL, by its name, at which there may be that of the next namespace by then.
 */
bool weir_sqlite_mark_deleted(struct sqlite_backend *backend, const char *name, sqlite3 *db,
                              int64_t *messages);

/* Removes one that has been buried, durably. Its lock is not needed, and may be held by another
 * process that wanted to delete the namespace as well. */
bool weir_sqlite_remove_deleted(struct sqlite_backend *backend, const char *name);

/* Seizes and buries a namespace's database and removes it. False where something of it is left. It
 * is not removed alive: who has it open would go on with a file that nobody else sees. */
bool weir_sqlite_destroy(struct sqlite_backend *backend, const char *name);

/* ---- the place of the store (sqlite_location.c) ---- */

/* Remembers what is at the paths of the registry and its WAL, which are open. */
weir_status weir_sqlite_location_keep(struct sqlite_backend *backend, struct weir_error *err);

/* BACKEND_UNAVAILABLE once something else is there, or nothing: the operator is told, and it stays
 * so. Looks twice a second at most, when it is called. The connection of reads is not locked. */
weir_status weir_sqlite_location_check(struct sqlite_backend *backend, struct weir_error *err);

/* The same for a change that has been committed, and is acknowledged then: looks now. */
weir_status weir_sqlite_location_confirm(struct sqlite_backend *backend, struct weir_error *err);

/* ---- the names of a session's files (sqlite_identity.c); nothing of it in memory ---- */

/* What is at a path; false, with errno, where that cannot be said. */
bool weir_sqlite_file_id(const char *path, struct sqlite_file_id *mark);

/* False where nothing is at the path, or something else. */
bool weir_sqlite_is_file(const char *path, struct sqlite_file_id mark);

/* Whether the files at a database's names are those that its open sessions have, stale ones
 * excepted. To open others would part reads from writes, and SQLite, when it closes them, would
 * remove a WAL that is not theirs. */
bool weir_sqlite_identity_may_open(struct sqlite_backend *backend, const char *name);

/* Remembers which files a session has that has just been opened; false where they are not there any
 * more. */
bool weir_sqlite_identity_enter(struct sqlite_session *session);

/* One that has entered, or has not. */
void weir_sqlite_identity_leave(struct sqlite_session *session);

/* To be told what the registry says of the namespace now; created_at_us: 0 where it has none. The
 * sessions of another one, of the same id, that was there before are stale from now on. */
void weir_sqlite_identity_renew(struct sqlite_backend *backend, const char *name,
                                int64_t created_at_us);

/* BACKEND_UNAVAILABLE where a file of the session has not its name any more; the operator is told
 * once. Costs two calls of the system. */
weir_status weir_sqlite_identity_check(struct sqlite_session *session, struct weir_error *err);

/* ---- the file of an empty database (sqlite_image.c) ---- */

/* To be freed where it is OK. */
weir_status weir_sqlite_image_make(const struct sqlite_schema *schema, struct sqlite_image *image,
                                   struct weir_error *err);
void weir_sqlite_image_free(struct sqlite_image *image);

/* That of a namespace, made once: the schema's steps take longer than all else about a new file.
 * *image is the backend's. */
weir_status weir_sqlite_image_of_namespace(struct sqlite_backend *backend,
                                           const struct sqlite_image **image,
                                           struct weir_error *err);

/* ---- in memory (sqlite_memory.c) ---- */

/* A database in memory: it lives as long as `keeper`, and its VFS knows no waiting, so that a
 * transaction is run under `lock`: readers beside each other, a writer alone. */
struct sqlite_memory {
    struct sqlite_memory *next;
    char name[WEIR_SQLITE_NAME_BYTES];
    sqlite3 *keeper;
    pthread_mutex_t gate;  // readers pass through it, a waiting writer holds it: nobody starves
    pthread_rwlock_t lock;
};

struct sqlite_memory *weir_sqlite_memory_find(struct sqlite_backend *backend, const char *name);
/* Takes the connection over on success. */
bool weir_sqlite_memory_add(struct sqlite_backend *backend, const char *name, sqlite3 *keeper);
void weir_sqlite_memory_remove(struct sqlite_backend *backend, const char *name);

/* For NULL (a database on disk) these do nothing. */
void weir_sqlite_memory_begin(struct sqlite_memory *memory, enum weir_session_kind kind);
void weir_sqlite_memory_end(struct sqlite_memory *memory);

/* ---- the registry (sqlite_registry.c) ---- */

weir_status weir_sqlite_registry_open(struct sqlite_backend *backend, struct weir_error *err);
void weir_sqlite_registry_close(struct sqlite_backend *backend);
weir_status weir_sqlite_registry_ping(struct weir_backend *base, int64_t deadline_us,
                                      struct weir_error *err);
weir_status weir_sqlite_namespace_create(struct weir_backend *base,
                                         struct weir_namespace_record *record, int64_t deadline_us,
                                         bool *is_same, struct weir_error *err);
weir_status weir_sqlite_namespace_find(struct weir_backend *base,
                                       struct weir_namespace_record *record, int64_t deadline_us,
                                       struct weir_arena *arena, struct weir_error *err);
/* NAMESPACE_NOT_FOUND for one that is not listed. It may still have its file: the end of its
 * deletion has been put off. */
weir_status weir_sqlite_check_listed(struct sqlite_backend *backend, struct weir_slice id,
                                     int64_t deadline_us, int64_t *created_at_us,
                                     struct weir_error *err);
/* Whether the id is no longer that of the namespace of this time: another process has deleted that,
 * and files that were not as they should be a moment ago may have been its. */
bool weir_sqlite_is_of_another(struct sqlite_backend *backend, struct weir_slice id,
                               int64_t deadline_us, int64_t created_at_us);
weir_status weir_sqlite_namespace_set_token(struct weir_backend *base, struct weir_slice id,
                                            const struct weir_token_hash *hash, int64_t deadline_us,
                                            struct weir_error *err);
weir_status weir_sqlite_namespace_list(struct weir_backend *base,
                                       const struct weir_registry_query *query,
                                       struct weir_arena *arena, struct weir_registry_page *page,
                                       struct weir_error *err);
weir_status weir_sqlite_namespace_delete(struct weir_backend *base, struct weir_slice id,
                                         int64_t deadline_us, int64_t *messages_deleted,
                                         struct weir_error *err);

/* ---- checkpoints (sqlite_checkpoint.c) ---- */

enum {
    /* The checkpointer is asked each time the WAL has grown so. Two blocks of the WAL's index are
     * full then (4,062 and 4,096), and what the writer has to sort, to do the rest, is short. */
    WEIR_SQLITE_CHECKPOINT_PAGES = 8160,
    /* Of a WAL that begins anew. Enough for one that does so with the second checkpoint: the write
     * that begins it would wait until the rest is cut off. */
    WEIR_SQLITE_WAL_PAGES_KEPT = 3 * WEIR_SQLITE_CHECKPOINT_PAGES,
    WEIR_SQLITE_WAL_PAGES_MAX = 4 * WEIR_SQLITE_CHECKPOINT_PAGES  // the writer does it itself
};

/* How far a WAL has been moved into its database, in pages. */
struct sqlite_progress {
    int pages;  // of the WAL
    int moved;  // of them
};

/* SQLite's checkpoint; how far it has come is in `progress`, unless that is NULL. Where it fails
 * the operator is told, and nothing counts as moved any more if it had begun. BUSY is no failure.
 */
int weir_sqlite_checkpoint(struct sqlite_backend *backend, const char *name, sqlite3 *db, int mode,
                           struct sqlite_progress *progress);

/* Has nothing of the WAL count as moved into the database (sqlite_wal_index.c). The connection has
 * begun a checkpoint. False where it cannot be done. */
bool weir_sqlite_take_for_unmoved(sqlite3 *db);

struct sqlite_checkpointer *weir_sqlite_checkpointer_start(struct sqlite_backend *backend);
void weir_sqlite_checkpointer_stop(struct sqlite_checkpointer *checkpointer);

/* Asks for a checkpoint; never blocks on the disk. */
void weir_sqlite_checkpointer_ask(struct sqlite_checkpointer *checkpointer, const char *name);

/* Whether a checkpoint that was asked for this database has left but little to do, told once: the
 * writer then does the rest between two of its writes, and the WAL begins anew. */
bool weir_sqlite_checkpointer_take(struct sqlite_checkpointer *checkpointer, const char *name);

/* Drops what was asked for this database and waits until it is not being worked on. NULL is legal.
 */
void weir_sqlite_checkpointer_forget(struct sqlite_checkpointer *checkpointer, const char *name);

#endif
