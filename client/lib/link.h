/* The client's sockets. The current one is an nng REQ socket with one dialer for each connection.
 * For a host's name it has two, one for each family of addresses, and goes on with those of the
 * family that answers first: nng dials only the first address of a name, which may be an IPv6
 * address while the server listens on IPv4 (on Debian localhost is ::1 first).
 *
 * The socket is replaced by a new socket for one of three reasons:
 *
 * 1. It has lost its connection and does not get it back. nng 1.5.2 has one reaper thread for lost
 * connections. If a connection is closed on one thread while another is between the header and the
 * body of an incoming message, the read of that body never ends and the reaper waits for ever. From
 * then on no socket of the process reconnects, and closing a socket hangs; a new socket still
 * connects. So a socket that had a connection and has been without one for a while is replaced, and
 * sockets are closed by threads of their own that nothing has to wait for. A socket that never had
 * a connection gets more time before it is replaced: TCP may wait for a minute before it tries a
 * host again that has come back meanwhile. On a Unix domain socket the wait is short at first,
 * since nng may have given up: if the server ends between the connection and the first bytes, the
 * error is EPIPE, which nng takes for its own closing, and it does not dial again.
 *
 * 2. Its request numbers run out. nng before 1.7 numbers the requests of a REQ socket from a random
 * number between 2^31 and 2^32 on, and continues with 0, 1, 2 after the last one (nni_id_alloc
 * compares a counter of 32 bits with its own maximum). A server takes a number without the highest
 * bit for the hop of a device, finds no request behind it and does not reply: after 2^30 requests
 * on average a socket would get no reply any more. Calls in flight on the old socket still get
 * their replies there; it is closed at the next replacement.
 *
 * 3. The server is silent. A host that vanishes, or a firewall that begins to drop packets, leaves
 * a connection that accepts requests for a quarter of an hour, until TCP gives up. If a call has
 * run into its deadline and nothing has come from the server for a while, later calls use a new
 * socket. A slow server looks the same, so calls in flight stay where they are, except long polls
 * (call_pool.c), and the time doubles with each socket in a row that brings no reply.
 *
 * A replaced socket is closed at a later replacement, and never while a call uses it: nng's
 * time-out thread does not notice that a context whose operation it is about to cancel has gone,
 * and crashes the process. Calls that time out together, as they do when a server goes away, keep
 * that thread busy for a while. Until it is closed a replaced socket keeps its connections and
 * makes few new ones: nng is told to wait for days between attempts, but takes half of such times
 * for no wait.
 *
 * Under TLS nng does not always notice that a connection has ended: the end is forgotten if it
 * comes while no part of a message is being received, and the next part is then waited for until
 * the call's deadline. So the library looks every second whether the system still knows the peer,
 * and closes the pipe if it does not; the calls on it end with ECONNRESET and are repeated.
 *
 * What cannot be helped: nng loses the memory of a request that it hands to a connection at the
 * moment when it closes that connection (req0_pipe_close ends the sending aio before it takes the
 * pipe from the list of ready ones). That is at most one request for each lost connection; the call
 * itself ends with ECONNRESET and is repeated.
 *
 * Any thread may call these functions. Under links->mutex only a link's own mutex is taken. */
#ifndef WEIR_CLIENT_LINK_H
#define WEIR_CLIENT_LINK_H

#include "weir/base/fail.h"

#include <nng/nng.h>
#include <nng/supplemental/tls/tls.h>
#include <pthread.h>
#include <stdatomic.h>

struct link;

/* Requests that a socket could still number when it is replaced. */
enum { LINKS_SPARE_NUMBERS = 1 << 20 };

enum { LINKS_FAMILIES = 2 };  // IPv4 and IPv6

/* nng counts the SP header of a reply as part of its size. */
enum { LINKS_SP_HEADER_BYTES = 4 };

/* nng's limits of sizes have 32 bits. */
#define LINKS_REPLY_BYTES_MAX ((size_t)UINT32_MAX - LINKS_SP_HEADER_BYTES)

struct links {
    /* Set before links_open. */
    const char *url;
    nng_tls_config *tls;  // NULL without TLS
    uint32_t connections;
    size_t max_reply_bytes;

    /* Number of the current socket, from 1. Changes under the mutex, read without it. */
    atomic_uint_least64_t number;
    /* Requests that the current socket may still be given; <= 0: replace it. */
    atomic_int_least64_t numbers_left;
    /* weir_monotonic_us of the first send that found no connection since a request or reply last
     * went through; 0 if there was none. */
    atomic_int_least64_t waiting_since_us;
    /* weir_monotonic_us of the first request sent on the current socket since its last reply; 0 if
     * there was none. */
    atomic_int_least64_t silent_since_us;
    atomic_int_least64_t silence_us;  // silence that a socket is allowed
    atomic_size_t outstanding_bytes;  // of requests sent and not ended

    char *family_urls[LINKS_FAMILIES];  // NULL where the host is no name; set by links_open
    /* Pauses between looks for connections that have ended; NULL without TLS. */
    nng_aio *look;

    pthread_mutex_t mutex;  // guards the following fields
    int64_t connect_us;     // time that a socket is allowed for its first connection
    struct link *newest;    // the current socket, then the replaced ones
};

/* Opens the first socket and begins to connect. INVALID_REQUEST on `url`, BACKEND_UNAVAILABLE when
 * out of memory or file descriptors. The caller must call links_close in either case. */
weir_status links_open(struct links *links, struct weir_error *err);

/* Takes a request number of the current socket; called before each request. False if the socket has
 * none left and links_replace_used_up should be called. */
bool links_take_number(struct links *links);

/* Replaces the current socket if its request numbers have run out. Closes sockets that were
 * replaced earlier and whose numbers are below `oldest`, the lowest number that a call in flight
 * uses. */
void links_replace_used_up(struct links *links, uint64_t oldest);

/* Opens a context of the current socket and sets *number to the socket's number. Returns an error
 * number of nng. */
int links_open_ctx(struct links *links, nng_ctx *ctx, uint64_t *number);

/* Closes an idle context of the socket `number`. Does nothing if that socket is closed or being
 * closed, which frees its contexts: nng does not survive that both are closed at the same time. */
void links_close_ctx(struct links *links, nng_ctx ctx, uint64_t number);

/* A request that was handed to a connection. */
struct links_sent {
    uint64_t number;  // of its socket
    size_t bytes;
};

/* Notes that a request was handed to a connection and, later, that it was answered or given up. */
void links_note_sent(struct links *links, struct links_sent sent);
void links_note_ended(struct links *links, struct links_sent sent, bool is_answered);

/* Whether the socket of a request that had no reply by its deadline should be replaced: it is the
 * current socket and has been silent for long enough. Called before links_note_ended. */
bool links_is_silent(struct links *links, struct links_sent sent);

/* Replaces the current socket if links_is_silent still holds, and returns whether it did. `oldest`
 * as for links_replace_used_up. */
bool links_replace_silent(struct links *links, struct links_sent sent, uint64_t oldest);

/* Notes that a send has waited in vain for a connection. True if that has lasted long enough to
 * call links_replace_lost. */
bool links_has_waited(struct links *links);

/* Replaces the current socket if it once had a connection or should have one by now. Calls that
 * wait for a connection move on to the new socket by themselves. `oldest` as for
 * links_replace_used_up. */
void links_replace_lost(struct links *links, uint64_t oldest);

/* Whether one of the open sockets has had a connection. */
bool links_were_connected(struct links *links);

/* Closes all sockets, on which no call may be in flight. Waits for nng up to two seconds; sockets
 * that nng has not closed by then are leaked. */
void links_close(struct links *links);

#endif
