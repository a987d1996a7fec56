/* What nng 1.5.2 gets to see of its connections. The library calls accept(), sendmsg(), readv(),
 * epoll_wait(), epoll_ctl() and getsockopt() as any program does, so it is bound to the ones that
 * stand here.
 *
 * nng loses a connection for ever, and the thread that releases connections with it, when the
 * connection is closed in the moment in which nng is about to take the next part of a message: that
 * part is never begun and never ends, and closing waits for its end. From then on no connection
 * whatsoever is released. Receiving is in parts always (a length, then the message), sending where
 * a message does not fit the socket's buffer. What closes a connection is that sending or receiving
 * fails. So, of a connection that was accepted:
 *
 * - Sending does not fail. What is sent to somebody who has gone goes nowhere, as it would had he
 *   gone a moment later; receiving tells of his end, and then it is not in the middle of anything.
 * - Sending is not in parts: what has been taken of a message is remembered, and nng is told of it
 *   once all of it has been. It asks again with the same message until then.
 * - An error of the socket is no event of its own, which would end both directions at a time.
 *
 * nng loses a reply, memory and all, that it begins to send while it is closing the connection. So
 * the end is told when no reply is on its way any more; what is sent until then goes nowhere. From
 * then on nothing is handed to nng (pending_replies.h). What nng would close a connection for, a
 * message that is too long or no request, is the end as well, before nng has seen it.
 *
 * Under TLS sending is in parts all the same, of a record each. There the end is not told at all;
 * the transport asks the system which connections have ended (remote.h) and closes them in a quiet
 * moment.
 *
 * The greeting, the first thing that is sent, is another matter: a failure there ends an attempt to
 * accept. After ECONNRESET nng accepts again at once; after EPIPE it never did on ipc:// (nng issue
 * 1518), and after the end of what is to be received it does in 100 ms. So it is ECONNRESET always.
 *
 * What a connection holds of a message that is not whole is told of part by part, so that all of it
 * together is bounded (partial_messages.h).
 *
 * Besides, two calls of the system are saved for each small request, which is received with its
 * length before nng asks for it; and replies that are ready together leave together, when nng has
 * let go of its lock (pending_replies.h).
 */
#define _GNU_SOURCE
#include "server/transport/nng_sockets.h"

#include "server/transport/partial_messages.h"
#include "server/transport/pending_replies.h"
#include "server/transport/sp_parts.h"
#include "weir/rules/time_text.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum {
    PARTS_MAX = 16,      // of a message, as nng passes it
    AHEAD_BYTES = 2048,  // a few small requests
    OWN_FRAME_BYTES = 125,
    REPORT_EVERY_US = 60 * 1000 * 1000,
    TLS_HANDSHAKE = 22,  // the first byte that a server sends
    LAST_REPLIES_US = 1000 * 1000
};

/* By descriptor. nng calls for one connection one at a time. Whatever else has a descriptor later
 * that was a connection's makes none of these calls. */
static struct connection {
    bool is_accepted;
    bool has_sent;
    bool is_tls;
    bool is_plain;                  // it speaks SP and nothing around it
    bool has_ended;                 // which nng will not be told
    int64_t ended_at_us;            // which nng will be told; 0: it has not ended
    size_t sent;                    // of the message that is being sent
    size_t bytes;                   // all of it
    struct weir_sp_parts incoming;  // what nng receives
    bool is_refused;                // what has been received
    bool is_half;                   // the message, as partial_messages.h has been told
    /* What has been received and nng has not asked for yet. */
    uint8_t *ahead;  // AHEAD_BYTES, kept for the next connection; NULL without memory
    size_t ahead_at;
    size_t ahead_n;
} connections[WEIR_DESCRIPTORS_MAX];

static struct connection *connection_of(int fd)
{
    return fd >= 0 && fd < WEIR_DESCRIPTORS_MAX && connections[fd].is_accepted ? &connections[fd]
                                                                               : NULL;
}

/* ---- accepting ---- */

static struct {
    pthread_mutex_t lock;  // guards all; held while `call` runs, so that it ends in time
    void (*call)(void *context, enum weir_nng_sockets_event event, int fault);
    void *context;
    int64_t not_before_us[WEIR_NNG_SOCKETS_ENDED + 1];
} report = {.lock = PTHREAD_MUTEX_INITIALIZER};

void weir_nng_sockets_report(void (*call)(void *context, enum weir_nng_sockets_event event,
                                          int fault),
                             void *context)
{
    (void)pthread_mutex_lock(&report.lock);
    report.call = call;
    report.context = context;
    (void)pthread_mutex_unlock(&report.lock);
}

/* nng tries again and again, and says nothing. */
static void tell_of(enum weir_nng_sockets_event event)
{
    const int fault = errno;
    (void)pthread_mutex_lock(&report.lock);
    if (report.call != NULL && weir_monotonic_us() >= report.not_before_us[event]) {
        report.not_before_us[event] = weir_monotonic_us() + REPORT_EVERY_US;
        report.call(report.context, event, fault);
    }
    (void)pthread_mutex_unlock(&report.lock);
    errno = fault;
}

static void tell_if_ended(bool is_any)
{
    if (is_any) {
        tell_of(WEIR_NNG_SOCKETS_ENDED);
    }
}

static int bound;  // of descriptors for connections

void weir_nng_sockets_take_below(int descriptor)
{
    bound = descriptor;
}

int accept(int listener, struct sockaddr *address, socklen_t *address_n)
{
    const int fd = accept4(listener, address, address_n, 0);
    if (fd < 0 && (errno == EMFILE || errno == ENFILE)) {
        tell_of(WEIR_NNG_SOCKETS_FULL);
    }
    if (bound > 0 && fd >= bound) {
        (void)close(fd);
        errno = EMFILE;
        tell_of(WEIR_NNG_SOCKETS_FULL);
        return -1;
    }
    if (fd >= 0 && fd < WEIR_DESCRIPTORS_MAX) {
        uint8_t *ahead = connections[fd].ahead;
        connections[fd] = (struct connection){.is_accepted = true,
                                              .ahead = ahead != NULL ? ahead : malloc(AHEAD_BYTES)};
        weir_pending_opened(fd);
        weir_partial_opened(fd);
    }
    return fd;
}

/* ---- which connection it is ---- */

int getsockopt(int fd, int level, int option, void *value, socklen_t *value_n)
{
    if (weir_pending_is_asking() && connection_of(fd) != NULL) {
        weir_pending_answer(fd);
    }
    return (int)syscall(SYS_getsockopt, fd, level, option, value, value_n);
}

/* ---- sending ---- */

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

/* Without the first `skip` bytes. */
static ssize_t send_from(int fd, const struct msghdr *message, size_t skip, int flags)
{
    struct iovec parts[PARTS_MAX];
    struct msghdr rest = *message;
    rest.msg_iov = parts;
    rest.msg_iovlen = 0;
    for (size_t i = 0; i < message->msg_iovlen; i++) {
        const struct iovec *part = &message->msg_iov[i];
        const size_t skipped = skip < part->iov_len ? skip : part->iov_len;
        skip -= skipped;
        if (skipped < part->iov_len) {
            parts[rest.msg_iovlen++] = (struct iovec){.iov_base = (char *)part->iov_base + skipped,
                                                      .iov_len = part->iov_len - skipped};
        }
    }
    return (ssize_t)syscall(SYS_sendmsg, fd, &rest, flags);
}

/* A failure that passes, or one that is to be told; otherwise the peer has gone. */
static bool must_tell(const struct msghdr *message)
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

/* nng's threads that wait for events send what did not fit before, and come by nothing of ours
 * afterwards. */
static _Thread_local bool is_poller;

/* All other threads send replies, and push. */
static bool may_hold(const struct connection *connection, const struct msghdr *message)
{
    return connection->is_plain && !is_poller && !is_greeting(message);
}

/* What was announced behind it may have been withdrawn meanwhile. */
static void end_message(int fd, bool was_last, bool is_held)
{
    const bool is_last = !weir_pending_end(fd);
    if (is_held || (is_last && !was_last)) {
        weir_pending_hold(fd);
    }
    if (!is_held) {
        weir_pending_push();
    }
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    struct connection *connection = connection_of(fd);
    if (connection == NULL || message->msg_iovlen > PARTS_MAX) {
        return (ssize_t)syscall(SYS_sendmsg, fd, message, flags);
    }
    const size_t bytes = bytes_of(message);
    if (!connection->has_sent && bytes > 0) {
        connection->has_sent = true;
        connection->is_tls = first_byte_of(message) == TLS_HANDSHAKE;
        connection->is_plain = is_greeting(message);
    }
    if (connection->sent > 0 && connection->bytes != bytes) {
        errno = ECONNRESET;  // what was begun has been given up
        return -1;
    }
    const bool is_last = !weir_pending_begin(fd);
    const bool is_held = is_last && may_hold(connection, message);
    const int more = !is_last || is_held ? MSG_MORE : 0;
    const ssize_t n = send_from(fd, message, connection->sent, flags | more);
    if (n < 0 && must_tell(message)) {
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
    end_message(fd, is_last, is_held);
    return (ssize_t)bytes;
}

/* ---- receiving ---- */

static bool is_end(ssize_t n)
{
    return n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);
}

static ssize_t take_ahead(struct connection *connection, const struct iovec *parts, int parts_n)
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

/* What is wanted, and what there is behind it. */
static ssize_t receive(int fd, struct connection *connection, const struct iovec *parts,
                       int parts_n)
{
    struct iovec all[PARTS_MAX + 1];
    size_t wanted = 0;
    for (int i = 0; i < parts_n; i++) {
        all[i] = parts[i];
        wanted += parts[i].iov_len;
    }
    all[parts_n] = (struct iovec){.iov_base = connection->ahead, .iov_len = AHEAD_BYTES};
    const ssize_t n = (ssize_t)syscall(SYS_readv, fd, all, parts_n + 1);
    if (n < 0 || (size_t)n <= wanted) {
        return n;
    }
    connection->ahead_at = 0;
    connection->ahead_n = (size_t)n - wanted;
    return (ssize_t)wanted;
}

static size_t message_max;

void weir_nng_sockets_refuse_above(size_t max)
{
    message_max = max;
}

/* ---- the end ---- */

/* Whether nng may be told now. A socket that is shut down takes the rest of the replies: nowhere.
 */
static bool may_tell_end(int fd, struct connection *connection)
{
    if (connection->is_tls) {
        connection->has_ended = true;
        return false;
    }
    const int64_t now_us = weir_monotonic_us();
    if (connection->ended_at_us == 0) {
        connection->ended_at_us = now_us;
        (void)shutdown(fd, SHUT_RDWR);
    }
    return weir_pending_close(fd) || now_us - connection->ended_at_us > LAST_REPLIES_US;
}

/* nng asks for a length, and then for as much. Both, and the next request if it is there, come by
 * one call of the system. nng waits for an event only after it has been told that there is nothing.
 */
static ssize_t receive_any(int fd, struct connection *connection, const struct iovec *parts,
                           int parts_n)
{
    if (connection->ahead_n > 0) {
        return take_ahead(connection, parts, parts_n);
    }
    return connection->ahead == NULL || parts_n > PARTS_MAX
               ? (ssize_t)syscall(SYS_readv, fd, parts, parts_n)
               : receive(fd, connection, parts, parts_n);
}

/* A message that has come with its length is never half. */
static void watch_half(int fd, struct connection *connection, size_t received)
{
    if (connection->incoming.part == WEIR_SP_MESSAGE) {
        connection->is_half = true;
        tell_if_ended(
            weir_partial_add(fd, received, connection->incoming.wanted, weir_monotonic_us()));
    } else if (connection->is_half) {
        connection->is_half = false;
        weir_partial_whole(fd);
    }
}

/* By TLS or WebSocket. A frame that WebSocket has for itself has 125 bytes at most and is asked for
 * as such; it is part of no message. */
static void watch_opaque(int fd, size_t asked, ssize_t n)
{
    if (asked > OWN_FRAME_BYTES && n > 0) {
        tell_if_ended(weir_partial_came(fd, (size_t)n, weir_monotonic_us()));
    }
}

/* False at the end. */
static bool receive_part(int fd, struct connection *connection, const struct iovec *parts,
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
    *n = receive_any(fd, connection, parts, parts_n);
    connection->is_refused =
        is_watched && *n > 0 && !weir_sp_parts_add(&connection->incoming, (size_t)*n, message_max);
    if (connection->is_refused || is_end(*n)) {
        return false;
    }
    if (is_message) {
        watch_half(fd, connection, *n > 0 ? (size_t)*n : 0);
    }
    if (!connection->is_plain && parts_n > 0) {
        watch_opaque(fd, parts[0].iov_len, *n);
    }
    return true;
}

ssize_t readv(int fd, const struct iovec *parts, int parts_n)
{
    struct connection *connection = connection_of(fd);
    if (connection == NULL) {
        return (ssize_t)syscall(SYS_readv, fd, parts, parts_n);
    }
    ssize_t n = 0;
    if (receive_part(fd, connection, parts, parts_n, &n)) {
        return n;
    }
    errno = may_tell_end(fd, connection) ? ECONNRESET : EAGAIN;
    return -1;
}

/* nng shuts a connection down before it closes it, always. */
int shutdown(int fd, int how)
{
    weir_partial_closed(fd);
    return (int)syscall(SYS_shutdown, fd, how);
}

/* ---- events ---- */

/* What a thread does before it asks for an event is seen by the one that gets it. ThreadSanitizer
 * knows that of the system's functions and has to be told of these. */
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#include <sanitizer/tsan_interface.h>
static char asked;
#define TELL_ASKED() __tsan_release(&asked)
#define TELL_GOT()   __tsan_acquire(&asked)
#endif
#endif
#ifndef TELL_ASKED
#define TELL_ASKED() (void)0
#define TELL_GOT()   (void)0
#endif

/* What has ended can be read for ever. */
int epoll_ctl(int epoll, int operation, int fd, struct epoll_event *event)
{
    const struct connection *connection = connection_of(fd);
    if (operation == EPOLL_CTL_MOD && connection != NULL && connection->has_ended) {
        event->events &= ~(uint32_t)EPOLLIN;
        if ((event->events & EPOLLOUT) == 0) {
            return 0;
        }
    }
    TELL_ASKED();
    return (int)syscall(SYS_epoll_ctl, epoll, operation, fd, event);
}

/* nng waits without end. In between half messages are looked at. */
static int wait_for_events(int epoll, struct epoll_event *events, int events_max, int timeout_ms)
{
    int n = 0;
    do {
        const int wait_ms = timeout_ms < 0 ? weir_partial_look_in_ms() : timeout_ms;
        n = epoll_pwait(epoll, events, events_max, wait_ms, NULL);
        tell_if_ended(weir_partial_look(weir_monotonic_us()));
    } while (n == 0 && timeout_ms < 0);
    return n;
}

int epoll_wait(int epoll, struct epoll_event *events, int events_max, int timeout_ms)
{
    is_poller = true;
    const int n = wait_for_events(epoll, events, events_max, timeout_ms);
    TELL_GOT();
    for (int i = 0; i < n; i++) {
        if ((events[i].events & (EPOLLERR | EPOLLHUP)) != 0) {
            events[i].events = (events[i].events & ~(uint32_t)EPOLLERR) | EPOLLIN | EPOLLOUT;
        }
    }
    return n;
}
