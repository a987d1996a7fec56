/* Sends nng's messages: never in parts and never with a failure (nng_connections.h, 1 and 4), and
 * joined or held back while more will follow, or held back until nng has released its lock (9). */
#define _GNU_SOURCE
#include "server/transport/joined_replies.h"
#include "server/transport/nng_connections.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum { TLS_HANDSHAKE = 22 };  // the first byte that a TLS server sends

static size_t bytes_of(const struct msghdr *message)
{
    size_t bytes = 0;
    for (size_t i = 0; i < message->msg_iovlen; i++) {
        bytes += message->msg_iov[i].iov_len;
    }
    return bytes;
}

static uint8_t first_byte_of(const struct msghdr *message)
{
    size_t i = 0;
    while (message->msg_iov[i].iov_len == 0) {
        i++;
    }
    return *(const uint8_t *)message->msg_iov[i].iov_base;
}

static bool is_greeting(const struct msghdr *message)
{
    return message->msg_iovlen == 1 && message->msg_iov[0].iov_len == WEIR_SP_GREETING_BYTES &&
           weir_sp_begins_greeting(message->msg_iov[0].iov_base);
}

static bool begins_http(const struct iovec *part)
{
    static const char http[] = "HTTP/";
    return part->iov_len >= sizeof http - 1 && memcmp(part->iov_base, http, sizeof http - 1) == 0;
}

/* Learns from the first message what the connection speaks, and from an answer of HTTP that it
 * speaks WebSocket from now on. */
static void learn_protocol(struct weir_nng_connection *connection, const struct msghdr *message)
{
    if (!connection->has_sent) {
        connection->has_sent = true;
        connection->is_tls = first_byte_of(message) == TLS_HANDSHAKE;
        connection->is_plain = is_greeting(message);
    }
    if (!connection->is_plain && !connection->is_tls && !connection->is_ws) {
        connection->http_n = 0;
        connection->is_ws =
            weir_ws_begins(message->msg_iov[0].iov_base, message->msg_iov[0].iov_len);
        if (!connection->is_ws && begins_http(&message->msg_iov[0])) {
            weir_nng_report(WEIR_NNG_SOCKETS_NO_WEBSOCKET);
        }
    }
}

/* Whether nng must see the failure that errno tells, and sets errno to what nng is to see. nng sees
 * a failure that passes, and that of a greeting; any other means that the peer has gone. */
static bool must_report_failure(const struct msghdr *message)
{
    if (errno == ENOBUFS || errno == ENOMEM) {
        errno = EAGAIN;
    }
    if (errno == EAGAIN || errno == EINTR) {
        return true;
    }
    errno = ECONNRESET;
    return is_greeting(message);
}

/* Whether this thread can hold back a message: it must call weir_pending_push later. All threads
 * that send replies do; nng's pollers, which send what did not fit before, do not. */
static bool may_hold_back(const struct weir_nng_connection *connection,
                          const struct msghdr *message)
{
    return connection->is_plain && !weir_nng_is_poller && !is_greeting(message);
}

/* The system has taken a whole message. A reply that was announced behind it may have been
 * withdrawn while it was sent, so that it is the last one after all. */
static void finish_message(int fd, bool was_last, bool is_held_back)
{
    const bool is_last = !weir_pending_end(fd);
    if (is_held_back || (is_last && !was_last)) {
        weir_pending_hold(fd);
    }
    if (!is_held_back) {
        weir_pending_push();
    }
}

static bool may_join(const struct weir_nng_connection *connection)
{
    return connection->is_plain && connection->sent == 0;
}

/* The message has been joined to the ones announced behind it. If they have been withdrawn since,
 * nobody else sends it. */
static void finish_joined(int fd)
{
    if (!weir_pending_end(fd)) {
        (void)weir_joined_flush(fd);
    }
}

static void follow_records(struct weir_nng_connection *connection, const struct msghdr *message)
{
    for (size_t i = 0; i < message->msg_iovlen && !connection->records.has_data; i++) {
        weir_tls_records_add(&connection->records, message->msg_iov[i].iov_base,
                             message->msg_iov[i].iov_len);
    }
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    struct weir_nng_connection *connection = weir_nng_connection_of(fd);
    if (connection == NULL || message->msg_iovlen > WEIR_NNG_PARTS_MAX) {
        return (ssize_t)syscall(SYS_sendmsg, fd, message, flags);
    }
    const size_t bytes = bytes_of(message);
    if (bytes > 0) {
        learn_protocol(connection, message);
    }
    if (connection->sent > 0 && connection->bytes != bytes) {
        errno = ECONNRESET;  // nng has given up a message that was sent in part
        return -1;
    }
    const bool is_last = !weir_pending_begin(fd);
    if (!is_last && may_join(connection) && weir_joined_add(fd, message, bytes)) {
        finish_joined(fd);
        return (ssize_t)bytes;
    }
    const bool is_held_back = is_last && may_hold_back(connection, message);
    const int more = !is_last || is_held_back ? MSG_MORE : 0;
    const ssize_t n = weir_joined_send(fd, message, connection->sent, flags | more);
    if (n < 0 && must_report_failure(message)) {
        weir_pending_leave(fd, bytes - connection->sent);
        return -1;
    }
    connection->sent += n < 0 ? bytes - connection->sent : (size_t)n;
    connection->bytes = bytes;
    if (connection->sent < bytes) {
        weir_pending_leave(fd, bytes - connection->sent);
        errno = EAGAIN;
        return -1;
    }
    connection->sent = 0;
    if (connection->is_ws) {
        weir_ws_frames_sent(&connection->frames, first_byte_of(message));
    } else if (connection->is_tls) {
        follow_records(connection, message);
    }
    finish_message(fd, is_last, is_held_back);
    return (ssize_t)bytes;
}
