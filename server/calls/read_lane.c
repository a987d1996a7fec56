/* States of a read in the lane: queued; leading, as the job of its call, on a thread or in the
 * workers' queue; in the group that a leader has given to the store; done.
 *
 * A queued read always has a leader to take it, since lane->leaders counts a leader until it finds
 * the queue empty under the lock. A leader reads a group that begins with its own read, has its
 * calls finished, and goes on with the first queued read. It hands the lead on, which means pushing
 * the job of its next read, where it keeps other work waiting. A leader whose own read expires
 * before a worker has begun with it passes the lead to the next read (expire_leader).
 *
 * Threads: workers, and the transport's thread on the spot; the latter limits its reads to SPOT_US,
 * after which a worker does them again. lane->lock is a leaf, and is not held while the store, the
 * queue or dispatch is called. The tenant, which holds the lane, is held while a thread leads. */
#include "server/calls/read_lane.h"

#include "server/calls/admission.h"
#include "server/calls/dispatch.h"
#include "server/calls/server_parts.h"
#include "server/namespaces/tenants.h"
#include "weir/base/monotonic.h"

enum {
    /* Two: one group is read while the replies to the other are packed and sent. */
    LEADERS = 2,
    LEADERS_MOST = 8,  // where the store is slow, or leaders seem to hang
    /* The store is slow above that: a read of a group takes a tenth where all is in memory. */
    SLOW_US = 1000,
    AVERAGE_OF = 16,             // groups that us_per_read averages, about
    HANGS_AFTER_US = 20 * 1000,  // leaders that have not moved for so long seem to hang
    /* The longest read on the spot: if the connection whose request is served there ends, nng
     * releases no connection until the spot is left. */
    SPOT_US = 1000 * 1000
};

/* ---- the queue; with the lock held ---- */

static bool is_slow_locked(const struct weir_read_lane *lane)
{
    return lane->us_per_read > SLOW_US;
}

/* Whether the store has been quick. False before the first group: that may have to connect. */
static bool is_quick_locked(const struct weir_read_lane *lane)
{
    return lane->has_answered && !is_slow_locked(lane);
}

/* Whether another leader is allowed. */
static bool may_be_led_locked(const struct weir_read_lane *lane)
{
    return lane->leaders < LEADERS ||
           (lane->leaders < LEADERS_MOST &&
            (is_slow_locked(lane) || weir_monotonic_us() - lane->moved_us > HANGS_AFTER_US));
}

/* Returns the call whose read was queued first; NULL if there is none. */
static struct weir_call *first_locked(const struct weir_read_lane *lane)
{
    struct weir_job *job = WEIR_FIRST_LINKED(&lane->queued, struct weir_job, queued);
    return job == NULL ? NULL : weir_call_of_job(job);
}

/* Makes the caller a leader that begins with the read of this call, and returns true; or queues the
 * read and returns false: the call may be gone as soon as the lock is released. */
static bool lead_or_queue_locked(struct weir_read_lane *lane, struct weir_call *call)
{
    const bool leads = may_be_led_locked(lane);
    if (leads) {
        lane->leaders++;
    } else {
        weir_link_append(&lane->queued, &call->job.queued);
    }
    return leads;
}

/* Links queued reads behind `read` as its group. Returns the size of the group. */
static size_t fill_group_locked(struct weir_read_lane *lane, struct weir_read *read)
{
    const size_t most = is_slow_locked(lane) ? 1 : WEIR_READ_GROUP_MAX;
    int64_t messages = read->query.max_messages;
    size_t n = 1;
    struct weir_call *call = NULL;
    while (n < most && (call = first_locked(lane)) != NULL) {
        messages += call->read.query.max_messages;
        if (messages > WEIR_READ_GROUP_MESSAGES) {
            break;
        }
        weir_link_remove(&call->job.queued);
        read->next = &call->read;
        read = read->next;
        n++;
    }
    read->next = NULL;
    return n;
}

/* ---- deadlines ---- */

static void read_done(struct weir_read *read);

static void go_on(struct weir_call *call)
{
    read_done(&call->read);
}

/* Ends the queued reads of a lane whose deadline has passed. */
static void end_late(struct weir_read_lane *lane)
{
    weir_call_end_late_reads(&lane->queued, &lane->lock, go_on);
}

/* ---- hanging leaders ---- */

/* Has a worker lead from the first queued read on, where another leader is allowed. A read that
 * was queued before the leaders seemed to hang would otherwise wait for a later one. */
static void lead_by_another(struct weir_read_lane *lane)
{
    (void)pthread_mutex_lock(&lane->lock);
    struct weir_call *call = may_be_led_locked(lane) ? first_locked(lane) : NULL;
    if (call != NULL) {
        weir_link_remove(&call->job.queued);
        lane->leaders++;
    }
    (void)pthread_mutex_unlock(&lane->lock);
    if (call != NULL) {
        weir_queue_push(&call->server->queue, &call->job);
    }
}

/* The lane whose group this thread is reading; NULL if none. */
static _Thread_local struct weir_read_lane *own_lane;

void weir_read_lane_is_kept_waiting(void)
{
    if (own_lane != NULL) {
        end_late(own_lane);
        lead_by_another(own_lane);
    }
}

/* ---- leading ---- */

static void limit_on_the_spot(struct weir_read *group, int64_t now_us)
{
    if (!weir_dispatch_is_on_the_spot()) {
        return;
    }
    for (struct weir_read *read = group; read != NULL; read = read->next) {
        weir_call_limit_read(read->context, now_us + SPOT_US);
    }
}

/* Reads a group that begins with `first`, and measures it. */
static void read_group(struct weir_tenant *tenant, struct weir_read *first)
{
    struct weir_read_lane *lane = &tenant->reads;
    const int64_t start_us = weir_monotonic_us();
    (void)pthread_mutex_lock(&lane->lock);
    const size_t n = fill_group_locked(lane, first);
    lane->moved_us = start_us;
    (void)pthread_mutex_unlock(&lane->lock);
    limit_on_the_spot(first, start_us);
    own_lane = lane;
    weir_read_group(weir_tenant_ns(tenant), first);
    own_lane = NULL;
    const int64_t end_us = weir_monotonic_us();
    (void)pthread_mutex_lock(&lane->lock);
    lane->us_per_read += ((end_us - start_us) / (int64_t)n - lane->us_per_read) / AVERAGE_OF;
    lane->moved_us = end_us;
    lane->has_answered = true;
    (void)pthread_mutex_unlock(&lane->lock);
}

/* Puts a read that took too long for the spot back into its lane: it has time left, and a worker
 * can wait for it. */
static void requeue(struct weir_call *call)
{
    struct weir_read_lane *lane = &call->tenant->reads;
    (void)pthread_mutex_lock(&lane->lock);
    const bool leads = lead_or_queue_locked(lane, call);
    (void)pthread_mutex_unlock(&lane->lock);
    if (leads) {
        weir_queue_push(&call->server->queue, &call->job);
    }
}

/* Checks the bound on unread replies once more: the reads of a group were checked when they
 * arrived, and each reply counts against the next one. */
static void check_unread(struct weir_call *call)
{
    if (call->err.status == WEIR_OK && call->read.rows.n > 0) {
        (void)weir_admission_check_unread(call->server, call->exchange, &call->err);
    }
}

/* Goes on with a read that has its outcome. */
static void read_done(struct weir_read *read)
{
    struct weir_call *call = read->context;
    if (weir_call_renew_read(call)) {
        requeue(call);
        return;
    }
    check_unread(call);
    weir_dispatch_go_on(call, call->on_read(call, &call->err));
}

/* Returns the call with which the leader goes on; NULL where it has ceased to lead. */
static struct weir_call *next_call(struct weir_read_lane *lane)
{
    (void)pthread_mutex_lock(&lane->lock);
    struct weir_call *call = first_locked(lane);
    if (call != NULL) {
        weir_link_remove(&call->job.queued);
    } else {
        lane->leaders--;
    }
    (void)pthread_mutex_unlock(&lane->lock);
    return call;
}

/* Whether the leader must hand on the lead: a busy lane must hold neither the transport nor all
 * workers. */
static bool must_hand_on(const struct weir_server *server, int64_t until_us)
{
    return (weir_dispatch_is_on_the_spot() || weir_queue_length(&server->queue) > 0) &&
           weir_monotonic_us() > until_us;
}

/* Leads the lane, beginning with the read of this call. */
static void lead(struct weir_call *call)
{
    struct weir_server *server = call->server;
    struct weir_tenant *tenant = call->tenant;
    weir_tenant_hold(tenant);
    const int64_t until_us = weir_monotonic_us() + WEIR_LEAD_US;
    while (call != NULL) {
        if (must_hand_on(server, until_us)) {
            weir_queue_push(&server->queue, &call->job);
            break;
        }
        if (weir_admission_check_unread(server, call->exchange, &call->err) == WEIR_OK) {
            read_group(tenant, &call->read);
        } else {
            read_done(&call->read);
        }
        call = next_call(&tenant->reads);
    }
    weir_tenant_release(tenant);
}

static void lead_by_job(struct weir_job *job)
{
    lead(weir_call_of_job(job));
}

/* Ends the late reads of a lane whose leader waits for a worker. Where the leader's own read is
 * late, the lead passes to the next queued read. */
static bool expire_leader(struct weir_job *job)
{
    struct weir_call *call = weir_call_of_job(job);
    struct weir_server *server = call->server;
    struct weir_tenant *tenant = call->tenant;
    const bool is_late = call->read.query.deadline_us <= weir_monotonic_us();
    weir_tenant_hold(tenant);
    end_late(&tenant->reads);
    if (is_late) {
        weir_call_fail_late_read(call);
        read_done(&call->read);
        call = next_call(&tenant->reads);
        if (call != NULL) {
            weir_queue_push(&server->queue, &call->job);
        }
    }
    weir_tenant_release(tenant);
    return !is_late;
}

void weir_read_lane_start(struct weir_call *call)
{
    struct weir_read_lane *lane = &call->tenant->reads;
    struct weir_server *server = call->server;
    const bool is_on_worker = !call->must_not_block;
    call->read.arena = &call->arena;
    call->read.err = &call->err;
    call->read.done = read_done;
    call->read.context = call;
    call->job =
        (struct weir_job){.run = lead_by_job, .expire = expire_leader, .owner = call->owner};
    (void)pthread_mutex_lock(&lane->lock);
    const bool is_quick = is_quick_locked(lane);
    const bool leads = lead_or_queue_locked(lane, call);
    (void)pthread_mutex_unlock(&lane->lock);
    if (leads && is_on_worker) {
        lead(call);
    } else if (leads && is_quick && weir_dispatch_take_spot(server)) {
        lead(call);
        weir_dispatch_leave_spot(server);
    } else if (leads) {
        weir_queue_push(&server->queue, &call->job);
    }
}
