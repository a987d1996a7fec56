/* The SQLite backend: opening and closing it, and the settings of SQLite for the whole process. */
#include "store/sqlite/sqlite_backend.h"

#include "store/sqlite/sqlite_alloc.h"
#include "store/sqlite/sqlite_checkpoint.h"
#include "store/sqlite/sqlite_files.h"
#include "store/sqlite/sqlite_mapping.h"
#include "store/sqlite/sqlite_memory.h"
#include "store/sqlite/sqlite_namespaces.h"
#include "store/sqlite/sqlite_pacing.h"
#include "store/sqlite/sqlite_registry.h"
#include "store/sqlite/sqlite_session.h"

#include "weir/rules/digest.h"
#include "weir/rules/hex.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    /* Page caches of all sessions together, while each has at least CACHE_KIB_MIN. */
    CACHE_KIB_TOTAL = 256 * 1024,
    CACHE_KIB_MIN = 128,
    CACHE_KIB_MAX = 2 * 1024,
    CACHE_SHARES = 64,             // a session gets 1/64 of the rest, so that later ones get some
    PAGES_AT_ONCE = 32,            // pages of a connection's cache that are allocated in one piece
    MEMORY_BYTES_MAX = 0x7ffff000  // size of a database in memory: 2 GiB less one page
};

size_t weir_sqlite_cache_take(struct sqlite_backend *backend)
{
    size_t taken = atomic_load_explicit(&backend->cache_taken_kib, memory_order_relaxed);
    size_t kib = 0;
    do {
        const size_t left = taken < CACHE_KIB_TOTAL ? CACHE_KIB_TOTAL - taken : 0;
        kib = left / CACHE_SHARES;
        kib = kib < CACHE_KIB_MIN ? CACHE_KIB_MIN : kib > CACHE_KIB_MAX ? CACHE_KIB_MAX : kib;
    } while (!atomic_compare_exchange_weak_explicit(&backend->cache_taken_kib, &taken, taken + kib,
                                                    memory_order_relaxed, memory_order_relaxed));
    return kib;
}

void weir_sqlite_cache_give_back(struct sqlite_backend *backend, size_t kib)
{
    atomic_fetch_sub_explicit(&backend->cache_taken_kib, kib, memory_order_relaxed);
}

static const char database_prefix[] = "ns-";

bool weir_sqlite_is_database_name(const char *name)
{
    return strncmp(name, database_prefix, sizeof database_prefix - 1) == 0;
}

/* The digest's 64 hexadecimal digits make a valid file name on every file system. */
void weir_sqlite_database_name(struct weir_slice id, char name[WEIR_SQLITE_NAME_BYTES])
{
    uint8_t digest[WEIR_SHA256_BYTES];
    weir_digest_sha256(id, digest);
    char hex[2 * sizeof digest + 1];
    *weir_hex_write(hex, digest, sizeof digest) = '\0';
    (void)snprintf(name, WEIR_SQLITE_NAME_BYTES, "%s%s.db", database_prefix, hex);
}

/* Configures SQLite for the whole process before it is first used. If other code has used SQLite
 * already, it refuses the settings, and everything works with the defaults, only slower. */
static void configure_once(void)
{
    /* Every connection is used by one thread at a time. */
    (void)sqlite3_config(SQLITE_CONFIG_MULTITHREAD);
    /* Statistics cost a lock around every allocation. */
    (void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
#ifndef WEIR_ARENA_POISON
    /* Left out of sanitizer builds, so that they see every allocation. */
    weir_sqlite_alloc_install();
#endif
    /* A database in memory is one block, and SQLite allocates no larger ones than this. Its default
     * limit is half as large. */
    (void)sqlite3_config(SQLITE_CONFIG_MEMDB_MAXSIZE, (sqlite3_int64)MEMORY_BYTES_MAX);
    /* Pages of a connection's cache come from one allocation instead of one each. */
    (void)sqlite3_config(SQLITE_CONFIG_PAGECACHE, NULL, 0, PAGES_AT_ONCE);
    weir_sqlite_pacing_install();
    weir_sqlite_mapping_install();
}

static pthread_once_t configured = PTHREAD_ONCE_INIT;
static atomic_uint backends_made;

/* Returns what follows the scheme. */
static const char *place_of(const char *url)
{
    return url + strlen("sqlite:");
}

/* A connection opens the database, its WAL and the WAL's index. */
static void backend_traits(const char *url, struct weir_store_traits *traits)
{
    const char *place = place_of(url);
    traits->is_local = true;
    traits->is_in_memory = strcmp(place, ":memory:") == 0;
    traits->directory = traits->is_in_memory || place[0] == '\0' ? NULL : place;
    traits->files_of_session = 3;
}

static int backend_schema_version(const struct weir_backend *base)
{
    (void)base;
    return weir_sqlite_namespace_schema.version;
}

/* Tells SQLite where to put what a sort cannot keep in memory, for the whole process: into the
 * directory of the store that was opened last. That has the room which a migration needs, where
 * SQLite's own choice may be a file system in memory, and a container may have no other directory
 * that can be written. SQLITE_TMPDIR goes before. */
static void sort_in_directory(const struct sqlite_backend *backend, bool is_open)
{
    if (backend->dir == NULL || (is_open && getenv("SQLITE_TMPDIR") != NULL)) {
        return;
    }
    sqlite3_mutex *mutex = sqlite3_mutex_alloc(SQLITE_MUTEX_STATIC_VFS1);
    sqlite3_mutex_enter(mutex);
    if (is_open) {
        sqlite3_temp_directory = backend->dir;
    } else if (sqlite3_temp_directory == backend->dir) {
        sqlite3_temp_directory = NULL;
    }
    sqlite3_mutex_leave(mutex);
}

static void backend_free(struct sqlite_backend *backend)
{
    sort_in_directory(backend, false);
    while (backend->memory != NULL) {
        weir_sqlite_memory_remove(backend, backend->memory->name);
    }
    (void)pthread_mutex_destroy(&backend->sessions_mutex);
    (void)pthread_mutex_destroy(&backend->memory_mutex);
    (void)pthread_mutex_destroy(&backend->image_mutex);
    weir_sqlite_registry_connection_fini(&backend->changes);
    weir_sqlite_registry_connection_fini(&backend->reads);
    weir_sqlite_image_free(&backend->image);
    weir_sqlite_location_fini(&backend->location);
    free(backend->dir);
    free(backend);
}

static struct sqlite_backend *backend_new(const struct weir_store_options *options)
{
    struct sqlite_backend *backend = calloc(1, sizeof *backend);
    if (backend == NULL) {
        return NULL;
    }
    for (size_t i = 0; i < WEIR_COUNTOF(backend->sessions); i++) {
        weir_link_init(&backend->sessions[i]);
    }
    backend->location.wal_descriptor = -1;
    backend->cache_kib = CACHE_KIB_MAX;
    backend->is_durability_normal = options->is_durability_normal;
    backend->number = atomic_fetch_add(&backends_made, 1);
    backend->base.report = options->report;
    backend->base.report_context = options->report_context;
    /* On Linux initialising a plain mutex takes nothing and cannot fail. */
    (void)pthread_mutex_init(&backend->sessions_mutex, NULL);
    (void)pthread_mutex_init(&backend->memory_mutex, NULL);
    (void)pthread_mutex_init(&backend->image_mutex, NULL);
    weir_sqlite_registry_connection_init(&backend->changes);
    weir_sqlite_registry_connection_init(&backend->reads);
    struct weir_store_traits traits = {.is_local = false};
    backend_traits(options->url, &traits);
    if (!traits.is_in_memory) {
        backend->dir = strdup(traits.directory);
        if (backend->dir == NULL) {
            backend_free(backend);
            return NULL;
        }
    }
    return backend;
}

static void backend_close(struct weir_backend *base)
{
    struct sqlite_backend *backend = (struct sqlite_backend *)base;
    weir_sqlite_checkpointer_stop(backend->checkpointer);
    weir_sqlite_registry_close(backend);
    backend_free(backend);
}

static weir_status start(struct sqlite_backend *backend, struct weir_error *err)
{
    weir_status status = WEIR_OK;
    if (backend->dir != NULL) {
        sort_in_directory(backend, true);
        status = weir_sqlite_make_dir(backend->dir, err);
    }
    if (status == WEIR_OK) {
        status = weir_sqlite_registry_open(backend, err);
    }
    if (status == WEIR_OK && backend->dir != NULL) {
        backend->checkpointer = weir_sqlite_checkpointer_start(backend);
        if (backend->checkpointer == NULL) {
            status = weir_fail(err, WEIR_BACKEND_UNAVAILABLE,
                               "out of memory, or no more threads allowed");
        }
    }
    return status;
}

/* Returns whether the path is ":memory:" behind slashes, as other programs write the URL of a
 * database in memory. It is refused, because its user does not mean a directory. */
static bool is_memory_as_a_path(const char *place)
{
    return place[0] == '/' && strcmp(place + strspn(place, "/"), ":memory:") == 0;
}

static weir_status backend_open(const struct weir_store_options *options,
                                struct weir_backend **base, struct weir_error *err)
{
    const char *place = place_of(options->url);
    if (place[0] == '\0') {
        return weir_fail_field(err, "store", "sqlite: requires a directory, as in sqlite:./data");
    }
    if (is_memory_as_a_path(place)) {
        return weir_fail_field(err, "store",
                               "a store in memory is sqlite::memory:, without slashes; a directory "
                               "of that name is sqlite:./:memory:");
    }
    (void)pthread_once(&configured, configure_once);
    if (sqlite3_initialize() != SQLITE_OK) {
        return weir_fail(err, WEIR_BACKEND_UNAVAILABLE, "cannot start SQLite: out of memory");
    }
    struct sqlite_backend *backend = backend_new(options);
    if (backend == NULL) {
        return weir_fail(err, WEIR_BACKEND_UNAVAILABLE, "out of memory");
    }
    backend->base.ops = &weir_sqlite_ops;
    const weir_status status = start(backend, err);
    if (status != WEIR_OK) {
        backend_close(&backend->base);
        return status;
    }
    *base = &backend->base;
    return WEIR_OK;
}

const struct weir_store_ops weir_sqlite_ops = {
    .name = "sqlite",
    .traits = backend_traits,
    .open = backend_open,
    .close = backend_close,
    .schema_version = backend_schema_version,
    .ping = weir_sqlite_registry_ping,
    .namespace_create = weir_sqlite_namespace_create,
    .namespace_find = weir_sqlite_namespace_find,
    .namespace_set_token = weir_sqlite_namespace_set_token,
    .namespace_list = weir_sqlite_namespace_list,
    .namespace_delete = weir_sqlite_namespace_delete,
    .session_open = weir_sqlite_session_open,
};
