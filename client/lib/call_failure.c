/* Failures of a call that the server did not send: no connection, no reply, a lost connection, a
 * client being closed, and doubt about an earlier attempt. */
#include "client/lib/call.h"
#include "weir/rules/limits.h"

#include <inttypes.h>
#include <stdio.h>

/* Marks a failure that the server did not send. */
static void add_url(struct call *call)
{
    weir_error_detail(&call->err, "url", "%s", call->client->url);
}

/* nng keeps trying to connect and does not say why there is no connection. A connection carries one
 * request after the other, so a live one may also be busy. */
void call_fail_no_connection(struct call *call)
{
    struct links *links = &call->client->links;
    const bool had_one = links_were_connected(links);
    const char *reason = "";
    if (had_one) {
        reason = "; the connection was lost, or is busy with other requests";
    } else if (links->tls != NULL) {
        reason = "; with TLS, a certificate may not have been accepted";
    }
    (void)weir_fail(&call->err, WEIR_BACKEND_UNAVAILABLE,
                    "no %sconnection to %s within %" PRIu32 " ms%s", had_one ? "free " : "",
                    call->client->url, call->timeout_ms, reason);
    add_url(call);
}

void call_fail_no_reply(struct call *call)
{
    (void)weir_fail(&call->err, WEIR_DEADLINE_EXCEEDED, "no reply from %s within %" PRIu32 " ms",
                    call->client->url, call->timeout_ms);
    add_url(call);
}

static bool is_cancelled(struct call *call)
{
    (void)pthread_mutex_lock(&call->mutex);
    const bool cancelled = call->is_cancelled;
    (void)pthread_mutex_unlock(&call->mutex);
    return cancelled;
}

/* A server closes the connection, without a reply, on a request above its limit, and nng closes it
 * on a reply above max_reply_bytes; the text names both as possible causes. */
static void fail_lost(struct call *call)
{
    const size_t reply_bytes = call->client->links.max_reply_bytes;
    char request_hint[160] = "";
    char reply_hint[96] = "";
    if (call->was_sent && call->sent_bytes > WEIR_REQUEST_BYTES_MIN) {
        (void)snprintf(request_hint, sizeof request_hint,
                       "; this is also how a server refuses a request larger than its "
                       "--max-request-bytes: this one has %zu bytes",
                       call->sent_bytes);
    }
    if (call->was_sent && reply_bytes < WEIR_REPLY_BYTES_MAX) {
        (void)snprintf(reply_hint, sizeof reply_hint,
                       "; a reply larger than max_reply_bytes, %zu, also ends the connection",
                       reply_bytes);
    }
    (void)weir_fail(&call->err, WEIR_BACKEND_UNAVAILABLE,
                    "the connection to %s was lost before the reply came%s%s", call->client->url,
                    request_hint, reply_hint);
    if (call->was_sent) {
        weir_error_detail(&call->err, "request_bytes", "%zu", call->sent_bytes);
    }
}

void call_fail_transport(struct call *call, int rv)
{
    if (is_cancelled(call)) {
        (void)call_fail_closing(&call->err);
    } else if (rv == NNG_ECONNRESET || rv == NNG_ESTATE || rv == NNG_ECLOSED) {
        /* ESTATE: the connection was lost between the end of the send and the receive. ECLOSED: the
         * socket has been replaced. */
        fail_lost(call);
    } else if (rv == NNG_ETIMEDOUT) {
        (void)weir_fail(&call->err, WEIR_BACKEND_UNAVAILABLE,
                        "gave up waiting for the reply from %s", call->client->url);
    } else {
        (void)weir_fail(&call->err, WEIR_BACKEND_UNAVAILABLE, "%s: %s", call->client->url,
                        nng_strerror(rv));
    }
    add_url(call);
}

void call_fail_in_doubt(struct call *call)
{
    const weir_status refusal = call->err.status;
    char text[WEIR_ERROR_TEXT_BYTES];
    memcpy(text, call->err.text, sizeof text);
    (void)weir_fail(&call->err, WEIR_BACKEND_UNAVAILABLE,
                    "the request to %s may have been carried out; when it was sent again, it was "
                    "refused: %s: %s",
                    call->client->url, weir_status_name(refusal), text);
    add_url(call);
}
