/* A call: what the server knows of one request while it works on it.
 *
 * A call has one owner at a time: the thread that serves it (dispatch.h), or one of the namespace's
 * lanes, of writes or of reads, whose leader finishes it. Its arena holds everything the call
 * needs, and goes back to the pool with it. A handler does its work, fails, or says what happens
 * next (enum weir_call_step); dispatch acts on that, so a handler never gives the call away itself.
 * Handlers see neither nng nor frames. */
#ifndef WEIR_SERVER_CALL_H
#define WEIR_SERVER_CALL_H

#include "server/calls/queue.h"
#include "server/list.h"
#include "store/store.h"
#include "weir/base/arena.h"
#include "weir/base/fail.h"
#include "weir/wire/frame.h"

#include <pthread.h>

struct weir_call;
struct weir_exchange;
struct weir_limits;
struct weir_server;
struct weir_tenant;

/* What a handler that returned WEIR_OK has left to be done. */
enum weir_call_step {
    WEIR_CALL_IS_ANSWERED,  // the reply stands in its room (weir_call_reply)
    WEIR_CALL_WRITES,       // `write` goes to the lane, then `written` makes the reply
    WEIR_CALL_READS,        // `read` goes to the lane of reads, then `was_read` says what is next
    WEIR_CALL_READS_SLOW,   // the same for a read that is slow, or on the spot (slow_reads.h)
    WEIR_CALL_WAITS         // for something to read; see long_poll.h
};

struct weir_call {
    struct weir_server *server;
    struct weir_exchange *exchange;
    struct weir_arena arena;
    struct weir_request_frame frame;
    size_t method;       // index into weir_methods; weir_methods_n while unknown
    int64_t arrived_us;  // monotonic, as all times here
    int64_t deadline_us;
    bool is_admin;
    bool must_not_block;         // what would have to, fails; see dispatch.h
    bool is_for_worker;          // it has failed because its namespace must be opened first
    struct weir_tenant *tenant;  // the namespace it acts in, counted; NULL if none

    enum weir_call_step step;
    struct weir_write write;
    weir_status (*on_written)(struct weir_call *call, struct weir_error *err);

    struct weir_read read;
    bool watches;         // for what the read selects
    struct weir_job job;  // of the worker that is to lead, beginning with this read
    /* Makes the reply, whatever the outcome of the read, or has the call wait. */
    weir_status (*on_read)(struct weir_call *call, struct weir_error *err);

    struct weir_error err;
    struct weir_call *next;  // in the pool
};

static inline struct weir_call *weir_call_of_job(struct weir_job *job)
{
    return WEIR_LINKED(job, struct weir_call, job);
}

/* The limits in force. */
const struct weir_limits *weir_call_limits(const struct weir_call *call);

/* Answers the call: room for a successful reply with a payload of this size, to be filled at once.
 * NULL without memory (BACKEND_UNAVAILABLE). */
uint8_t *weir_call_reply_room(struct weir_call *call, size_t payload_n, struct weir_error *err);

/* Packs a successful reply. BACKEND_UNAVAILABLE without memory. */
weir_status weir_call_reply(struct weir_call *call, const ProtobufCMessage *message,
                            struct weir_error *err);

/* Makes a handler's outcome: the call's write is set up and goes to the lane. */
weir_status weir_call_write(struct weir_call *call, enum weir_write_kind kind,
                            weir_status (*on_written)(struct weir_call *call,
                                                      struct weir_error *err));

/* Makes a handler's outcome: the call's read, whose query is set, is done as `step` says. */
weir_status weir_call_read(struct weir_call *call, enum weir_call_step step,
                           weir_status (*on_read)(struct weir_call *call, struct weir_error *err));

/* Has the call's read end by then, whatever time the call itself has. */
void weir_call_limit_read(struct weir_call *call, int64_t until_us);

/* Whether it was that which ended the read. Then it is as new, and has the time that the call has.
 */
bool weir_call_renew_read(struct weir_call *call);

/* DEADLINE_EXCEEDED: the time of the call's read was over before that was begun. */
void weir_call_fail_late_read(struct weir_call *call);

/* A terminated copy for a protobuf string; NULL past the arena's cap. An absent slice gives "". */
char *weir_call_text(struct weir_call *call, struct weir_slice text);

/* What a failed allocation from the call's arena means. */
weir_status weir_call_is_too_large(const struct weir_call *call, struct weir_error *err);

/* ---- the pool ---- */

/* Calls that are not in use, the last used first, so that the warm ones are used. */
struct weir_calls {
    pthread_mutex_t lock;  // guards idle and kept_bytes; a leaf
    struct weir_call *idle;
    size_t kept_bytes;  // of memory that idle calls hold
    size_t kept_bytes_max;
    size_t cap_bytes;  // of one call's arena
    struct weir_server *server;
};

void weir_calls_init(struct weir_calls *calls, struct weir_server *server, size_t cap_bytes);
void weir_calls_fini(struct weir_calls *calls);

/* A call with nothing in it; NULL without memory. */
struct weir_call *weir_calls_take(struct weir_calls *calls);

/* Resets it. */
void weir_calls_give_back(struct weir_calls *calls, struct weir_call *call);

#endif
