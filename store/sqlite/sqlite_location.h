/* The location of the store: whether the registry and its WAL are still at the paths where they
 * were opened, and whether its disk takes writes (sqlite_location.c). The paths are checked on any
 * thread: before commits, changes of the registry, openings of sessions and health checks, and
 * after each committed change of the registry. Stores in memory have no location and pass every
 * check. */
#ifndef WEIR_STORE_SQLITE_LOCATION_H
#define WEIR_STORE_SQLITE_LOCATION_H

#include "store/sqlite/sqlite_identity.h"

#include <stdatomic.h>

struct sqlite_location {
    char *path, *wal_path;  // of the registry; NULL in memory
    struct sqlite_file_id file, wal;
    atomic_int_fast64_t next_check_us;  // monotonic
    atomic_bool is_lost;                // stays true
    int wal_descriptor;                 // -1 in memory; a WAL has no locks that closing would end
    atomic_int_fast64_t next_sync_us;   // monotonic
    atomic_int fault;                   // errno of the latest sync, 0 if it has succeeded
};

void weir_sqlite_location_fini(struct sqlite_location *location);

/* Records the files at the paths of the registry and its WAL, which are open. */
weir_status weir_sqlite_location_keep(struct sqlite_backend *backend, struct weir_error *err);

/* Fails with BACKEND_UNAVAILABLE once another file, or none, is at one of the paths; that is
 * reported to the operator and stays so. Examines the files twice a second at most. The caller must
 * not have the registry's connection for reads. */
weir_status weir_sqlite_location_check(struct sqlite_backend *backend, struct weir_error *err);

/* Fails with BACKEND_UNAVAILABLE while the disk takes no writes: it is broken, or the system has
 * made its file system read-only after an error. For health checks; syncs the registry's WAL twice
 * a second at most. */
weir_status weir_sqlite_location_check_disk(struct sqlite_backend *backend, struct weir_error *err);

/* As weir_sqlite_location_check, but always examines the files: for a change that has been
 * committed and is about to be acknowledged. */
weir_status weir_sqlite_location_confirm(struct sqlite_backend *backend, struct weir_error *err);

#endif
