#include "server/calls/read_lane.h"

#include "server/calls/admission.h"
#include "server/calls/dispatch.h"
#include "weir/base/monotonic.h"

enum {
    /* One group is read while the replies to the other are packed and sent. */
    LEADERS = 2,
    LEADERS_MOST = 8,
    /* A read of a group takes a tenth of it where all is in memory. */
    SLOW_US = 1000,
    AVERAGE_OF = 16,  // groups, about
    HANGS_AFTER_US = 20 * 1000,
    /* nng releases no connection while one whose request is read on the spot has gone. */
    SPOT_US = 1000 * 1000
};

void weir_read_lane_init(struct weir_read_lane *lane)
{
    *lane = (struct weir_read_lane){.first = NULL};
    lane->last = &lane->first;
    /* On Linux initialising a plain mutex takes nothing and cannot fail. */
    (void)pthread_mutex_init(&lane->lock, NULL);
}

void weir_read_lane_fini(struct weir_read_lane *lane)
{
    (void)pthread_mutex_destroy(&lane->lock);
}

/* ---- the queue; with its lock held ---- */

static bool is_slow_locked(const struct weir_read_lane *lane)
{
    return lane->us_per_read > SLOW_US;
}

/* As far as is known: the first read may have to connect. */
static bool is_quick_locked(const struct weir_read_lane *lane)
{
    return lane->has_answered && !is_slow_locked(lane);
}

static bool may_be_led_locked(const struct weir_read_lane *lane)
{
    return lane->leaders < LEADERS ||
           (lane->leaders < LEADERS_MOST &&
            (is_slow_locked(lane) || weir_monotonic_us() - lane->moved_us > HANGS_AFTER_US));
}

static void append_locked(struct weir_read_lane *lane, struct weir_read *read)
{
    *lane->last = read;
    lane->last = &read->next;
}

/* The first is taken whatever there is to lead it with; NULL if there is none. */
static struct weir_read *take_first_locked(struct weir_read_lane *lane)
{
    struct weir_read *read = lane->first;
    if (read != NULL) {
        lane->first = read->next;
        if (lane->first == NULL) {
            lane->last = &lane->first;
        }
        read->next = NULL;
    }
    return read;
}

/* Whether whoever brought it is to lead, beginning with it; otherwise it is with those who do, and
 * is gone once the lock is. */
static bool enter_locked(struct weir_read_lane *lane, struct weir_read *read)
{
    const bool leads = may_be_led_locked(lane);
    if (leads) {
        lane->leaders++;
    } else {
        append_locked(lane, read);
    }
    return leads;
}

/* Links what may go with `read` behind it. Returns how many they are together. */
static size_t join_locked(struct weir_read_lane *lane, struct weir_read *read)
{
    const size_t most = is_slow_locked(lane) ? 1 : WEIR_READ_GROUP_MAX;
    int64_t messages = read->query.max_messages;
    size_t n = 1;
    while (n < most && lane->first != NULL) {
        messages += lane->first->query.max_messages;
        if (messages > WEIR_READ_GROUP_MESSAGES) {
            break;
        }
        read->next = take_first_locked(lane);
        read = read->next;
        n++;
    }
    return n;
}

/* ---- what is late ---- */

static void done(struct weir_read *read);

static struct weir_read *take_late(struct weir_read_lane *lane)
{
    const int64_t now_us = weir_monotonic_us();
    struct weir_read *late = NULL;
    struct weir_read **late_last = &late;
    (void)pthread_mutex_lock(&lane->lock);
    struct weir_read *read = lane->first;
    lane->first = NULL;
    lane->last = &lane->first;
    for (struct weir_read *next = NULL; read != NULL; read = next) {
        next = read->next;
        read->next = NULL;
        if (read->query.deadline_us <= now_us) {
            *late_last = read;
            late_last = &read->next;
        } else {
            append_locked(lane, read);
        }
    }
    (void)pthread_mutex_unlock(&lane->lock);
    return late;
}

static void end_late(struct weir_read *late)
{
    for (struct weir_read *next = NULL; late != NULL; late = next) {
        next = late->next;
        late->next = NULL;
        weir_call_fail_late_read(late->context);
        done(late);
    }
}

/* The lane that this thread leads; NULL if there is none. */
static _Thread_local struct weir_read_lane *own_lane;

void weir_read_lane_end_late(void)
{
    if (own_lane != NULL) {
        end_late(take_late(own_lane));
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

static void read_group(struct weir_tenant *tenant, struct weir_read *first)
{
    struct weir_read_lane *lane = &tenant->reads;
    const int64_t start_us = weir_monotonic_us();
    (void)pthread_mutex_lock(&lane->lock);
    const size_t n = join_locked(lane, first);
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

/* What took too long for the spot has time yet, and a worker can wait. */
static void begin_again(struct weir_call *call)
{
    struct weir_read_lane *lane = &call->tenant->reads;
    call->read.next = NULL;
    (void)pthread_mutex_lock(&lane->lock);
    const bool leads = enter_locked(lane, &call->read);
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

static void done(struct weir_read *read)
{
    struct weir_call *call = read->context;
    if (weir_call_renew_read(call)) {
        begin_again(call);
        return;
    }
    check_unread(call);
    weir_dispatch_go_on(call, call->on_read(call, &call->err));
}

/* What the leader goes on with; NULL where he has ceased to lead. */
static struct weir_call *go_on(struct weir_read_lane *lane)
{
    (void)pthread_mutex_lock(&lane->lock);
    struct weir_read *read = take_first_locked(lane);
    lane->leaders -= read == NULL;
    (void)pthread_mutex_unlock(&lane->lock);
    return read == NULL ? NULL : read->context;
}

/* Busy lanes must hold neither the transport nor all workers. */
static bool must_hand_on(const struct weir_server *server, int64_t until_us)
{
    return (weir_dispatch_is_on_the_spot() || weir_queue_length(&server->queue) > 0) &&
           weir_monotonic_us() > until_us;
}

/* Leads, beginning with this read. */
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
            done(&call->read);
        }
        call = go_on(&tenant->reads);
    }
    weir_tenant_release(tenant);
}

static void lead_by_job(struct weir_job *job)
{
    lead(weir_call_of_job(job));
}

/* Who is to lead has not begun. Where that is too late for his own read, the next one is to. */
static bool end_if_late(struct weir_job *job)
{
    struct weir_call *call = weir_call_of_job(job);
    struct weir_server *server = call->server;
    struct weir_tenant *tenant = call->tenant;
    const bool is_late = call->read.query.deadline_us <= weir_monotonic_us();
    weir_tenant_hold(tenant);
    end_late(take_late(&tenant->reads));
    if (is_late) {
        end_late(&call->read);
        call = go_on(&tenant->reads);
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
    call->read.done = done;
    call->read.context = call;
    call->read.next = NULL;
    call->job = (struct weir_job){.run = lead_by_job, .look = end_if_late};
    (void)pthread_mutex_lock(&lane->lock);
    const bool is_quick = is_quick_locked(lane);
    const bool leads = enter_locked(lane, &call->read);
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
