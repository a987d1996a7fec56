/* The pool of calls, and the functions by which handlers set the outcome of a call.
 *
 * A call is idle in the pool, or has one owner outside of it (call.h). weir_calls_take resets only
 * the fields that it names; read, write and job are set where they are first used. Giving a call
 * back resets its arena, which keeps one block for the next call, and frees the call where idle
 * calls would hold too much memory together. Any thread takes and gives back. The pool's lock
 * guards the list of idle calls and their bytes; it is a leaf and not held while memory is
 * allocated or freed. */
#include "server/calls/call.h"

#include "server/calls/server_parts.h"
#include "server/transport/exchange.h"
#include "weir/base/monotonic.h"
#include "weir/v1/methods.h"

#include <stdlib.h>

enum {
    /* Memory that an idle call keeps: enough to read 1,000 messages of a usual size. */
    KEEP_BYTES = 4 * 1024 * 1024,
    /* Memory that all idle calls keep together. */
    KEEP_BYTES_IN_ALL = 32 * 1024 * 1024
};

const struct weir_limits *weir_call_limits(const struct weir_call *call)
{
    return &call->server->config->limits;
}

uint8_t *weir_call_reply_room(struct weir_call *call, size_t payload_n, struct weir_error *err)
{
    uint8_t *room = weir_exchange_reply_room(call->exchange, weir_response_ok_size(payload_n));
    if (room == NULL) {
        (void)weir_fail(err, WEIR_BACKEND_UNAVAILABLE, "out of memory for a reply of %zu bytes",
                        payload_n);
        return NULL;
    }
    call->step = WEIR_CALL_IS_ANSWERED;
    return room;
}

weir_status weir_call_reply(struct weir_call *call, const ProtobufCMessage *message,
                            struct weir_error *err)
{
    const size_t payload_n = protobuf_c_message_get_packed_size(message);
    uint8_t *room = weir_call_reply_room(call, payload_n, err);
    if (room == NULL) {
        return err->status;
    }
    weir_response_ok_pack(message, payload_n, room);
    return WEIR_OK;
}

weir_status weir_call_write(struct weir_call *call, enum weir_write_kind kind,
                            weir_status (*on_written)(struct weir_call *call,
                                                      struct weir_error *err))
{
    call->write.kind = kind;
    call->write.deadline_us = call->deadline_us;
    call->write.arena = &call->arena;
    call->write.err = &call->err;
    call->on_written = on_written;
    call->step = WEIR_CALL_WRITES;
    return WEIR_OK;
}

void weir_call_limit_read(struct weir_call *call, int64_t until_us)
{
    struct weir_query *query = &call->read.query;
    query->deadline_us = until_us < query->deadline_us ? until_us : query->deadline_us;
}

bool weir_call_renew_read(struct weir_call *call)
{
    const bool was_limited = call->err.status == WEIR_DEADLINE_EXCEEDED &&
                             call->read.query.deadline_us < call->deadline_us;
    if (was_limited) {
        call->read.query.deadline_us = call->deadline_us;
        weir_error_init(&call->err);
    }
    return was_limited;
}

void weir_call_fail_late_read(struct weir_call *call)
{
    (void)weir_fail(&call->err, WEIR_DEADLINE_EXCEEDED,
                    "the deadline passed before the read was started");
}

static struct weir_call *call_of_link(struct weir_link *link)
{
    return weir_call_of_job(WEIR_LINKED(link, struct weir_job, queued));
}

void weir_call_take_late_reads(struct weir_link *queued, struct weir_link *late)
{
    const int64_t now_us = weir_monotonic_us();
    struct weir_link *next = NULL;
    for (struct weir_link *at = queued->next; at != queued; at = next) {
        next = at->next;
        if (call_of_link(at)->read.query.deadline_us <= now_us) {
            weir_link_remove(at);
            weir_link_append(late, at);
        }
    }
}

void weir_call_end_taken_reads(struct weir_link *late, void (*end)(struct weir_call *call))
{
    while (!weir_link_is_alone(late)) {
        struct weir_call *call = call_of_link(late->next);
        weir_link_remove(late->next);
        weir_call_fail_late_read(call);
        end(call);
    }
}

void weir_call_end_late_reads(struct weir_link *queued, pthread_mutex_t *lock,
                              void (*end)(struct weir_call *call))
{
    struct weir_link late;
    weir_link_init(&late);
    (void)pthread_mutex_lock(lock);
    weir_call_take_late_reads(queued, &late);
    (void)pthread_mutex_unlock(lock);
    weir_call_end_taken_reads(&late, end);
}

weir_status weir_call_read(struct weir_call *call, enum weir_call_step step,
                           weir_status (*on_read)(struct weir_call *call, struct weir_error *err))
{
    call->on_read = on_read;
    call->step = step;
    return WEIR_OK;
}

char *weir_call_text(struct weir_call *call, struct weir_slice text)
{
    const struct weir_slice from = text.p == NULL ? weir_slice("", 0) : text;
    struct weir_slice copy;
    return weir_arena_copy(&call->arena, from, &copy) ? (char *)(uintptr_t)copy.p : NULL;
}

weir_status weir_call_is_too_large(const struct weir_call *call, struct weir_error *err)
{
    return weir_arena_fail(&call->arena, err);
}

void weir_calls_init(struct weir_calls *calls, struct weir_server *server, size_t cap_bytes)
{
    *calls = (struct weir_calls){
        .server = server, .cap_bytes = cap_bytes, .kept_bytes_max = KEEP_BYTES_IN_ALL};
    (void)pthread_mutex_init(&calls->lock, NULL);
}

void weir_calls_fini(struct weir_calls *calls)
{
    while (calls->idle != NULL) {
        struct weir_call *call = calls->idle;
        calls->idle = call->next;
        weir_arena_fini(&call->arena);
        free(call);
    }
    (void)pthread_mutex_destroy(&calls->lock);
}

/* Returns the bytes that an idle call holds: an arena that was just reset has one block, if any. */
static size_t kept_by(const struct weir_call *call)
{
    return call->arena.left;
}

static struct weir_call *make(struct weir_calls *calls)
{
    struct weir_call *call = malloc(sizeof *call);
    if (call != NULL) {
        const size_t keep = KEEP_BYTES < calls->cap_bytes ? KEEP_BYTES : calls->cap_bytes;
        weir_arena_init(&call->arena, calls->cap_bytes, keep);
    }
    return call;
}

struct weir_call *weir_calls_take(struct weir_calls *calls)
{
    (void)pthread_mutex_lock(&calls->lock);
    struct weir_call *call = calls->idle;
    if (call != NULL) {
        calls->idle = call->next;
        calls->kept_bytes -= kept_by(call);
    }
    (void)pthread_mutex_unlock(&calls->lock);
    if (call == NULL) {
        call = make(calls);
    }
    if (call != NULL) {
        call->server = calls->server;
        call->method = weir_methods_n;
        call->is_admin = false;
        call->must_not_block = false;
        call->is_for_worker = false;
        call->tenant = NULL;
        call->step = WEIR_CALL_IS_ANSWERED;
        call->watches = false;
        call->frame = (struct weir_request_frame){.metadata_n = 0};
        weir_error_init(&call->err);
    }
    return call;
}

void weir_calls_give_back(struct weir_calls *calls, struct weir_call *call)
{
    weir_arena_reset(&call->arena);
    (void)pthread_mutex_lock(&calls->lock);
    const bool is_kept = calls->kept_bytes + kept_by(call) <= calls->kept_bytes_max;
    if (is_kept) {
        calls->kept_bytes += kept_by(call);
        call->next = calls->idle;
        calls->idle = call;
    }
    (void)pthread_mutex_unlock(&calls->lock);
    if (!is_kept) {
        weir_arena_fini(&call->arena);
        free(call);
    }
}
