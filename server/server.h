/* The server as a whole: starts the store, tenants, workers, transport, wake list and HTTP, and
 * stops them.
 *
 * main.c starts one server from a configuration and waits for a signal; tests start servers inside
 * their own process. The files of server/ reach all parts through struct weir_server. Its pointers
 * are set while the server starts and stay until it stops; each part guards itself, and the
 * counters are atomic. */
#ifndef WEIR_SERVER_SERVER_H
#define WEIR_SERVER_SERVER_H

#include "server/base/config.h"
#include "server/base/log.h"
#include "server/base/metrics.h"
#include "server/base/workers.h"
#include "server/calls/call.h"
#include "server/calls/slow_reads.h"
#include "server/namespaces/tenants.h"
#include "server/operation/health.h"
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
    atomic_size_t unanswered;          // calls admitted, not answered; bounded by --max-calls
    atomic_size_t in_flight;           // calls admitted, not finished
    atomic_size_t in_flight_bytes;     // bytes of the requests of calls in flight
    atomic_size_t waiting;             // reads that have begun to wait, not finished
    atomic_size_t waiting_unanswered;  // of them, not answered; bounded by --max-waiting
    _Atomic int64_t finished_at_us;    // end of the last call to finish; monotonic
    atomic_bool is_stopping;

    _Atomic int64_t expired_at_us;  // last search of the queue for expired jobs; monotonic

    atomic_bool is_spot_taken;  // a thread of the transport serves a call; see dispatch.h

    uint32_t reference_salt;  // tells this process's log references from another's
    atomic_uint reference;    // number of the next internal error
};

/* Checks the configuration, opens the store and serves. Borrows `config` for the server's life.
 * Blocks on the store. Returns INVALID_REQUEST where the configuration makes no sense, and what the
 * store, the transport or the system fails with otherwise. */
weir_status weir_server_start(const struct weir_config *config, struct weir_server **server,
                              struct weir_error *err);

/* Serves from a store that is open already, without the checks of weir_server_start. The server
 * takes over the store and closes it, also on failure. */
weir_status weir_server_start_on(const struct weir_config *config, struct weir_store *store,
                                 struct weir_server **server, struct weir_error *err);

/* Refuses new requests with SHUTTING_DOWN, waits until the calls in flight are answered, and closes
 * and frees everything. Returns false where calls still run after `patience_ms`: nothing is closed
 * then, and the process must end. */
bool weir_server_stop(struct weir_server *server, int64_t patience_ms);

#endif
