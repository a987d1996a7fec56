/* The connections that are open, and what each of them owes.
 *
 * A client that does not read its replies would hold an exchange for each of them for ever, and
 * their memory. So the replies on their way are counted by connection: one that takes none for a
 * while is closed, and so is the one with the most of them when exchanges run short.
 *
 * nng says that a reply is sent as soon as it has begun with it, and keeps it until the system has
 * taken all of it. There is one such reply to a connection, the last that was said to be sent. It
 * counts for as long as something of it is left (pending_replies.h). By TLS and WebSocket, where
 * nng sends a reply in parts, it may be between two of them, so there it is looked for a few times
 * before it is taken to have gone, and only if it is large.
 *
 * Connections are known by their nng pipe id; the table is filled before a pipe can bring messages
 * (NNG_PIPE_EV_ADD_PRE). Messages may still come after it is gone from the table: they have no
 * peer. Thread-safe. */
#ifndef WEIR_SERVER_PEERS_H
#define WEIR_SERVER_PEERS_H

#include "server/list.h"
#include "server/transport/pending_replies.h"
#include "server/transport/remote.h"

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
    int descriptor;               // of the connection; -1 where it is not known
    bool is_opaque;               // TLS or WebSocket is around what it speaks
    atomic_size_t refs;           // the table's and those of exchanges
    atomic_size_t sending;        // replies handed to nng and not yet taken
    atomic_size_t sending_bytes;  // of them
    /* Of the last that nng said it had sent; changed under the table's lock. */
    atomic_size_t last_bytes;       // 0: it is known to have gone
    atomic_size_t kept_bytes;       // the same, or 0 where nothing was left of it at the last look
    _Atomic int64_t arrived_at_us;  // when a request came last
    /* When something of a reply was taken last, or the first of them was handed over. */
    _Atomic int64_t progress_at_us;
    int64_t untaken;        // bytes, when it was looked at last; guarded by the table's lock
    unsigned looks_behind;  // at the last reply that have found nothing of it; the same
    /* Of the wake list, which guards them. */
    struct weir_link waiting;  // what waits for this connection
    bool is_gone;
    struct weir_remote remote;
    unsigned missed;         // times in a row; see weir_peers_lost; guarded by the table's lock
    struct weir_peer *next;  // in its bucket; guarded by the table's lock
};

struct weir_peers {
    atomic_size_t unread_bytes;  // of all replies on their way, and of the last ones that are kept
    pthread_mutex_t lock;        // guards the rest; a leaf
    struct weir_peer *buckets[WEIR_PEERS_BUCKETS];
    size_t n;
    int64_t recounted_at_us;
};

bool weir_peers_init(struct weir_peers *peers);

/* All pipes are gone. */
void weir_peers_fini(struct weir_peers *peers);

/* A connection came; false without memory: it then works uncounted. */
bool weir_peers_add(struct weir_peers *peers, uint32_t pipe_id, weir_connection_key key,
                    bool is_opaque, const struct weir_remote *remote);
void weir_peers_remove(struct weir_peers *peers, uint32_t pipe_id);

/* Counted; NULL if there is none. */
struct weir_peer *weir_peers_find(struct weir_peers *peers, uint32_t pipe_id);
void weir_peer_release(struct weir_peer *peer);

/* A reply of `n` bytes is handed to nng; nng says that it is sent, or has given it up. `peer` may
 * be NULL. */
void weir_peer_sends(struct weir_peer *peer, size_t n, int64_t now_us);
void weir_peer_sent(struct weir_peer *peer, size_t n, int64_t now_us);

/* A request came from it. `peer` may be NULL. */
void weir_peer_arrived(struct weir_peer *peer, int64_t now_us);

/* Bytes of replies that wait for this connection to read them. `peer` may be NULL. */
size_t weir_peer_unread(const struct weir_peer *peer);

/* Looks for the last replies of all, if that was not done a moment ago. */
void weir_peers_recount(struct weir_peers *peers, int64_t now_us);

/* Writes the ids of connections that have taken nothing of a reply since `since_us` although some
 * wait, and have sent nothing since `quiet_since_us`, and returns their number, at most `max`. It
 * sees that a part of a reply has been taken only by comparing with what it saw the last time, so
 * it is to be called much more often than once in the time from `since_us` until now. */
size_t weir_peers_stuck(struct weir_peers *peers, int64_t since_us, int64_t quiet_since_us,
                        uint32_t *pipe_ids, size_t max);

/* Writes the ids of connections by TLS that have no reply on their way and were not among those
 * that the system has open, neither this time nor the two before, and returns their number, at most
 * `max`. */
size_t weir_peers_lost(struct weir_peers *peers, const struct weir_remote *open, size_t open_n,
                       uint32_t *pipe_ids, size_t max);

/* Whether any has replies on their way, or a last one. */
bool weir_peers_any_sends(struct weir_peers *peers);

/* The connection with the most replies waiting, if these are at least `least`; 0 if there is none.
 */
uint32_t weir_peers_greediest(struct weir_peers *peers, size_t least);

#endif
