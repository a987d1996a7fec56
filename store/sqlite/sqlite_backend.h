/* The SQLite backend: its struct, and the names of its databases.
 *
 * On disk a store is a directory: registry.db, the list of namespaces, and one database for each
 * namespace, named by a digest of its id. In memory each of these is a database of SQLite's memdb
 * VFS. A session is a connection to a namespace; at a time one session of a namespace writes and
 * any number read. The files are in WAL mode, so neither readers nor the writer block each other.
 *
 * The backend is shared by all threads. A thread that has the registry's connection for changes may
 * wait for its connection for reads, not the other way round. Of the mutexes image_mutex alone is
 * held while SQLite runs; the others are leaves. */
#ifndef WEIR_STORE_SQLITE_BACKEND_H
#define WEIR_STORE_SQLITE_BACKEND_H

#include "store/sqlite/sqlite_image.h"
#include "store/sqlite/sqlite_location.h"
#include "store/store_backend.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>

enum {
    WEIR_SQLITE_NAME_BYTES = 80,               // name of a database in the store, with its NUL
    WEIR_SQLITE_SESSION_LISTS = 1024,          // about as many as databases in use
    WEIR_SQLITE_BUSY_US = 5 * 1000 * 1000,     // longest wait for another process's lock
    WEIR_SQLITE_READERS_WAIT_US = 1000 * 1000  // longest wait of a checkpoint for readers
};

/* One connection to the registry, lent to one call at a time. */
struct sqlite_registry_connection {
    pthread_mutex_t mutex;  // guards is_lent
    pthread_cond_t returned;
    bool is_lent;
    /* Of the call that it is lent to: */
    sqlite3 *db;
    bool is_broken;       // must be opened anew before its next use
    int64_t deadline_us;  // of that call; monotonic
};

struct sqlite_checkpointer;
struct sqlite_memory;
struct sqlite_session;

struct sqlite_backend {
    struct weir_backend base;
    char *dir;  // NULL in memory
    bool is_durability_normal;
    size_t cache_kib;               // page cache of a connection at most
    atomic_size_t cache_taken_kib;  // page caches of all sessions
    unsigned number;                // of this backend in the process; makes memdb names unique

    /* Changes and reads have connections of their own, so that a change that waits for the disk
     * does not keep a read waiting. In memory both use `changes`. */
    struct sqlite_registry_connection changes, reads;
    struct sqlite_location location;

    pthread_mutex_t sessions_mutex;  // guards the lists and the links and file ids in them
    /* Open sessions, on disk only. The name of its database decides which list a session is in. */
    struct weir_link sessions[WEIR_SQLITE_SESSION_LISTS];

    pthread_mutex_t memory_mutex;  // guards the list
    struct sqlite_memory *memory;  // databases in memory

    pthread_mutex_t image_mutex;  // guards the image until it has been made, once for all
    struct sqlite_image image;    // of a namespace's empty database

    struct sqlite_checkpointer *checkpointer;  // NULL in memory
};

/* Returns the size of a new session's page cache, to be given back when the session is closed. The
 * more is taken the less a session gets, so that the total stays bounded. */
size_t weir_sqlite_cache_take(struct sqlite_backend *backend);
void weir_sqlite_cache_give_back(struct sqlite_backend *backend, size_t kib);

/* Writes the name of a namespace's database: injective, and a safe file name whatever the id. */
void weir_sqlite_database_name(struct weir_slice id, char name[WEIR_SQLITE_NAME_BYTES]);

/* Returns whether a file's name begins like the name of a namespace's database. */
bool weir_sqlite_is_database_name(const char *name);

#endif
