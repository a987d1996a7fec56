/* The cache of namespaces, with what authentication and calls need of them.
 *
 * A tenant is a namespace as this server has it cached: the hash of its token and, once a call
 * works in it, the store's handle. A namespace whose token changes becomes another tenant. Tenants
 * are looked up by id. An entry read from the registry is used for at most a second
 * (WEIR_TENANT_TTL_US), and not at all by a method that may destroy a namespace; that bounds how
 * long a rotation or deletion by another process goes unnoticed. A change by this process takes
 * effect at once (weir_tenants_forget). An entry in use is read again after half of its time.
 *
 * Thread-safe. Tenants are reference-counted: a caller that gets one releases it. A lookup may
 * block on the store. The lock of the tenants is a leaf; the wake list's lock may be held when it
 * is taken. */
#ifndef WEIR_SERVER_TENANTS_H
#define WEIR_SERVER_TENANTS_H

#include "server/base/queue.h"
#include "server/namespaces/own_writes.h"
#include "store/store.h"
#include "weir/base/list.h"

enum { WEIR_TENANT_TTL_US = 1000 * 1000, WEIR_TENANTS_CACHED_MAX = 1024 };

struct weir_server;
struct weir_tenants;

/* The lane of small reads, which only calls/read_lane.c uses once it is initialised. */
struct weir_read_lane {
    pthread_mutex_t lock;     // guards all below; a leaf
    struct weir_link queued;  // jobs of the calls whose reads are queued
    size_t leaders;           // threads that lead, and jobs that wait for a worker to lead
    int64_t us_per_read;      // time for a read, averaged over the last groups
    int64_t moved_us;         // when a leader last took a group or had one answered; monotonic
    bool has_answered;        // a group has been answered
};

struct weir_tenant {
    struct weir_tenants *owner;
    uint8_t id[WEIR_NAMESPACE_MAX_BYTES];
    size_t id_n;
    int64_t created_at_us;
    struct weir_token_hash token_hash;

    /* Guarded by the owner's lock. */
    int64_t read_at_us;         // when the registry was last asked about this entry; monotonic
    int64_t renewing_until_us;  // until then one call reads the entry again; monotonic
    bool is_renewal_left;       // that call must not block: the next one that may reads the entry
    size_t refs;
    bool is_listed;            // found by id; counts as one of refs
    struct weir_tenant *next;  // in its bucket

    _Atomic(struct weir_namespace *) ns;  // the store's handle; NULL until a call works in it

    /* Used by the wake list, whose lock guards the rings; see wake.h. */
    struct weir_link waiters;
    atomic_size_t waiters_n;
    struct weir_link at_wake;  // place among the tenants with waiters

    struct weir_own_writes own;

    /* Used by the poller's thread only; see wake_poll.c. */
    struct weir_head head;    // at the last look; position INT64_MAX if that has failed
    struct weir_head others;  // the same head, own writes subtracted
    bool has_others;          // there was such a look
    int64_t certain_us;       // last time the others' writes were known, or waiters told; monotonic

    struct weir_read_lane reads;

    /* Used by the thread that leads the namespace's lane of writes; see write_lane.c. */
    struct weir_job lane_job;
    struct weir_server *lane_server;
};

/* Makes an empty cache over the store, which is borrowed. NULL without memory. */
struct weir_tenants *weir_tenants_new(struct weir_store *store);

/* Sets the callback for tenants that are out of date: the namespace has another token, was created
 * again, or is gone. It is called on any thread, without locks. To be called before the tenants are
 * used. */
void weir_tenants_on_change(struct weir_tenants *tenants,
                            void (*changed)(void *context, struct weir_tenant *tenant),
                            void *context);

/* Frees the cache and releases all handles of the store. No tenant may be in use. */
void weir_tenants_free(struct weir_tenants *tenants);

struct weir_tenant_lookup {
    int64_t max_age_us;          // highest age of a cached entry; 0: the registry is asked
    bool must_not_block;         // the registry is not asked
    int64_t deadline_us;         // of asking it; monotonic
    struct weir_tenant *tenant;  // out: with a reference for the caller; NULL unless OK
    bool is_fresh;               // out: the registry was read by this lookup
};

/* Looks a tenant up by its id, in the cache or in the registry. Uses `arena` for the registry's
 * entry. NAMESPACE_NOT_FOUND, BACKEND_UNAVAILABLE (also where the registry would have to be asked
 * and must not) and what weir_namespace_find returns otherwise. */
weir_status weir_tenants_find(struct weir_tenants *tenants, struct weir_slice id,
                              struct weir_arena *arena, struct weir_tenant_lookup *lookup,
                              struct weir_error *err);

/* Opens the namespace in the store where tenant->ns is NULL. Blocks on the store, perhaps for long.
 * NAMESPACE_NOT_FOUND, BACKEND_UNAVAILABLE, DATA_CORRUPT, DEADLINE_EXCEEDED. */
weir_status weir_tenant_open(struct weir_tenant *tenant, int64_t deadline_us,
                             struct weir_error *err);

/* Whether the tenant is still in the cache: no change of its namespace has been noticed. */
bool weir_tenant_is_current(struct weir_tenant *tenant);

/* Whether the tenant's entry was last read from the registry before `since_us` (monotonic). */
bool weir_tenant_is_from_before(struct weir_tenant *tenant, int64_t since_us);

/* Adds a reference. */
void weir_tenant_hold(struct weir_tenant *tenant);

/* Drops a reference. The last one frees the tenant and releases the store's handle. `tenant` may be
 * NULL. */
void weir_tenant_release(struct weir_tenant *tenant);

/* Drops the cached tenant of an id after its registry entry has been changed or removed; the
 * callback of weir_tenants_on_change is called for it. */
void weir_tenants_forget(struct weir_tenants *tenants, struct weir_slice id);

/* Returns how many tenants have an open handle. */
size_t weir_tenants_open_count(const struct weir_tenants *tenants);

static inline struct weir_tenant *weir_tenant_of_lane_job(struct weir_job *job)
{
    return WEIR_LINKED(job, struct weir_tenant, lane_job);
}

/* Returns the store's handle; NULL before weir_tenant_open has succeeded. */
static inline struct weir_namespace *weir_tenant_ns(struct weir_tenant *tenant)
{
    return atomic_load_explicit(&tenant->ns, memory_order_acquire);
}

static inline struct weir_slice weir_tenant_id(const struct weir_tenant *tenant)
{
    return weir_slice(tenant->id, tenant->id_n);
}

#endif
