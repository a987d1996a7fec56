/* The parts of a server, which calls, operation/ and handlers reach through struct weir_server; the
 * folders below them know nothing of it.
 *
 * server.c makes the parts and takes them down. The pointers are set while the server starts and
 * stay until it stops; each part guards itself, and the counters are atomic. */
#ifndef WEIR_SERVER_SERVER_PARTS_H
#define WEIR_SERVER_SERVER_PARTS_H

#include "server/base/config.h"
#include "server/base/health.h"
#include "server/base/log.h"
#include "server/base/metrics.h"
#include "server/base/places.h"
#include "server/base/workers.h"
#include "server/calls/call.h"
#include "server/calls/slow_reads.h"

struct weir_handlers;
struct weir_http;
struct weir_tenants;
struct weir_transport;
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
    struct weir_places call_places;     // of calls admitted, not answered; --max-calls
    struct weir_places waiting_places;  // of reads that wait, not answered; --max-waiting
    atomic_size_t in_flight;            // calls admitted, not finished
    atomic_size_t in_flight_bytes;      // bytes of the requests of calls in flight
    atomic_size_t waiting;              // reads that have begun to wait, not finished
    _Atomic int64_t finished_at_us;     // end of the last call to finish; monotonic
    atomic_bool is_stopping;

    _Atomic int64_t expired_at_us;  // last search of the queue for expired jobs; monotonic

    atomic_bool is_spot_taken;  // a thread of the transport serves a call; see dispatch.h

    uint32_t reference_salt;  // tells this process's log references from another's
    atomic_uint reference;    // number of the next internal error

    /* See weir_server_when_store_closed. */
    void (*store_closed)(void *context);  // NULL: none
    void *store_closed_context;
};

#endif
