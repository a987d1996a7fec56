#include "server/calls/write_lane.h"

#include "server/calls/dispatch.h"
#include "server/calls/server_parts.h"
#include "server/namespaces/tenants.h"
#include "server/transport/deferred.h"
#include "server/transport/exchange.h"
#include "server/transport/nng_tasks.h"
#include "server/waiting/wake.h"
#include "weir/base/monotonic.h"

/* The write has its outcome: wakes the reads that wait for it, and finishes the call. */
static void written(struct weir_write *write)
{
    struct weir_call *call = write->context;
    weir_status st = call->err.status;
    if (st == WEIR_OK) {
        const int64_t change = weir_wake_committed(call->server->wake, call->tenant, write);
        weir_metrics_written(&call->server->metrics, change);
        st = call->on_written(call, &call->err);
    }
    weir_dispatch_finish(call, st);
}

/* Answers the calls of a group. All replies are announced first, so that they leave together. The
 * server may be gone afterwards. */
static void finish_group(struct weir_server *server, struct weir_write *group)
{
    size_t n = 0;
    for (const struct weir_write *write = group; write != NULL; write = write->next) {
        const struct weir_call *call = write->context;
        weir_exchange_announce(call->exchange);
        n++;
    }
    if (n > 0) {
        weir_metrics_group(&server->metrics, n);
        weir_nng_tasks_burst_begin();
        weir_group_finish(group);
        weir_nng_tasks_burst_end();
    }
}

static void lead_by_job(struct weir_job *job);

/* Whether the leader must hand on the lead: a thread of the transport leads one group only, and a
 * busy lane must not hold a worker for long while other jobs wait. */
static bool must_hand_on(const struct weir_server *server, int64_t until_us)
{
    return weir_dispatch_is_on_the_spot() ||
           (weir_queue_length(&server->queue) > 0 && weir_monotonic_us() > until_us);
}

static bool commit(struct weir_tenant *tenant, struct weir_write **group)
{
    weir_own_writes_begin(&tenant->own);
    const bool still_leads = weir_lane_commit(weir_tenant_ns(tenant), group);
    weir_own_writes_end(&tenant->own, *group);
    return still_leads;
}

/* Leads the lane. A lead is handed on before the group is finished, so that the next group is
 * committed meanwhile. A leader that goes on finishes the group first: leaving that to another
 * thread costs more than it gains. */
static void lead(struct weir_server *server, struct weir_tenant *tenant)
{
    struct weir_write *group = NULL;
    const int64_t until_us = weir_monotonic_us() + WEIR_LEAD_US;
    while (commit(tenant, &group)) {
        if (must_hand_on(server, until_us)) {
            weir_queue_push(&server->queue, &tenant->lane_job);
            finish_group(server, group);
            return;
        }
        finish_group(server, group);
    }
    finish_group(server, group);
    weir_tenant_release(tenant);
}

static void lead_by_job(struct weir_job *job)
{
    struct weir_tenant *tenant = weir_tenant_of_lane_job(job);
    lead(tenant->lane_server, tenant);
}

/* Ends the late writes of a lane whose leader waits for a worker. */
static bool expire_queued(struct weir_job *job)
{
    weir_lane_end_late(weir_tenant_ns(weir_tenant_of_lane_job(job)));
    return true;
}

static void lead_by_worker(void *context)
{
    struct weir_tenant *tenant = context;
    weir_queue_push(&tenant->lane_server->queue, &tenant->lane_job);
}

/* A thread that has the spot already is about to begin something long. It leads first where the
 * commit is in memory; elsewhere it leaves the lead to a worker, which commits meanwhile. */
static void lead_on_the_spot(void *context)
{
    struct weir_tenant *tenant = context;
    struct weir_server *server = tenant->lane_server;
    if (weir_dispatch_is_on_the_spot() && weir_store_is_in_memory(server->store)) {
        lead(server, tenant);
    } else if (weir_dispatch_take_spot(server)) {
        lead(server, tenant);
        weir_dispatch_leave_spot(server);
    } else {
        lead_by_worker(tenant);
    }
}

void weir_write_lane_start(struct weir_call *call)
{
    struct weir_server *server = call->server;
    struct weir_tenant *tenant = call->tenant;
    const bool is_by_worker = !call->must_not_block;
    call->write.done = written;
    call->write.context = call;
    /* Another leader may finish the call before this returns; where there was none it is still
     * there. */
    if (!weir_write_submit(weir_tenant_ns(tenant), &call->write)) {
        return;
    }
    weir_tenant_hold(tenant);
    tenant->lane_server = server;
    tenant->lane_job =
        (struct weir_job){.run = lead_by_job, .expire = expire_queued, .owner = call->owner};
    if (is_by_worker) {
        lead(server, tenant);
    } else if (!weir_store_is_local(server->store)) {
        lead_by_worker(tenant);
    } else if (!weir_defer(lead_on_the_spot, lead_by_worker, tenant)) {
        lead_on_the_spot(tenant);
    }
}
