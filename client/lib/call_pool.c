/* The pools of calls, the list of calls in flight, and each call's context of the current socket.
 *
 * A call goes from its pool (client->free) to client->in_flight and back, under client->mutex. A
 * pool only grows: it holds as many calls as were ever in flight at once. */
#include "client/lib/call.h"

#include "weir/base/monotonic.h"

#include <stdlib.h>

/* Memory that a call in a pool keeps. Small, because a pool may hold thousands of calls. */
enum { ARENA_KEEP_BYTES = 8 << 10 };

/* Time that a call must have left to be moved to another socket. */
enum { MOVE_LEFT_US = 1000000 };

nng_aio *call_current_aio(const struct call *call)
{
    return call->state == CALL_PAUSING ? call->pause : call->aio;
}

int call_alloc_aio(struct call *call, nng_aio **aio)
{
    return nng_aio_alloc(aio, call->kind == CALL_CALLBACK ? call_on_aio : NULL, call);
}

static struct call *call_new(struct weir_client *client, enum call_kind kind)
{
    struct call *call = calloc(1, sizeof *call);
    if (call == NULL) {
        return NULL;
    }
    call->client = client;
    call->kind = kind;
    if (call_alloc_aio(call, &call->aio) != 0) {
        free(call);
        return NULL;
    }
    (void)pthread_mutex_init(&call->mutex, NULL);
    /* No cap: a call keeps memory in proportion to the request that its caller already holds. */
    weir_arena_init(&call->arena, SIZE_MAX, ARENA_KEEP_BYTES);
    return call;
}

static void call_drop_ctx(struct call *call)
{
    if (call->link_number != 0) {
        links_close_ctx(&call->client->links, call->ctx, call->link_number);
        call->link_number = 0;
    }
}

/* Returns the lowest number of a socket of which a call in flight has a context, UINT64_MAX if
 * none. */
static uint64_t oldest_in_use(struct weir_client *client)
{
    uint64_t oldest = UINT64_MAX;
    (void)pthread_mutex_lock(&client->mutex);
    for (struct weir_link *at = client->in_flight.next; at != &client->in_flight; at = at->next) {
        const struct call *call = WEIR_LINKED(at, struct call, in_flight);
        const uint64_t number = call->link_number;
        oldest = number != 0 && number < oldest ? number : oldest;
    }
    (void)pthread_mutex_unlock(&client->mutex);
    return oldest;
}

int call_take_ctx(struct call *call)
{
    struct links *links = &call->client->links;
    if (!links_take_number(links)) {
        links_replace_used_up(links, oldest_in_use(call->client));
    }
    if (call->link_number == atomic_load(&links->number)) {
        return 0;
    }
    call_drop_ctx(call);
    uint64_t number = 0;
    const int rv = links_open_ctx(links, &call->ctx, &number);
    call->link_number = number;
    return rv;
}

struct links_sent call_sent(const struct call *call)
{
    return (struct links_sent){.number = call->link_number, .bytes = call->sent_bytes};
}

void call_note_wait(struct call *call)
{
    struct links *links = &call->client->links;
    if (links_has_waited(links)) {
        links_replace_lost(links, oldest_in_use(call->client));
    }
}

/* Whether the call is a long poll that can be sent again. One that is about to time out stays: nng
 * does not survive that its context is closed meanwhile (link.h). */
static bool can_move(const struct call *call)
{
    return call->state == CALL_RECEIVING && call->is_poll &&
           call->attempts_n < call->max_attempts &&
           call->deadline_us - weir_monotonic_us() > MOVE_LEFT_US;
}

/* Ends the long polls that wait on the replaced socket `number`, so that they are sent again on the
 * new one. If the host has vanished they would learn of it only at their deadlines, long after
 * calls are answered again. A server that is only slow has no work to do twice.
 *
 * While a call receives, nobody changes what is read of it here. A call that is being prepared is
 * in flight already, and its thread changes it without a lock. */
static void move_polls(struct weir_client *client, uint64_t number)
{
    (void)pthread_mutex_lock(&client->mutex);
    for (struct weir_link *at = client->in_flight.next; at != &client->in_flight; at = at->next) {
        struct call *call = WEIR_LINKED(at, struct call, in_flight);
        (void)pthread_mutex_lock(&call->mutex);
        if (call->link_number == number && can_move(call)) {
            nng_aio_abort(call->aio, NNG_ECONNRESET);
        }
        (void)pthread_mutex_unlock(&call->mutex);
    }
    (void)pthread_mutex_unlock(&client->mutex);
}

void call_note_silence(struct call *call)
{
    struct links *links = &call->client->links;
    const struct links_sent sent = call_sent(call);
    if (links_is_silent(links, sent) &&
        links_replace_silent(links, sent, oldest_in_use(call->client))) {
        move_polls(call->client, sent.number);
    }
}

static void call_free(struct call *call)
{
    /* nng_aio_free waits until the callback has returned. */
    nng_aio_free(call->aio);
    nng_aio_free(call->pause);
    call_drop_ctx(call);
    /* The thread that started the call's last operation may still be about to unlock the mutex,
     * although the operation has ended. */
    (void)pthread_mutex_lock(&call->mutex);
    (void)pthread_mutex_unlock(&call->mutex);
    (void)pthread_mutex_destroy(&call->mutex);
    weir_arena_fini(&call->arena);
    free(call);
}

static struct call *pop_free_locked(struct weir_client *client, enum call_kind kind)
{
    struct call *call = client->free[kind];
    if (call != NULL) {
        client->free[kind] = call->next;
        call->next = NULL;
    }
    return call;
}

weir_status call_fail_closing(struct weir_error *err)
{
    return weir_fail(err, WEIR_CANCELLED, "the client is being closed");
}

weir_status call_acquire(struct weir_client *client, enum call_kind kind, struct call **call_out,
                         struct weir_error *err)
{
    (void)pthread_mutex_lock(&client->mutex);
    weir_status st = WEIR_OK;
    const size_t n = client->in_flight_n - atomic_load(&client->ended_n);
    if (client->is_closing) {
        st = call_fail_closing(err);
    } else if (n >= client->max_in_flight) {
        st = weir_fail_full(err, "the number of calls in flight", "max_in_flight",
                            client->max_in_flight, n + 1);
    } else {
        client->in_flight_n++;
    }
    struct call *call = st == WEIR_OK ? pop_free_locked(client, kind) : NULL;
    (void)pthread_mutex_unlock(&client->mutex);
    if (st != WEIR_OK) {
        return st;
    }
    if (call == NULL) {
        call = call_new(client, kind);
    }
    (void)pthread_mutex_lock(&client->mutex);
    if (call == NULL) {
        st = client_fail_memory(err);
        client->in_flight_n--;
        (void)pthread_cond_signal(&client->is_idle);
    } else {
        call->is_cancelled = client->is_closing;
        call->has_ended = false;
        call->state = CALL_SENDING;  // not that of the call before, see move_polls
        weir_link_append(&client->in_flight, &call->in_flight);
    }
    (void)pthread_mutex_unlock(&client->mutex);
    *call_out = call;
    return st;
}

void call_note_end(struct call *call)
{
    call->has_ended = true;
    (void)atomic_fetch_add(&call->client->ended_n, 1);
}

void call_release(struct call *call)
{
    struct weir_client *client = call->client;
    weir_arena_reset(&call->arena);
    (void)pthread_mutex_lock(&client->mutex);
    weir_link_remove(&call->in_flight);
    call->next = client->free[call->kind];
    client->free[call->kind] = call;
    client->in_flight_n--;
    if (call->has_ended) {
        (void)atomic_fetch_sub(&client->ended_n, 1);
    }
    if (client->in_flight_n == 0) {
        (void)pthread_cond_signal(&client->is_idle);
    }
    (void)pthread_mutex_unlock(&client->mutex);
}

void calls_cancel_locked(struct weir_client *client, bool awaits_replies)
{
    for (struct weir_link *at = client->in_flight.next; at != &client->in_flight; at = at->next) {
        struct call *call = WEIR_LINKED(at, struct call, in_flight);
        (void)pthread_mutex_lock(&call->mutex);
        call->is_cancelled = true;
        if (!awaits_replies || call->state != CALL_RECEIVING) {
            nng_aio_abort(call_current_aio(call), NNG_ECANCELED);
        }
        (void)pthread_mutex_unlock(&call->mutex);
    }
}

void calls_free(struct weir_client *client)
{
    for (size_t kind = 0; kind < CALL_KINDS; kind++) {
        while (client->free[kind] != NULL) {
            struct call *call = client->free[kind];
            client->free[kind] = call->next;
            call_free(call);
        }
    }
}
