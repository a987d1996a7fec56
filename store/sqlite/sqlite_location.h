/* The location of the store: whether the registry and its WAL are still at the paths where they
 * were opened (sqlite_location.c). Checked on any thread: before commits, changes of the registry,
 * openings of sessions and health checks, and after each committed change of the registry. Stores
 * in memory have no location and pass every check. */
#ifndef WEIR_STORE_SQLITE_LOCATION_H
#define WEIR_STORE_SQLITE_LOCATION_H

#include "store/sqlite/sqlite_identity.h"

#include <stdatomic.h>

struct sqlite_location {
    char *path, *wal_path;  // of the registry; NULL in memory
    struct sqlite_file_id file, wal;
    atomic_int_fast64_t next_check_us;  // monotonic
    atomic_bool is_lost;                // stays true
};

/* Records the files at the paths of the registry and its WAL, which are open. */
weir_status weir_sqlite_location_keep(struct sqlite_backend *backend, struct weir_error *err);

/* Fails with BACKEND_UNAVAILABLE once another file, or none, is at one of the paths; that is
 * reported to the operator and stays so. Examines the files twice a second at most. The caller must
 * not hold the mutex of the registry's connection for reads. */
weir_status weir_sqlite_location_check(struct sqlite_backend *backend, struct weir_error *err);

/* As weir_sqlite_location_check, but always examines the files: for a change that has been
 * committed and is about to be acknowledged. */
weir_status weir_sqlite_location_confirm(struct sqlite_backend *backend, struct weir_error *err);

#endif
