/* A call: what the server knows of one request while it works on it.
 *
 * A call has one owner at a time: the thread that serves it (dispatch.h), a lane of its namespace
 * (of writes or of reads) whose leader finishes it, or the queue of slow reads. Its arena holds all
 * memory that the call needs and goes back to the pool with it. A handler answers the call, fails,
 * or sets the next step (enum weir_call_step); dispatch carries that out, so a handler never gives
 * the call away itself. Handlers see neither nng nor frames. Functions that take a call are for its
 * owner; none of them blocks. */
#ifndef WEIR_SERVER_CALL_H
#define WEIR_SERVER_CALL_H

#include "server/base/queue.h"
#include "store/store.h"
#include "weir/base/arena.h"
#include "weir/base/fail.h"
#include "weir/base/list.h"
#include "weir/wire/frame.h"

#include <pthread.h>

struct weir_call;
struct weir_exchange;
struct weir_limits;
struct weir_server;
struct weir_tenant;

/* The next step of a call whose handler returned WEIR_OK. */
enum weir_call_step {
    WEIR_CALL_IS_ANSWERED,  // the reply is packed (weir_call_reply): send it
    WEIR_CALL_WRITES,       // commit `write` by the lane of writes, then call `on_written`
    WEIR_CALL_READS,        // do `read` by the lane of reads, then call `on_read`
    WEIR_CALL_READS_SLOW,   // do `read` briefly or in a turn (slow_reads.h), then `on_read`
    WEIR_CALL_WAITS         // wait for something to read (long_poll.h)
};

struct weir_call {
    struct weir_server *server;
    struct weir_exchange *exchange;
    struct weir_arena arena;
    struct weir_request_frame frame;
    uint32_t owner;      // of its jobs (turns.h)
    size_t method;       // index into weir_methods; weir_methods_n while unknown
    int64_t arrived_us;  // monotonic, as all times here
    int64_t deadline_us;
    bool is_admin;
    bool must_not_block;         // fail rather than ask the store; see dispatch.h
    bool is_for_worker;          // failed only because its namespace must be opened first
    struct weir_tenant *tenant;  // namespace of the call, counted; NULL if none

    enum weir_call_step step;
    struct weir_write write;
    /* Packs the reply once the write is durable. */
    weir_status (*on_written)(struct weir_call *call, struct weir_error *err);

    struct weir_read read;
    bool watches;         // its exchange's waiter is armed for what the read selects
    struct weir_job job;  // for a worker: to lead the lane from this read on, or the read's turn;
                          // and its place among the reads that wait for either
    /* Packs the reply or has the call wait; called whatever the outcome of the read. */
    weir_status (*on_read)(struct weir_call *call, struct weir_error *err);

    struct weir_error err;   // outcome of the call
    struct weir_call *next;  // in the pool
};

static inline struct weir_call *weir_call_of_job(struct weir_job *job)
{
    return WEIR_LINKED(job, struct weir_call, job);
}

/* Returns the limits in force. */
const struct weir_limits *weir_call_limits(const struct weir_call *call);

/* Answers the call: returns room for a successful reply with a payload of `payload_n` bytes, which
 * the caller fills. NULL without memory, with err BACKEND_UNAVAILABLE. */
uint8_t *weir_call_reply_room(struct weir_call *call, size_t payload_n, struct weir_error *err);

/* Answers the call with a message. BACKEND_UNAVAILABLE without memory. */
weir_status weir_call_reply(struct weir_call *call, const ProtobufCMessage *message,
                            struct weir_error *err);

/* Sets the next step: call->write.of goes to the lane of writes as `kind`, and `on_written` makes
 * the reply. Returns WEIR_OK, for the handler to return. */
weir_status weir_call_write(struct weir_call *call, enum weir_write_kind kind,
                            weir_status (*on_written)(struct weir_call *call,
                                                      struct weir_error *err));

/* Sets the next step: call->read.query is read as `step` says, and `on_read` goes on from there.
 * Returns WEIR_OK, for the handler to return. */
weir_status weir_call_read(struct weir_call *call, enum weir_call_step step,
                           weir_status (*on_read)(struct weir_call *call, struct weir_error *err));

/* Ends the call's read at `until_us` (monotonic) at the latest, though the call has more time. */
void weir_call_limit_read(struct weir_call *call, int64_t until_us);

/* Returns whether the read has failed because of weir_call_limit_read. Its error is cleared then,
 * and its deadline is the call's again, so that it can be done once more. */
bool weir_call_renew_read(struct weir_call *call);

/* Sets the call's error to DEADLINE_EXCEEDED: its deadline passed before its read was begun. */
void weir_call_fail_late_read(struct weir_call *call);

/* Moves the reads whose deadline has passed from a queue of calls (linked by call->job.queued) to
 * `late`. */
void weir_call_take_late_reads(struct weir_link *queued, struct weir_link *late);

/* Ends the reads that are late: sets their errors and calls `end` for each. */
void weir_call_end_taken_reads(struct weir_link *late, void (*end)(struct weir_call *call));

/* Both, for a queue that `lock` guards; `end` is called without the lock. */
void weir_call_end_late_reads(struct weir_link *queued, pthread_mutex_t *lock,
                              void (*end)(struct weir_call *call));

/* Returns a terminated copy in the call's arena, for a protobuf string; "" for an absent slice,
 * NULL past the arena's cap. */
char *weir_call_text(struct weir_call *call, struct weir_slice text);

/* Returns the failure for an allocation from the call's arena that has failed. */
weir_status weir_call_is_too_large(const struct weir_call *call, struct weir_error *err);

/* ---- the pool ---- */

/* The calls that are not in use, the last used first, whose memory is likely in the caches. */
struct weir_calls {
    pthread_mutex_t lock;  // guards idle and kept_bytes; a leaf
    struct weir_call *idle;
    size_t kept_bytes;  // memory that idle calls hold
    size_t kept_bytes_max;
    size_t cap_bytes;  // cap of one call's arena
    struct weir_server *server;
};

/* `cap_bytes`: the most memory that one call may use. */
void weir_calls_init(struct weir_calls *calls, struct weir_server *server, size_t cap_bytes);

/* Frees the idle calls. All calls must have been given back. */
void weir_calls_fini(struct weir_calls *calls);

/* Takes an empty call, or makes one; NULL without memory. Any thread. */
struct weir_call *weir_calls_take(struct weir_calls *calls);

/* Resets the call and gives it back. The caller has released its tenant. Any thread. */
void weir_calls_give_back(struct weir_calls *calls, struct weir_call *call);

#endif
