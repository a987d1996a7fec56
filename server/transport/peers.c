#include "server/transport/peers.h"

#include "server/transport/joined_replies.h"
#include "server/transport/partial_messages.h"
#include "weir/base/monotonic.h"

#include <stdlib.h>

enum {
    /* A shorter last reply of a TLS or WebSocket connection is not counted: nng holds as much for
     * each of these connections anyway. */
    LARGE_REPLY_BYTES = 16 * 1024,
    LOOKS_BEHIND = 3,  // looks that find nothing: then an opaque peer's last reply has gone
    RECOUNT_US = 100 * 1000
};

void weir_peers_init(struct weir_peers *peers)
{
    atomic_init(&peers->unread_bytes, 0);
    peers->recounted_at_us = 0;
    for (size_t i = 0; i < WEIR_PEERS_BUCKETS; i++) {
        peers->buckets[i] = NULL;
    }
    peers->n = 0;
    (void)pthread_mutex_init(&peers->lock, NULL);
}

void weir_peers_fini(struct weir_peers *peers)
{
    for (size_t i = 0; i < WEIR_PEERS_BUCKETS; i++) {
        while (peers->buckets[i] != NULL) {
            struct weir_peer *peer = peers->buckets[i];
            peers->buckets[i] = peer->next;
            weir_peer_release(peer);
        }
    }
    (void)pthread_mutex_destroy(&peers->lock);
}

/* nng numbers pipes consecutively from a random start, so the low bits spread them evenly. */
static struct weir_peer **bucket_of(struct weir_peers *peers, uint32_t pipe_id)
{
    return &peers->buckets[pipe_id % WEIR_PEERS_BUCKETS];
}

bool weir_peers_add(struct weir_peers *peers, uint32_t pipe_id, weir_connection_key key,
                    bool is_opaque, const struct weir_remote *remote)
{
    struct weir_peer *peer = calloc(1, sizeof *peer);
    if (peer == NULL) {
        return false;
    }
    peer->all = peers;
    peer->pipe_id = pipe_id;
    peer->key = key;
    peer->descriptor = weir_pending_descriptor(key);
    peer->is_opaque = is_opaque;
    peer->remote = *remote;
    atomic_init(&peer->refs, 1);
    weir_link_init(&peer->waiting);
    (void)pthread_mutex_lock(&peers->lock);
    struct weir_peer **bucket = bucket_of(peers, pipe_id);
    peer->next = *bucket;
    *bucket = peer;
    peers->n++;
    (void)pthread_mutex_unlock(&peers->lock);
    return true;
}

void weir_peers_remove(struct weir_peers *peers, uint32_t pipe_id)
{
    struct weir_peer *peer = NULL;
    (void)pthread_mutex_lock(&peers->lock);
    struct weir_peer **at = bucket_of(peers, pipe_id);
    while (*at != NULL && (*at)->pipe_id != pipe_id) {
        at = &(*at)->next;
    }
    if (*at != NULL) {
        peer = *at;
        *at = peer->next;
        peers->n--;
    }
    (void)pthread_mutex_unlock(&peers->lock);
    weir_peer_release(peer);
}

size_t weir_peers_count(struct weir_peers *peers)
{
    (void)pthread_mutex_lock(&peers->lock);
    const size_t n = peers->n;
    (void)pthread_mutex_unlock(&peers->lock);
    return n;
}

struct weir_peer *weir_peers_find(struct weir_peers *peers, uint32_t pipe_id)
{
    (void)pthread_mutex_lock(&peers->lock);
    struct weir_peer *peer = *bucket_of(peers, pipe_id);
    while (peer != NULL && peer->pipe_id != pipe_id) {
        peer = peer->next;
    }
    if (peer != NULL) {
        atomic_fetch_add_explicit(&peer->refs, 1, memory_order_relaxed);
    }
    (void)pthread_mutex_unlock(&peers->lock);
    return peer;
}

void weir_peer_release(struct weir_peer *peer)
{
    if (peer != NULL && atomic_fetch_sub_explicit(&peer->refs, 1, memory_order_acq_rel) == 1) {
        atomic_fetch_sub_explicit(&peer->all->unread_bytes, atomic_load(&peer->kept_bytes),
                                  memory_order_relaxed);
        free(peer);
    }
}

/* ---- unread replies ---- */

void weir_peer_sends(struct weir_peer *peer, size_t n, int64_t now_us)
{
    if (peer == NULL) {
        return;
    }
    /* The time is set before the count, so that a first reply is never taken for a stuck one. */
    if (atomic_load_explicit(&peer->sending, memory_order_relaxed) == 0) {
        atomic_store_explicit(&peer->progress_at_us, now_us, memory_order_relaxed);
    }
    atomic_fetch_add(&peer->sending, 1);
    atomic_fetch_add_explicit(&peer->sending_bytes, n, memory_order_relaxed);
    atomic_fetch_add_explicit(&peer->all->unread_bytes, n, memory_order_relaxed);
}

static void set_kept_bytes_locked(struct weir_peer *peer, size_t n)
{
    atomic_fetch_add_explicit(&peer->all->unread_bytes, n, memory_order_relaxed);
    atomic_fetch_sub_explicit(&peer->all->unread_bytes,
                              atomic_exchange_explicit(&peer->kept_bytes, n, memory_order_relaxed),
                              memory_order_relaxed);
}

/* A reply of `n` bytes becomes the connection's last reply; the previous one has gone. */
static void record_last_reply(struct weir_peer *peer, size_t n)
{
    const bool is_kept =
        peer->is_opaque ? n >= LARGE_REPLY_BYTES : weir_pending_left(peer->key) > 0;
    if (!is_kept && atomic_load_explicit(&peer->last_bytes, memory_order_relaxed) == 0) {
        return;
    }
    (void)pthread_mutex_lock(&peer->all->lock);
    set_kept_bytes_locked(peer, is_kept ? n : 0);
    atomic_store_explicit(&peer->last_bytes, is_kept ? n : 0, memory_order_relaxed);
    peer->looks_behind = 0;
    (void)pthread_mutex_unlock(&peer->all->lock);
}

/* Returns whether some of the last reply is left, and counts it as unread only if so. */
static bool recount_last_reply_locked(struct weir_peer *peer)
{
    const size_t last = atomic_load_explicit(&peer->last_bytes, memory_order_relaxed);
    const bool is_left = last > 0 && weir_pending_left(peer->key) > 0;
    if (last > 0) {
        set_kept_bytes_locked(peer, is_left ? last : 0);
    }
    return is_left;
}

void weir_peer_sent(struct weir_peer *peer, size_t n, int64_t now_us)
{
    if (peer == NULL) {
        return;
    }
    /* The last reply is recorded before the count falls, so that at no moment the connection seems
     * to have no reply under way. */
    record_last_reply(peer, n);
    atomic_store_explicit(&peer->progress_at_us, now_us, memory_order_relaxed);
    atomic_fetch_sub_explicit(&peer->sending, 1, memory_order_release);
    atomic_fetch_sub_explicit(&peer->sending_bytes, n, memory_order_relaxed);
    atomic_fetch_sub_explicit(&peer->all->unread_bytes, n, memory_order_relaxed);
}

size_t weir_peer_unread(const struct weir_peer *peer)
{
    return peer == NULL ? 0
                        : atomic_load_explicit(&peer->sending_bytes, memory_order_relaxed) +
                              atomic_load_explicit(&peer->kept_bytes, memory_order_relaxed);
}

/* Threads that call this during a recount wait for it to end. */
void weir_peers_recount(struct weir_peers *peers, int64_t now_us)
{
    (void)pthread_mutex_lock(&peers->lock);
    const bool is_due = now_us - peers->recounted_at_us >= RECOUNT_US;
    for (size_t i = 0; is_due && i < WEIR_PEERS_BUCKETS; i++) {
        for (struct weir_peer *peer = peers->buckets[i]; peer != NULL; peer = peer->next) {
            (void)recount_last_reply_locked(peer);
        }
    }
    peers->recounted_at_us = is_due ? now_us : peers->recounted_at_us;
    (void)pthread_mutex_unlock(&peers->lock);
}

void weir_peer_arrived(struct weir_peer *peer, int64_t now_us)
{
    if (peer == NULL) {
        return;
    }
    atomic_store_explicit(&peer->arrived_at_us, now_us, memory_order_relaxed);
    if (peer->is_opaque) {
        weir_partial_whole(weir_pending_descriptor(peer->key));
    }
}

/* Records progress within a reply: a large reply may be under way for longer than a client may take
 * nothing. */
static void look_for_progress_locked(struct weir_peer *peer)
{
    const int64_t untaken = weir_pending_untaken(peer->key);
    if (untaken != peer->untaken) {
        peer->untaken = untaken;
        atomic_store_explicit(&peer->progress_at_us, weir_monotonic_us(), memory_order_relaxed);
    }
}

/* Sends what is joined and could not leave before. Returns whether anything is left. */
static bool is_joined_left(const struct weir_peer *peer)
{
    const int descriptor = weir_pending_descriptor(peer->key);
    return descriptor >= 0 && !weir_joined_flush(descriptor);
}

static bool is_any_joined(const struct weir_peer *peer)
{
    const int descriptor = weir_pending_descriptor(peer->key);
    return descriptor >= 0 && weir_joined_bytes(descriptor) > 0;
}

/* Looks at the last reply and at progress. Returns whether replies are under way. */
static bool look_at_locked(struct weir_peer *peer)
{
    const bool is_left = recount_last_reply_locked(peer);
    peer->looks_behind = is_left ? 0 : peer->looks_behind + 1;
    if (!is_left && (!peer->is_opaque || peer->looks_behind >= LOOKS_BEHIND)) {
        atomic_store_explicit(&peer->last_bytes, 0, memory_order_relaxed);
    }
    const bool owes = is_joined_left(peer) || is_left ||
                      atomic_load_explicit(&peer->sending, memory_order_acquire) > 0;
    if (owes) {
        look_for_progress_locked(peer);
    }
    return owes;
}

static bool is_stuck(const struct weir_peer *peer, int64_t since_us, int64_t quiet_since_us)
{
    return atomic_load_explicit(&peer->progress_at_us, memory_order_relaxed) < since_us &&
           atomic_load_explicit(&peer->arrived_at_us, memory_order_relaxed) < quiet_since_us;
}

size_t weir_peers_stuck(struct weir_peers *peers, int64_t since_us, int64_t quiet_since_us,
                        uint32_t *pipe_ids, size_t max)
{
    size_t n = 0;
    (void)pthread_mutex_lock(&peers->lock);
    for (size_t i = 0; i < WEIR_PEERS_BUCKETS; i++) {
        struct weir_peer *peer = peers->buckets[i];
        for (; peer != NULL; peer = peer->next) {
            if (look_at_locked(peer) && is_stuck(peer, since_us, quiet_since_us) && n < max) {
                pipe_ids[n++] = peer->pipe_id;
            }
        }
    }
    (void)pthread_mutex_unlock(&peers->lock);
    return n;
}

/* A connection is lost only after it was missed three times: it may have been accepted after the
 * kernel was asked, and `sending` does not include a last reply that nng is still sending. */
static bool is_lost(struct weir_peer *peer, const struct weir_remote *open, size_t open_n)
{
    const bool is_missed =
        atomic_load(&peer->sending) == 0 && !weir_remote_is_among(&peer->remote, open, open_n);
    peer->missed = is_missed ? peer->missed + 1 : 0;
    return peer->missed >= 3;
}

size_t weir_peers_lost(struct weir_peers *peers, const struct weir_remote *open, size_t open_n,
                       uint32_t *pipe_ids, size_t max)
{
    size_t n = 0;
    (void)pthread_mutex_lock(&peers->lock);
    for (size_t i = 0; i < WEIR_PEERS_BUCKETS; i++) {
        struct weir_peer *peer = peers->buckets[i];
        for (; peer != NULL && n < max; peer = peer->next) {
            if (peer->remote.family != NNG_AF_UNSPEC && is_lost(peer, open, open_n)) {
                pipe_ids[n++] = peer->pipe_id;
            }
        }
    }
    (void)pthread_mutex_unlock(&peers->lock);
    return n;
}

bool weir_peers_any_sends(struct weir_peers *peers)
{
    bool any = false;
    (void)pthread_mutex_lock(&peers->lock);
    for (size_t i = 0; i < WEIR_PEERS_BUCKETS && !any; i++) {
        const struct weir_peer *peer = peers->buckets[i];
        for (; peer != NULL && !any; peer = peer->next) {
            any = atomic_load(&peer->sending) > 0 || atomic_load(&peer->last_bytes) > 0 ||
                  is_any_joined(peer);
        }
    }
    (void)pthread_mutex_unlock(&peers->lock);
    return any;
}

uint32_t weir_peers_greediest(struct weir_peers *peers, size_t least)
{
    uint32_t pipe_id = 0;
    (void)pthread_mutex_lock(&peers->lock);
    for (size_t i = 0; i < WEIR_PEERS_BUCKETS; i++) {
        const struct weir_peer *peer = peers->buckets[i];
        for (; peer != NULL; peer = peer->next) {
            const size_t sending = atomic_load_explicit(&peer->sending, memory_order_relaxed);
            if (sending >= least) {
                least = sending + 1;
                pipe_id = peer->pipe_id;
            }
        }
    }
    (void)pthread_mutex_unlock(&peers->lock);
    return pipe_id;
}
