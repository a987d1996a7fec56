#include "server/calls/long_poll.h"

#include "server/calls/admission.h"
#include "server/calls/dispatch.h"
#include "server/calls/reply_rows.h"
#include "server/calls/server_parts.h"
#include "server/namespaces/tenants.h"
#include "server/transport/exchange.h"
#include "server/waiting/wake.h"
#include "weir/base/fail.h"
#include "weir/base/monotonic.h"

enum {
    /* Time between the end of a wait and the call's deadline, or a quarter of the call's time-out
     * if that is less, so that the answer arrives before the deadline. */
    MARGIN_US = 100 * 1000,
    /* The largest request that may wait, since it is kept in memory. A request with as many types
     * as allowed is smaller. */
    KEPT_REQUEST_BYTES = 32 * 1024
};

/* ---- for handlers ---- */

static int64_t end_of_wait(const struct weir_call *call, uint32_t wait_ms)
{
    const int64_t quarter_us = (call->deadline_us - call->arrived_us) / 4;
    const int64_t last_us = call->deadline_us - (quarter_us < MARGIN_US ? quarter_us : MARGIN_US);
    const int64_t until_us = call->arrived_us + (int64_t)wait_ms * 1000;
    return until_us < last_us ? until_us : last_us;
}

static struct weir_interest interest_of(const struct weir_query *query)
{
    struct weir_interest interest = {
        .selector = query->selector,
        .name = query->selector == WEIR_SELECT_ALL ? weir_slice("", 0) : query->name,
        .group_size = query->group_size,
        .group_member = query->group_member,
    };
    for (size_t i = 0; i < query->types_n; i++) {
        interest.types |= weir_interest_mark(query->types[i]);
    }
    if (query->correlation.p != NULL) {
        interest.correlation = weir_interest_mark(query->correlation);
    }
    return interest;
}

weir_status weir_long_poll_watch(struct weir_call *call, struct weir_query *query, uint32_t wait_ms,
                                 bool *watches, struct weir_error *err)
{
    struct weir_server *server = call->server;
    struct weir_waiter *waiter = weir_exchange_waiter(call->exchange);
    *watches = false;
    /* The namespace in which the read waited was deleted, and another one has its id. */
    if (waiter->is_resumed && waiter->created_at_us != call->tenant->created_at_us) {
        return weir_fail_no_namespace(err, weir_tenant_id(call->tenant));
    }
    /* A start by global position stays in force until a message has been found. */
    if (waiter->is_resumed && !query->is_from_global) {
        query->from = waiter->next_position;
    }
    waiter->created_at_us = call->tenant->created_at_us;
    waiter->until_us = end_of_wait(call, wait_ms);
    if (wait_ms == 0 || query->max_messages == 0 || waiter->until_us <= weir_monotonic_us()) {
        return WEIR_OK;
    }
    const size_t request_n = weir_exchange_request(call->exchange).n;
    if (request_n > KEPT_REQUEST_BYTES) {
        return weir_fail_limit(err, "size of a long poll's request in bytes", KEPT_REQUEST_BYTES,
                               request_n);
    }
    const struct weir_interest interest = interest_of(query);
    *watches = weir_wake_arm(server->wake, waiter, call->tenant, &interest);
    return *watches
               ? WEIR_OK
               : weir_fail(err, WEIR_BACKEND_UNAVAILABLE, "out of memory for another long poll");
}

void weir_long_poll_end(struct weir_call *call)
{
    weir_wake_disarm(call->server->wake, weir_exchange_waiter(call->exchange));
}

/* The limit applies here and not before the read: a read that finds something never waits. */
weir_status weir_long_poll_wait(struct weir_call *call, int64_t next_position,
                                struct weir_error *err)
{
    struct weir_server *server = call->server;
    struct weir_waiter *waiter = weir_exchange_waiter(call->exchange);
    if (!waiter->is_resumed && !weir_places_take(&server->waiting_places, call->owner)) {
        weir_long_poll_end(call);
        return weir_places_fail(&server->waiting_places, call->owner, "reads that wait",
                                "--max-waiting", err);
    }
    waiter->next_position = next_position;
    call->step = WEIR_CALL_WAITS;
    return WEIR_OK;
}

/* ---- parking and waking ---- */

void weir_long_poll_park(struct weir_call *call)
{
    struct weir_server *server = call->server;
    struct weir_exchange *exchange = call->exchange;
    struct weir_waiter *waiter = weir_exchange_waiter(exchange);
    const size_t request_n = weir_exchange_request(exchange).n;
    const bool is_first = !waiter->is_resumed;
    waiter->method = call->method;
    weir_tenant_release(call->tenant);
    weir_calls_give_back(&server->calls, call);
    waiter->is_resumed = true;
    if (is_first) {
        atomic_fetch_add(&server->waiting, 1);
        weir_admission_answers(server, exchange, false);
        weir_exchange_make_way(exchange);
    }
    const bool *is_gone = NULL;
    struct weir_link *peer = weir_exchange_peer(exchange, &is_gone);
    weir_wake_park(server->wake, waiter, peer, is_gone);
    if (is_first) {
        weir_admission_finished(server, request_n);
    }
}

/* Answers with no messages and the position to go on at. */
static void answer_nothing(struct weir_exchange *exchange, int64_t next_position)
{
    const struct weir_rows rows = {.n = 0, .next_position = next_position};
    const size_t payload_n = weir_rows_measure(&rows);
    uint8_t *room = weir_exchange_reply_room(exchange, weir_response_ok_size(payload_n));
    if (room == NULL) {
        weir_exchange_abandon(exchange, true);
        return;
    }
    (void)weir_rows_pack(&rows, weir_response_ok_head(payload_n, room));
    weir_exchange_send(exchange);
}

/* The wake list's callback, on any thread and without locks: takes over the exchange. */
static void woken(void *context, struct weir_waiter *waiter, enum weir_wake_reason reason)
{
    struct weir_server *server = context;
    struct weir_exchange *exchange = weir_exchange_of_waiter(waiter);
    const size_t method = waiter->method;
    weir_status st = WEIR_OK;
    if (reason != WEIR_WAKE_CHANGE) {
        weir_admission_answers(server, exchange, true);
    }
    switch (reason) {
    case WEIR_WAKE_CHANGE:
        weir_dispatch_woken(server, exchange);
        return;
    case WEIR_WAKE_TIME:
        answer_nothing(exchange, waiter->next_position);
        break;
    case WEIR_WAKE_STOP:
        st = WEIR_SHUTTING_DOWN;
        weir_admission_refuse_stopping(exchange);
        break;
    case WEIR_WAKE_GONE:
        /* The connection may be open after all, if there was no memory to count it when it came. It
         * is closed, so that its client does not wait for an answer. */
        st = WEIR_CANCELLED;
        weir_exchange_abandon(exchange, true);
        break;
    }
    weir_metrics_call(&server->metrics, method, st, -1);
    weir_admission_waited(server);
}

bool weir_long_poll_start(struct weir_server *server)
{
    server->wake = weir_wake_new(server->tenants, woken, server);
    return server->wake != NULL;
}

void weir_long_poll_peer_gone(void *context, struct weir_link *peer, bool *is_gone)
{
    const struct weir_server *server = context;
    weir_wake_peer_gone(server->wake, peer, is_gone);
}
