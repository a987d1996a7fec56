/* What nng 1.5.2 gets to see of its connections: the internals of nng_sockets.h.
 *
 * The object library weir_nng_sockets defines accept(), getsockopt(), sendmsg(), readv(),
 * shutdown(), epoll_ctl() and epoll_wait(). In a program that links the library, nng's calls are
 * bound to these definitions. For a descriptor that is no accepted connection they do what the
 * system does.
 *
 * What nng does, what weir does about it (-), and where:
 *
 * 1. nng loses a connection for ever if the connection is closed at the moment when nng is
 *    about to take the next part of a message: the part is never started and so never ends, and
 *    closing waits for its end, as does the thread that releases connections. From then on no
 *    connection is released. Receiving is always in parts (a length, then the message); sending
 *    is in parts if a message does not fit the socket's buffer. nng closes a connection when
 *    sending or receiving fails.
 *    - Sending does not fail. What is sent to a peer that has gone is discarded, as it would be
 *      if the peer had gone a moment later. Only receiving reports the end: the part that nng is
 *      receiving fails, so that nng is not between two parts: sendmsg(), readv().
 *    - Sending is not in parts. weir remembers what the system has taken of a message, and
 *      tells nng once all is taken; until then nng retries with the same message: sendmsg().
 *    - An error of the socket is no event of its own, which would end both directions at a
 *      time: epoll_wait().
 * 2. nng loses a reply, and leaks its memory, if it begins to send it while it closes the
 *    connection.
 *    - The end is reported only when no reply is pending, and replies sent until then are
 *      discarded. From the report on no reply is handed to nng (pending_replies.h). After a second
 *      the end is reported even if replies are pending: weir_nng_may_report_end().
 *    - A part for which nng would close the connection, such as a message that is too long or
 *      is no request, is turned into the end before nng sees it (sp_parts.h): readv().
 * 3. Under TLS nng sends in parts all the same, one record each.
 *    - The end of a TLS connection is not reported at all: weir_nng_may_report_end(),
 *      epoll_ctl(). The transport asks the system which connections have ended (remote.h) and
 *      closes them in a quiet moment. It does not know those whose handshake is not over
 *      (tls_records.h); their end is reported, as there is no message yet.
 * 4. If the greeting, the first bytes sent, fails, nng's attempt to accept ends. nng accepts
 *    again at once after ECONNRESET, 100 ms later after an end of file, and on ipc:// never
 *    after EPIPE (nng issue 1518).
 *    - The error is always ECONNRESET: sendmsg(), readv().
 * 5. nng keeps a partial message as long as its connection lives, and waits as long for a
 *    handshake of TLS or WebSocket to go on.
 *    - Partial messages are counted, so that all of them together are bounded
 *      (partial_messages.h): readv(). Silent ones, and handshakes that are not over in time, are
 *      looked for between events: epoll_wait().
 * 6. nng retries without a word when no descriptor is left to accept a connection.
 *    - The failure is reported, and descriptors are kept free for files: accept().
 * 7. nng does not tell which descriptor a connection has.
 *    - getsockopt() on a connection reveals it (pending_replies.h).
 * 8. nng calls the system separately for the length of a request and for the request.
 *    - A small request is read along with its length, before nng asks for it, which saves two
 *      calls of the system: readv().
 * 9. nng sends replies one by one, under a lock that all its threads need.
 *    - Replies that are ready together leave together, after nng has released the lock, and the
 *      small ones by one call of the system (pending_replies.h, joined_replies.h): sendmsg().
 * 10. By WebSocket nng takes time by the square of the pieces in which a message comes, and keeps
 *     answers to pings without a limit.
 *    - The connection ends where there are too many of either (ws_frames.h). To follow its frames
 *      from the first byte on, a request of HTTP is received by lines: readv(), sendmsg().
 * 11. nng waits for a megabyte behind a request of HTTP, for as long as it takes.
 *    - The connection ends where a request is longer than WEIR_NNG_HTTP_MAX: readv().
 * 12. nng answers a request of HTTP whose path or Host is another than the listener's with 404, and
 *     neither side is told.
 *    - The answer is reported: sendmsg(). */
#ifndef WEIR_SERVER_NNG_CONNECTIONS_H
#define WEIR_SERVER_NNG_CONNECTIONS_H

#include "server/transport/nng_sockets.h"
#include "server/transport/pending_replies.h"
#include "server/transport/sp_parts.h"
#include "server/transport/tls_records.h"
#include "server/transport/ws_frames.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    WEIR_NNG_PARTS_MAX = 16,      // parts of a message, as nng passes it
    WEIR_NNG_AHEAD_BYTES = 2048,  // read ahead: a few small requests
    WEIR_NNG_HTTP_MAX = 16384     // request of HTTP; twice the head that nng takes
};

/* nng makes one call at a time for a connection, so its fields need no lock. */
struct weir_nng_connection {
    bool is_accepted;
    bool has_sent;
    bool is_tls;
    bool is_plain;        // SP, not inside TLS or WebSocket
    bool is_ws;           // WebSocket; before that, HTTP
    bool has_ended;       // TLS after the handshake only: the end, which is never reported
    int64_t ended_at_us;  // the end, which is or will be reported; 0: none

    size_t sent;   // bytes that the system has taken of the message being sent
    size_t bytes;  // size of that message

    struct weir_tls_records records;  // is_tls only: what nng sends
    struct weir_sp_parts incoming;    // parts that nng receives
    bool is_refused;                  // nng would close the connection for what was received
    bool is_partial;                  // partial_messages.h counts a message of this connection
    size_t http_n;                    // before is_ws: bytes received since the last answer
    struct weir_ws_frames frames;     // from is_ws on
    /* Bytes read and not yet asked for by nng. */
    uint8_t *ahead;  // WEIR_NNG_AHEAD_BYTES, kept for the descriptor's next connection; or NULL
    size_t ahead_at;
    size_t ahead_n;
};

/* By descriptor. An entry outlives its connection: whatever else gets the descriptor later makes
 * none of the calls that look here. */
extern struct weir_nng_connection weir_nng_connections[WEIR_DESCRIPTORS_MAX];

/* Whether this thread is one of nng's that wait for events. */
extern _Thread_local bool weir_nng_is_poller;

/* Returns the connection with a descriptor, or NULL if none with that descriptor was accepted. */
static inline struct weir_nng_connection *weir_nng_connection_of(int fd)
{
    return fd >= 0 && fd < WEIR_DESCRIPTORS_MAX && weir_nng_connections[fd].is_accepted
               ? &weir_nng_connections[fd]
               : NULL;
}

/* Reports an event, with errno as its fault, unless one of its kind was reported within the last
 * minute. Keeps errno. */
void weir_nng_report(enum weir_nng_sockets_event event);

/* Reports that connections were ended for their partial messages, if `is_any`. */
static inline void weir_nng_report_ended(bool is_any)
{
    if (is_any) {
        weir_nng_report(WEIR_NNG_SOCKETS_ENDED);
    }
}

/* Handles the end of a connection, or of what nng may receive on it; called whenever nng tries to
 * receive after that. Returns whether nng may be told of the end. */
bool weir_nng_may_report_end(int fd, struct weir_nng_connection *connection);

#endif
