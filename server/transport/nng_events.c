/* Decides when nng learns of the end of a connection, and which events it sees
 * (nng_connections.h, 1, 2, 3 and 5). */
#define _GNU_SOURCE
#include "server/transport/nng_connections.h"

#include "server/transport/joined_replies.h"
#include "server/transport/partial_messages.h"
#include "weir/base/monotonic.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { LAST_REPLIES_US = 1000 * 1000 };  // longest time that pending replies delay an end's report

_Thread_local bool weir_nng_is_poller;

/* ---- the end of a connection ---- */

/* The socket is shut down at the first call, so that it discards the replies sent from then on. */
bool weir_nng_may_report_end(int fd, struct weir_nng_connection *connection)
{
    if (connection->is_tls && connection->records.has_data) {
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

/* nng always shuts a connection down before it closes it. */
int shutdown(int fd, int how)
{
    weir_partial_closed(fd);
    if (weir_nng_connection_of(fd) != NULL) {
        (void)weir_joined_flush(fd);
        weir_joined_drop(fd);
    }
    return (int)syscall(SYS_shutdown, fd, how);
}

/* ---- events ---- */

/* A thread that gets an event sees all that another thread did before it asked for the event.
 * ThreadSanitizer knows this of the C library's functions, but must be told of these ones. */
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

/* A TLS connection that has ended is always readable. nng is not told of the end, so waiting until
 * the connection is readable would wake it again and again: that event is left out. */
int epoll_ctl(int epoll, int operation, int fd, struct epoll_event *event)
{
    const struct weir_nng_connection *connection = weir_nng_connection_of(fd);
    if (operation == EPOLL_CTL_MOD && connection != NULL && connection->has_ended) {
        event->events &= ~(uint32_t)EPOLLIN;
        if ((event->events & EPOLLOUT) == 0) {
            return 0;
        }
    }
    TELL_ASKED();
    return (int)syscall(SYS_epoll_ctl, epoll, operation, fd, event);
}

/* Waits as epoll_wait() does, and looks for silent partial messages. Where nng waits without a
 * limit, the wait is interrupted for that. */
static int wait_for_events(int epoll, struct epoll_event *events, int events_max, int timeout_ms)
{
    int n = 0;
    do {
        const int wait_ms = timeout_ms < 0 ? weir_partial_look_in_ms() : timeout_ms;
        n = epoll_pwait(epoll, events, events_max, wait_ms, NULL);
        weir_nng_report_ended(weir_partial_look(weir_monotonic_us()));
    } while (n == 0 && timeout_ms < 0);
    return n;
}

/* Turns an error of a socket into readiness to receive and to send, which handle it. */
int epoll_wait(int epoll, struct epoll_event *events, int events_max, int timeout_ms)
{
    weir_nng_is_poller = true;
    const int n = wait_for_events(epoll, events, events_max, timeout_ms);
    TELL_GOT();
    for (int i = 0; i < n; i++) {
        if ((events[i].events & (EPOLLERR | EPOLLHUP)) != 0) {
            events[i].events = (events[i].events & ~(uint32_t)EPOLLERR) | EPOLLIN | EPOLLOUT;
        }
    }
    return n;
}
