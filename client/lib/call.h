/* One call, and the pool that calls come from and go back to.
 *
 * call.c runs the attempts of a call, call_failure.c describes failures that the server did not
 * send, call_pool.c keeps a call's memory, nng_ctx and nng_aio for the next call.
 *
 * One thread at a time works on a call: the thread that starts it, then the thread that runs its
 * steps, which is the waiting thread (CALL_WAITING) or a thread of nng (CALL_CALLBACK). Others only
 * end its operation (calls_cancel_locked, call_note_silence). Lock order: client->mutex,
 * call->mutex. */
#ifndef WEIR_CLIENT_CALL_H
#define WEIR_CLIENT_CALL_H

#include "client/lib/client.h"
#include "weir/base/arena.h"
#include "weir/wire/frame.h"
#include "weir/wire/invoke.h"
#include "weir/wire/method.h"

/* The operation that the call has started. */
enum call_state { CALL_SENDING, CALL_RECEIVING, CALL_PAUSING };

struct call {
    struct weir_client *client;
    enum call_kind kind;
    struct call *next;           // in a pool
    struct weir_link in_flight;  // among the calls in flight
    nng_aio *aio;                // for sends and receives
    /* For pauses; made with the first one. It is an aio of its own because nng 1.5.2 reports the
     * time-out of an aio that has once slept as a success. */
    nng_aio *pause;
    nng_ctx ctx;
    /* Number of the socket that `ctx` belongs to; 0 = no context. Other threads read it to find the
     * sockets in use. */
    atomic_uint_least64_t link_number;
    /* Held while an operation is started, so that a cancelled call starts no further one. Guards
     * is_cancelled and the changes of state that other threads look at. */
    pthread_mutex_t mutex;
    bool is_cancelled;
    enum call_state state;
    const struct weir_method *method;
    struct weir_arena arena;          // everything that the call keeps
    struct weir_request_frame frame;  // complete but for timeout_ms
    struct weir_slice payload;
    int64_t deadline_us;  // weir_monotonic_us
    uint32_t timeout_ms;  // of the whole call, for error texts
    bool is_poll;         // may wait at the server for messages
    uint32_t max_attempts;
    uint32_t attempts_n;
    uint32_t delay_ms;  // longest pause before the next attempt
    bool was_sent;      // the request of this attempt
    bool is_in_doubt;   // an attempt may have been carried out, and the caller must be told
    bool has_ended;     // is counted in client->ended_n
    size_t sent_bytes;  // size of this attempt's request
    ProtobufCMessage *response;
    struct weir_error err;
    struct weir_client_completion completion;  // CALL_CALLBACK
};

/* Takes a call from the pool or makes one, and counts it as in flight. CANCELLED while the client
 * is closing, LIMIT_EXCEEDED when too many calls are in flight, BACKEND_UNAVAILABLE when out of
 * memory. */
weir_status call_acquire(struct weir_client *client, enum call_kind kind, struct call **call,
                         struct weir_error *err);

/* Gives up the call's place among max_in_flight. Called before its callback, which may start
 * another call in that place. */
void call_note_end(struct call *call);

/* Puts the call back into its pool. The thread must not touch the call afterwards. */
void call_release(struct call *call);

/* Makes call->ctx a context of the client's current socket. Called before each request. Returns an
 * error number of nng. */
int call_take_ctx(struct call *call);

/* Returns the number of the socket and the size of the request that the call has sent. */
struct links_sent call_sent(const struct call *call);

/* Notes that no connection came in time; replaces the socket if that has lasted long enough. */
void call_note_wait(struct call *call);

/* Notes that no reply came in time; replaces the socket if the server has been silent for long
 * enough. Long polls that wait on the old socket then end as if they had lost their connection. */
void call_note_silence(struct call *call);

/* Returns the aio of the operation in call->state. */
nng_aio *call_current_aio(const struct call *call);

/* Allocates an aio for the call's kind. The aio of a waiting call has no callback, which saves two
 * hand-overs between threads. Returns an error number of nng. */
int call_alloc_aio(struct call *call, nng_aio **aio);

/* The callback of the aios of CALL_CALLBACK; `arg` is the call. Defined in call.c. */
void call_on_aio(void *arg);

weir_status call_fail_closing(struct weir_error *err);

/* Sets call->err, with the detail `url`: the request found no connection. */
void call_fail_no_connection(struct call *call);

/* Sets call->err, with the detail `url`: no reply came by the deadline. */
void call_fail_no_reply(struct call *call);

/* Sets call->err, with the detail `url`, for nng's error number; NNG_ETIMEDOUT stands for a
 * time-out before the deadline. */
void call_fail_transport(struct call *call, int rv);

/* Replaces call->err, a refusal that says nothing about an earlier attempt, by one that says that
 * the earlier attempt may have been carried out. Sets the detail `url`. */
void call_fail_in_doubt(struct call *call);

/* Begins to end every call in flight: none starts a further operation, and running operations are
 * aborted. With `awaits_replies`, calls whose request has been sent go on waiting for the reply.
 * client->mutex is held. */
void calls_cancel_locked(struct weir_client *client, bool awaits_replies);

/* Frees the pools. No call may be in flight. */
void calls_free(struct weir_client *client);

#endif
