#include "server/calls/slow_reads.h"

#include "server/calls/admission.h"
#include "server/calls/dispatch.h"
#include "server/calls/server_parts.h"
#include "server/namespaces/tenants.h"
#include "server/transport/deferred.h"
#include "weir/base/monotonic.h"

void weir_slow_reads_init(struct weir_slow_reads *reads, size_t turns)
{
    weir_turns_init(&reads->turns, turns);
    /* On Linux initialising a plain mutex takes nothing and cannot fail. */
    (void)pthread_mutex_init(&reads->lock, NULL);
}

void weir_slow_reads_fini(struct weir_slow_reads *reads)
{
    (void)pthread_mutex_destroy(&reads->lock);
}

bool weir_query_is_slow(const struct weir_query *query)
{
    return query->max_messages > 0 && (query->types_n > 0 || query->correlation.p != NULL ||
                                       query->group_size > 0 || query->is_from_global);
}

/* ---- turns ---- */

/* Has a call's read wait for a turn, which it may get at once. False where it does not: another
 * thread may have done the read by then. */
static bool take_turn(struct weir_call *call)
{
    struct weir_slow_reads *reads = &call->server->slow_reads;
    (void)pthread_mutex_lock(&reads->lock);
    weir_turns_add(&reads->turns, &call->job);
    /* No other job can be next: it would have had its turn before. */
    const bool is_free = weir_turns_take(&reads->turns, false) != NULL;
    (void)pthread_mutex_unlock(&reads->lock);
    return is_free;
}

/* Ends a turn, and has workers run the jobs that get one by that. */
static void pass_turn_on(struct weir_server *server, uint32_t owner)
{
    struct weir_slow_reads *reads = &server->slow_reads;
    struct weir_link next;
    struct weir_job *job = NULL;
    weir_link_init(&next);
    (void)pthread_mutex_lock(&reads->lock);
    weir_turns_end(&reads->turns, owner);
    while ((job = weir_turns_take(&reads->turns, false)) != NULL) {
        weir_link_append(&next, &job->queued);
    }
    (void)pthread_mutex_unlock(&reads->lock);
    while ((job = WEIR_FIRST_LINKED(&next, struct weir_job, queued)) != NULL) {
        weir_link_remove(&job->queued);
        weir_queue_push(&server->queue, job);
    }
}

/* ---- reads ---- */

static void continue_call(struct weir_call *call)
{
    weir_dispatch_go_on(call, call->on_read(call, &call->err));
}

static void read_now(struct weir_call *call)
{
    (void)weir_read(weir_tenant_ns(call->tenant), &call->read.query, &call->arena, &call->read.rows,
                    &call->err);
}

/* Reads where no bound on unread replies has been reached while the read waited. */
static void read_after_wait(struct weir_call *call)
{
    if (weir_admission_check_unread(call->server, call->exchange, &call->err) == WEIR_OK) {
        read_now(call);
    }
}

/* Does the read in its turn, on a worker. */
static void read_by_worker(struct weir_job *job)
{
    struct weir_call *call = weir_call_of_job(job);
    read_after_wait(call);
    weir_slow_reads_end_late(call->server);
    pass_turn_on(call->server, call->job.owner);
    continue_call(call);
}

/* Ends a read that has its turn, waits for a worker, and has passed its deadline. */
static bool expire(struct weir_job *job)
{
    struct weir_call *call = weir_call_of_job(job);
    if (call->read.query.deadline_us > weir_monotonic_us()) {
        return true;
    }
    pass_turn_on(call->server, call->job.owner);
    weir_call_fail_late_read(call);
    continue_call(call);
    return false;
}

/* ---- without a turn ---- */

/* Reads for WEIR_SPOT_US at most; what takes longer is read again in its turn. An attempt that has
 * failed for lack of time gives its memory back to the arena, so that the next one has as much. */
static void read_briefly(struct weir_call *call)
{
    const struct weir_arena_mark mark = weir_arena_mark(&call->arena);
    if (!weir_query_is_small(&call->read.query)) {
        weir_deferred_run();
    }
    weir_call_limit_read(call, weir_monotonic_us() + WEIR_SPOT_US);
    read_now(call);
    if (!weir_call_renew_read(call)) {
        continue_call(call);
        return;
    }
    weir_arena_rewind(&call->arena, &mark);
    if (take_turn(call)) {
        weir_queue_push(&call->server->queue, &call->job);
    }
}

/* ---- starting and ending ---- */

void weir_slow_reads_start(struct weir_call *call)
{
    call->job = (struct weir_job){.run = read_by_worker, .expire = expire, .owner = call->owner};
    if (weir_dispatch_is_on_the_spot() || !weir_query_is_slow(&call->read.query)) {
        read_briefly(call);
    } else if (take_turn(call)) {
        read_by_worker(&call->job);
    }
}

void weir_slow_reads_end_late(struct weir_server *server)
{
    struct weir_slow_reads *reads = &server->slow_reads;
    struct weir_link waiting;
    struct weir_link late;
    weir_link_init(&waiting);
    weir_link_init(&late);
    (void)pthread_mutex_lock(&reads->lock);
    weir_turns_take_out(&reads->turns, &waiting);
    weir_call_take_late_reads(&waiting, &late);
    weir_turns_put_back(&reads->turns, &waiting);
    (void)pthread_mutex_unlock(&reads->lock);
    weir_call_end_taken_reads(&late, continue_call);
}
