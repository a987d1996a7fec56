/* The structs behind `struct weir_store` and `struct weir_namespace`, shared by store.c and
 * namespaces.c. */
#ifndef WEIR_STORE_STORE_INT_H
#define WEIR_STORE_STORE_INT_H

#include "store/lane.h"
#include "store/session_pool.h"
#include "store/store_backend.h"

#include <pthread.h>

/* A namespace that is in use, or kept in the table because it has open sessions. */
struct weir_namespace {
    struct weir_store *store;
    size_t references;         // handles given out; guarded by the store's mutex
    bool is_deleting;          // cannot be opened meanwhile; guarded by the store's mutex
    bool is_opening;           // first session is being opened; guarded by the store's mutex
    int64_t opening_since_us;  // monotonic
    bool is_listed;            // is in the store's table; guarded by the store's mutex
    struct weir_namespace *next;
    struct weir_lane lane;
    struct weir_shelf shelf;
    uint8_t id[];  // bytes of shelf.id
};

enum { WEIR_NAMESPACE_BUCKETS = 256 };

/* Lock order: the store's mutex before the pool's. Neither is held while a backend is called. */
struct weir_store {
    struct weir_backend *backend;
    struct weir_store_traits traits;
    struct weir_session_pool pool;

    pthread_mutex_t mutex;   // guards the table and the fields of namespaces marked above
    pthread_cond_t changed;  // a deletion or an opening has ended
    uint64_t hash_seed;
    struct weir_namespace *buckets[WEIR_NAMESPACE_BUCKETS];
};

/* Initialise and free the table of namespaces and the store's mutex. weir_namespaces_init returns
 * false without random bytes; weir_namespaces_fini requires that no handle is left. */
bool weir_namespaces_init(struct weir_store *store);
void weir_namespaces_fini(struct weir_store *store);

#endif
