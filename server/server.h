/* The server, put together: store, tenants, calls, queue, workers, transport.
 *
 * main.c makes one from a configuration and waits for a signal; tests make one inside their own
 * process. The parts are reached through this struct by the files of this folder only. */
#ifndef WEIR_SERVER_SERVER_H
#define WEIR_SERVER_SERVER_H

#include "server/calls/call.h"
#include "server/calls/slow_reads.h"
#include "server/calls/workers.h"
#include "server/namespaces/tenants.h"
#include "server/operation/config.h"
#include "server/operation/health.h"
#include "server/operation/log.h"
#include "server/operation/metrics.h"
#include "server/transport/transport.h"

struct weir_handlers;
struct weir_http;
struct weir_wake;

struct weir_server {
    const struct weir_config *config;
    struct weir_log log;
    struct weir_store *store;
    const struct weir_handlers *handlers;
    struct weir_tenants *tenants;
    struct weir_calls calls;
    struct weir_wake *wake;
    struct weir_queue queue;
    struct weir_workers workers;
    struct weir_slow_reads slow_reads;
    struct weir_transport *transport;
    struct weir_http *http;  // NULL: none
    struct weir_metrics metrics;
    struct weir_health health;
    int64_t started_at_us;    // monotonic
    int64_t started_time_us;  // since the epoch

    /* Admission; see admission.h. */
    atomic_size_t unanswered;          // calls admitted and not answered: what is bounded
    atomic_size_t in_flight;           // calls admitted and not finished
    atomic_size_t in_flight_bytes;     // of their requests
    atomic_size_t waiting;             // reads that have begun to wait and are not finished
    atomic_size_t waiting_unanswered;  // of these, not answered: what is bounded
    _Atomic int64_t finished_at_us;    // when a call was finished last, monotonic
    atomic_bool is_stopping;

    _Atomic int64_t looked_at_us;  // when the queue was looked through last, monotonic

    atomic_bool is_spot_taken;  // a thread of the transport serves a call; see dispatch.h

    uint32_t reference_salt;  // tells this process's log references from another's
    atomic_uint reference;    // of the next internal error
};

/* Opens the store and serves. `config` is borrowed for the server's life. INVALID_REQUEST: what was
 * asked for makes no sense; other statuses: the store or a listener cannot be had. */
weir_status weir_server_start(const struct weir_config *config, struct weir_server **server,
                              struct weir_error *err);

/* The same over a store that is open already, which the server then closes, also where it fails. */
weir_status weir_server_start_on(const struct weir_config *config, struct weir_store *store,
                                 struct weir_server **server, struct weir_error *err);

/* Lets new requests fail with SHUTTING_DOWN, answers what is in flight and closes everything. False
 * where calls were still running at the end of `patience_ms`: then nothing is closed and the
 * process must end. */
bool weir_server_stop(struct weir_server *server, int64_t patience_ms);

#endif
