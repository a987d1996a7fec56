#include "server/calls/slow_reads.h"

#include "server/calls/admission.h"
#include "server/calls/dispatch.h"
#include "server/calls/server_parts.h"
#include "server/namespaces/tenants.h"
#include "server/transport/deferred.h"
#include "weir/base/monotonic.h"

void weir_slow_reads_init(struct weir_slow_reads *reads, size_t turns)
{
    *reads = (struct weir_slow_reads){.turns = turns};
    weir_link_init(&reads->waiting);
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

/* Takes a turn for a job. False where none is free: the job is queued, and another thread may have
 * run it already. */
static bool take_turn(struct weir_slow_reads *reads, struct weir_job *job)
{
    (void)pthread_mutex_lock(&reads->lock);
    const bool is_free = reads->turns > 0;
    if (is_free) {
        reads->turns--;
    } else {
        weir_link_append(&reads->waiting, &job->queued);
    }
    (void)pthread_mutex_unlock(&reads->lock);
    return is_free;
}

/* Gives the turn to the next job in the queue, which a worker runs, or back. */
static void pass_turn_on(struct weir_server *server)
{
    struct weir_slow_reads *reads = &server->slow_reads;
    (void)pthread_mutex_lock(&reads->lock);
    struct weir_job *job = WEIR_FIRST_LINKED(&reads->waiting, struct weir_job, queued);
    if (job == NULL) {
        reads->turns++;
    } else {
        weir_link_remove(&job->queued);
    }
    (void)pthread_mutex_unlock(&reads->lock);
    if (job != NULL) {
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

/* Whether the read needs a turn, and so has one while a worker has its job: other reads come here
 * from the spot only. */
static bool needs_turn(const struct weir_call *call)
{
    return weir_query_is_slow(&call->read.query);
}

/* Whether the read may begin; where it needs a turn and none is free, it is queued. */
static bool may_begin(struct weir_call *call)
{
    return !needs_turn(call) || take_turn(&call->server->slow_reads, &call->job);
}

static void pass_on(const struct weir_call *call)
{
    if (needs_turn(call)) {
        pass_turn_on(call->server);
    }
}

/* Does the read, on a worker. */
static void read_by_worker(struct weir_job *job)
{
    struct weir_call *call = weir_call_of_job(job);
    read_after_wait(call);
    weir_slow_reads_end_late(call->server);
    pass_on(call);
    continue_call(call);
}

/* Ends a read that may begin, waits for a worker, and has passed its deadline. */
static bool expire(struct weir_job *job)
{
    struct weir_call *call = weir_call_of_job(job);
    if (call->read.query.deadline_us > weir_monotonic_us()) {
        return true;
    }
    pass_on(call);
    weir_call_fail_late_read(call);
    continue_call(call);
    return false;
}

/* ---- on the spot ---- */

/* Has a worker do a read that has taken too long on the spot. */
static void leave_to_worker(struct weir_call *call)
{
    if (may_begin(call)) {
        weir_queue_push(&call->server->queue, &call->job);
    }
}

/* Reads on the spot, for WEIR_SPOT_US at most. An attempt that has failed for lack of time gives
 * its memory back to the arena, so that the next one has as much. */
static void read_on_the_spot(struct weir_call *call)
{
    const struct weir_arena_mark mark = weir_arena_mark(&call->arena);
    if (!weir_query_is_small(&call->read.query)) {
        weir_deferred_run();
    }
    weir_call_limit_read(call, weir_dispatch_store_deadline(call));
    read_now(call);
    if (weir_call_renew_read(call)) {
        weir_arena_rewind(&call->arena, &mark);
        leave_to_worker(call);
    } else {
        continue_call(call);
    }
}

/* ---- starting and ending ---- */

void weir_slow_reads_start(struct weir_call *call)
{
    call->job = (struct weir_job){.run = read_by_worker, .expire = expire};
    if (weir_dispatch_is_on_the_spot()) {
        read_on_the_spot(call);
    } else if (may_begin(call)) {
        read_by_worker(&call->job);
    }
}

void weir_slow_reads_end_late(struct weir_server *server)
{
    struct weir_slow_reads *reads = &server->slow_reads;
    weir_call_end_late_reads(&reads->waiting, &reads->lock, continue_call);
}
