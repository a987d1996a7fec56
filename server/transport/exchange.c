/* Exchanges: a state machine driven by the completion of one aio of nng each.
 *
 *     idle -> receiving -> served -> sending -> idle, served -> idle if it is abandoned, and
 *     receiving -> closed when the socket is closed
 *
 * on_aio_done() takes the transitions that nng completes; weir_exchange_send() and _abandon() are
 * called by the server while it owns the exchange. `idle_lock` guards the list of idle exchanges
 * and the number of receiving ones; it is a leaf, released before nng is called. */
#include "server/transport/exchange_int.h"

#include "server/transport/nng_tasks.h"
#include "server/transport/partial_messages.h"
#include "server/transport/pending_replies.h"
#include "server/transport/transport_int.h"
#include "weir/base/monotonic.h"

#include <assert.h>

/* nng hands requests to the receiving exchanges in turn. If all exchanges received, each request
 * would meet one that has left the processor's caches. So only a few receive, and the idle exchange
 * that was used last is the next one to receive. */
enum { RECEIVING_LEAST = 32, RECEIVING_MOST = 48 };

static void start_receiving(struct weir_exchange *x)
{
    x->state = WEIR_EXCHANGE_RECEIVING;
    nng_ctx_recv(x->ctx, x->aio);
}

/* Takes an idle exchange, which the caller must have receive once it has released the lock. Returns
 * NULL if none is idle. */
static struct weir_exchange *take_idle_locked(struct weir_transport *t)
{
    struct weir_exchange *x = t->idle;
    if (x != NULL) {
        t->idle = x->next_idle;
        atomic_fetch_add_explicit(&t->receiving, 1, memory_order_relaxed);
    }
    return x;
}

/* Makes the exchange idle, and has it receive at once if fewer than RECEIVING_MOST exchanges do. */
static void make_idle(struct weir_exchange *x)
{
    struct weir_transport *t = x->transport;
    x->state = WEIR_EXCHANGE_IDLE;
    (void)pthread_mutex_lock(&t->idle_lock);
    x->next_idle = t->idle;
    t->idle = x;
    const size_t n = atomic_load_explicit(&t->receiving, memory_order_relaxed);
    x = n < RECEIVING_MOST ? take_idle_locked(t) : NULL;
    (void)pthread_mutex_unlock(&t->idle_lock);
    if (x != NULL) {
        start_receiving(x);
    }
}

/* Accounts for an exchange that has stopped receiving, and has an idle one replace it if fewer
 * than RECEIVING_LEAST receive. Returns false if no exchange receives any more. */
static bool replace_receiver(struct weir_transport *t)
{
    (void)pthread_mutex_lock(&t->idle_lock);
    /* Not relaxed: see is_exhausted() in transport.c. */
    const size_t left = atomic_fetch_sub(&t->receiving, 1) - 1;
    struct weir_exchange *x = left < RECEIVING_LEAST ? take_idle_locked(t) : NULL;
    (void)pthread_mutex_unlock(&t->idle_lock);
    if (x != NULL) {
        start_receiving(x);
    }
    return left > 0 || x != NULL;
}

/* Frees the message if there is one. */
static void drop(nng_msg **msg)
{
    nng_msg_free(*msg);
    *msg = NULL;
}

/* Releases the request, the reply and the peer, ready for the next request. */
static void reset(struct weir_exchange *x)
{
    drop(&x->request);
    drop(&x->reply);
    weir_peer_release(x->peer);
    x->peer = NULL;
    x->pending = 0;
    x->waiter.is_resumed = false;
    if (x->has_made_way) {
        x->has_made_way = false;
        atomic_fetch_sub_explicit(&x->transport->parked, 1, memory_order_relaxed);
    }
}

static void on_received(struct weir_exchange *x, int result)
{
    struct weir_transport *transport = x->transport;
    if (result == NNG_ECLOSED || result == NNG_ECANCELED) {
        x->state = WEIR_EXCHANGE_CLOSED;
        return;
    }
    if (result != 0) {
        start_receiving(x);
        return;
    }
    if (!replace_receiver(transport)) {
        weir_transport_relieve(transport);
    }
    x->request = nng_aio_get_msg(x->aio);
    x->pipe = nng_msg_get_pipe(x->request);
    x->peer = weir_peers_find(&transport->peers, x->pipe.id);
    x->arrived_us = weir_monotonic_us();
    weir_peer_arrived(x->peer, x->arrived_us);
    x->state = WEIR_EXCHANGE_SERVED;
    transport->user.arrived(transport->user.context, x);
}

/* What waited for the withdrawn reply may find no room in the socket. The sweep, which runs while
 * anything is joined, sends it then. */
void weir_exchange_withdraw(struct weir_exchange *x)
{
    weir_pending_withdraw(x->pending);
    x->pending = 0;
}

static void on_sent(struct weir_exchange *x, int result)
{
    weir_pending_push();
    if (result != 0) {
        weir_exchange_withdraw(x);
    }
    weir_peer_sent(x->peer, x->sending_bytes, weir_monotonic_us());
    if (result != 0) {
        nng_msg_free(nng_aio_get_msg(x->aio));
    }
    reset(x);
    make_idle(x);
}

/* nng's callback: an exchange's receiving or sending is complete. */
static void on_aio_done(void *context)
{
    struct weir_exchange *x = context;
    const int result = nng_aio_result(x->aio);
    switch (x->state) {
    case WEIR_EXCHANGE_RECEIVING:
        on_received(x, result);
        return;
    case WEIR_EXCHANGE_SENDING:
        on_sent(x, result);
        return;
    case WEIR_EXCHANGE_IDLE:
    case WEIR_EXCHANGE_SERVED:
    case WEIR_EXCHANGE_CLOSED:
        break;
    }
    assert(false && "nng has nothing to tell of an exchange that it does not own");
}

bool weir_exchange_open(struct weir_exchange *x, struct weir_transport *transport,
                        nng_socket socket)
{
    *x = (struct weir_exchange){.transport = transport, .state = WEIR_EXCHANGE_CLOSED};
    weir_waiter_init(&x->waiter);
    if (nng_aio_alloc(&x->aio, on_aio_done, x) != 0) {
        return false;
    }
    if (nng_ctx_open(&x->ctx, socket) != 0) {
        nng_aio_free(x->aio);
        return false;
    }
    make_idle(x);
    return true;
}

void weir_exchange_stop(struct weir_exchange *x)
{
    nng_aio_stop(x->aio);
}

void weir_exchange_fini(struct weir_exchange *x)
{
    nng_aio_free(x->aio);
    reset(x);
}

struct weir_slice weir_exchange_request(const struct weir_exchange *x)
{
    return weir_slice(nng_msg_body(x->request), nng_msg_len(x->request));
}

int64_t weir_exchange_arrived_us(const struct weir_exchange *x)
{
    return x->arrived_us;
}

void *weir_exchange_context(const struct weir_exchange *x)
{
    return x->transport->user.context;
}

struct weir_job *weir_exchange_job(struct weir_exchange *x)
{
    return &x->job;
}

struct weir_exchange *weir_exchange_of_job(struct weir_job *job)
{
    return WEIR_LINKED(job, struct weir_exchange, job);
}

struct weir_waiter *weir_exchange_waiter(struct weir_exchange *x)
{
    return &x->waiter;
}

struct weir_exchange *weir_exchange_of_waiter(struct weir_waiter *waiter)
{
    return WEIR_LINKED(waiter, struct weir_exchange, waiter);
}

struct weir_link *weir_exchange_peer(struct weir_exchange *x, const bool **is_gone)
{
    if (x->peer == NULL) {
        return NULL;
    }
    *is_gone = &x->peer->is_gone;
    return &x->peer->waiting;
}

void weir_exchange_unread(const struct weir_exchange *x, size_t *own, size_t *all)
{
    *own = weir_peer_unread(x->peer);
    *all = atomic_load_explicit(&x->transport->peers.unread_bytes, memory_order_relaxed);
}

void weir_exchange_recount_unread(struct weir_exchange *x)
{
    weir_peers_recount(&x->transport->peers, weir_monotonic_us());
}

void weir_exchange_make_way(struct weir_exchange *x)
{
    x->has_made_way = true;
    atomic_fetch_add_explicit(&x->transport->parked, 1, memory_order_relaxed);
    weir_transport_keep_room(x->transport);
}

uint8_t *weir_exchange_reply_room(struct weir_exchange *x, size_t n)
{
    drop(&x->reply);
    return nng_msg_alloc(&x->reply, n) == 0 ? nng_msg_body(x->reply) : NULL;
}

void weir_exchange_announce(struct weir_exchange *x)
{
    if (x->peer != NULL && x->pending == 0) {
        x->pending = weir_pending_add(x->peer->key);
    }
}

static bool is_connection_over(const struct weir_exchange *x)
{
    return x->peer != NULL && x->pending == 0 && weir_pending_is_over(x->peer->key);
}

void weir_exchange_send(struct weir_exchange *x)
{
    assert(x->state == WEIR_EXCHANGE_SERVED && x->reply != NULL);
    weir_exchange_announce(x);
    /* nng may still have a connection that is over: with WebSocket it forgets an end that it is
     * told before it asks for the next message. So the connection is closed here. */
    if (is_connection_over(x)) {
        weir_exchange_abandon(x, true);
        return;
    }
    x->sending_bytes = nng_msg_len(x->reply);
    nng_aio_set_msg(x->aio, x->reply);
    x->reply = NULL;
    x->state = WEIR_EXCHANGE_SENDING;
    weir_peer_sends(x->peer, x->sending_bytes, weir_monotonic_us());
    weir_transport_watch(x->transport);
    weir_nng_tasks_send(x->ctx, x->aio);
    weir_pending_push();
}

/* nng 1.5.2 does not survive being told to close a connection between two parts of a message
 * (nng_connections.h). So a plain connection is shut down instead, and nng's next receive finds the
 * end. */
static void close_connection(const struct weir_exchange *x)
{
    const struct weir_peer *peer = x->peer;
    if (peer != NULL && peer->key != 0 && !peer->is_opaque) {
        weir_partial_end(peer->key);
    } else {
        (void)nng_pipe_close(x->pipe);
    }
}

/* The context needs no reset: nng forgets the sender of the last request when the context receives
 * again. */
void weir_exchange_abandon(struct weir_exchange *x, bool is_fatal)
{
    assert(x->state == WEIR_EXCHANGE_SERVED);
    weir_exchange_withdraw(x);
    if (is_fatal) {
        close_connection(x);
    }
    reset(x);
    make_idle(x);
}
