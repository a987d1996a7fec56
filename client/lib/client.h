/* Inside of libweir: the client and its pool of calls.
 *
 * A client has one nng REQ socket (link.h). Each call in flight has a context of that socket and an
 * nng_aio; both are kept in a pool for the next call. */
#ifndef WEIR_CLIENT_CLIENT_H
#define WEIR_CLIENT_CLIENT_H

#include "client/lib/link.h"
#include "client/weir.h"

struct call;

/* A call is driven either by the thread that waits for it or by nng's threads; their aios differ,
 * so each kind has a pool of its own. */
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

    /* Guards what follows. Held over nng_sleep_aio and nng_aio_abort, which call nothing back;
     * never while a callback runs. */
    pthread_mutex_t mutex;
    pthread_cond_t is_idle;         // in_flight_n fell to 0
    struct call *free[CALL_KINDS];  // the pools
    struct call *in_flight;
    size_t in_flight_n;
    bool is_closing;
    /* Of those in flight, calls that have come to their ends and are telling so: they do not count
     * for max_in_flight. Grows without the mutex. */
    atomic_size_t ended_n;
};

/* An option's value, where 0 stands for `standard`. */
uint32_t client_or_default(uint32_t value, uint32_t standard);

/* How long to pause before the next attempt, where that is *delay_ms at most; that grows. */
uint32_t client_pause_ms(const struct weir_client *client, uint32_t *delay_ms);

/* The server's limits may be lower than the numbers that the library chooses where its user has
 * chosen none. Whether `err` refuses the request's `field`, for which *number, above `least`, is to
 * blame: then *number is halved, and the request is to be made again. */
bool client_halve_refused(const struct weir_error *err, const char *field, int64_t least,
                          int64_t *number);

/* INVALID_REQUEST where a subscription's options contradict each other. */
weir_status subscription_check(const struct weir_subscription_options *options,
                               struct weir_error *err);

weir_status client_fail_memory(struct weir_error *err);

/* nng's error number about an option, or about several, that the format names. Without memory it is
 * not the option that is to blame: BACKEND_UNAVAILABLE, else INVALID_REQUEST on `field`. */
weir_status client_fail_option(struct weir_error *err, int rv, const char *field,
                               const char *format, ...) __attribute__((format(printf, 4, 5)));

/* Adds TLS to the client's dialers where the URL wants it: client->links.tls. INVALID_REQUEST
 * naming the file that cannot be used; BACKEND_UNAVAILABLE without memory. */
weir_status client_tls_open(struct weir_client *client, const struct weir_client_options *options,
                            struct weir_error *err);

#endif
