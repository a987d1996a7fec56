/* Waiters, watches, and what wakes them.
 *
 * States of a waiter:
 *   IDLE -> ARMED            weir_wake_arm, before the store is read (MARKED if out of date)
 *   ARMED -> MARKED          something that concerns it happens while its read is under way
 *   ARMED -> PARKED          weir_wake_park, after a read that has found nothing
 *   ARMED, MARKED -> IDLE    weir_wake_disarm, after a read that is answered
 *   ARMED, MARKED -> IDLE    weir_wake_park, where it cannot wait: woken at once
 *   PARKED -> IDLE           a change, its time, its connection's end, the server's stop: woken
 * A waiter that is not idle is linked to its watch and its tenant; a parked one also to its
 * connection, and it is in the heap of deadlines.
 *
 * Threads: any. A thread that wakes takes waiters out under the lock and calls back without it: a
 * thread that finishes a group of writes, timer, poller, a thread of nng that ends a connection,
 * the thread that stops the server, and one that parks. Lock order: wake->lock, then the tenants'
 * lock. A tenant is released without wake->lock, as that may call the store. */
#include "server/waiting/wake_int.h"

#include "weir/base/monotonic.h"
#include "weir/base/table_hash.h"
#include "weir/rules/random.h"
#include "weir/rules/stream_name.h"

#include <assert.h>
#include <stdlib.h>

/* ---- hashing ---- */

uint64_t weir_interest_mark(struct weir_slice text)
{
    return UINT64_C(1) << (weir_table_hash(WEIR_TABLE_SEED, text) >> 13) % 64;
}

static uint64_t hash_of(const struct weir_wake *wake, const struct weir_tenant *tenant,
                        enum weir_selector selector, struct weir_slice name)
{
    const uint64_t seed = wake->seed ^ (uint64_t)(uintptr_t)tenant ^ (uint64_t)selector << 60;
    return weir_table_hash(seed, name);
}

/* ---- watches ---- */

static struct weir_watch **bucket_of(struct weir_wake *wake, uint64_t hash)
{
    return &wake->buckets[(hash ^ hash >> 32) % WEIR_WATCH_BUCKETS];
}

static struct weir_watch *find_locked(struct weir_wake *wake, const struct weir_tenant *tenant,
                                      enum weir_selector selector, struct weir_slice name)
{
    const uint64_t hash = hash_of(wake, tenant, selector, name);
    struct weir_watch *watch = *bucket_of(wake, hash);
    while (watch != NULL &&
           (watch->hash != hash || watch->tenant != tenant || watch->selector != selector ||
            !weir_slice_equal(weir_slice(watch->name, watch->name_n), name))) {
        watch = watch->next;
    }
    return watch;
}

static struct weir_watch *add_locked(struct weir_wake *wake, struct weir_tenant *tenant,
                                     enum weir_selector selector, struct weir_slice name)
{
    struct weir_watch *watch = malloc(sizeof *watch + name.n);
    if (watch == NULL) {
        return NULL;
    }
    watch->tenant = tenant;
    watch->selector = selector;
    watch->hash = hash_of(wake, tenant, selector, name);
    weir_link_init(&watch->waiters);
    weir_link_init(&watch->at_told);
    watch->name_n = name.n;
    if (name.n > 0) {
        memcpy(watch->name, name.p, name.n);
    }
    struct weir_watch **bucket = bucket_of(wake, watch->hash);
    watch->next = *bucket;
    *bucket = watch;
    return watch;
}

static void remove_locked(struct weir_wake *wake, struct weir_watch *watch)
{
    struct weir_watch **at = bucket_of(wake, watch->hash);
    while (*at != watch) {
        at = &(*at)->next;
    }
    *at = watch->next;
    free(watch);
}

/* ---- waiters ---- */

/* Links a waiter to its watch and tenant. The poller is woken for the first tenant. */
static void enlist_locked(struct weir_wake *wake, struct weir_waiter *waiter,
                          struct weir_watch *watch)
{
    struct weir_tenant *tenant = waiter->tenant;
    waiter->watch = watch;
    weir_link_append(&watch->waiters, &waiter->at_watch);
    weir_link_append(&tenant->waiters, &waiter->at_tenant);
    if (atomic_fetch_add(&tenant->waiters_n, 1) == 0) {
        weir_link_append(&wake->watched, &tenant->at_wake);
        if (wake->watched_n++ == 0) {
            (void)pthread_cond_signal(&wake->poll);
        }
    }
}

/* Undoes enlist_locked and parking; the waiter is idle then, and still holds its tenant. */
static void delist_locked(struct weir_wake *wake, struct weir_waiter *waiter)
{
    struct weir_tenant *tenant = waiter->tenant;
    if (waiter->state == WEIR_WAITER_PARKED) {
        weir_deadlines_remove_locked(wake, waiter);
    }
    weir_link_remove(&waiter->at_watch);
    weir_link_remove(&waiter->at_tenant);
    weir_link_remove(&waiter->at_peer);
    if (weir_link_is_alone(&waiter->watch->waiters)) {
        remove_locked(wake, waiter->watch);
    }
    if (atomic_fetch_sub(&tenant->waiters_n, 1) == 1) {
        weir_link_remove(&tenant->at_wake);
        wake->watched_n--;
    }
    waiter->watch = NULL;
    waiter->state = WEIR_WAITER_IDLE;
}

bool weir_wake_arm(struct weir_wake *wake, struct weir_waiter *waiter, struct weir_tenant *tenant,
                   const struct weir_interest *interest)
{
    assert(waiter->state == WEIR_WAITER_IDLE);
    waiter->group_size = interest->group_size;
    waiter->group_member = interest->group_member;
    waiter->types = interest->types;
    waiter->correlation = interest->correlation;
    waiter->tenant = tenant;
    weir_tenant_hold(tenant);
    (void)pthread_mutex_lock(&wake->lock);
    struct weir_watch *watch = find_locked(wake, tenant, interest->selector, interest->name);
    if (watch == NULL) {
        watch = add_locked(wake, tenant, interest->selector, interest->name);
    }
    if (watch != NULL) {
        enlist_locked(wake, waiter, watch);
        /* A change that was reported before this is not reported again. */
        waiter->state = weir_tenant_is_current(tenant) ? WEIR_WAITER_ARMED : WEIR_WAITER_MARKED;
    }
    (void)pthread_mutex_unlock(&wake->lock);
    if (watch == NULL) {
        waiter->tenant = NULL;
        weir_tenant_release(tenant);
    }
    return watch != NULL;
}

void weir_wake_disarm(struct weir_wake *wake, struct weir_waiter *waiter)
{
    (void)pthread_mutex_lock(&wake->lock);
    delist_locked(wake, waiter);
    (void)pthread_mutex_unlock(&wake->lock);
    weir_tenant_release(waiter->tenant);
    waiter->tenant = NULL;
}

void weir_wake_take_locked(struct weir_wake *wake, struct weir_waiter *waiter,
                           struct weir_link *out)
{
    delist_locked(wake, waiter);
    weir_link_append(out, &waiter->at_watch);
}

void weir_wake_call_back(struct weir_wake *wake, struct weir_link *out,
                         enum weir_wake_reason reason)
{
    while (!weir_link_is_alone(out)) {
        struct weir_waiter *waiter = WEIR_LINKED(out->next, struct weir_waiter, at_watch);
        struct weir_tenant *tenant = waiter->tenant;
        weir_link_remove(&waiter->at_watch);
        waiter->tenant = NULL;
        /* Before the callback: a server that stops frees its tenants once the last waiter has
         * gone. */
        weir_tenant_release(tenant);
        wake->woken(wake->context, waiter, reason);
    }
}

/* Parks a waiter and returns false; or returns true where it must not wait, with the reason. */
static bool must_go_on_locked(struct weir_wake *wake, struct weir_waiter *waiter,
                              struct weir_link *peer, const bool *is_peer_gone,
                              enum weir_wake_reason *reason)
{
    if (peer == NULL || *is_peer_gone) {
        *reason = WEIR_WAKE_GONE;
    } else if (wake->is_stopping) {
        *reason = WEIR_WAKE_STOP;
    } else if (waiter->state == WEIR_WAITER_MARKED) {
        *reason = WEIR_WAKE_CHANGE;
    } else if (!weir_deadlines_add_locked(wake, waiter)) {
        *reason = WEIR_WAKE_TIME;
    } else {
        waiter->state = WEIR_WAITER_PARKED;
        weir_link_append(peer, &waiter->at_peer);
        return false;
    }
    return true;
}

void weir_wake_park(struct weir_wake *wake, struct weir_waiter *waiter, struct weir_link *peer,
                    const bool *is_peer_gone)
{
    struct weir_link out;
    enum weir_wake_reason reason = WEIR_WAKE_CHANGE;
    weir_link_init(&out);
    (void)pthread_mutex_lock(&wake->lock);
    if (must_go_on_locked(wake, waiter, peer, is_peer_gone, &reason)) {
        weir_wake_take_locked(wake, waiter, &out);
    }
    (void)pthread_mutex_unlock(&wake->lock);
    weir_wake_call_back(wake, &out, reason);
}

/* ---- what wakes ---- */

/* Takes a parked waiter into `out`; marks a waiter whose read is under way. */
static void signal_locked(struct weir_wake *wake, struct weir_waiter *waiter, struct weir_link *out)
{
    if (waiter->state == WEIR_WAITER_PARKED) {
        weir_wake_take_locked(wake, waiter, out);
    } else {
        waiter->state = WEIR_WAITER_MARKED;
    }
}

/* ---- telling a commit ----
 *
 * First the watches note what of the commit concerns them, then the waiters of each are walked
 * once. The lock is held meanwhile, so the time must not grow with messages times waiters. */

static uint64_t mark_of_correlation(const struct weir_new_message *message)
{
    return message->correlation.p == NULL ? 0 : weir_interest_mark(message->correlation);
}

/* New messages of one stream. */
struct addition {
    struct weir_slice stream;
    uint64_t types;
    uint64_t correlations;
};

static void note_stream(struct weir_news *news, struct weir_slice stream)
{
    const size_t n = news->streams_n;
    if (n > 0 && weir_slice_equal(news->streams[n - 1], stream)) {
        return;
    }
    if (n < WEIR_NEWS_STREAMS_MAX) {
        news->streams[news->streams_n++] = stream;
    } else {
        news->has_more_streams = true;
    }
}

/* Notes an addition for a watch (NULL is legal), and the watch in `told`. */
static void note_at_locked(struct weir_watch *watch, const struct addition *added,
                           struct weir_link *told)
{
    if (watch == NULL) {
        return;
    }
    struct weir_news *news = &watch->news;
    if (weir_link_is_alone(&watch->at_told)) {
        weir_link_append(told, &watch->at_told);
        news->types = 0;
        news->correlations = 0;
        news->streams_n = 0;
        news->hashed = 0;
        news->has_more_streams = false;
    }
    news->types |= added->types;
    news->correlations |= added->correlations;
    note_stream(news, added->stream);
}

static void note_locked(struct weir_wake *wake, const struct weir_tenant *tenant,
                        const struct addition *added, struct weir_link *told)
{
    const struct weir_slice all = {(const uint8_t *)"", 0};
    const struct weir_slice category = weir_name_category(added->stream);
    note_at_locked(find_locked(wake, tenant, WEIR_SELECT_STREAM, added->stream), added, told);
    note_at_locked(find_locked(wake, tenant, WEIR_SELECT_CATEGORY, category), added, told);
    note_at_locked(find_locked(wake, tenant, WEIR_SELECT_ALL, all), added, told);
}

static bool is_member(const struct weir_waiter *waiter, struct weir_news *news, size_t at)
{
    const struct weir_slice cardinal_id = weir_name_cardinal_id(news->streams[at]);
    if (at == news->hashed) {
        news->cardinal_hashes[at] = cardinal_id.p == NULL ? 0 : weir_hash_64(cardinal_id);
        news->hashed++;
    }
    return cardinal_id.p != NULL &&
           weir_hash_member(news->cardinal_hashes[at], waiter->group_size) == waiter->group_member;
}

/* Of very many streams one is likely to be the group's. */
static bool is_in_group(const struct weir_waiter *waiter, struct weir_news *news)
{
    bool is = waiter->group_size == 0 || news->has_more_streams;
    for (size_t i = 0; i < news->streams_n && !is; i++) {
        is = is_member(waiter, news, i);
    }
    return is;
}

/* Whether some of the messages may be among those that the waiter selects. */
static bool concerns(const struct weir_waiter *waiter, struct weir_news *news)
{
    return (waiter->types == 0 || (waiter->types & news->types) != 0) &&
           (waiter->correlation == 0 || (waiter->correlation & news->correlations) != 0) &&
           is_in_group(waiter, news);
}

/* Signals the waiters of a watch that its news concern. */
static void tell_watch_locked(struct weir_wake *wake, struct weir_watch *watch,
                              struct weir_link *out)
{
    /* The watch is freed with its last waiter, so nothing of it is read after that one. */
    struct weir_link *end = &watch->waiters;
    struct weir_link *link = end->next;
    bool is_last = false;
    while (!is_last) {
        struct weir_waiter *waiter = WEIR_LINKED(link, struct weir_waiter, at_watch);
        is_last = link->next == end;
        link = link->next;
        if (concerns(waiter, &watch->news)) {
            signal_locked(wake, waiter, out);
        }
    }
}

static void tell_noted_locked(struct weir_wake *wake, struct weir_link *told, struct weir_link *out)
{
    struct weir_watch *watch = NULL;
    while ((watch = WEIR_FIRST_LINKED(told, struct weir_watch, at_told)) != NULL) {
        weir_link_remove(&watch->at_told);
        tell_watch_locked(wake, watch, out);
    }
}

static void note_append_locked(struct weir_wake *wake, const struct weir_tenant *tenant,
                               const struct weir_append *append, struct weir_link *told)
{
    for (size_t i = 0; i < append->n; i++) {
        const struct weir_stream_append *stream = &append->streams[i];
        struct addition added = {.stream = stream->stream};
        for (size_t k = 0; k < stream->n; k++) {
            added.types |= weir_interest_mark(stream->messages[k].type);
            added.correlations |= mark_of_correlation(&stream->messages[k]);
        }
        if (stream->n > 0) {
            note_locked(wake, tenant, &added, told);
        }
    }
}

static void note_import_locked(struct weir_wake *wake, const struct weir_tenant *tenant,
                               const struct weir_import *import, struct weir_link *told)
{
    for (size_t i = 0; i < import->n; i++) {
        const struct weir_new_message *message = &import->records[i].message;
        const struct addition added = {.stream = import->records[i].stream,
                                       .types = weir_interest_mark(message->type),
                                       .correlations = mark_of_correlation(message)};
        note_locked(wake, tenant, &added, told);
    }
}

static void tell_all_locked(struct weir_wake *wake, struct weir_tenant *tenant,
                            struct weir_link *out)
{
    struct weir_link *end = &tenant->waiters;
    struct weir_link *link = end->next;
    while (link != end) {
        struct weir_waiter *waiter = WEIR_LINKED(link, struct weir_waiter, at_tenant);
        link = link->next;
        signal_locked(wake, waiter, out);
    }
}

int64_t weir_wake_committed(struct weir_wake *wake, struct weir_tenant *tenant,
                            const struct weir_write *write)
{
    const int64_t change = weir_write_change(write);
    /* A waiter that is armed after this check reads what was committed. A removal leaves nothing to
     * read. */
    if (change <= 0 || atomic_load(&tenant->waiters_n) == 0) {
        return change;
    }
    struct weir_link told;
    struct weir_link out;
    weir_link_init(&told);
    weir_link_init(&out);
    (void)pthread_mutex_lock(&wake->lock);
    if (write->kind == WEIR_WRITE_APPEND) {
        note_append_locked(wake, tenant, &write->of.append, &told);
    } else {
        note_import_locked(wake, tenant, &write->of.import, &told);
    }
    tell_noted_locked(wake, &told, &out);
    (void)pthread_mutex_unlock(&wake->lock);
    weir_wake_call_back(wake, &out, WEIR_WAKE_CHANGE);
    return change;
}

void weir_wake_rows(struct weir_wake *wake, struct weir_tenant *tenant,
                    const struct weir_rows *rows)
{
    struct weir_link told;
    struct weir_link out;
    weir_link_init(&told);
    weir_link_init(&out);
    (void)pthread_mutex_lock(&wake->lock);
    for (size_t i = 0; i < rows->n; i++) {
        const struct addition added = {.stream = rows->rows[i].stream,
                                       .types = weir_interest_mark(rows->rows[i].type),
                                       .correlations = UINT64_MAX};
        note_locked(wake, tenant, &added, &told);
    }
    tell_noted_locked(wake, &told, &out);
    (void)pthread_mutex_unlock(&wake->lock);
    weir_wake_call_back(wake, &out, WEIR_WAKE_CHANGE);
}

void weir_wake_tenant(struct weir_wake *wake, struct weir_tenant *tenant)
{
    if (atomic_load(&tenant->waiters_n) == 0) {
        return;
    }
    struct weir_link out;
    weir_link_init(&out);
    (void)pthread_mutex_lock(&wake->lock);
    tell_all_locked(wake, tenant, &out);
    (void)pthread_mutex_unlock(&wake->lock);
    weir_wake_call_back(wake, &out, WEIR_WAKE_CHANGE);
}

void weir_wake_peer_gone(struct weir_wake *wake, struct weir_link *peer, bool *is_gone)
{
    struct weir_link out;
    weir_link_init(&out);
    (void)pthread_mutex_lock(&wake->lock);
    *is_gone = true;
    while (!weir_link_is_alone(peer)) {
        weir_wake_take_locked(wake, WEIR_LINKED(peer->next, struct weir_waiter, at_peer), &out);
    }
    (void)pthread_mutex_unlock(&wake->lock);
    weir_wake_call_back(wake, &out, WEIR_WAKE_GONE);
}

/* ---- start and stop ---- */

void weir_wake_stop(struct weir_wake *wake)
{
    struct weir_link out;
    weir_link_init(&out);
    (void)pthread_mutex_lock(&wake->lock);
    wake->is_stopping = true;
    while (wake->deadlines_n > 0) {
        weir_wake_take_locked(wake, wake->deadlines[0], &out);
    }
    (void)pthread_cond_broadcast(&wake->earlier);
    (void)pthread_cond_broadcast(&wake->poll);
    (void)pthread_mutex_unlock(&wake->lock);
    weir_wake_call_back(wake, &out, WEIR_WAKE_STOP);
}

static bool start_threads(struct weir_wake *wake)
{
    if (pthread_create(&wake->timer, NULL, weir_wake_keep_time, wake) != 0) {
        return false;
    }
    if (pthread_create(&wake->poller, NULL, weir_wake_poll, wake) != 0) {
        weir_wake_stop(wake);
        (void)pthread_join(wake->timer, NULL);
        return false;
    }
    return true;
}

static void destroy(struct weir_wake *wake)
{
    (void)pthread_cond_destroy(&wake->poll);
    (void)pthread_cond_destroy(&wake->earlier);
    (void)pthread_mutex_destroy(&wake->lock);
    free(wake->deadlines);
    free(wake);
}

struct weir_wake *weir_wake_new(struct weir_tenants *tenants, weir_woken woken, void *context)
{
    struct weir_wake *wake = calloc(1, sizeof *wake);
    if (wake == NULL) {
        return NULL;
    }
    wake->tenants = tenants;
    wake->woken = woken;
    wake->context = context;
    weir_link_init(&wake->watched);
    (void)pthread_mutex_init(&wake->lock, NULL);
    weir_cond_init(&wake->earlier);
    weir_cond_init(&wake->poll);
    if (!weir_random_bytes(&wake->seed, sizeof wake->seed) || !start_threads(wake)) {
        destroy(wake);
        return NULL;
    }
    return wake;
}

void weir_wake_join(struct weir_wake *wake)
{
    if (!wake->is_joined) {
        wake->is_joined = true;
        (void)pthread_join(wake->timer, NULL);
        (void)pthread_join(wake->poller, NULL);
    }
}

void weir_wake_free(struct weir_wake *wake)
{
    weir_wake_stop(wake);
    weir_wake_join(wake);
    assert(wake->deadlines_n == 0 && weir_link_is_alone(&wake->watched));
    destroy(wake);
}
