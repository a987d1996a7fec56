/* Checks whether the store is still where it was opened. If its directory is removed or renamed
 * under a server, SQLite goes on writing to the files in it: acknowledged writes would then be lost
 * when the process ends, or missing for every process that opens the store by its path. Removing or
 * renaming registry.db or its WAL has the same effect.
 *
 * Checks whether the disk takes writes, too: reads of what is in memory go on without it. */
#include "store/sqlite/sqlite_location.h"

#include "store/sqlite/sqlite_backend.h"
#include "store/sqlite/sqlite_checkpoint.h"
#include "store/sqlite/sqlite_connect.h"
#include "store/sqlite/sqlite_files.h"
#include "store/sqlite/sqlite_registry.h"

#include "weir/base/monotonic.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

enum { CHECK_EVERY_US = 500 * 1000 };

void weir_sqlite_location_fini(struct sqlite_location *location)
{
    free(location->path);
    free(location->wal_path);
    if (location->wal_descriptor >= 0) {
        (void)close(location->wal_descriptor);
    }
}

weir_status weir_sqlite_location_keep(struct sqlite_backend *backend, struct weir_error *err)
{
    struct sqlite_location *location = &backend->location;
    location->path = weir_sqlite_path(backend, weir_sqlite_registry_name);
    location->wal_path = weir_sqlite_wal_path(backend, weir_sqlite_registry_name);
    if (location->path == NULL || location->wal_path == NULL) {
        return weir_fail(err, WEIR_BACKEND_UNAVAILABLE, "out of memory");
    }
    location->wal_descriptor = open(location->wal_path, O_RDONLY | O_CLOEXEC);
    if (location->wal_descriptor < 0 || !weir_sqlite_file_id(location->path, &location->file) ||
        !weir_sqlite_file_id(location->wal_path, &location->wal)) {
        return weir_fail(err, WEIR_BACKEND_UNAVAILABLE, "cannot examine %s: %s", location->path,
                         strerror(errno));
    }
    return WEIR_OK;
}

/* Returns true to one thread every CHECK_EVERY_US. */
static bool is_due(atomic_int_fast64_t *next_us)
{
    const int64_t now_us = weir_monotonic_us();
    int64_t due_us = atomic_load_explicit(next_us, memory_order_relaxed);
    return now_us >= due_us &&
           atomic_compare_exchange_strong_explicit(next_us, &due_us, now_us + CHECK_EVERY_US,
                                                   memory_order_relaxed, memory_order_relaxed);
}

/* Moves the pages of a WAL that has lost its name into the registry while the WAL is still open.
 * Uses the connection for reads, because the caller may have the one for changes. */
static void rescue_wal(struct sqlite_backend *backend)
{
    (void)weir_sqlite_registry_take(&backend->reads, INT64_MAX);
    (void)sqlite3_busy_timeout(backend->reads.db, weir_sqlite_busy_ms(INT64_MAX));
    (void)weir_sqlite_checkpoint(backend, weir_sqlite_registry_name, backend->reads.db,
                                 SQLITE_CHECKPOINT_FULL, NULL);
    weir_sqlite_registry_return(&backend->reads);
}

/* Examines the files. The first failure is reported and, if only the WAL has lost its name, its
 * pages are rescued. */
static void examine(struct sqlite_backend *backend)
{
    struct sqlite_location *location = &backend->location;
    const bool has_file = weir_sqlite_is_file(location->path, location->file);
    if ((has_file && weir_sqlite_is_file(location->wal_path, location->wal)) ||
        atomic_exchange(&location->is_lost, true)) {
        return;
    }
    if (has_file) {
        rescue_wal(backend);
    }
    weir_backend_report(&backend->base,
                        "%s has been removed, renamed or replaced while it is in use: nothing is "
                        "written any more until the server is %s",
                        has_file ? location->wal_path : location->path,
                        has_file ? "stopped with SIGTERM, so that nothing is lost of what was in "
                                   "it, and started again"
                                 : "started again");
}

static weir_status fail_if_lost(const struct sqlite_location *location, struct weir_error *err)
{
    return atomic_load_explicit(&location->is_lost, memory_order_relaxed)
               ? weir_fail(err, WEIR_BACKEND_UNAVAILABLE,
                           "the store's files have been moved or replaced since they were opened: "
                           "restart the server")
               : WEIR_OK;
}

weir_status weir_sqlite_location_check(struct sqlite_backend *backend, struct weir_error *err)
{
    struct sqlite_location *location = &backend->location;
    if (location->path == NULL) {
        return WEIR_OK;
    }
    if (is_due(&location->next_check_us)) {
        examine(backend);
    }
    return fail_if_lost(location, err);
}

weir_status weir_sqlite_location_check_disk(struct sqlite_backend *backend, struct weir_error *err)
{
    struct sqlite_location *location = &backend->location;
    if (location->wal_descriptor >= 0 && is_due(&location->next_sync_us)) {
        atomic_store(&location->fault, fdatasync(location->wal_descriptor) == 0 ? 0 : errno);
    }
    const int fault = atomic_load(&location->fault);
    return fault == 0 ? WEIR_OK
                      : weir_fail(err, WEIR_BACKEND_UNAVAILABLE,
                                  "the disk of the store takes no writes (%s): see the log of the "
                                  "system",
                                  strerror(fault));
}

weir_status weir_sqlite_location_confirm(struct sqlite_backend *backend, struct weir_error *err)
{
    if (backend->location.path == NULL) {
        return WEIR_OK;
    }
    examine(backend);
    return fail_if_lost(&backend->location, err);
}
