/* Receives nng's messages: reads ahead, counts partial messages, and turns what nng would close a
 * connection for into the connection's end (nng_connections.h, 2, 5, 8, 10 and 11). */
#define _GNU_SOURCE
#include "server/transport/nng_connections.h"

#include "server/transport/partial_messages.h"
#include "server/transport/ws_frames.h"
#include "weir/base/monotonic.h"

#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static size_t message_max;

void weir_nng_sockets_refuse_above(size_t max)
{
    message_max = max;
}

/* ---- reading ahead ---- */

static ssize_t take_ahead(struct weir_nng_connection *connection, const struct iovec *parts,
                          int parts_n)
{
    size_t taken = 0;
    for (int i = 0; i < parts_n && connection->ahead_n > 0; i++) {
        const size_t wanted = parts[i].iov_len;
        const size_t n = wanted < connection->ahead_n ? wanted : connection->ahead_n;
        memcpy(parts[i].iov_base, connection->ahead + connection->ahead_at, n);
        connection->ahead_at += n;
        connection->ahead_n -= n;
        taken += n;
    }
    return (ssize_t)taken;
}

/* Reads what nng asks for and what follows it. Returns the bytes that nng gets. */
static ssize_t read_ahead(int fd, struct weir_nng_connection *connection, const struct iovec *parts,
                          int parts_n)
{
    struct iovec all[WEIR_NNG_PARTS_MAX + 1];
    size_t wanted = 0;
    for (int i = 0; i < parts_n; i++) {
        all[i] = parts[i];
        wanted += parts[i].iov_len;
    }
    all[parts_n] = (struct iovec){.iov_base = connection->ahead, .iov_len = WEIR_NNG_AHEAD_BYTES};
    const ssize_t n = (ssize_t)syscall(SYS_readv, fd, all, parts_n + 1);
    if (n < 0 || (size_t)n <= wanted) {
        return n;
    }
    connection->ahead_at = 0;
    connection->ahead_n = (size_t)n - wanted;
    return (ssize_t)wanted;
}

/* Reads a line of HTTP, or what has come of it. A request ends where a line does, so the frames of
 * WebSocket that have come with it are left for nng's next call, and are followed from the first
 * one on. What a TLS client sends first is read here as well, and as good as any way. */
static ssize_t read_http(int fd, struct weir_nng_connection *connection, const struct iovec *part)
{
    if (connection->ahead == NULL) {
        return (ssize_t)syscall(SYS_read, fd, part->iov_base, (size_t)1);
    }
    if (connection->ahead_n == 0) {
        const ssize_t n =
            (ssize_t)syscall(SYS_read, fd, connection->ahead, (size_t)WEIR_NNG_AHEAD_BYTES);
        if (n <= 0) {
            return n;
        }
        connection->ahead_at = 0;
        connection->ahead_n = (size_t)n;
    }
    const size_t n = part->iov_len < connection->ahead_n ? part->iov_len : connection->ahead_n;
    const uint8_t *from = connection->ahead + connection->ahead_at;
    const uint8_t *end = memchr(from, '\n', n);
    const struct iovec line = {.iov_base = part->iov_base,
                               .iov_len = end != NULL ? (size_t)(end - from) + 1 : n};
    return take_ahead(connection, &line, 1);
}

/* nng asks for a length, and then for that many bytes. One call of the system reads both, and the
 * next request if it is there. nng waits for an event only after a read that found nothing, so
 * bytes read ahead are never left waiting. */
static ssize_t read_any(int fd, struct weir_nng_connection *connection, const struct iovec *parts,
                        int parts_n)
{
    if (parts_n > 0 && !connection->is_plain && !connection->is_tls && !connection->is_ws) {
        return read_http(fd, connection, &parts[0]);
    }
    if (connection->ahead_n > 0) {
        return take_ahead(connection, parts, parts_n);
    }
    return connection->ahead == NULL || parts_n > WEIR_NNG_PARTS_MAX
               ? (ssize_t)syscall(SYS_readv, fd, parts, parts_n)
               : read_ahead(fd, connection, parts, parts_n);
}

/* ---- partial messages ---- */

/* Counts bytes received of a message. A message that arrives together with its length is never
 * partial. */
static void count_partial(int fd, struct weir_nng_connection *connection, size_t received)
{
    if (connection->incoming.part == WEIR_SP_MESSAGE) {
        connection->is_partial = true;
        weir_nng_report_ended(
            weir_partial_add(fd, received, connection->incoming.wanted, weir_monotonic_us()));
    } else if (connection->is_partial) {
        connection->is_partial = false;
        weir_partial_whole(fd);
    }
}

/* Counts what nng keeps of the bytes received by WebSocket. Returns false if the connection is to
 * end. */
static bool follow_frames(int fd, struct weir_nng_connection *connection, const struct iovec *parts,
                          size_t n)
{
    size_t held = 0;
    bool are_few = true;
    for (size_t i = 0; are_few && n > 0; i++) {
        const size_t taken = parts[i].iov_len < n ? parts[i].iov_len : n;
        are_few = weir_ws_frames_add(&connection->frames, parts[i].iov_base, taken, &held);
        n -= taken;
    }
    if (held > 0) {
        weir_nng_report_ended(weir_partial_came(fd, held, weir_monotonic_us()));
    }
    return are_few;
}

/* ---- receiving ---- */

static bool is_end(ssize_t n)
{
    return n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);
}

/* Looks at `n` bytes that nng is about to get. Returns false if the connection is to end instead.
 */
static bool may_pass(int fd, struct weir_nng_connection *connection, const struct iovec *parts,
                     size_t n)
{
    if (connection->is_plain) {
        return weir_sp_parts_add(&connection->incoming, n, message_max);
    }
    if (connection->is_ws) {
        return follow_frames(fd, connection, parts, n);
    }
    if (connection->is_tls) {
        weir_nng_report_ended(weir_partial_came(fd, n, weir_monotonic_us()));
        return true;
    }
    connection->http_n += n;
    return connection->http_n <= WEIR_NNG_HTTP_MAX;
}

static enum weir_nng_sockets_event refusal(const struct weir_nng_connection *connection)
{
    if (!connection->is_plain) {
        return WEIR_NNG_SOCKETS_WEBSOCKET;
    }
    return connection->incoming.is_too_long ? WEIR_NNG_SOCKETS_TOO_LONG : WEIR_NNG_SOCKETS_NOT_SP;
}

/* Sets *n as readv() returns it. Returns false, with *n of no meaning, at the connection's end and
 * where nng would close it or weir does. */
static bool receive_part(int fd, struct weir_nng_connection *connection, const struct iovec *parts,
                         int parts_n, ssize_t *n)
{
    if (connection->is_refused) {
        return false;
    }
    const bool is_watched = connection->is_plain && parts_n > 0;
    const bool is_message = is_watched && connection->incoming.part == WEIR_SP_MESSAGE;
    if (is_watched) {
        weir_sp_parts_begin(&connection->incoming, parts[0].iov_base, parts[0].iov_len);
    }
    *n = read_any(fd, connection, parts, parts_n);
    connection->is_refused = *n > 0 && !may_pass(fd, connection, parts, (size_t)*n);
    if (connection->is_refused) {
        weir_nng_report(refusal(connection));
        return false;
    }
    if (is_end(*n)) {
        return false;
    }
    if (is_message) {
        count_partial(fd, connection, *n > 0 ? (size_t)*n : 0);
    }
    return true;
}

ssize_t readv(int fd, const struct iovec *parts, int parts_n)
{
    struct weir_nng_connection *connection = weir_nng_connection_of(fd);
    if (connection == NULL) {
        return (ssize_t)syscall(SYS_readv, fd, parts, parts_n);
    }
    ssize_t n = 0;
    if (receive_part(fd, connection, parts, parts_n, &n)) {
        return n;
    }
    errno = weir_nng_may_report_end(fd, connection) ? ECONNRESET : EAGAIN;
    return -1;
}
