/* The client's way to the server: one nng REQ socket with one dialer for each connection, and
 * another one in its place when it does not come back.
 *
 * nng 1.5.2 has one thread that clears up after lost connections. Where a connection is closed on
 * one of its threads while another is between the header and the body of an incoming message, the
 * read of that body never ends and the clearing thread waits for it for ever. From then on no
 * socket of the process connects again once it has lost its connection, and closing one hangs. A
 * new socket still connects. So a socket that had a connection and has been without one for a while
 * is replaced, and sockets are closed by threads of their own that nobody has to wait for. One that
 * never had a connection is given longer, and then replaced as well, because its TCP may be waiting
 * for a minute before it asks a host again that has come back meanwhile.
 *
 * A socket is replaced as well when its numbers come to an end. nng before 1.7 numbers the requests
 * of a REQ socket from a number by chance between 2^31 and 2^32 on, and behind the last one it goes
 * on with 0, 1, 2 (nni_id_alloc: its counter has 32 bits and is compared with the largest of them).
 * A server takes such a number for that of a device on the way, finds no request behind it and says
 * nothing: from then on, after 2^30 requests on average, nothing is answered any more. What is in
 * flight on the socket before is still answered there; it is closed with the next one.
 *
 * So is a socket that has fallen silent. A host that goes without a word, and one behind a firewall
 * that has begun to drop, leaves a connection to which requests can be written for a quarter of an
 * hour, until TCP gives up. Where a call has run into its deadline and nothing has come from the
 * server for a while either, those to come go over new connections. That the server, not the
 * connection, is slow can look the same; so those in flight go on waiting where they are, and each
 * socket in a row that says nothing is given twice the time of the one before.
 *
 * No socket is closed while a call is on it, and none when it is replaced, but at a later
 * replacement: nng's thread for time-outs does not see that a context has gone whose operation it
 * is about to cancel, and ends the process. Calls that time out together, as they do where a server
 * goes, keep it at work for a while. Until then a socket that was replaced keeps what connections
 * it has, and makes few others: nng is told to wait for days between its attempts, but half of the
 * time it takes that for no wait. */
#ifndef WEIR_CLIENT_LINK_H
#define WEIR_CLIENT_LINK_H

#include "weir/base/status.h"

#include <nng/nng.h>
#include <nng/supplemental/tls/tls.h>
#include <pthread.h>
#include <stdatomic.h>

struct link;

/* Requests that a socket could still number when it is replaced. */
enum { LINKS_SPARE_NUMBERS = 1 << 20 };

struct links {
    /* Set before links_open. */
    const char *url;
    nng_tls_config *tls;  // NULL where the URL has no TLS
    uint32_t connections;
    size_t max_reply_bytes;

    /* Number of the current socket, from 1. Also read without the mutex, to see that it is another.
     */
    atomic_uint_least64_t number;
    /* Requests that the current socket may be given; none left: it is time for another. */
    atomic_int_least64_t numbers_left;
    /* weir_monotonic_us of the first send that found no connection since something last went to or
     * came from the server; 0 while all is well. */
    atomic_int_least64_t waiting_since_us;
    /* weir_monotonic_us of the first request that went out on the current socket since an answer
     * last came there, 0 if there is none; and for how long that is no reason to replace it. */
    atomic_int_least64_t silent_since_us;
    atomic_int_least64_t silence_us;
    /* Bytes of the requests that are with the server, or on their way to it. */
    atomic_size_t outstanding_bytes;

    pthread_mutex_t mutex;  // guards the list; taken last
    struct link *newest;    // the current one, then those it has replaced
};

/* Opens the first socket and begins to connect. INVALID_REQUEST on `url`, BACKEND_UNAVAILABLE
 * without memory. links_close is to be called in either case. */
weir_status links_open(struct links *links, struct weir_error *err);

/* Before each request. False where the socket is not to be given another. */
bool links_take_number(struct links *links);

/* Then replaces it. Sockets before it are closed where their numbers are below `oldest`, which is
 * the least that a call in flight has. */
void links_replace_used_up(struct links *links, uint64_t oldest);

/* A context of the current socket, whose number goes to *number on success. An error number of
 * nng's. */
int links_open_ctx(struct links *links, nng_ctx *ctx, uint64_t *number);

/* Closes a context of the socket of that number, on which nothing is under way. Those of a socket
 * that is closed, or just being closed, go with it: nng does not survive that both are closed at
 * the same time. */
void links_close_ctx(struct links *links, nng_ctx ctx, uint64_t number);

/* What was handed to a connection: a request of so many bytes, and the number of its socket. */
struct links_sent {
    uint64_t number;
    size_t bytes;
};

/* A request was handed to a connection; later, that it was answered or given up. */
void links_note_sent(struct links *links, struct links_sent sent);
void links_note_ended(struct links *links, struct links_sent sent, bool is_answered);

/* Whether a request that had no answer by its deadline, and has not been noted as ended, is reason
 * to replace its socket: it is the current one and has been silent for long enough. */
bool links_is_silent(struct links *links, struct links_sent sent);

/* Then replaces it. `oldest` as above. */
void links_replace_silent(struct links *links, struct links_sent sent, uint64_t oldest);

/* A send has waited in vain for a connection. Whether it is time to look at the socket. */
bool links_has_waited(struct links *links);

/* Then replaces it, if it had a connection once or should have one by now. Those that wait on the
 * old one go on to the new one by themselves. `oldest` as above. */
void links_replace_lost(struct links *links, uint64_t oldest);

/* Whether one of the sockets that there are has had a connection. */
bool links_were_connected(struct links *links);

/* Closes all sockets. None has a call in flight. Waits a moment for nng, not for ever. */
void links_close(struct links *links);

#endif
