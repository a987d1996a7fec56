#include "server/server.h"

#include "server/calls/admission.h"
#include "server/calls/dispatch.h"
#include "server/calls/long_poll.h"
#include "server/calls/read_lane.h"
#include "server/calls/server_parts.h"
#include "server/handlers/handlers.h"
#include "server/namespaces/default_namespace.h"
#include "server/namespaces/tenants.h"
#include "server/operation/http.h"
#include "server/operation/resources.h"
#include "server/transport/deferred.h"
#include "server/transport/listen_url.h"
#include "server/transport/transport.h"
#include "server/waiting/wake.h"
#include "weir/base/monotonic.h"
#include "weir/rules/random.h"
#include "weir/rules/time_text.h"

#include <stdlib.h>
#include <time.h>

enum {
    DRAIN_STEP_MS = 2,
    PATIENCE_MAX_MS = 24 * 60 * 60 * 1000,
    /* nng reports a reply as sent when it has begun to send it, and needs a moment for the rest. */
    LINGER_MS = 100,
    EXPIRE_EVERY_US = 50 * 1000
};

static void report(void *context, const char *text)
{
    const struct weir_server *server = context;
    weir_log_say(&server->log, WEIR_LOG_WARN, "store: %s", text);
}

/* Ends queued calls whose deadline has passed. The store calls this about ten times a second on
 * each thread that it keeps for long: all workers, or all turns of the slow reads, may be held up
 * that way, and then no other thread would end those calls. One thread at a time suffices. Work
 * that the thread itself has deferred is handed to a worker. */
static void while_waiting(void *context)
{
    struct weir_server *server = context;
    const int64_t now_us = weir_monotonic_us();
    int64_t before_us = atomic_load_explicit(&server->expired_at_us, memory_order_relaxed);
    weir_deferred_hand_on();
    weir_read_lane_is_kept_waiting();
    if (now_us - before_us >= EXPIRE_EVERY_US &&
        atomic_compare_exchange_strong(&server->expired_at_us, &before_us, now_us)) {
        weir_queue_expire(&server->queue);
        weir_slow_reads_end_late(server);
    }
}

static weir_status open_store(struct weir_server *server, struct weir_error *err)
{
    const struct weir_store_options options = {
        .url = server->config->store,
        .is_durability_normal = server->config->durability != 0,
        .max_sessions = weir_resources_sessions(server->config),
        .report = report,
        .report_context = server,
    };
    const weir_status st = weir_store_open(&options, &server->store, err);
    if (st != WEIR_OK) {
        server->store = NULL;
    }
    return st;
}

static weir_status out_of_memory(struct weir_error *err)
{
    return weir_fail(err, WEIR_BACKEND_UNAVAILABLE, "out of memory at start");
}

static struct weir_server *make(const struct weir_config *config)
{
    struct weir_server *server = calloc(1, sizeof *server);
    if (server == NULL) {
        return NULL;
    }
    server->config = config;
    server->log = (struct weir_log){.fd = 2,
                                    .level = (enum weir_log_level)config->log_level,
                                    .format = (enum weir_log_format)config->log_format,
                                    .is_journal = weir_log_is_journal(2)};
    server->handlers = &weir_all_handlers;
    server->workers.queue = &server->queue;
    weir_slow_reads_init(&server->slow_reads, weir_resources_slow_reads(config));
    server->started_at_us = weir_monotonic_us();
    server->started_time_us = weir_now_us();
    (void)weir_random_bytes(&server->reference_salt, sizeof server->reference_salt);
    weir_queue_init(&server->queue, (size_t)config->workers);
    weir_places_init(&server->call_places, (size_t)config->max_calls);
    weir_places_init(&server->waiting_places, (size_t)config->max_waiting);
    weir_calls_init(&server->calls, server, weir_dispatch_memory_max(&config->limits));
    return server;
}

static void pause_ms(int ms)
{
    const struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};
    (void)nanosleep(&pause, NULL);
}

/* The spot counts as well: the thread that holds it uses the server after its last call. */
static bool is_busy(struct weir_server *server)
{
    return atomic_load(&server->in_flight) > 0 ||
           atomic_load_explicit(&server->waiting, memory_order_acquire) > 0 ||
           atomic_load_explicit(&server->is_spot_taken, memory_order_acquire);
}

/* Waits until nothing is in flight; false where `patience_ms` end first. */
static bool drain(struct weir_server *server, int64_t patience_ms)
{
    const int64_t until_us = weir_monotonic_us() + patience_ms * 1000;
    while (is_busy(server)) {
        if (weir_monotonic_us() > until_us) {
            return false;
        }
        pause_ms(DRAIN_STEP_MS);
    }
    return true;
}

/* Frees a server at any stage of its start. The transport only refuses requests by now, and is
 * closed after the store: should nng never release a connection, the store is closed all the
 * same. */
static void destroy(struct weir_server *server)
{
    atomic_store(&server->is_stopping, true);
    if (server->http != NULL) {
        weir_http_stop(server->http);
    }
    if (server->wake != NULL) {
        weir_wake_stop(server->wake);
    }
    if (server->transport != NULL) {
        /* The transport's threads may be at work in the store. */
        (void)drain(server, PATIENCE_MAX_MS);
    }
    /* Before the workers: a thread of the wake list may be about to wake one. */
    if (server->wake != NULL) {
        weir_wake_join(server->wake);
    }
    weir_workers_stop(&server->workers);
    if (server->tenants != NULL) {
        weir_tenants_free(server->tenants);
    }
    if (server->store != NULL) {
        weir_store_close(server->store);
    }
    if (server->store_closed != NULL) {
        server->store_closed(server->store_closed_context);
    }
    if (server->transport != NULL) {
        weir_transport_close(server->transport);
    }
    if (server->wake != NULL) {
        weir_wake_free(server->wake);
    }
    weir_calls_fini(&server->calls);
    weir_queue_fini(&server->queue);
    weir_slow_reads_fini(&server->slow_reads);
    free(server);
}

static void wake_tenant(void *context, struct weir_tenant *tenant)
{
    const struct weir_server *server = context;
    weir_wake_tenant(server->wake, tenant);
}

static weir_status serve(struct weir_server *server, struct weir_error *err)
{
    if (server->config->is_test_mode) {
        weir_log_say(&server->log, WEIR_LOG_WARN,
                     "test mode: tokens are not checked and nothing is kept");
    }
    server->health.store = server->store;
    server->health.log = &server->log;
    weir_store_on_wait(server->store, while_waiting, server);
    weir_status st =
        weir_default_namespace_ensure(server->store, server->config, &server->log, err);
    if (st != WEIR_OK) {
        return st;
    }
    server->tenants = weir_tenants_new(server->store);
    if (server->tenants == NULL || !weir_long_poll_start(server)) {
        return out_of_memory(err);
    }
    weir_tenants_on_change(server->tenants, wake_tenant, server);
    st = weir_workers_start(&server->workers, &server->queue, (size_t)server->config->workers, err);
    if (st != WEIR_OK) {
        return st;
    }
    const struct weir_transport_user user = {
        .context = server, .arrived = weir_admission_arrived, .gone = weir_long_poll_peer_gone};
    st = weir_transport_open(server->config, &server->log, &user, &server->transport, err);
    if (st == WEIR_OK) {
        st = weir_transport_listen(server->transport, server->config, err);
    }
    if (st == WEIR_OK && server->config->http != NULL) {
        st = weir_http_start(server, server->config->http, &server->http, err);
    }
    return st;
}

static weir_status serve_or_destroy(struct weir_server *made, struct weir_server **server,
                                    struct weir_error *err)
{
    const weir_status st = serve(made, err);
    if (st != WEIR_OK) {
        destroy(made);
        return st;
    }
    *server = made;
    return WEIR_OK;
}

/* Test mode accepts every token, so it needs a store in memory and listeners of this machine. */
static weir_status check_test_mode(const struct weir_config *config, struct weir_error *err)
{
    if (!config->is_test_mode) {
        return WEIR_OK;
    }
    if (!weir_store_traits(config->store).is_in_memory) {
        return weir_fail(err, WEIR_INVALID_REQUEST, "--test-mode requires --store sqlite::memory:");
    }
    for (size_t i = 0; i < config->listen_n; i++) {
        struct weir_listen_url url;
        const weir_status st = weir_listen_url_parse(config->listen[i], &url, err);
        if (st != WEIR_OK) {
            return st;
        }
        if (!weir_listen_url_is_local(&url)) {
            return weir_fail(err, WEIR_INVALID_REQUEST,
                             "--test-mode allows listeners on this machine only, not '%s'",
                             url.text);
        }
    }
    return WEIR_OK;
}

weir_status weir_server_start(const struct weir_config *config, struct weir_server **server,
                              struct weir_error *err)
{
    weir_status st = weir_resources_check(config, err);
    if (st == WEIR_OK) {
        st = weir_transport_check(config, err);
    }
    if (st == WEIR_OK) {
        st = check_test_mode(config, err);
    }
    if (st == WEIR_OK && config->http != NULL) {
        st = weir_http_check(config->http, err);
    }
    if (st != WEIR_OK) {
        return st;
    }
    struct weir_server *made = make(config);
    if (made == NULL) {
        return out_of_memory(err);
    }
    st = open_store(made, err);
    if (st != WEIR_OK) {
        destroy(made);
        return st;
    }
    return serve_or_destroy(made, server, err);
}

weir_status weir_server_start_on(const struct weir_config *config, struct weir_store *store,
                                 struct weir_server **server, struct weir_error *err)
{
    struct weir_server *made = make(config);
    if (made == NULL) {
        weir_store_close(store);
        return out_of_memory(err);
    }
    made->store = store;
    return serve_or_destroy(made, server, err);
}

void weir_server_when_store_closed(struct weir_server *server, void (*call)(void *context),
                                   void *context)
{
    server->store_closed = call;
    server->store_closed_context = context;
}

bool weir_server_stop(struct weir_server *server, int64_t patience_ms)
{
    atomic_store(&server->is_stopping, true);
    const bool was_busy = atomic_load(&server->in_flight) + atomic_load(&server->waiting) > 0;
    weir_wake_stop(server->wake);
    if (!drain(server, patience_ms)) {
        weir_log_say(&server->log, WEIR_LOG_WARN, "%zu calls were still running at the end",
                     atomic_load(&server->in_flight) + atomic_load(&server->waiting));
        return false;
    }
    if (was_busy) {
        pause_ms(LINGER_MS);
    }
    destroy(server);
    return true;
}
