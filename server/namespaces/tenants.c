/* A hash table of tenants by id, and their life.
 *
 * A tenant is listed (found by its id, one reference for the table), then out of date (unlisted,
 * the callback told, kept by the calls and waiters that still use it), then destroyed with its last
 * reference. It is unlisted when the registry says otherwise, when weir_tenants_forget is called,
 * or to make room. Threads: any; the lock guards the table and the fields that tenants.h names. It
 * is a leaf, and is not held while the store or the callback is called or a tenant destroyed. An
 * answer of the registry that was asked for before a change of this process is thrown away
 * (`changes`), and so is one that is older than what is listed. */
#include "server/namespaces/tenants.h"

#include "weir/base/monotonic.h"
#include "weir/base/table_hash.h"

#include <assert.h>
#include <stdlib.h>

enum { BUCKETS = 1024 };

struct weir_tenants {
    struct weir_store *store;
    void (*changed)(void *context, struct weir_tenant *tenant);
    void *changed_context;
    pthread_mutex_t lock;  // guards all below and the fields that struct weir_tenant names; a leaf
    struct weir_tenant *buckets[BUCKETS];
    size_t n;            // listed tenants
    uint64_t changes;    // calls of weir_tenants_forget
    atomic_size_t open;  // tenants with a handle of the store
};

struct weir_tenants *weir_tenants_new(struct weir_store *store)
{
    struct weir_tenants *tenants = calloc(1, sizeof *tenants);
    if (tenants == NULL) {
        return NULL;
    }
    (void)pthread_mutex_init(&tenants->lock, NULL);
    tenants->store = store;
    return tenants;
}

void weir_tenants_on_change(struct weir_tenants *tenants,
                            void (*changed)(void *context, struct weir_tenant *tenant),
                            void *context)
{
    tenants->changed = changed;
    tenants->changed_context = context;
}

/* Calls the callback for a tenant that is out of date, and drops the reference held for that. NULL
 * is legal. */
static void tell_and_release(struct weir_tenant *tenant)
{
    if (tenant == NULL) {
        return;
    }
    if (tenant->owner->changed != NULL) {
        tenant->owner->changed(tenant->owner->changed_context, tenant);
    }
    weir_tenant_release(tenant);
}

/* The seed may be known: only an admin chooses ids, other clients can only look them up. */
static struct weir_tenant **bucket_of(struct weir_tenants *tenants, struct weir_slice id)
{
    return &tenants->buckets[weir_table_hash(WEIR_TABLE_SEED, id) % BUCKETS];
}

/* Returns the link that points to the tenant of an id; a link to NULL if there is none. */
static struct weir_tenant **find_locked(struct weir_tenants *tenants, struct weir_slice id)
{
    struct weir_tenant **at = bucket_of(tenants, id);
    while (*at != NULL && !weir_slice_equal(weir_tenant_id(*at), id)) {
        at = &(*at)->next;
    }
    return at;
}

static void init_lane(struct weir_read_lane *lane)
{
    weir_link_init(&lane->queued);
    /* On Linux initialising a plain mutex takes nothing and cannot fail. */
    (void)pthread_mutex_init(&lane->lock, NULL);
}

/* NULL is legal. */
static void dispose(struct weir_tenant *tenant)
{
    if (tenant != NULL) {
        (void)pthread_mutex_destroy(&tenant->reads.lock);
        free(tenant);
    }
}

static void destroy(struct weir_tenant *tenant)
{
    struct weir_namespace *ns = atomic_load(&tenant->ns);
    assert(atomic_load(&tenant->waiters_n) == 0);
    if (ns != NULL) {
        weir_namespace_release(ns);
        atomic_fetch_sub(&tenant->owner->open, 1);
    }
    dispose(tenant);
}

/* Drops one reference. Returns the tenant if that was the last: the caller destroys it once the
 * lock is released. */
static struct weir_tenant *drop_locked(struct weir_tenant *tenant)
{
    assert(tenant->refs > 0);
    return --tenant->refs == 0 ? tenant : NULL;
}

/* Takes a tenant out of the table. Returns it where the table held the last reference. */
static struct weir_tenant *unlist_locked(struct weir_tenants *tenants, struct weir_tenant **at)
{
    struct weir_tenant *tenant = *at;
    *at = tenant->next;
    tenant->is_listed = false;
    tenants->n--;
    return drop_locked(tenant);
}

/* Unlists, of the tenants that are not in use, the one that was read longest ago, and returns it
 * for destruction. NULL where all are in use: the table grows beyond its bound then. */
static struct weir_tenant *evict_locked(struct weir_tenants *tenants)
{
    struct weir_tenant **oldest = NULL;
    for (size_t i = 0; i < BUCKETS; i++) {
        for (struct weir_tenant **at = &tenants->buckets[i]; *at != NULL; at = &(*at)->next) {
            if ((*at)->refs == 1 && (oldest == NULL || (*at)->read_at_us < (*oldest)->read_at_us)) {
                oldest = at;
            }
        }
    }
    return oldest == NULL ? NULL : unlist_locked(tenants, oldest);
}

void weir_tenants_free(struct weir_tenants *tenants)
{
    for (size_t i = 0; i < BUCKETS; i++) {
        while (tenants->buckets[i] != NULL) {
            struct weir_tenant *tenant = tenants->buckets[i];
            tenants->buckets[i] = tenant->next;
            assert(tenant->refs == 1);
            destroy(tenant);
        }
    }
    (void)pthread_mutex_destroy(&tenants->lock);
    free(tenants);
}

/* Has one call read the entry again once half of its time is over, while the others go on with it;
 * at the end of its time all of them would ask the registry together. Of calls that must not block
 * one fails as well, and leaves the question to the next call that may: its own second attempt, as
 * a rule. */
static bool must_renew_locked(struct weir_tenant *tenant, const struct weir_tenant_lookup *lookup,
                              int64_t now_us)
{
    const int64_t half_us = lookup->max_age_us / 2;
    const bool is_left_to_this = tenant->is_renewal_left && !lookup->must_not_block;
    if (now_us - tenant->read_at_us < half_us ||
        (now_us < tenant->renewing_until_us && !is_left_to_this)) {
        return false;
    }
    tenant->renewing_until_us = now_us + half_us;
    tenant->is_renewal_left = lookup->must_not_block;
    return true;
}

static struct weir_tenant *find_cached(struct weir_tenants *tenants, struct weir_slice id,
                                       const struct weir_tenant_lookup *lookup)
{
    const int64_t now_us = weir_monotonic_us();
    (void)pthread_mutex_lock(&tenants->lock);
    struct weir_tenant *tenant = *find_locked(tenants, id);
    if (tenant != NULL && tenant->read_at_us > now_us - lookup->max_age_us &&
        !must_renew_locked(tenant, lookup, now_us)) {
        tenant->refs++;
    } else {
        tenant = NULL;
    }
    (void)pthread_mutex_unlock(&tenants->lock);
    return tenant;
}

static struct weir_tenant *make(struct weir_tenants *tenants, struct weir_slice id,
                                const struct weir_namespace_record *record, int64_t read_at_us)
{
    struct weir_tenant *tenant = calloc(1, sizeof *tenant);
    if (tenant != NULL) {
        init_lane(&tenant->reads);
        assert(id.n <= sizeof tenant->id);
        tenant->owner = tenants;
        memcpy(tenant->id, id.p, id.n);
        tenant->id_n = id.n;
        tenant->created_at_us = record->created_at_us;
        tenant->token_hash = record->token_hash;
        tenant->read_at_us = read_at_us;
        weir_link_init(&tenant->waiters);
        weir_link_init(&tenant->at_wake);
    }
    return tenant;
}

static void list_locked(struct weir_tenants *tenants, struct weir_tenant *tenant)
{
    struct weir_tenant **bucket = bucket_of(tenants, weir_tenant_id(tenant));
    tenant->next = *bucket;
    *bucket = tenant;
    tenant->is_listed = true;
    tenant->refs = 1;
    tenants->n++;
}

/* What is left to be done without the lock after an entry of the registry was noted. */
struct leftover {
    struct weir_tenant *changed;  // out of date: the callback is due; counted
    struct weir_tenant *evicted;  // to be destroyed
    struct weir_tenant *unused;   // the new tenant, if it was not needed
};

/* Whether `fresh` shows that the cached tenant is out of date: the namespace has another token, or
 * was deleted and created again. An answer that was asked for earlier than the cached one is no
 * news. */
static bool is_replaced_by(const struct weir_tenant *tenant, const struct weir_tenant *fresh)
{
    return fresh->read_at_us >= tenant->read_at_us &&
           (tenant->created_at_us != fresh->created_at_us ||
            !weir_token_hash_equal(&tenant->token_hash, &fresh->token_hash));
}

/* Enters the registry's answer into the table. Returns the tenant, counted for the caller. */
static struct weir_tenant *note_locked(struct weir_tenants *tenants, struct weir_tenant *fresh,
                                       struct leftover *left)
{
    struct weir_tenant **at = find_locked(tenants, weir_tenant_id(fresh));
    struct weir_tenant *tenant = *at;
    const bool is_another = tenant != NULL && is_replaced_by(tenant, fresh);
    if (is_another) {
        tenant->refs++;
        left->changed = tenant;
        (void)unlist_locked(tenants, at);
    }
    if (tenant == NULL || is_another) {
        left->evicted = tenants->n >= WEIR_TENANTS_CACHED_MAX ? evict_locked(tenants) : NULL;
        tenant = fresh;
        list_locked(tenants, tenant);
    } else {
        left->unused = fresh;
    }
    if (tenant->read_at_us < fresh->read_at_us) {
        tenant->read_at_us = fresh->read_at_us;
    }
    tenant->refs++;
    return tenant;
}

/* Notes an answer of the registry that was asked for when `changes` was current. NULL where this
 * process has changed the registry since: it must be read again then. Takes over `fresh`. */
static struct weir_tenant *note(struct weir_tenants *tenants, struct weir_tenant *fresh,
                                uint64_t changes)
{
    struct leftover left = {.unused = fresh};
    struct weir_tenant *tenant = NULL;
    (void)pthread_mutex_lock(&tenants->lock);
    if (tenants->changes == changes) {
        left.unused = NULL;
        tenant = note_locked(tenants, fresh, &left);
    }
    (void)pthread_mutex_unlock(&tenants->lock);
    dispose(left.unused);
    if (left.evicted != NULL) {
        destroy(left.evicted);
    }
    tell_and_release(left.changed);
    return tenant;
}

/* Unlists the tenant of an id and has the callback told. `is_change`: this process has changed the
 * registry. */
static void drop(struct weir_tenants *tenants, struct weir_slice id, bool is_change)
{
    (void)pthread_mutex_lock(&tenants->lock);
    tenants->changes += is_change;
    struct weir_tenant **at = find_locked(tenants, id);
    struct weir_tenant *tenant = *at;
    if (tenant != NULL) {
        tenant->refs++;
        (void)unlist_locked(tenants, at);
    }
    (void)pthread_mutex_unlock(&tenants->lock);
    tell_and_release(tenant);
}

/* Reads the registry and notes its answer; lookup->tenant stays NULL where this process has changed
 * the registry meanwhile. */
static weir_status read_registry(struct weir_tenants *tenants, struct weir_slice id,
                                 struct weir_arena *arena, struct weir_tenant_lookup *lookup,
                                 struct weir_error *err)
{
    (void)pthread_mutex_lock(&tenants->lock);
    const uint64_t changes = tenants->changes;
    (void)pthread_mutex_unlock(&tenants->lock);
    struct weir_namespace_record record = {.id = id};
    /* Taken before the question: the entry may change as soon as it has been asked for. */
    const int64_t read_at_us = weir_monotonic_us();
    const weir_status st =
        weir_namespace_find(tenants->store, &record, lookup->deadline_us, arena, err);
    if (st == WEIR_NAMESPACE_NOT_FOUND) {
        drop(tenants, id, false);
    }
    if (st != WEIR_OK) {
        return st;
    }
    struct weir_tenant *fresh = make(tenants, id, &record, read_at_us);
    if (fresh == NULL) {
        return weir_fail(err, WEIR_BACKEND_UNAVAILABLE, "out of memory");
    }
    lookup->tenant = note(tenants, fresh, changes);
    return WEIR_OK;
}

weir_status weir_tenants_find(struct weir_tenants *tenants, struct weir_slice id,
                              struct weir_arena *arena, struct weir_tenant_lookup *lookup,
                              struct weir_error *err)
{
    lookup->tenant = find_cached(tenants, id, lookup);
    if (lookup->tenant == NULL && lookup->must_not_block) {
        return weir_fail(err, WEIR_BACKEND_UNAVAILABLE,
                         "the namespace must be looked up in the registry");
    }
    lookup->is_fresh = lookup->tenant == NULL;
    weir_status st = WEIR_OK;
    while (st == WEIR_OK && lookup->tenant == NULL) {
        st = read_registry(tenants, id, arena, lookup, err);
    }
    return st;
}

weir_status weir_tenant_open(struct weir_tenant *tenant, int64_t deadline_us,
                             struct weir_error *err)
{
    if (atomic_load_explicit(&tenant->ns, memory_order_acquire) != NULL) {
        return WEIR_OK;
    }
    struct weir_namespace *ns = NULL;
    const weir_status st =
        weir_namespace_open(tenant->owner->store, weir_tenant_id(tenant), deadline_us, &ns, err);
    if (st != WEIR_OK) {
        return st;
    }
    struct weir_namespace *none = NULL;
    if (atomic_compare_exchange_strong(&tenant->ns, &none, ns)) {
        atomic_fetch_add(&tenant->owner->open, 1);
    } else {
        weir_namespace_release(ns);
    }
    return WEIR_OK;
}

bool weir_tenant_is_current(struct weir_tenant *tenant)
{
    (void)pthread_mutex_lock(&tenant->owner->lock);
    const bool is_current = tenant->is_listed;
    (void)pthread_mutex_unlock(&tenant->owner->lock);
    return is_current;
}

bool weir_tenant_is_from_before(struct weir_tenant *tenant, int64_t since_us)
{
    (void)pthread_mutex_lock(&tenant->owner->lock);
    const bool is_from_before = tenant->read_at_us < since_us;
    (void)pthread_mutex_unlock(&tenant->owner->lock);
    return is_from_before;
}

void weir_tenant_hold(struct weir_tenant *tenant)
{
    (void)pthread_mutex_lock(&tenant->owner->lock);
    tenant->refs++;
    (void)pthread_mutex_unlock(&tenant->owner->lock);
}

void weir_tenant_release(struct weir_tenant *tenant)
{
    if (tenant == NULL) {
        return;
    }
    struct weir_tenants *tenants = tenant->owner;
    (void)pthread_mutex_lock(&tenants->lock);
    struct weir_tenant *last = drop_locked(tenant);
    (void)pthread_mutex_unlock(&tenants->lock);
    if (last != NULL) {
        destroy(last);
    }
}

/* Counts the change, so that an answer of the registry from before it is not noted after it. */
void weir_tenants_forget(struct weir_tenants *tenants, struct weir_slice id)
{
    drop(tenants, id, true);
}

size_t weir_tenants_open_count(const struct weir_tenants *tenants)
{
    return atomic_load(&tenants->open);
}
