/* Namespace handles: the table of namespaces in use, their opening and deletion, and the groups of
 * writes of their lanes.
 *
 * Called by any thread. The store's mutex guards the table and the references, states and links of
 * its entries; it is never held while a backend is called. An entry is in one of three states:
 * open, `is_opening` (its first session is being opened; other callers wait at `changed`) or
 * `is_deleting` (no new handles). It stays in the table while it has handles or open sessions, but
 * leaves it at once when its namespace has been deleted. It is freed by the release of the last
 * handle or by the sweep of a later opening or deletion. */
#include "store/store.h"

#include "store/append_rules.h"
#include "store/store_int.h"

#include "weir/base/monotonic.h"
#include "weir/base/table_hash.h"
#include "weir/rules/limits.h"
#include "weir/rules/random.h"

#include <assert.h>
#include <stdlib.h>

/* The longest time that an ordinary opening takes. One that takes longer may take very long, since
 * it rebuilds a file of an older version or waits for another process. */
enum { OPENING_WAIT_US = 500 * 1000 };

bool weir_namespaces_init(struct weir_store *store)
{
    (void)pthread_mutex_init(&store->mutex, NULL);
    weir_cond_init(&store->changed);
    return weir_random_bytes(&store->hash_seed, sizeof store->hash_seed);
}

static void free_namespace(struct weir_namespace *ns)
{
    if (ns != NULL) {
        weir_lane_fini(&ns->lane);
        free(ns);
    }
}

void weir_namespaces_fini(struct weir_store *store)
{
    for (size_t b = 0; b < WEIR_NAMESPACE_BUCKETS; b++) {
        while (store->buckets[b] != NULL) {
            struct weir_namespace *ns = store->buckets[b];
            assert(ns->references == 0);
            store->buckets[b] = ns->next;
            free_namespace(ns);
        }
    }
    (void)pthread_cond_destroy(&store->changed);
    (void)pthread_mutex_destroy(&store->mutex);
}

static struct weir_namespace *new_namespace(struct weir_store *store, struct weir_slice id,
                                            struct weir_error *err)
{
    assert(id.n >= 1 && id.n <= WEIR_NAMESPACE_MAX_BYTES);
    struct weir_namespace *ns = calloc(1, sizeof *ns + id.n);
    if (ns == NULL) {
        (void)weir_fail(err, WEIR_BACKEND_UNAVAILABLE, "out of memory");
        return NULL;
    }
    weir_lane_init(&ns->lane);
    ns->store = store;
    memcpy(ns->id, id.p, id.n);
    weir_shelf_init(&ns->shelf, weir_slice(ns->id, id.n));
    return ns;
}

/* ---- the table; all with the store's mutex held ---- */

static struct weir_namespace **bucket_of(struct weir_store *store, struct weir_slice id)
{
    return &store->buckets[weir_table_hash(store->hash_seed, id) % WEIR_NAMESPACE_BUCKETS];
}

static struct weir_namespace *find_locked(struct weir_store *store, struct weir_slice id)
{
    struct weir_namespace *ns = *bucket_of(store, id);
    while (ns != NULL && !weir_slice_equal(ns->shelf.id, id)) {
        ns = ns->next;
    }
    return ns;
}

static void enlist_locked(struct weir_namespace *ns)
{
    struct weir_namespace **bucket = bucket_of(ns->store, ns->shelf.id);
    ns->next = *bucket;
    *bucket = ns;
    ns->is_listed = true;
}

static void delist_locked(struct weir_namespace *ns)
{
    struct weir_namespace **at = bucket_of(ns->store, ns->shelf.id);
    while (*at != ns) {
        at = &(*at)->next;
    }
    *at = ns->next;
    ns->is_listed = false;
}

/* Frees the namespaces without handles and open sessions, so that the table grows no larger than
 * the handles given out and the pool's bound. */
static void sweep_locked(struct weir_store *store)
{
    for (size_t b = 0; b < WEIR_NAMESPACE_BUCKETS; b++) {
        struct weir_namespace **at = &store->buckets[b];
        while (*at != NULL) {
            struct weir_namespace *ns = *at;
            if (ns->references == 0 && !ns->is_deleting &&
                weir_shelf_is_empty(&store->pool, &ns->shelf)) {
                *at = ns->next;
                free_namespace(ns);
            } else {
                at = &ns->next;
            }
        }
    }
}

/* ---- handles ---- */

enum found { FOUND, NOT_OPEN, BEING_OPENED, BEING_DELETED };

/* Looks an id up in the table; with FOUND, *ns is set and its reference counted. While the first
 * session of the namespace is being opened the caller waits, but no longer than an opening usually
 * takes: a waiting thread serves no other call. */
static enum found take_open_locked(struct weir_store *store, struct weir_slice id,
                                   int64_t deadline_us, struct weir_namespace **ns)
{
    int64_t until_us = deadline_us;
    bool is_in_time = true;
    while ((*ns = find_locked(store, id)) != NULL && !(*ns)->is_deleting && (*ns)->is_opening) {
        if (!is_in_time) {
            return BEING_OPENED;
        }
        const int64_t usual_us = (*ns)->opening_since_us + OPENING_WAIT_US;
        until_us = usual_us < until_us ? usual_us : until_us;
        is_in_time = weir_cond_wait_until(&store->changed, &store->mutex, until_us);
    }
    if (*ns == NULL) {
        return NOT_OPEN;
    }
    if ((*ns)->is_deleting) {
        return BEING_DELETED;
    }
    (*ns)->references++;
    return FOUND;
}

static enum found take_open(struct weir_store *store, struct weir_slice id, int64_t deadline_us,
                            struct weir_namespace **ns)
{
    (void)pthread_mutex_lock(&store->mutex);
    const enum found found = take_open_locked(store, id, deadline_us, ns);
    (void)pthread_mutex_unlock(&store->mutex);
    return found;
}

/* Puts `fresh` in the table as a namespace that is being opened and returns NOT_OPEN. If another
 * thread was faster, frees `fresh` and returns the outcome of take_open. */
static enum found begin_open(struct weir_store *store, struct weir_namespace *fresh,
                             int64_t deadline_us, struct weir_namespace **ns)
{
    (void)pthread_mutex_lock(&store->mutex);
    sweep_locked(store);
    const enum found found = take_open_locked(store, fresh->shelf.id, deadline_us, ns);
    if (found == NOT_OPEN) {
        enlist_locked(fresh);
        fresh->references++;
        fresh->is_opening = true;
        fresh->opening_since_us = weir_monotonic_us();
        *ns = fresh;
    }
    (void)pthread_mutex_unlock(&store->mutex);
    if (found != NOT_OPEN) {
        free_namespace(fresh);
    }
    return found;
}

/* Drops one reference. An entry with open sessions stays in the table. One without sessions, such
 * as a deleted namespace, leaves the table with its last reference and is returned, to be freed
 * without the lock. */
static struct weir_namespace *drop_locked(struct weir_namespace *ns)
{
    assert(ns->references > 0);
    ns->references--;
    const bool is_last = ns->references == 0 && !ns->is_deleting &&
                         weir_shelf_is_empty(&ns->store->pool, &ns->shelf);
    if (is_last && ns->is_listed) {
        delist_locked(ns);
    }
    return is_last ? ns : NULL;
}

/* Ends an opening and wakes the callers that wait for it. If it failed, the opener's reference is
 * dropped, so that the next caller opens the namespace anew. */
static void end_open(struct weir_namespace *ns, bool is_open)
{
    struct weir_store *store = ns->store;
    (void)pthread_mutex_lock(&store->mutex);
    ns->is_opening = false;
    struct weir_namespace *last = is_open ? NULL : drop_locked(ns);
    (void)pthread_cond_broadcast(&store->changed);
    (void)pthread_mutex_unlock(&store->mutex);
    free_namespace(last);
}

/* Opens the first session right away, so that weir_namespace_open fails if the storage cannot be
 * used. */
static weir_status open_first_session(struct weir_namespace *ns, int64_t deadline_us,
                                      struct weir_error *err)
{
    struct weir_session *session = NULL;
    const weir_status status = weir_session_borrow(&ns->store->pool, &ns->shelf, WEIR_SESSION_READ,
                                                   deadline_us, &session, err);
    if (status == WEIR_OK) {
        weir_session_return(&ns->store->pool, session);
    }
    end_open(ns, status == WEIR_OK);
    return status;
}

weir_status weir_namespace_open(struct weir_store *store, struct weir_slice id, int64_t deadline_us,
                                struct weir_namespace **ns, struct weir_error *err)
{
    struct weir_namespace *opened = NULL;
    enum found found = take_open(store, id, deadline_us, &opened);
    if (found == NOT_OPEN) {
        struct weir_namespace *fresh = new_namespace(store, id, err);
        if (fresh == NULL) {
            return err->status;
        }
        found = begin_open(store, fresh, deadline_us, &opened);
    }
    weir_status status = WEIR_OK;
    switch (found) {
    case FOUND:
        break;
    case NOT_OPEN:
        status = open_first_session(opened, deadline_us, err);
        break;
    case BEING_OPENED:
        return weir_fail(err, WEIR_BACKEND_UNAVAILABLE,
                         "the namespace is still being opened; try again");
    case BEING_DELETED:
        return weir_shelf_fail_closed(err);
    }
    if (status == WEIR_OK) {
        *ns = opened;
    }
    return status;
}

void weir_namespace_release(struct weir_namespace *ns)
{
    if (ns == NULL) {
        return;
    }
    struct weir_store *store = ns->store;
    (void)pthread_mutex_lock(&store->mutex);
    struct weir_namespace *last = drop_locked(ns);
    (void)pthread_mutex_unlock(&store->mutex);
    free_namespace(last);
}

/* ---- creating and deleting ---- */

/* Waits until no deletion of the id is under way in this process; DEADLINE_EXCEEDED. */
static weir_status await_deletion_locked(struct weir_store *store, struct weir_slice id,
                                         int64_t deadline_us, struct weir_error *err)
{
    const struct weir_namespace *ns = NULL;
    while ((ns = find_locked(store, id)) != NULL && ns->is_deleting) {
        if (!weir_cond_wait_until(&store->changed, &store->mutex, deadline_us)) {
            return weir_fail(err, WEIR_DEADLINE_EXCEEDED,
                             "the deadline passed while a namespace of this id was being deleted");
        }
    }
    return WEIR_OK;
}

/* Waits first for a deletion of the same id, so that the new namespace can be opened at once. */
weir_status weir_namespace_create(struct weir_store *store, struct weir_namespace_record *record,
                                  int64_t deadline_us, bool *is_same, struct weir_error *err)
{
    (void)pthread_mutex_lock(&store->mutex);
    const weir_status status = await_deletion_locked(store, record->id, deadline_us, err);
    (void)pthread_mutex_unlock(&store->mutex);
    if (status != WEIR_OK) {
        return status;
    }
    return store->backend->ops->namespace_create(store->backend, record, deadline_us, is_same, err);
}

/* Marks the namespace as being deleted, making an entry for it if it is not open. Waits first for
 * another deletion of the same id to end. */
static weir_status begin_delete(struct weir_store *store, struct weir_slice id, int64_t deadline_us,
                                struct weir_namespace **ns, struct weir_error *err)
{
    struct weir_namespace *fresh = new_namespace(store, id, err);
    if (fresh == NULL) {
        return err->status;
    }
    (void)pthread_mutex_lock(&store->mutex);
    const weir_status status = await_deletion_locked(store, id, deadline_us, err);
    if (status == WEIR_OK) {
        sweep_locked(store);
        *ns = find_locked(store, id);
        if (*ns == NULL) {
            enlist_locked(fresh);
            *ns = fresh;
        }
        (*ns)->is_deleting = true;
        (*ns)->references++;
    }
    (void)pthread_mutex_unlock(&store->mutex);
    if (*ns != fresh) {
        free_namespace(fresh);
    }
    return status;
}

/* Waits until the calls under way in the namespace are done; later ones fail meanwhile. */
static weir_status close_shelf(struct weir_namespace *ns, int64_t deadline_us,
                               struct weir_error *err)
{
    if (weir_shelf_close(&ns->store->pool, &ns->shelf, deadline_us)) {
        return WEIR_OK;
    }
    return weir_fail(err, WEIR_DEADLINE_EXCEEDED,
                     "the deadline passed while calls were under way in the namespace; it has not "
                     "been deleted");
}

static void end_delete(struct weir_namespace *ns, bool is_deleted)
{
    struct weir_store *store = ns->store;
    (void)pthread_mutex_lock(&store->mutex);
    ns->is_deleting = false;
    if (is_deleted) {
        delist_locked(ns);
        weir_shelf_end(&store->pool, &ns->shelf);
    } else {
        weir_shelf_reopen(&store->pool, &ns->shelf);
    }
    (void)pthread_cond_broadcast(&store->changed);
    (void)pthread_mutex_unlock(&store->mutex);
    weir_namespace_release(ns);
}

weir_status weir_namespace_delete(struct weir_store *store, struct weir_slice id,
                                  int64_t deadline_us, int64_t *messages_deleted,
                                  struct weir_error *err)
{
    struct weir_namespace *ns = NULL;
    if (begin_delete(store, id, deadline_us, &ns, err) != WEIR_OK) {
        return err->status;
    }
    weir_status status = close_shelf(ns, deadline_us, err);
    if (status == WEIR_OK) {
        status = store->backend->ops->namespace_delete(store->backend, ns->shelf.id, deadline_us,
                                                       messages_deleted, err);
    }
    /* NAMESPACE_NOT_FOUND: another process has deleted the namespace, which is gone here as
     * well. */
    end_delete(ns, status == WEIR_OK || status == WEIR_NAMESPACE_NOT_FOUND);
    return status;
}

/* ---- writing ---- */

bool weir_write_submit(struct weir_namespace *ns, struct weir_write *write)
{
    assert(write->done != NULL);
    weir_error_init(write->err);
    return weir_lane_add(&ns->lane, write);
}

void weir_group_finish(struct weir_write *group)
{
    while (group != NULL) {
        struct weir_write *next = group->next;
        group->done(group);
        group = next;
    }
}

int64_t weir_group_deadline(const struct weir_write *group)
{
    int64_t earliest_us = INT64_MAX;
    for (; group != NULL; group = group->next) {
        if (group->err->status == WEIR_OK && group->deadline_us < earliest_us) {
            earliest_us = group->deadline_us;
        }
    }
    return earliest_us;
}

/* Ends the writes whose deadline has passed and returns the others. */
static struct weir_write *finish_expired(struct weir_write *group)
{
    const int64_t now_us = weir_monotonic_us();
    struct weir_write *left = NULL;
    struct weir_write **end = &left;
    while (group != NULL) {
        struct weir_write *next = group->next;
        group->next = NULL;
        if (group->deadline_us <= now_us) {
            weir_fail_not_started(group->err);
            group->done(group);
        } else {
            *end = group;
            end = &group->next;
        }
        group = next;
    }
    return left;
}

/* The lane that this thread leads and commits a group of; NULL if there is none. */
static _Thread_local struct weir_lane *own_lane;

void weir_backend_waits(const struct weir_backend *backend)
{
    if (own_lane != NULL) {
        (void)finish_expired(weir_lane_take_late(own_lane));
    }
    if (backend->waits != NULL) {
        backend->waits(backend->waits_context);
    }
}

void weir_lane_end_late(struct weir_namespace *ns)
{
    (void)finish_expired(weir_lane_take_late(&ns->lane));
}

static void fail_all(struct weir_write *group, const struct weir_error *err)
{
    for (; group != NULL; group = group->next) {
        weir_error_copy(group->err, err);
    }
}

struct weir_write *weir_group_join(struct weir_write *last, int64_t wait_us)
{
    return weir_lane_join(own_lane, last, wait_us);
}

/* Commits a group. No write waits for the session beyond its deadline: writes whose deadline passes
 * are finished here. Returns the group without them. */
static struct weir_write *commit(struct weir_namespace *ns, struct weir_write *group)
{
    struct weir_session_pool *pool = &ns->store->pool;
    struct weir_error err;
    weir_error_init(&err);
    struct weir_session *session = NULL;
    while (group != NULL &&
           weir_session_borrow(pool, &ns->shelf, WEIR_SESSION_WRITE, weir_group_deadline(group),
                               &session, &err) == WEIR_DEADLINE_EXCEEDED) {
        group = finish_expired(group);
    }
    if (session != NULL) {
        session->deadline_us = INT64_MAX;
        session->ops->commit(session, &group);
        weir_session_return(pool, session);
    } else {
        fail_all(group, &err);
    }
    return group;
}

bool weir_lane_commit(struct weir_namespace *ns, struct weir_write **group)
{
    *group = weir_lane_take(&ns->lane);
    if (*group != NULL) {
        own_lane = &ns->lane;
        *group = commit(ns, *group);
        own_lane = NULL;
    }
    return weir_lane_go_on(&ns->lane);
}

/* A `done` may release the last handle that its submitter holds, so the leader holds one itself. */
bool weir_lane_run(struct weir_namespace *ns)
{
    (void)pthread_mutex_lock(&ns->store->mutex);
    ns->references++;
    (void)pthread_mutex_unlock(&ns->store->mutex);

    struct weir_write *group = NULL;
    const bool is_leader = weir_lane_commit(ns, &group);
    weir_group_finish(group);
    weir_namespace_release(ns);
    return is_leader;
}
