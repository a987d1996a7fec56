/* The poller: a thread that finds what other processes have changed in the namespaces with waiters.
 *
 * A round first looks up each of them, so that its registry entry never gets much older than a
 * second (a change there wakes the waiters by the callback of the tenants). Then it compares the
 * head of each with the last one, own writes subtracted. If they differ, others have written. Where
 * they have appended a few messages and done nothing else, the poller reads the headers of these
 * messages and wakes the waiters that they concern, as for own commits; else it wakes all waiters
 * of the tenant, as it does wherever it is not sure. A comparison is undecided while a commit of
 * this process is under way; it is repeated a few times, and if it stays undecided for too long the
 * waiters are woken as well. Rounds are spaced so that changes are seen within a second, and the
 * store has pauses between them.
 *
 * The thread blocks on the store, for LOOK_US at most with each question to the registry and each
 * look, and holds wake->lock only to list the tenants. It sleeps while nothing waits. */
#include "server/waiting/wake_int.h"

#include "weir/base/monotonic.h"

#include <stdlib.h>
#include <time.h>

enum {
    /* The pause after a round is this many times as long as the round, within the bounds below. */
    ROUND_SHARE = 8,
    POLL_MIN_US = 150 * 1000,
    /* Changes by others must be seen within this time, so rounds begin no further apart, as far
     * as their own length allows. */
    SEEN_WITHIN_US = 1000 * 1000,
    /* Time-out of each question to the registry, and of each look: the question for the head and
     * the read of headers together. */
    LOOK_US = 500 * 1000,
    /* Longest pause after a round in which the store was late, to relieve it. */
    POLL_LATE_US = ROUND_SHARE * LOOK_US,
    /* Looks at a namespace in which this process is committing, and the pause between them. */
    LOOKS = 20,
    LOOK_PAUSE_NS = 100 * 1000,
    /* Waiters are woken where it has been unknown for so long whether others have written: while
     * own commits are under way, and where the store has not answered in time. */
    UNDECIDED_US = 500 * 1000,
    UNDECIDED_LATE_US = 2000 * 1000,
    /* Limits of a read of appended headers. It has to cost less than the reads that it saves, so
     * its messages are limited by the number of waiters as well. */
    APPENDED_PER_WAITER = 16,
    APPENDED_MAX = 2000,
    APPENDED_BYTES_MAX = 1024 * 1024,
    APPENDED_ARENA_BYTES_MAX = 4 * 1024 * 1024
};

enum look { LOOK_SAME, LOOK_APPENDED, LOOK_CHANGED, LOOK_UNDECIDED, LOOK_LATE };

/* Returns the number of appends between two heads, 0 where something else may have happened. */
static int64_t count_appends(const struct weir_head *before, const struct weir_head *after)
{
    const int64_t n = after->position - before->position;
    return n > 0 && n == after->messages - before->messages ? n : 0;
}

/* Compares the head with that of the last look, and remembers it. LOOK_APPENDED needs both pairs of
 * heads, with own writes and without, to differ by appends alone, so that no import and no removal
 * of this process or of another hides among the appends. */
static enum look compare(struct weir_tenant *tenant, const struct weir_own_writes_seen *own,
                         const struct weir_head *head, int64_t *appended)
{
    const struct weir_head others = weir_own_writes_subtract(own, head);
    const bool is_known = tenant->has_others;
    const bool is_same = is_known && others.position == tenant->others.position &&
                         others.messages == tenant->others.messages;
    const bool is_append =
        is_known && head->is_in_order && count_appends(&tenant->others, &others) > 0;
    *appended = is_append ? count_appends(&tenant->head, head) : 0;
    tenant->head = *head;
    tenant->others = others;
    tenant->has_others = true;
    tenant->certain_us = weir_monotonic_us();
    return is_same ? LOOK_SAME : *appended > 0 ? LOOK_APPENDED : LOOK_CHANGED;
}

/* Looks whether others have changed the namespace: its head has moved by something else than the
 * writes of this process. That is undecided while one of them is under way. A store that fails
 * counts as a change, so that the waiting reads are begun again and fail themselves. With
 * LOOK_APPENDED, *appended is the number of new messages, those of this process included. */
static enum look look_at(struct weir_tenant *tenant, int64_t deadline_us, int64_t *appended)
{
    struct weir_own_writes_seen own;
    if (!weir_own_writes_see(&tenant->own, &own)) {
        return LOOK_UNDECIDED;
    }
    struct weir_head head;
    struct weir_error err;
    weir_error_init(&err);
    const weir_status st = weir_head(weir_tenant_ns(tenant), deadline_us, &head, &err);
    if (st != WEIR_OK) {
        /* The next head that differs wakes all waiters. A failover during the outage may have lost
         * messages: those written in their place are not among the newest by the count. */
        tenant->head.position = INT64_MAX;
        return st == WEIR_DEADLINE_EXCEEDED ? LOOK_LATE : LOOK_CHANGED;
    }
    return weir_own_writes_is_same(&tenant->own, &own) ? compare(tenant, &own, &head, appended)
                                                       : LOOK_UNDECIDED;
}

/* Reads the headers of the newest `n` messages up to the head of the last look. Returns whether
 * they are all there. Messages that have appeared since are left to the next look. */
static bool read_appended(struct weir_tenant *tenant, int64_t n, int64_t deadline_us,
                          struct weir_arena *arena, struct weir_rows *rows)
{
    const struct weir_query query = {.selector = WEIR_SELECT_ALL,
                                     .from = tenant->head.position - n + 1,
                                     .max_messages = n,
                                     .max_bytes = APPENDED_BYTES_MAX,
                                     .is_headers_only = true,
                                     .deadline_us = deadline_us};
    struct weir_error err;
    weir_error_init(&err);
    return weir_read(weir_tenant_ns(tenant), &query, arena, rows, &err) == WEIR_OK &&
           rows->n == (size_t)n && rows->rows[0].global_position == query.from &&
           rows->rows[n - 1].global_position == tenant->head.position;
}

/* Wakes the waiters that the appended messages concern, or all of them where that is cheaper or the
 * messages cannot be read. */
static void tell_appended(struct weir_wake *wake, struct weir_tenant *tenant, int64_t n,
                          int64_t deadline_us)
{
    const int64_t wanted = APPENDED_PER_WAITER * (int64_t)atomic_load(&tenant->waiters_n);
    struct weir_rows rows;
    struct weir_arena arena;
    weir_arena_init(&arena, APPENDED_ARENA_BYTES_MAX, 0);
    if (n <= wanted && n <= APPENDED_MAX && read_appended(tenant, n, deadline_us, &arena, &rows)) {
        weir_wake_rows(wake, tenant, &rows);
    } else {
        weir_wake_tenant(wake, tenant);
    }
    weir_arena_fini(&arena);
}

/* Wakes the waiters where it has been unknown for `patience_us` whether others have written. */
static void tell_uncertain(struct weir_wake *wake, struct weir_tenant *tenant, int64_t patience_us)
{
    const int64_t now_us = weir_monotonic_us();
    if (now_us - tenant->certain_us > patience_us) {
        tenant->certain_us = now_us;
        weir_wake_tenant(wake, tenant);
    }
}

/* Whether the wake list stops: no waiter needs the result of a look then. */
static bool is_stopping(struct weir_wake *wake)
{
    (void)pthread_mutex_lock(&wake->lock);
    const bool is = wake->is_stopping;
    (void)pthread_mutex_unlock(&wake->lock);
    return is;
}

/* Looks at `n` tenants and wakes the waiters of those that have changed. Moves the undecided
 * tenants to the front and returns their number. */
static size_t look_at_all(struct weir_wake *wake, struct weir_tenant **tenants, size_t n,
                          bool *is_late)
{
    size_t undecided = 0;
    for (size_t i = 0; i < n && !is_stopping(wake); i++) {
        struct weir_tenant *tenant = tenants[i];
        const int64_t deadline_us = weir_monotonic_us() + LOOK_US;
        int64_t appended = 0;
        switch (look_at(tenant, deadline_us, &appended)) {
        case LOOK_SAME:
            break;
        case LOOK_APPENDED:
            tell_appended(wake, tenant, appended, deadline_us);
            break;
        case LOOK_CHANGED:
            weir_wake_tenant(wake, tenant);
            break;
        case LOOK_UNDECIDED:
            tenants[i] = tenants[undecided];
            tenants[undecided++] = tenant;
            break;
        case LOOK_LATE:
            *is_late = true;
            tell_uncertain(wake, tenant, UNDECIDED_LATE_US);
            break;
        }
    }
    return undecided;
}

/* Looks at the tenants, and again at the undecided ones: a process that writes all the time leaves
 * moments between two commits. */
static void look_often(struct weir_wake *wake, struct weir_tenant **tenants, size_t n,
                       bool *is_late)
{
    const struct timespec pause = {.tv_nsec = LOOK_PAUSE_NS};
    size_t undecided = look_at_all(wake, tenants, n, is_late);
    for (size_t looks = 1; undecided > 0 && looks < LOOKS; looks++) {
        (void)nanosleep(&pause, NULL);
        undecided = look_at_all(wake, tenants, undecided, is_late);
    }
    for (size_t i = 0; i < undecided; i++) {
        tell_uncertain(wake, tenants[i], UNDECIDED_US);
    }
}

/* Looks the namespace up in the registry. If it has changed there, the tenants call back, which
 * wakes the waiters. */
static void refresh(struct weir_wake *wake, struct weir_tenant *tenant, int64_t max_age_us,
                    struct weir_arena *arena)
{
    struct weir_tenant_lookup lookup = {.max_age_us = max_age_us,
                                        .deadline_us = weir_monotonic_us() + LOOK_US};
    struct weir_error err;
    weir_error_init(&err);
    if (weir_tenants_find(wake->tenants, weir_tenant_id(tenant), arena, &lookup, &err) == WEIR_OK) {
        weir_tenant_release(lookup.tenant);
    }
    weir_arena_reset(arena);
}

/* Returns the tenants that have waiters, each held for the caller; NULL without memory. */
static struct weir_tenant **list_watched(struct weir_wake *wake, size_t *n)
{
    (void)pthread_mutex_lock(&wake->lock);
    *n = 0;
    struct weir_tenant **tenants = malloc((wake->watched_n + 1) * sizeof(struct weir_tenant *));
    struct weir_link *link = wake->watched.next;
    for (; tenants != NULL && link != &wake->watched; link = link->next) {
        tenants[*n] = WEIR_LINKED(link, struct weir_tenant, at_wake);
        weir_tenant_hold(tenants[*n]);
        (*n)++;
    }
    (void)pthread_mutex_unlock(&wake->lock);
    return tenants;
}

/* Runs a round. `period_us`: the estimated time until the next one, by the last. Sets *is_late
 * where the store has not answered a look in time. */
static void look_round(struct weir_wake *wake, int64_t period_us, bool *is_late)
{
    const int64_t max_age_us = period_us < SEEN_WITHIN_US ? SEEN_WITHIN_US - period_us : 0;
    size_t n = 0;
    struct weir_tenant **tenants = list_watched(wake, &n);
    struct weir_arena arena;
    weir_arena_init(&arena, WEIR_NAMESPACE_RECORD_BYTES_MAX, 0);
    for (size_t i = 0; i < n && !is_stopping(wake); i++) {
        refresh(wake, tenants[i], max_age_us, &arena);
    }
    weir_arena_fini(&arena);
    look_often(wake, tenants, n, is_late);
    for (size_t i = 0; i < n; i++) {
        weir_tenant_release(tenants[i]);
    }
    free(tenants);
}

/* Returns the pause after a round that has taken `round_us`. */
static int64_t pause_after(int64_t round_us, bool is_late)
{
    const int64_t pause_us = round_us * ROUND_SHARE;
    const int64_t most_us = is_late ? POLL_LATE_US : SEEN_WITHIN_US - round_us;
    const int64_t wanted_us = pause_us < most_us ? pause_us : most_us;
    return wanted_us > POLL_MIN_US ? wanted_us : POLL_MIN_US;
}

void *weir_wake_poll(void *context)
{
    struct weir_wake *wake = context;
    int64_t period_us = POLL_MIN_US;
    int64_t next_us = weir_monotonic_us() + period_us;
    (void)pthread_mutex_lock(&wake->lock);
    while (!wake->is_stopping) {
        if (wake->watched_n == 0) {
            (void)pthread_cond_wait(&wake->poll, &wake->lock);
            continue;
        }
        if (weir_monotonic_us() < next_us) {
            (void)weir_cond_wait_until(&wake->poll, &wake->lock, next_us);
            continue;
        }
        (void)pthread_mutex_unlock(&wake->lock);
        const int64_t before_us = weir_monotonic_us();
        bool is_late = false;
        look_round(wake, period_us, &is_late);
        const int64_t round_us = weir_monotonic_us() - before_us;
        period_us = round_us + pause_after(round_us, is_late);
        next_us = before_us + period_us;
        (void)pthread_mutex_lock(&wake->lock);
    }
    (void)pthread_mutex_unlock(&wake->lock);
    return NULL;
}
