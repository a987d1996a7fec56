/* Peers: the open connections, each with the replies that it has not read.
 *
 * A client that does not read its replies would hold an exchange and its memory for each of them,
 * for ever. So the replies under way are counted by connection. A connection that takes nothing for
 * a while is closed, and so is the one with the most replies under way when exchanges run short.
 *
 * nng reports a reply as sent when it starts to send it, and keeps it until the kernel has taken
 * all of it. A connection has at most one such reply, called its last reply here: the last one
 * reported as sent. The last reply counts as unread while some of it is left (weir_pending_left).
 * TLS and WebSocket connections ("opaque") send a reply in parts, and nothing is left for a moment
 * between two parts. There a last reply counts only if it is large, and is taken to have gone only
 * after several looks that found nothing left.
 *
 * A connection is known by the id of its nng pipe. Its peer is in the table before the pipe can
 * deliver messages (NNG_PIPE_EV_ADD_PRE); messages delivered after the peer was removed have none.
 * Thread-safe; the table's lock is held over that on what a connection has joined, and over no
 * other. */
#ifndef WEIR_SERVER_PEERS_H
#define WEIR_SERVER_PEERS_H

#include "server/transport/pending_replies.h"
#include "server/transport/remote.h"
#include "weir/base/list.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { WEIR_PEERS_BUCKETS = 4096 };

struct weir_peers;

struct weir_peer {
    struct weir_peers *all;
    uint32_t pipe_id;
    weir_connection_key key;
    int descriptor;               // of the connection; -1: unknown
    bool is_opaque;               // messages pass inside TLS or WebSocket
    atomic_size_t refs;           // references of the table and of exchanges
    atomic_size_t sending;        // replies handed to nng and not yet reported as sent
    atomic_size_t sending_bytes;  // size of those replies
    /* Size of the last reply; both are changed under the table's lock. */
    atomic_size_t last_bytes;       // 0: the last reply has gone
    atomic_size_t kept_bytes;       // last_bytes, or 0 if the latest look found nothing left of it
    _Atomic int64_t arrived_at_us;  // arrival of the latest request
    /* When the client last took part of a reply, or the first of several was handed to nng. */
    _Atomic int64_t progress_at_us;
    /* Guarded by the table's lock. */
    int64_t untaken;        // weir_pending_untaken at the latest look
    unsigned looks_behind;  // looks in a row that found nothing left of the last reply
    /* Guarded by the wake list. */
    struct weir_link waiting;  // waiters of this connection
    bool is_gone;              // the connection has ended
    struct weir_remote remote;
    /* Guarded by the table's lock. */
    unsigned missed;         // searches in a row that did not find it, see weir_peers_lost
    struct weir_peer *next;  // in the same bucket
};

struct weir_peers {
    atomic_size_t unread_bytes;  // sum of sending_bytes and kept_bytes of all peers
    pthread_mutex_t lock;        // guards the following fields
    struct weir_peer *buckets[WEIR_PEERS_BUCKETS];
    size_t n;                 // peers in the table
    int64_t recounted_at_us;  // latest weir_peers_recount that was due; monotonic
};

void weir_peers_init(struct weir_peers *peers);

/* Releases the table's references. To be called when all pipes are gone. */
void weir_peers_fini(struct weir_peers *peers);

/* Adds the peer of a new connection. Returns false if memory is exhausted: the connection then
 * works without a peer and its replies are not counted. */
bool weir_peers_add(struct weir_peers *peers, uint32_t pipe_id, weir_connection_key key,
                    bool is_opaque, const struct weir_remote *remote);

/* Removes a peer, if it is in the table, and releases the table's reference to it. */
void weir_peers_remove(struct weir_peers *peers, uint32_t pipe_id);

/* Returns the number of peers in the table. */
size_t weir_peers_count(struct weir_peers *peers);

/* Returns a new reference to a peer, to be released with weir_peer_release, which accepts NULL; or
 * NULL if there is no such peer. */
struct weir_peer *weir_peers_find(struct weir_peers *peers, uint32_t pipe_id);
void weir_peer_release(struct weir_peer *peer);

/* To be called before a reply of `n` bytes is handed to nng, and when nng reports that it has sent
 * the reply or given it up. `peer` may be NULL. */
void weir_peer_sends(struct weir_peer *peer, size_t n, int64_t now_us);
void weir_peer_sent(struct weir_peer *peer, size_t n, int64_t now_us);

/* Notes that a request has arrived on the connection. `peer` may be NULL. */
void weir_peer_arrived(struct weir_peer *peer, int64_t now_us);

/* The bytes of replies that this connection has not read. `peer` may be NULL: 0. */
size_t weir_peer_unread(const struct weir_peer *peer);

/* Looks again at the last replies of all peers and counts them anew, unless that was done in the
 * last 100 ms. */
void weir_peers_recount(struct weir_peers *peers, int64_t now_us);

/* Sends what connections have joined (joined_replies.h). Finds those that have replies under way,
 * have taken nothing of them since `since_us`, and have sent no request since `quiet_since_us`;
 * writes their pipe ids and returns their number, at most `max`. Progress within a reply shows only
 * in comparison with the previous call, so calls must be much more frequent than once in the time
 * from `since_us` until now. */
size_t weir_peers_stuck(struct weir_peers *peers, int64_t since_us, int64_t quiet_since_us,
                        uint32_t *pipe_ids, size_t max);

/* Finds TLS connections that have no reply under way and are not in `open`, the kernel's open
 * connections (weir_remotes_open), for the third call in a row. Writes their pipe ids and returns
 * their number, at most `max`. */
size_t weir_peers_lost(struct weir_peers *peers, const struct weir_remote *open, size_t open_n,
                       uint32_t *pipe_ids, size_t max);

/* Whether any connection has replies under way, the last replies included. */
bool weir_peers_any_sends(struct weir_peers *peers);

/* Returns the pipe id of the connection with the most replies handed to nng and not reported as
 * sent, if it has at least `least` of them; 0 if there is no such connection. */
uint32_t weir_peers_greediest(struct weir_peers *peers, size_t least);

#endif
