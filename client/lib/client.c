/* Opening and closing a client. */
#include "client/lib/client.h"

#include "client/lib/call.h"
#include "weir/base/monotonic.h"
#include "weir/rules/limits.h"

#include <nng/supplemental/util/platform.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    CONNECTIONS_MAX = 64,
    TIMEOUT_MS_DEFAULT = 30000,
    MAX_IN_FLIGHT_DEFAULT = 16384,
    FIRST_DELAY_MS_DEFAULT = 50,
    MAX_DELAY_MS_DEFAULT = 2000,
    /* How long weir_client_close waits for replies that are under way. */
    REPLIES_WAIT_MS = 250
};

/* Enough for the replies of any server. The margin is there because a server counts the size of a
 * reply's messages only roughly as they are packed. */
#define REPLY_BYTES_DEFAULT ((size_t)WEIR_REPLY_BYTES_MAX + ((size_t)32 << 20))

static const struct weir_limits limits = WEIR_LIMITS_DEFAULT;

weir_status client_fail_memory(struct weir_error *err)
{
    return weir_fail(err, WEIR_BACKEND_UNAVAILABLE, "out of memory");
}

weir_status client_fail_option(struct weir_error *err, int rv, const char *field,
                               const char *format, ...)
{
    if (rv == NNG_ENOMEM) {
        return client_fail_memory(err);
    }
    char what[256];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(what, sizeof what, format, args);
    va_end(args);
    return weir_fail_field(err, field, "%s: %s", what, nng_strerror(rv));
}

uint32_t client_or_default(uint32_t value, uint32_t standard)
{
    return value == 0 ? standard : value;
}

enum port { PORT_NONE, PORT_OUT_OF_RANGE, PORT_POSSIBLE };

/* A port that is no number is the name of a service, which the system looks up. */
static enum port port_of(const nng_url *url)
{
    const char *text = url->u_port;
    if (text == NULL || text[0] == '\0' || strcmp(text, "0") == 0) {
        return PORT_NONE;
    }
    const bool is_number = text[strspn(text, "0123456789")] == '\0';
    return is_number && (strlen(text) > 5 || strtol(text, NULL, 10) > UINT16_MAX)
               ? PORT_OUT_OF_RANGE
               : PORT_POSSIBLE;
}

/* nng accepts a URL without a port, as port 0, and one with a port out of range; neither would ever
 * connect. */
static weir_status check_url(const char *text, struct weir_error *err)
{
    nng_url *url = NULL;
    const int rv = nng_url_parse(&url, text);
    if (rv != 0) {
        return client_fail_option(err, rv, "url", "'%s' is not a URL", text);
    }
    const bool needs_port = strstr(url->u_scheme, "tcp") != NULL;
    const enum port port = port_of(url);
    nng_url_free(url);
    if (needs_port && port == PORT_NONE) {
        return weir_fail_field(err, "url", "'%s' has no port", text);
    }
    return port == PORT_OUT_OF_RANGE
               ? weir_fail_field(err, "url", "the port of '%s' must be from 1 to 65535", text)
               : WEIR_OK;
}

static weir_status check_options(const struct weir_client_options *options, struct weir_error *err)
{
    if (options->connections > CONNECTIONS_MAX) {
        return weir_fail_field(err, "connections", "%u is out of range: must be 1 to %d",
                               options->connections, CONNECTIONS_MAX);
    }
    if (options->max_reply_bytes > LINKS_REPLY_BYTES_MAX) {
        return weir_fail_field(err, "max_reply_bytes", "%zu is out of range: must be at most %zu",
                               options->max_reply_bytes, LINKS_REPLY_BYTES_MAX);
    }
    if ((options->tls_cert_file == NULL) != (options->tls_key_file == NULL)) {
        return weir_fail_field(err, "tls_cert_file",
                               "a certificate and its key must be given together");
    }
    return check_url(options->url == NULL ? WEIR_DEFAULT_URL : options->url, err);
}

static weir_status take_options(struct weir_client *client,
                                const struct weir_client_options *options, struct weir_error *err)
{
    client->timeout_ms = client_or_default(options->timeout_ms, TIMEOUT_MS_DEFAULT);
    client->max_in_flight = client_or_default(options->max_in_flight, MAX_IN_FLIGHT_DEFAULT);
    client->max_request_bytes =
        options->max_request_bytes == 0 ? (size_t)limits.request_bytes : options->max_request_bytes;
    client->retry.max_attempts = client_or_default(options->retry.max_attempts, UINT32_MAX);
    client->retry.first_delay_ms =
        client_or_default(options->retry.first_delay_ms, FIRST_DELAY_MS_DEFAULT);
    client->retry.max_delay_ms =
        client_or_default(options->retry.max_delay_ms, MAX_DELAY_MS_DEFAULT);
    client->url = strdup(options->url == NULL ? WEIR_DEFAULT_URL : options->url);
    if (options->token != NULL) {
        client->token = strdup(options->token);
    }
    if (client->url == NULL || (options->token != NULL && client->token == NULL)) {
        return client_fail_memory(err);
    }
    return WEIR_OK;
}

static weir_status connect_client(struct weir_client *client,
                                  const struct weir_client_options *options, struct weir_error *err)
{
    client->links.url = client->url;
    client->links.connections = client_or_default(options->connections, 1);
    client->links.max_reply_bytes =
        options->max_reply_bytes == 0 ? REPLY_BYTES_DEFAULT : options->max_reply_bytes;
    client->has_links = true;
    return links_open(&client->links, err);
}

weir_status weir_client_open(const struct weir_client_options *options,
                             struct weir_client **client_out, struct weir_error *err)
{
    const struct weir_client_options standard = WEIR_CLIENT_OPTIONS_INIT;
    if (options == NULL) {
        options = &standard;
    }
    weir_status st = check_options(options, err);
    if (st != WEIR_OK) {
        return st;
    }
    struct weir_client *client = calloc(1, sizeof *client);
    if (client == NULL) {
        return client_fail_memory(err);
    }
    weir_link_init(&client->in_flight);
    (void)pthread_mutex_init(&client->mutex, NULL);
    weir_cond_init(&client->is_idle);
    st = take_options(client, options, err);
    if (st == WEIR_OK) {
        st = client_tls_open(client, options, err);
    }
    if (st == WEIR_OK) {
        st = connect_client(client, options, err);
    }
    if (st != WEIR_OK) {
        weir_client_close(client);
        return st;
    }
    *client_out = client;
    return WEIR_OK;
}

static bool wait_idle_locked(struct weir_client *client, int64_t until_us)
{
    bool goes_on = true;
    while (client->in_flight_n > 0 && goes_on) {
        goes_on = weir_cond_wait_until(&client->is_idle, &client->mutex, until_us);
    }
    return client->in_flight_n == 0;
}

/* Ends all calls before the socket is closed, and waits for replies that are under way: nng does
 * not always survive that a connection is closed while a message comes in (link.h). */
static void end_calls(struct weir_client *client)
{
    (void)pthread_mutex_lock(&client->mutex);
    client->is_closing = true;
    calls_cancel_locked(client, true);
    if (!wait_idle_locked(client, weir_monotonic_us() + REPLIES_WAIT_MS * 1000)) {
        calls_cancel_locked(client, false);
    }
    while (client->in_flight_n > 0) {
        (void)pthread_cond_wait(&client->is_idle, &client->mutex);
    }
    (void)pthread_mutex_unlock(&client->mutex);
    calls_free(client);
}

void weir_client_close(struct weir_client *client)
{
    if (client == NULL) {
        return;
    }
    end_calls(client);
    if (client->has_links) {
        links_close(&client->links);
    }
    if (client->links.tls != NULL) {
        nng_tls_config_free(client->links.tls);
    }
    (void)pthread_cond_destroy(&client->is_idle);
    (void)pthread_mutex_destroy(&client->mutex);
    free(client->token);
    free(client->url);
    free(client);
}

uint32_t client_pause_ms(const struct weir_client *client, uint32_t *delay_ms)
{
    const uint32_t half = *delay_ms / 2;
    const uint32_t pause_ms = half + nng_random() % (*delay_ms - half + 1);
    const uint32_t max_delay_ms = client->retry.max_delay_ms;
    *delay_ms = *delay_ms > max_delay_ms / 2 ? max_delay_ms : *delay_ms * 2;
    return pause_ms;
}

bool client_halve_refused(const struct weir_error *err, const char *field, int64_t least,
                          int64_t *number)
{
    const char *refused = weir_error_get_detail(err, "field");
    if (err->status != WEIR_INVALID_REQUEST || refused == NULL || strcmp(refused, field) != 0 ||
        *number <= least) {
        return false;
    }
    *number /= 2;
    return true;
}

const char *weir_client_url(const struct weir_client *client)
{
    return client->url;
}
