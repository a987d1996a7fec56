/* One call, and the pool that calls come from and go back to.
 *
 * call.c runs a call's attempts; call_failure.c tells how it failed; call_pool.c keeps its memory,
 * nng_ctx and nng_aio for the next one. */
#ifndef WEIR_CLIENT_CALL_H
#define WEIR_CLIENT_CALL_H

#include "client/lib/client.h"
#include "weir/base/arena.h"
#include "weir/wire/frame.h"
#include "weir/wire/invoke.h"
#include "weir/wire/method.h"

/* What the nng_aio of the call is doing. */
enum call_state { CALL_SENDING, CALL_RECEIVING, CALL_PAUSING };

/* A call is touched by one thread at a time: the one that starts it, then whoever runs its steps,
 * which is the waiting thread or nng's callback. Only its cancelling comes from outside. */
struct call {
    struct weir_client *client;
    enum call_kind kind;
    struct call *next;      // in a pool, or in flight
    struct call *previous;  // in flight
    nng_aio *aio;           // sends and receives
    /* Pauses; made with the first one. nng 1.5.2 reports the time-out of an aio that has once slept
     * as a success, so it is an aio of its own. */
    nng_aio *pause;
    nng_ctx ctx;
    /* The socket that `ctx` is of; 0: there is no context. Others look at it to see what is in use.
     */
    atomic_uint_least64_t link_number;
    /* Held while an operation of the aio is started, so that a cancelled call starts none any more;
     * taken after the client's. Guards is_cancelled and, against the one that cancels, state. */
    pthread_mutex_t mutex;
    bool is_cancelled;
    enum call_state state;
    const struct weir_method *method;
    struct weir_arena arena;          // all that the call keeps
    struct weir_request_frame frame;  // but timeout_ms
    struct weir_slice payload;
    int64_t deadline_us;  // weir_monotonic_us
    uint32_t timeout_ms;  // the whole call's, for messages
    uint32_t max_attempts;
    uint32_t attempts_n;
    uint32_t delay_ms;  // before the next attempt, at most
    bool was_sent;      // in this attempt
    bool is_in_doubt;   // an attempt may have been carried out, which a caller has to know
    bool has_ended;     // counts in the client's ended_n
    size_t sent_bytes;  // of this attempt's request
    ProtobufCMessage *response;
    struct weir_error err;
    struct weir_client_completion completion;  // CALL_CALLBACK
};

/* A call from the pool, or a new one; it counts as in flight. CANCELLED while the client is
 * closing, LIMIT_EXCEEDED where too many are in flight. */
weir_status call_acquire(struct weir_client *client, enum call_kind kind, struct call **call,
                         struct weir_error *err);

/* Before its callback is called: that may start another in its place. */
void call_note_end(struct call *call);

/* The last that a call's thread does with it. */
void call_release(struct call *call);

/* Before each request: sees to it that call->ctx is of the client's current socket. An error number
 * of nng's. */
int call_take_ctx(struct call *call);

/* The request that the call waits for an answer to. */
struct links_sent call_sent(const struct call *call);

/* No connection came in time: replaces the socket where it is time to. */
void call_note_wait(struct call *call);

/* No answer came in time: replaces the socket where it is the socket's silence. */
void call_note_silence(struct call *call);

/* The aio that works for the call now. */
nng_aio *call_current_aio(const struct call *call);

/* An aio of the call's kind: one without a callback is waited for, which saves two hand-overs
 * between threads. An error number of nng's. */
int call_alloc_aio(struct call *call, nng_aio **aio);

/* What an aio of CALL_CALLBACK calls back; `arg` is the call. Defined in call.c. */
void call_on_aio(void *arg);

weir_status call_fail_closing(struct weir_error *err);

/* These set call->err, with the detail `url`. No connection was there to send the request over. */
void call_fail_no_connection(struct call *call);

/* No reply came by the deadline. */
void call_fail_no_reply(struct call *call);

/* nng gave that error number; a time-out is one that came too soon. */
void call_fail_transport(struct call *call, int rv);

/* What stands in call->err is a refusal that says nothing of an earlier attempt, which may have
 * been carried out. */
void call_fail_in_doubt(struct call *call);

/* Begins to end every call in flight: none starts anything any more. What they do is aborted
 * except, with `awaits_replies`, that those whose request is with the server go on waiting for its
 * answer. */
void calls_cancel_locked(struct weir_client *client, bool awaits_replies);

/* Frees the pools. Nothing is in flight any more. */
void calls_free(struct weir_client *client);

#endif
