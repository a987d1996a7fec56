#include "server/calls/admission.h"

#include "server/base/scheduling.h"
#include "server/calls/auth.h"
#include "server/calls/dispatch.h"
#include "server/calls/server_parts.h"
#include "server/transport/deferred.h"
#include "server/transport/exchange.h"
#include "weir/base/fair_share.h"
#include "weir/base/monotonic.h"

enum {
    /* Requests in flight, in multiples of --max-request-bytes: large ones can go side by side, and
     * with the defaults they take 256 MiB at most, and all others as much again. */
    REQUESTS_OF_FULL_SIZE = 4,
    /* Unread replies of a connection and of all, in multiples of --max-reply-bytes: 128 MiB and
     * 1 GiB with the defaults. */
    REPLIES_OF_A_CONNECTION = 8,
    REPLIES_IN_ALL = 64,
    /* The store is taken to hang where no call has finished for so long. */
    HANGS_AFTER_US = 1000 * 1000
};

void weir_admission_refuse(struct weir_exchange *exchange, const struct weir_error *err)
{
    const size_t n = weir_response_error_size(err);
    uint8_t *room = weir_exchange_reply_room(exchange, n);
    if (room == NULL) {
        weir_exchange_abandon(exchange, true);
        return;
    }
    weir_response_error_pack(err, room);
    weir_exchange_send(exchange);
}

static size_t bytes_max(const struct weir_server *server)
{
    return (size_t)server->config->limits.request_bytes * REQUESTS_OF_FULL_SIZE;
}

/* Whether a request of `bytes` fits where `held` are in flight. One that is no larger than its
 * equal share always does, so that a few large ones do not keep out the small ones of other
 * clients. */
static bool has_room(const struct weir_server *server, size_t bytes, size_t held)
{
    const size_t most = bytes_max(server);
    const size_t calls_max = weir_share_places(server->call_places.most_of_one);
    return bytes <= most / calls_max || held + bytes <= most;
}

static void tell_what_is_full(struct weir_server *server, uint32_t owner, size_t bytes,
                              struct weir_error *err)
{
    const size_t held = atomic_load_explicit(&server->in_flight_bytes, memory_order_relaxed);
    if (has_room(server, bytes, held)) {
        (void)weir_places_fail(&server->call_places, owner, "calls in flight", "--max-calls", err);
    } else {
        (void)weir_fail_full(err, "bytes of requests in flight",
                             "a multiple of --max-request-bytes", bytes_max(server), held + bytes);
    }
}

static void refuse_one_too_many(struct weir_server *server, struct weir_exchange *exchange)
{
    const size_t bytes = weir_exchange_request(exchange).n;
    struct weir_error err;
    weir_error_init(&err);
    const int64_t idle_us =
        weir_monotonic_us() - atomic_load_explicit(&server->finished_at_us, memory_order_relaxed);
    if (idle_us > HANGS_AFTER_US) {
        (void)weir_fail(&err, WEIR_BACKEND_UNAVAILABLE,
                        "the store has not answered any call for a while; try again later");
    } else {
        tell_what_is_full(server, weir_exchange_job(exchange)->owner, bytes, &err);
    }
    weir_metrics_refused(&server->metrics, err.status);
    weir_admission_refuse(exchange, &err);
}

void weir_admission_refuse_stopping(struct weir_exchange *exchange)
{
    struct weir_error err;
    weir_error_init(&err);
    (void)weir_fail(&err, WEIR_SHUTTING_DOWN, "the server is stopping");
    weir_admission_refuse(exchange, &err);
}

weir_status weir_admission_check_unread(const struct weir_server *server,
                                        struct weir_exchange *exchange, struct weir_error *err)
{
    const size_t reply_bytes = (size_t)server->config->limits.reply_bytes;
    const size_t own_max = reply_bytes * REPLIES_OF_A_CONNECTION;
    const size_t all_max = reply_bytes * REPLIES_IN_ALL;
    size_t own = 0;
    size_t all = 0;
    weir_exchange_unread(exchange, &own, &all);
    if (own > own_max || all > all_max) {
        weir_exchange_recount_unread(exchange);
        weir_exchange_unread(exchange, &own, &all);
    }
    if (own > own_max) {
        return weir_fail_full(err, "bytes of replies that this connection has not read",
                              "a multiple of --max-reply-bytes", own_max, own);
    }
    if (all > all_max) {
        return weir_fail_full(err, "bytes of replies that clients have not read",
                              "a multiple of --max-reply-bytes", all_max, all);
    }
    return WEIR_OK;
}

static bool admit(struct weir_server *server, uint32_t owner, size_t bytes)
{
    const size_t others = atomic_fetch_add(&server->in_flight, 1);
    const size_t held =
        atomic_fetch_add_explicit(&server->in_flight_bytes, bytes, memory_order_relaxed);
    if (has_room(server, bytes, held) && weir_places_take(&server->call_places, owner)) {
        if (others == 0) {
            /* The server was idle: the time since the last call says nothing about the store. */
            atomic_store_explicit(&server->finished_at_us, weir_monotonic_us(),
                                  memory_order_relaxed);
        }
        return true;
    }
    atomic_fetch_sub_explicit(&server->in_flight_bytes, bytes, memory_order_relaxed);
    atomic_fetch_sub_explicit(&server->in_flight, 1, memory_order_relaxed);
    return false;
}

void weir_admission_arrived(void *context, struct weir_exchange *exchange)
{
    struct weir_server *server = context;
    /* First, so that an endless stream of requests does not delay the deferred work, whether they
     * are admitted or not. */
    weir_deferred_run_late(weir_exchange_arrived_us(exchange));
    /* Counted before is_stopping is read: a thread that stops the server and then finds nothing in
     * flight has missed no call. */
    const struct weir_slice request = weir_exchange_request(exchange);
    const size_t bytes = request.n;
    const uint32_t owner = weir_auth_owner_of(request);
    weir_exchange_job(exchange)->owner = owner;
    if (!admit(server, owner, bytes)) {
        refuse_one_too_many(server, exchange);
        return;
    }
    if (atomic_load(&server->is_stopping)) {
        weir_metrics_refused(&server->metrics, WEIR_SHUTTING_DOWN);
        weir_admission_answers(server, exchange, false);
        weir_admission_refuse_stopping(exchange);
        weir_admission_finished(server, bytes);
        return;
    }
    weir_dispatch_arrived(server, exchange);
}

void weir_admission_answers(struct weir_server *server, struct weir_exchange *exchange,
                            bool has_waited)
{
    weir_places_end(has_waited ? &server->waiting_places : &server->call_places,
                    weir_exchange_job(exchange)->owner);
}

void weir_admission_finished(struct weir_server *server, size_t bytes)
{
    const int64_t now_us = weir_monotonic_us();
    atomic_store_explicit(&server->finished_at_us, now_us, memory_order_relaxed);
    atomic_fetch_sub_explicit(&server->in_flight_bytes, bytes, memory_order_relaxed);
    atomic_fetch_sub_explicit(&server->in_flight, 1, memory_order_release);
    weir_scheduling_look(now_us);
}

void weir_admission_waited(struct weir_server *server)
{
    atomic_fetch_sub_explicit(&server->waiting, 1, memory_order_release);
}
