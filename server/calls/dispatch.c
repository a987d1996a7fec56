/* The path of a call.
 *
 * States, each with the function that enters it:
 *   queued    an exchange waits for a worker, without a call (queue_exchange)
 *   parsed    frame, method and deadline are known; computing only (parse_and_find_method)
 *   handled   the token was judged, the payload decoded, the handler run (authenticate_and_run)
 *   elsewhere a lane, a turn of the slow reads or the wake list owns it (weir_dispatch_go_on)
 *   finished  the one reply is sent, the call is back in the pool (weir_dispatch_finish)
 *
 * Before it is finished, a call may be dropped and its exchange begun anew, by a worker or on the
 * spot: where its thread must not block, its namespace is not open yet, the store needs more time
 * than the spot allows, or its tenant has turned out to be out of date. The call has changed
 * nothing by then.
 *
 * Threads. Workers come by the job of an exchange (serve_exchange), the transport's threads by
 * weir_dispatch_arrived, woken reads by weir_dispatch_woken on any thread. The transport's threads
 * must not block unless they have the spot: server->is_spot_taken lets one have it, and the
 * thread-local `spot` tells that thread. This file has no lock of its own and holds none when it
 * calls another module. */
#include "server/calls/dispatch.h"

#include "server/calls/admission.h"
#include "server/calls/auth.h"
#include "server/calls/long_poll.h"
#include "server/calls/read_lane.h"
#include "server/calls/server_parts.h"
#include "server/calls/write_lane.h"
#include "server/namespaces/tenants.h"
#include "server/transport/deferred.h"
#include "server/transport/exchange.h"
#include "server/waiting/wake.h"
#include "weir/base/monotonic.h"
#include "weir/v1/dispatch.h"
#include "weir/v1/methods.h"
#include "weir/wire/check.h"
#include "weir/wire/pb_arena.h"

#include <stdio.h>

enum {
    /* Elements of a request: far more than any method accepts, so that the handler reports a count
     * that is too high, and few enough to bound the memory. */
    ELEMENTS_MAX = 65536,
    /* The time-out of a call whose client sets none. */
    DEADLINE_MAX_MS = 120 * 1000,
    /* Structs of rows and of checked requests, beside their bytes: the largest batch that can be
     * configured, 100,000 rows, takes a third of it. */
    STRUCTS_BYTES = 32 * 1024 * 1024,
    /* The largest request that a thread of the transport parses; a larger one would keep the thread
     * from others for long. */
    SMALL_REQUEST_BYTES = 16 * 1024,
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
        {.key = "method", .value = call->frame.method},
        {.key = "code", .value = weir_slice_of(st == WEIR_OK ? "OK" : weir_status_name(st))},
        {.key = "namespace", .value = call->tenant == NULL ? none : weir_tenant_id(call->tenant)},
        {.key = "took_us", .value = weir_slice_of(took_us), .is_number = true},
        {.key = "traceparent", .value = weir_request_frame_metadata(&call->frame, "traceparent")},
        {.key = "ref", .value = weir_slice_of(reference)},
        {.key = "text", .value = st == WEIR_OK ? none : weir_slice_of(call->err.text)},
    };
    weir_log_event(&call->server->log, level, "call", fields, WEIR_COUNTOF(fields));
}

/* Replaces the store's own words, which stay in the log. */
static void hide_internals(struct weir_call *call, weir_status st, const char *reference)
{
    if (st == WEIR_BACKEND_ERROR) {
        (void)weir_fail(&call->err, st,
                        "internal error; the server's log has the cause under reference %s",
                        reference);
        weir_error_detail(&call->err, "ref", "%s", reference);
    } else if (st == WEIR_BACKEND_UNAVAILABLE) {
        (void)weir_fail(&call->err, st,
                        "the store is not available at the moment; try again later");
    }
}

/* Logs a failure and packs its reply; false without memory for that. */
static bool pack_failure(struct weir_call *call, weir_status st)
{
    char text[REFERENCE_BYTES];
    const char *reference = NULL;
    if (st == WEIR_FEATURE_UNSUPPORTED) {
        weir_error_detail_slice(&call->err, "method", call->frame.method);
    }
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

static void leave_to_workers(struct weir_call *call);

/* Begins a call that ended with NAMESPACE_NOT_FOUND once more, if its tenant was read from the
 * registry before the call arrived: another server may have deleted the namespace and created it
 * again before that, and the new one has not been asked. It happens once only, as the registry is
 * read anew then, after the arrival. A read that waited must be told instead: it would go on from
 * its place in the old namespace. The announcement of the reply with those of the group is
 * withdrawn, as the reply is no longer near. */
static bool retry_with_fresh_tenant(struct weir_call *call)
{
    const bool may_be_another = weir_methods[call->method].access == WEIR_ACCESS_NAMESPACE &&
                                !call->watches && call->tenant != NULL &&
                                weir_tenant_is_from_before(call->tenant, call->arrived_us);
    if (may_be_another) {
        weir_tenants_forget(call->server->tenants, weir_tenant_id(call->tenant));
        weir_exchange_withdraw(call->exchange);
        leave_to_workers(call);
    }
    return may_be_another;
}

/* Counts out a waiting read or a call in flight. The server may be gone afterwards. */
static void count_out(struct weir_server *server, bool has_waited, size_t request_n)
{
    if (has_waited) {
        weir_admission_waited(server);
    } else {
        weir_admission_finished(server, request_n);
    }
}

void weir_dispatch_finish(struct weir_call *call, weir_status st)
{
    if (st == WEIR_NAMESPACE_NOT_FOUND && retry_with_fresh_tenant(call)) {
        return;
    }
    struct weir_server *server = call->server;
    struct weir_exchange *exchange = call->exchange;
    const size_t request_n = weir_exchange_request(exchange).n;
    const size_t method = call->method;
    const int64_t arrived_us = call->arrived_us;
    const bool has_waited = weir_exchange_waiter(exchange)->is_resumed;
    bool has_reply = true;
    if (st == WEIR_NAMESPACE_NOT_FOUND) {
        st = weir_auth_namespace_gone(call, &call->err);
    }
    if (st == WEIR_OK) {
        log_outcome(call, st, NULL);
    } else {
        has_reply = pack_failure(call, st);
    }
    weir_tenant_release(call->tenant);
    weir_calls_give_back(&server->calls, call);
    weir_admission_answers(server, exchange, has_waited);
    if (has_reply) {
        weir_exchange_send(exchange);
    } else {
        weir_exchange_abandon(exchange, true);
    }
    weir_metrics_call(&server->metrics, method, st,
                      has_waited ? -1 : weir_monotonic_us() - arrived_us);
    count_out(server, has_waited, request_n);
}

/* ---- the path of a call ---- */

static weir_status find_method(struct weir_call *call, struct weir_error *err)
{
    const struct weir_slice name = call->frame.method;
    if (name.n == 0) {
        return weir_fail_field(err, "method", "required");
    }
    call->method = weir_method_find(name);
    if (call->method == weir_methods_n ||
        !weir_handlers_has(call->server->handlers, call->method)) {
        (void)weir_fail(err, WEIR_METHOD_NOT_FOUND, "unknown method '%.*s'", WEIR_SLICE_ARG(name));
        weir_error_detail(err, "method", "%.*s", WEIR_SLICE_ARG(name));
        return err->status;
    }
    return WEIR_OK;
}

static weir_status check_deadline(const struct weir_call *call, struct weir_error *err)
{
    return weir_monotonic_us() <= call->deadline_us
               ? WEIR_OK
               : weir_fail(err, WEIR_DEADLINE_EXCEEDED,
                           "the deadline passed before the call was started");
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
    const bool is_import = call->method == WEIR_METHOD_MESSAGE_STORE_IMPORT_MESSAGES;
    const weir_status st =
        weir_wire_check(payload, type, ELEMENTS_MAX, is_import ? "messages" : NULL, err);
    return st == WEIR_OK ? weir_pb_unpack(&call->arena, type, payload, request, err) : st;
}

/* Checks the size here as well: the transport allows some more, for nng's header. */
static weir_status check_size(const struct weir_call *call, size_t n, struct weir_error *err)
{
    const size_t most = (size_t)call->server->config->limits.request_bytes;
    return n <= most ? WEIR_OK
                     : weir_fail_limit(err, "size of the request in bytes (--max-request-bytes)",
                                       most, n);
}

/* Parses the frame and sets the deadline, also where it fails. */
static weir_status parse(struct weir_call *call, struct weir_error *err)
{
    const struct weir_slice request = weir_exchange_request(call->exchange);
    weir_status st = check_size(call, request.n, err);
    if (st == WEIR_OK) {
        st = weir_request_frame_parse(request, &call->arena, &call->frame, err);
    }
    const int64_t timeout_ms =
        call->frame.timeout_ms > 0 ? (int64_t)call->frame.timeout_ms : DEADLINE_MAX_MS;
    call->deadline_us = call->arrived_us + timeout_ms * 1000;
    return st;
}

/* Whether weir_auth_check_repetition decides on the refusal. */
static bool may_be_repetition(const struct weir_method *method, weir_status st)
{
    return st == WEIR_AUTH_UNAUTHORIZED && method->access == WEIR_ACCESS_OWNER &&
           method->retry == WEIR_RETRY_BY_TOKEN;
}

/* Judges the token, finds the namespace and decodes the request. */
static weir_status authenticate_and_decode(struct weir_call *call, ProtobufCMessage **request,
                                           struct weir_error *err)
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

/* Parses the request, finds the method and checks the deadline: computing only, in time bounded by
 * the request. */
static weir_status parse_and_find_method(struct weir_call *call, struct weir_error *err)
{
    weir_status st = parse(call, err);
    if (st == WEIR_OK) {
        st = find_method(call, err);
    }
    if (st == WEIR_OK) {
        st = check_deadline(call, err);
    }
    return st;
}

/* Whether the call is a write. Writes are answered whatever the client has left unread: the reply
 * is small, and the client must learn the outcome. */
static bool is_write(const struct weir_call *call)
{
    return call->method == WEIR_METHOD_MESSAGE_STORE_WRITE_MESSAGES ||
           call->method == WEIR_METHOD_MESSAGE_STORE_WRITE_STREAMS;
}

/* Authenticates, decodes and runs the handler. May block unless call->must_not_block is set. */
static weir_status authenticate_and_run(struct weir_call *call, struct weir_error *err)
{
    ProtobufCMessage *request = NULL;
    weir_status st = authenticate_and_decode(call, &request, err);
    if (st == WEIR_OK && !is_write(call)) {
        st = weir_admission_check_unread(call->server, call->exchange, err);
    }
    return st == WEIR_OK
               ? weir_dispatch_typed(call->server->handlers, call->method, call, request, err)
               : st;
}

void weir_dispatch_go_on(struct weir_call *call, weir_status st)
{
    if (st == WEIR_OK && call->step == WEIR_CALL_WRITES) {
        /* The lane's leader commits the write, calls on_written and finishes the call. */
        weir_write_lane_start(call);
    } else if (st == WEIR_OK && call->step == WEIR_CALL_READS) {
        /* A leader of the lane reads, calls on_read and comes back here with its outcome. */
        weir_read_lane_start(call);
    } else if (st == WEIR_OK && call->step == WEIR_CALL_READS_SLOW) {
        /* The read is done briefly or in a turn, then on_read called; back here as well. */
        weir_slow_reads_start(call);
    } else if (st == WEIR_OK && call->step == WEIR_CALL_WAITS) {
        /* The call ends; its exchange stays in the wake list until weir_dispatch_woken. */
        weir_long_poll_park(call);
    } else {
        /* The reply is packed, or `st` is the reply. */
        weir_dispatch_finish(call, st);
    }
}

/* The spot as this thread knows it; only a thread of the transport can have it. */
static _Thread_local struct {
    bool is_own;                  // this thread has the spot
    struct weir_exchange *woken;  // served before the thread leaves the spot; NULL: none
} spot;

/* Whether the store failed for lack of time because the spot allows no more
 * (weir_dispatch_store_deadline). */
static bool was_cut_short(const struct weir_call *call, weir_status st)
{
    return st == WEIR_DEADLINE_EXCEEDED && weir_monotonic_us() < call->deadline_us;
}

/* Runs a parsed call where it may block. On the spot, a worker takes over where a namespace must be
 * opened, or the store needs more time. */
static void run_call(struct weir_call *call)
{
    const weir_status st = authenticate_and_run(call, &call->err);
    if (spot.is_own && (call->is_for_worker || was_cut_short(call, st))) {
        leave_to_workers(call);
    } else {
        weir_dispatch_go_on(call, st);
    }
}

/* Takes a call for an exchange; NULL without memory. */
static struct weir_call *take_call(struct weir_server *server, struct weir_exchange *exchange)
{
    struct weir_call *call = weir_calls_take(&server->calls);
    if (call != NULL) {
        call->exchange = exchange;
        call->arrived_us = weir_exchange_arrived_us(exchange);
        call->owner = weir_exchange_job(exchange)->owner;
    }
    return call;
}

/* Serves an exchange from the beginning, on a thread that may block: a worker, or on the spot. */
static void serve_exchange(struct weir_job *job)
{
    struct weir_exchange *exchange = weir_exchange_of_job(job);
    struct weir_server *server = weir_exchange_context(exchange);
    struct weir_call *call = take_call(server, exchange);
    if (call == NULL) {
        const bool has_waited = weir_exchange_waiter(exchange)->is_resumed;
        const size_t request_n = weir_exchange_request(exchange).n;
        struct weir_error err;
        weir_error_init(&err);
        (void)weir_fail(&err, WEIR_BACKEND_UNAVAILABLE, "the server is out of memory");
        weir_metrics_refused(&server->metrics, err.status);
        weir_admission_answers(server, exchange, has_waited);
        weir_admission_refuse(exchange, &err);
        count_out(server, has_waited, request_n);
        return;
    }
    const weir_status st = parse_and_find_method(call, &call->err);
    if (st == WEIR_OK) {
        run_call(call);
    } else {
        weir_dispatch_finish(call, st);
    }
}

/* Answers a queued call whose deadline has passed. Where the deadline is not known yet, the request
 * is parsed here to learn it, and the job is looked at again after it. */
static bool expire_exchange(struct weir_job *job)
{
    struct weir_exchange *exchange = weir_exchange_of_job(job);
    struct weir_server *server = weir_exchange_context(exchange);
    struct weir_call *call = take_call(server, exchange);
    if (call == NULL) {
        return true;
    }
    const weir_status st = parse_and_find_method(call, &call->err);
    if (st == WEIR_OK) {
        job->due_us = call->deadline_us + 1;
        weir_calls_give_back(&server->calls, call);
    } else {
        weir_dispatch_finish(call, st);
    }
    return st == WEIR_OK;
}

/* Leaves an exchange to the workers. `deadline_us`: 0 where it is not known. */
static void queue_exchange(struct weir_server *server, struct weir_exchange *exchange,
                           int64_t deadline_us)
{
    struct weir_job *job = weir_exchange_job(exchange);
    job->run = serve_exchange;
    job->expire = expire_exchange;
    job->due_us = deadline_us;
    weir_queue_push(&server->queue, job);
}

/* ---- on the transport's threads ---- */

bool weir_dispatch_is_on_the_spot(void)
{
    return spot.is_own;
}

bool weir_dispatch_take_spot(struct weir_server *server)
{
    const bool is_free =
        weir_queue_length(&server->queue) == 0 &&
        !atomic_load_explicit(&server->is_spot_taken, memory_order_relaxed) &&
        !atomic_exchange_explicit(&server->is_spot_taken, true, memory_order_acquire);
    spot.is_own = spot.is_own || is_free;
    return is_free;
}

void weir_dispatch_leave_spot(struct weir_server *server)
{
    if (spot.woken != NULL) {
        serve_exchange(weir_exchange_job(spot.woken));
        spot.woken = NULL;
    }
    spot.is_own = false;
    atomic_store_explicit(&server->is_spot_taken, false, memory_order_release);
}

int64_t weir_dispatch_store_deadline(const struct weir_call *call)
{
    const int64_t until_us = weir_monotonic_us() + WEIR_SPOT_US;
    return spot.is_own && until_us < call->deadline_us ? until_us : call->deadline_us;
}

/* Drops a call that is begun anew, and keeps its exchange. */
static void drop_call(struct weir_call *call)
{
    weir_tenant_release(call->tenant);
    weir_calls_give_back(&call->server->calls, call);
}

/* Drops the call and has a worker begin it anew. */
static void leave_to_workers(struct weir_call *call)
{
    struct weir_server *server = call->server;
    struct weir_exchange *exchange = call->exchange;
    const int64_t deadline_us = call->deadline_us;
    drop_call(call);
    queue_exchange(server, exchange, deadline_us);
}

static bool is_read(const struct weir_call *call)
{
    return call->method == WEIR_METHOD_MESSAGE_STORE_GET_STREAM_MESSAGES ||
           call->method == WEIR_METHOD_MESSAGE_STORE_GET_CATEGORY_MESSAGES;
}

/* Whether a thread of the transport may take the call as far as a lane. */
static bool is_for_a_lane(const struct weir_call *call)
{
    return is_write(call) || (is_read(call) && weir_store_groups_reads(call->server->store));
}

/* Whether a thread of the transport may serve the call itself, given the spot. A health check asks
 * the disk, which may take longer than the spot allows. */
static bool is_for_the_spot(const struct weir_call *call)
{
    const enum weir_access access = weir_methods[call->method].access;
    return weir_store_is_local(call->server->store) &&
           call->method != WEIR_METHOD_SYSTEM_CHECK_HEALTH &&
           (access == WEIR_ACCESS_NAMESPACE || access == WEIR_ACCESS_PUBLIC);
}

static void serve_on_the_spot(struct weir_call *call)
{
    struct weir_server *server = call->server;
    run_call(call);
    weir_dispatch_leave_spot(server);
}

/* Begins a call anew where it may block: on the spot if possible, else by a worker. */
static void begin_anew_blocking(struct weir_call *call)
{
    struct weir_server *server = call->server;
    struct weir_exchange *exchange = call->exchange;
    if (is_for_the_spot(call) && weir_dispatch_take_spot(server)) {
        drop_call(call);
        serve_exchange(weir_exchange_job(exchange));
        weir_dispatch_leave_spot(server);
    } else {
        leave_to_workers(call);
    }
}

/* Takes a call as far as its lane without blocking. A failure is not final: the call is begun anew
 * where it may block, and fails there again if it must, and is logged. */
static void put_into_lane(struct weir_call *call)
{
    call->must_not_block = true;
    const weir_status st = authenticate_and_run(call, &call->err);
    if (st == WEIR_OK && (call->step == WEIR_CALL_WRITES || call->step == WEIR_CALL_READS)) {
        weir_dispatch_go_on(call, st);
    } else {
        begin_anew_blocking(call);
    }
}

/* Runs the work that this thread has deferred before a call that may take long. Writes and reads
 * are brief; a read that is not small runs the deferred work itself (slow_reads.c). */
static void run_deferred_unless_brief(const struct weir_call *call)
{
    if (!is_write(call) && !is_read(call)) {
        weir_deferred_run();
    }
}

/* Chooses where a parsed call goes: into a lane, onto the spot, or to the workers. */
static void route_call(struct weir_call *call)
{
    run_deferred_unless_brief(call);
    if (is_for_a_lane(call)) {
        put_into_lane(call);
    } else if (is_for_the_spot(call) && weir_dispatch_take_spot(call->server)) {
        serve_on_the_spot(call);
    } else {
        leave_to_workers(call);
    }
}

void weir_dispatch_arrived(struct weir_server *server, struct weir_exchange *exchange)
{
    struct weir_call *call = NULL;
    if (weir_exchange_request(exchange).n <= SMALL_REQUEST_BYTES) {
        call = take_call(server, exchange);
    }
    if (call == NULL) {
        queue_exchange(server, exchange, 0);
    } else if (parse_and_find_method(call, &call->err) != WEIR_OK) {
        leave_to_workers(call);
    } else {
        route_call(call);
    }
}

/* Serves one woken exchange on the spot, if this thread has it and the store is local: a store on
 * another machine may keep the thread for long before it leaves the spot. */
void weir_dispatch_woken(struct weir_server *server, struct weir_exchange *exchange)
{
    if (spot.is_own && spot.woken == NULL && weir_store_is_local(server->store)) {
        spot.woken = exchange;
    } else {
        queue_exchange(server, exchange, 0);
    }
}
