/* The backend: one open store. Thread-safe; opened and closed by pg_store.c. */
#ifndef WEIR_STORE_POSTGRES_PG_BACKEND_H
#define WEIR_STORE_POSTGRES_PG_BACKEND_H

#include "store/postgres/pg_dialect.h"
#include "store/postgres/pg_namespace.h"
#include "store/postgres/pg_pool.h"
#include "store/postgres/pg_url.h"

#include <pthread.h>
#include <stdatomic.h>

struct pg_session;

enum { WEIR_PG_NAMESPACE_CACHE_SLOTS = 256 };

struct pg_backend {
    struct weir_backend base;
    const struct pg_dialect *dialect;
    struct pg_url url;
    bool is_durability_normal;
    uint64_t hash_seed;           // of hash tables of names and ids
    atomic_size_t good_host;      // the one reached last
    atomic_llong last_report_us;  // when a failed connection was last reported; monotonic
    struct pg_pool pool;

    pthread_mutex_t namespaces_mutex;  // guards the fields below
    /* Namespaces that are known to have an up-to-date schema, at lock_key modulo the number of
     * slots; the schema of a free slot is "". */
    struct pg_namespace namespace_cache[WEIR_PG_NAMESPACE_CACHE_SLOTS];
    struct weir_link sessions;  // all that are open
};

#endif
