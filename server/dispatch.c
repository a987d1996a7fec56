#include "server/dispatch.h"

#include "server/auth.h"
#include "server/intake.h"
#include "server/waiting.h"
#include "server/wake.h"
#include "weir/rules/time_text.h"
#include "weir/v1/dispatch.h"
#include "weir/v1/methods.h"
#include "weir/wire/check.h"
#include "weir/wire/pb_arena.h"

#include <stdio.h>

enum {
    /* Elements of a request: far more than any method accepts, so that a count too high is told as
     * such, and few enough to bound the memory. */
    ELEMENTS_MAX = 65536,
    /* The deadline of a call whose client sets none. */
    DEADLINE_MAX_MS = 120 * 1000,
    /* What rows and checked requests take beside their bytes. */
    STRUCTS_BYTES = 32 * 1024 * 1024,
    /* A leader lets other work pass after so long. */
    LEAD_US = 2000,
    REFERENCE_BYTES = 24
};

size_t weir_dispatch_memory_max(const struct weir_limits *limits)
{
    return weir_wire_memory_max((size_t)limits->request_bytes, ELEMENTS_MAX) +
           2 * (size_t)limits->reply_bytes + STRUCTS_BYTES;
}

/* ---- the end of a call ---- */

static void log_outcome(const struct weir_call *call, weir_status st, const char *reference)
{
    const bool is_fault = st == WEIR_BACKEND_ERROR || st == WEIR_DATA_CORRUPT;
    const enum weir_log_level level = is_fault                         ? WEIR_LOG_ERROR
                                      : st == WEIR_BACKEND_UNAVAILABLE ? WEIR_LOG_WARN
                                                                       : WEIR_LOG_DEBUG;
    if (!weir_log_has(&call->server->log, level)) {
        return;
    }
    char took_us[24];
    (void)snprintf(took_us, sizeof took_us, "%lld",
                   (long long)(weir_monotonic_us() - call->arrived_us));
    const struct weir_slice none = {NULL, 0};
    const struct weir_log_field fields[] = {
        {"method", call->frame.method},
        {"code", weir_slice_of(st == WEIR_OK ? "OK" : weir_status_name(st))},
        {"namespace", call->tenant == NULL ? none : weir_tenant_id(call->tenant)},
        {"took_us", weir_slice_of(took_us)},
        {"traceparent", weir_request_frame_metadata(&call->frame, "traceparent")},
        {"ref", weir_slice_of(reference)},
        {"text", st == WEIR_OK ? none : weir_slice_of(call->err.text)},
    };
    weir_log_event(&call->server->log, level, "call", fields, WEIR_COUNTOF(fields));
}

/* The store's own words stay in the log. */
static void hide_internals(struct weir_call *call, weir_status st, const char *reference)
{
    if (st == WEIR_BACKEND_ERROR) {
        (void)weir_fail(&call->err, st,
                        "an internal error; the server's log has it under reference %s", reference);
        weir_error_detail(&call->err, "ref", "%s", reference);
    } else if (st == WEIR_BACKEND_UNAVAILABLE) {
        (void)weir_fail(&call->err, st, "the store is not available at the moment; try again");
    }
}

static bool pack_failure(struct weir_call *call, weir_status st)
{
    char text[REFERENCE_BYTES];
    const char *reference = NULL;
    if (st == WEIR_BACKEND_ERROR) {
        (void)snprintf(text, sizeof text, "%08x-%u", (unsigned)call->server->reference_salt,
                       atomic_fetch_add(&call->server->reference, 1));
        reference = text;
    }
    log_outcome(call, st, reference);
    hide_internals(call, st, reference);
    uint8_t *room = weir_exchange_reply_room(call->exchange, weir_response_error_size(&call->err));
    if (room != NULL) {
        weir_response_error_pack(&call->err, room);
    }
    return room != NULL;
}

/* Sends the one reply and lets go of everything. The call is gone afterwards. */
static void finish(struct weir_call *call, weir_status st)
{
    struct weir_server *server = call->server;
    struct weir_exchange *exchange = call->exchange;
    const size_t request_n = weir_exchange_request(exchange).n;
    const size_t method = call->method;
    const int64_t arrived_us = call->arrived_us;
    const bool has_waited = weir_exchange_waiter(exchange)->is_resumed;
    bool has_reply = true;
    if (st == WEIR_OK) {
        log_outcome(call, st, NULL);
    } else {
        has_reply = pack_failure(call, st);
    }
    weir_tenant_release(call->tenant);
    weir_calls_give_back(&server->calls, call);
    if (has_reply) {
        weir_exchange_send(exchange);
    } else {
        weir_exchange_abandon(exchange, true);
    }
    weir_metrics_call(&server->metrics, method, st,
                      has_waited ? -1 : weir_monotonic_us() - arrived_us);
    if (has_waited) {
        weir_intake_waited(server);
    } else {
        weir_intake_finished(server, request_n);
    }
}

/* ---- writes ---- */

/* Writes that the group which this thread leads has finished so far. */
static _Thread_local size_t group_writes;

static bool run_group(struct weir_server *server, struct weir_namespace *ns)
{
    group_writes = 0;
    const bool is_more = weir_lane_run(ns);
    weir_metrics_group(&server->metrics, group_writes);
    return is_more;
}

static void lead(struct weir_tenant *tenant, struct weir_server *server)
{
    struct weir_namespace *ns = weir_tenant_ns(tenant);
    const int64_t until_us = weir_monotonic_us() + LEAD_US;
    while (run_group(server, ns)) {
        /* Busy lanes must not hold all workers while other calls wait. */
        if (weir_queue_length(&server->queue) > 0 && weir_monotonic_us() > until_us) {
            weir_queue_push(&server->queue, &tenant->lane_job);
            return;
        }
    }
    weir_tenant_release(tenant);
}

static void lead_on(struct weir_job *job)
{
    struct weir_tenant *tenant = weir_tenant_of_lane_job(job);
    lead(tenant, tenant->lane_server);
}

/* Called on the thread of the group's leader. */
static void written(struct weir_write *write)
{
    struct weir_call *call = write->context;
    weir_status st = call->err.status;
    group_writes++;
    if (st == WEIR_OK) {
        const int64_t change = weir_wake_committed(call->server->wake, call->tenant, write);
        weir_metrics_written(&call->server->metrics, change);
        st = call->written(call, &call->err);
    }
    finish(call, st);
}

/* Gives the call to the lane. It may be finished, by another leader, before this returns; where
 * this thread leads, it is not yet. */
static void start_write(struct weir_call *call)
{
    struct weir_tenant *tenant = call->tenant;
    struct weir_server *server = call->server;
    call->write.done = written;
    call->write.context = call;
    if (weir_write_submit(weir_tenant_ns(tenant), &call->write)) {
        weir_tenant_hold(tenant);
        tenant->lane_server = server;
        tenant->lane_job.run = lead_on;
        lead(tenant, server);
    }
}

/* ---- the way of a call ---- */

static weir_status find_method(struct weir_call *call, struct weir_error *err)
{
    const struct weir_slice name = call->frame.method;
    if (name.n == 0) {
        return weir_fail_field(err, "method", "required");
    }
    call->method = weir_method_find(name);
    if (call->method == weir_methods_n ||
        !weir_handlers_has(call->server->handlers, call->method)) {
        (void)weir_fail(err, WEIR_METHOD_NOT_FOUND, "there is no method '%.*s' here",
                        WEIR_SLICE_ARG(name));
        weir_error_detail_slice(err, "method", name);
        return err->status;
    }
    return WEIR_OK;
}

static weir_status check_deadline(const struct weir_call *call, struct weir_error *err)
{
    return weir_monotonic_us() <= call->deadline_us
               ? WEIR_OK
               : weir_fail(err, WEIR_DEADLINE_EXCEEDED,
                           "the deadline had passed before the call was begun");
}

static weir_status decode(struct weir_call *call, ProtobufCMessage **request,
                          struct weir_error *err)
{
    const ProtobufCMessageDescriptor *type = weir_methods[call->method].input;
    static const uint8_t nothing[1] = {0};
    struct weir_slice payload = call->frame.payload;
    if (payload.p == NULL) {
        payload = weir_slice(nothing, 0);
    }
    const weir_status st = weir_wire_check(payload, type, ELEMENTS_MAX, err);
    return st == WEIR_OK ? weir_pb_unpack(&call->arena, type, payload, request, err) : st;
}

static weir_status parse(struct weir_call *call, struct weir_error *err)
{
    const weir_status st = weir_request_frame_parse(weir_exchange_request(call->exchange),
                                                    &call->arena, &call->frame, err);
    const int64_t timeout_ms =
        call->frame.timeout_ms > 0 ? (int64_t)call->frame.timeout_ms : DEADLINE_MAX_MS;
    call->deadline_us = call->arrived_us + timeout_ms * 1000;
    return st;
}

static bool may_be_repetition(const struct weir_method *method, weir_status st)
{
    return st == WEIR_AUTH_UNAUTHORIZED && method->access == WEIR_ACCESS_OWNER &&
           method->retry == WEIR_RETRY_BY_TOKEN;
}

/* Finds out who calls, and decodes the request. */
static weir_status admit(struct weir_call *call, ProtobufCMessage **request, struct weir_error *err)
{
    const struct weir_method *method = &weir_methods[call->method];
    weir_status st = weir_auth_check(call, method->access, err);
    const bool is_repeated = may_be_repetition(method, st);
    if (st != WEIR_OK && !is_repeated) {
        return st;
    }
    st = decode(call, request, err);
    if (st == WEIR_OK && is_repeated) {
        st = weir_auth_check_repetition(call, method, *request, err);
    }
    if (st == WEIR_OK && method->access == WEIR_ACCESS_OWNER) {
        st = weir_auth_check_owner(call, *request, err);
    }
    return st;
}

static weir_status run(struct weir_call *call, struct weir_error *err)
{
    ProtobufCMessage *request = NULL;
    weir_status st = parse(call, err);
    if (st == WEIR_OK) {
        st = find_method(call, err);
    }
    if (st == WEIR_OK) {
        st = check_deadline(call, err);
    }
    if (st == WEIR_OK) {
        st = admit(call, &request, err);
    }
    return st == WEIR_OK
               ? weir_dispatch_typed(call->server->handlers, call->method, call, request, err)
               : st;
}

static void serve(struct weir_job *job)
{
    struct weir_exchange *exchange = weir_exchange_of_job(job);
    struct weir_server *server = weir_exchange_context(exchange);
    struct weir_call *call = weir_calls_take(&server->calls);
    if (call == NULL) {
        const size_t request_n = weir_exchange_request(exchange).n;
        struct weir_error err;
        weir_error_init(&err);
        (void)weir_fail(&err, WEIR_BACKEND_UNAVAILABLE, "the server is out of memory");
        weir_intake_refuse(exchange, &err);
        weir_intake_finished(server, request_n);
        return;
    }
    call->exchange = exchange;
    call->arrived_us = weir_exchange_arrived_us(exchange);
    const weir_status st = run(call, &call->err);
    if (st == WEIR_OK && call->step == WEIR_CALL_WRITES) {
        start_write(call);
    } else if (st == WEIR_OK && call->step == WEIR_CALL_WAITS) {
        weir_waiting_park(call);
    } else {
        finish(call, st);
    }
}

void weir_dispatch_queue(struct weir_server *server, struct weir_exchange *exchange)
{
    struct weir_job *job = weir_exchange_job(exchange);
    job->run = serve;
    weir_queue_push(&server->queue, job);
}
