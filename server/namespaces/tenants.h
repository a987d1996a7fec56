/* The namespaces that are in use, with what authentication and calls need of them at hand.
 *
 * A tenant is the server's view of one namespace: the hash of its token and, once a call works in
 * it, the store's handle. With another token it is another tenant. Tenants are looked up by id and
 * cached; what was read from the registry counts for at most a second (WEIR_TENANT_TTL_US), and not
 * at all for a method that may destroy a namespace. That bounds how long another process's rotation
 * or deletion goes unnoticed. This process's own take effect at once through weir_tenants_forget.
 *
 * Thread-safe. Tenants are counted: whoever gets one releases it. Looking up may block on the
 * store. */
#ifndef WEIR_SERVER_TENANTS_H
#define WEIR_SERVER_TENANTS_H

#include "server/calls/own_writes.h"
#include "server/calls/queue.h"
#include "server/calls/read_lane.h"
#include "server/list.h"
#include "store/store.h"

enum { WEIR_TENANT_TTL_US = 1000 * 1000, WEIR_TENANTS_CACHED_MAX = 1024 };

struct weir_server;
struct weir_tenants;

struct weir_tenant {
    struct weir_tenants *owner;
    uint8_t id[WEIR_NAMESPACE_MAX_BYTES];
    size_t id_n;
    int64_t created_at_us;
    struct weir_token_hash token_hash;

    /* Guarded by the owner's lock. */
    int64_t read_at_us;  // when the registry was asked that said so last, monotonic
    size_t refs;
    bool is_listed;            // found by id; counts as one of refs
    struct weir_tenant *next;  // in its bucket

    _Atomic(struct weir_namespace *) ns;  // NULL until somebody works in it

    /* The wake list's; see wake.h. */
    struct weir_link waiters;
    atomic_size_t waiters_n;
    struct weir_link at_wake;  // among the tenants with waiters
    struct weir_own_writes own;
    struct weir_head others;  // the head without own writes when it was looked at last
    bool has_others;          // it has been looked at
    int64_t certain_us;       // until then what others have written was known, or read; monotonic

    struct weir_read_lane reads;

    /* Of the one thread that leads the namespace's lane; see write_lane.c. */
    struct weir_job lane_job;
    struct weir_server *lane_server;
};

struct weir_tenants *weir_tenants_new(struct weir_store *store);

/* Sets who is told, on any thread and without locks, when a tenant has ceased to be what its id
 * names: the namespace has another token, is another, or is gone. Before the tenants are used. */
void weir_tenants_on_change(struct weir_tenants *tenants,
                            void (*changed)(void *context, struct weir_tenant *tenant),
                            void *context);

/* No tenant is in use any more. Releases all handles. */
void weir_tenants_free(struct weir_tenants *tenants);

struct weir_tenant_lookup {
    int64_t max_age_us;          // how old what the registry has said may be
    bool must_not_block;         // the registry is not asked
    int64_t deadline_us;         // of asking it; monotonic
    struct weir_tenant *tenant;  // out: counted; NULL unless OK
    bool is_fresh;               // out: the registry was read now
};

/* Looks a tenant up by its id. NAMESPACE_NOT_FOUND; BACKEND_UNAVAILABLE and what else the store
 * says, the former also where the registry would have to be asked and may not. `arena` is used for
 * a while. */
weir_status weir_tenants_find(struct weir_tenants *tenants, struct weir_slice id,
                              struct weir_arena *arena, struct weir_tenant_lookup *lookup,
                              struct weir_error *err);

/* Makes sure that tenant->ns is there. NAMESPACE_NOT_FOUND, BACKEND_UNAVAILABLE, DATA_CORRUPT,
 * DEADLINE_EXCEEDED. */
weir_status weir_tenant_open(struct weir_tenant *tenant, int64_t deadline_us,
                             struct weir_error *err);

/* Whether nobody has been told yet that it has ceased to be what its id names. */
bool weir_tenant_is_current(struct weir_tenant *tenant);

/* Whether the registry has not been asked about it, with an answer, since then (monotonic). */
bool weir_tenant_is_from_before(struct weir_tenant *tenant, int64_t since_us);

/* One more reference. */
void weir_tenant_hold(struct weir_tenant *tenant);
void weir_tenant_release(struct weir_tenant *tenant);

/* Drops what is known of an id, because its registry entry has just changed or gone. */
void weir_tenants_forget(struct weir_tenants *tenants, struct weir_slice id);

/* How many namespaces have an open handle. */
size_t weir_tenants_open_count(const struct weir_tenants *tenants);

static inline struct weir_tenant *weir_tenant_of_lane_job(struct weir_job *job)
{
    return WEIR_LINKED(job, struct weir_tenant, lane_job);
}

/* The store's handle, once weir_tenant_open has been OK. */
static inline struct weir_namespace *weir_tenant_ns(struct weir_tenant *tenant)
{
    return atomic_load_explicit(&tenant->ns, memory_order_acquire);
}

static inline struct weir_slice weir_tenant_id(const struct weir_tenant *tenant)
{
    return weir_slice(tenant->id, tenant->id_n);
}

#endif
