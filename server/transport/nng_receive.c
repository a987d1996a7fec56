/* Receives nng's messages: reads ahead, counts partial messages, and turns what nng would close a
 * connection for into the connection's end (nng_connections.h, 2, 5 and 8). */
#define _GNU_SOURCE
#include "server/transport/nng_connections.h"

#include "server/transport/partial_messages.h"
#include "weir/base/monotonic.h"

#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum { OWN_FRAME_BYTES = 125 };

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

/* nng asks for a length, and then for that many bytes. One call of the system reads both, and the
 * next request if it is there. nng waits for an event only after a read that found nothing, so
 * bytes read ahead are never left waiting. */
static ssize_t read_any(int fd, struct weir_nng_connection *connection, const struct iovec *parts,
                        int parts_n)
{
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

/* Counts bytes received by TLS or WebSocket. A control frame of WebSocket, which is part of no
 * message, has at most OWN_FRAME_BYTES, and nng asks for no more than that. */
static void count_opaque(int fd, size_t asked, ssize_t n)
{
    if (asked > OWN_FRAME_BYTES && n > 0) {
        weir_nng_report_ended(weir_partial_came(fd, (size_t)n, weir_monotonic_us()));
    }
}

/* ---- receiving ---- */

static bool is_end(ssize_t n)
{
    return n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);
}

/* Sets *n as readv() returns it. Returns false, with *n of no meaning, at the connection's end and
 * where nng would close it. */
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
    connection->is_refused =
        is_watched && *n > 0 && !weir_sp_parts_add(&connection->incoming, (size_t)*n, message_max);
    if (connection->is_refused || is_end(*n)) {
        return false;
    }
    if (is_message) {
        count_partial(fd, connection, *n > 0 ? (size_t)*n : 0);
    }
    if (!connection->is_plain && parts_n > 0) {
        count_opaque(fd, parts[0].iov_len, *n);
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
