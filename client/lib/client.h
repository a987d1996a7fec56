/* The client, as the files of libweir see it.
 *
 * A client has one nng REQ socket at a time (link.h). Each call in flight has a context of that
 * socket and an nng_aio, and keeps both when it goes back to its pool (call.h). Any thread may use
 * a client. */
#ifndef WEIR_CLIENT_CLIENT_H
#define WEIR_CLIENT_CLIENT_H

#include "client/lib/link.h"
#include "client/weir.h"
#include "weir/base/list.h"

struct call;

/* A call is run by the thread that waits for it or by nng's threads. The two kinds need different
 * aios, so each has a pool of its own. */
enum call_kind { CALL_WAITING, CALL_CALLBACK, CALL_KINDS };

struct weir_client {
    struct links links;
    bool has_links;
    char *url;
    char *token;  // NULL if none
    uint32_t timeout_ms;
    uint32_t max_in_flight;
    size_t max_request_bytes;
    struct weir_retry_policy retry;

    /* Guards the fields below. Held across nng_aio_abort, which runs no callback itself; never held
     * while a callback runs. */
    pthread_mutex_t mutex;
    pthread_cond_t is_idle;         // signalled when in_flight_n falls to 0
    struct call *free[CALL_KINDS];  // the pools
    struct weir_link in_flight;
    size_t in_flight_n;
    bool is_closing;
    /* Calls in flight whose callback is running: they do not count against max_in_flight. Increased
     * without the mutex. */
    atomic_size_t ended_n;
};

/* Returns `value`, or `standard` if `value` is 0. */
uint32_t client_or_default(uint32_t value, uint32_t standard);

/* Returns a random pause between half of *delay_ms and all of it, and doubles *delay_ms up to the
 * client's max_delay_ms. */
uint32_t client_pause_ms(const struct weir_client *client, uint32_t *delay_ms);

/* Adapts a number that the library has chosen to a lower limit of the server: if `err` refuses the
 * request's `field` and *number is above `least`, halves *number and returns true; the caller then
 * makes the request again. */
bool client_halve_refused(const struct weir_error *err, const char *field, int64_t least,
                          int64_t *number);

/* INVALID_REQUEST if a subscription's options contradict each other or select what cannot be. */
weir_status subscription_check(const struct weir_subscription_options *options,
                               struct weir_error *err);

/* BACKEND_UNAVAILABLE: out of memory. */
weir_status client_fail_memory(struct weir_error *err);

/* Records nng's error number `rv` about the option that the format names: INVALID_REQUEST on
 * `field`, or BACKEND_UNAVAILABLE if nng was out of memory. */
weir_status client_fail_option(struct weir_error *err, int rv, const char *field,
                               const char *format, ...) __attribute__((format(printf, 4, 5)));

/* Sets client->links.tls if the URL's scheme has TLS. INVALID_REQUEST naming the file that cannot
 * be used; BACKEND_UNAVAILABLE when out of memory. */
weir_status client_tls_open(struct weir_client *client, const struct weir_client_options *options,
                            struct weir_error *err);

#endif
