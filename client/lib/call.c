/* Runs a call: packs its request once, then makes attempts until one succeeds, the deadline passes
 * or the failure is final.
 *
 *     SENDING ──sent──> RECEIVING ──reply──> end
 *        │  ^               │
 *        │  └─── PAUSING <──┴── a failure that may be repeated
 *        └── no connection after SEND_WAIT_MS: pack again and go on sending
 *
 * step() takes each end of an nng operation to the next one. A waiting call runs it on its own
 * thread, an asynchronous call on a thread of nng. */
#include "client/lib/call.h"

#include "client/lib/request.h"
#include "client/lib/response.h"
#include "weir/base/monotonic.h"
#include "weir/rules/limits.h"

enum {
    /* Longest wait for a connection before the request is packed again: the time left that the
     * server is told is too long by no more than this. */
    SEND_WAIT_MS = 500,
    /* nng counts whole milliseconds, so its time-outs come a little before the deadline. */
    EARLY_MS = 5,
    TIMEOUT_MS_MAX = INT32_MAX
};

/* ---- preparing ---- */

static struct weir_slice text_or(struct weir_slice given, const char *standard)
{
    return given.p != NULL ? given : weir_slice_of(standard);
}

static weir_status keep_text(struct call *call, struct weir_slice from, struct weir_slice *to)
{
    if (!weir_arena_copy(&call->arena, from, to)) {
        return client_fail_memory(&call->err);
    }
    return WEIR_OK;
}

static weir_status keep_metadata(struct call *call, const struct weir_call_options *options)
{
    const size_t n = options->metadata_n + (options->namespace_id != NULL ? 1 : 0);
    if (n == 0) {
        return WEIR_OK;
    }
    if (n > WEIR_METADATA_ENTRIES_MAX) {
        return weir_fail_field(&call->err, "metadata",
                               "%zu entries are too many: must be at most %d", n,
                               WEIR_METADATA_ENTRIES_MAX);
    }
    struct weir_metadata_entry *entries = weir_arena_array(&call->arena, n, sizeof *entries);
    if (entries == NULL) {
        return client_fail_memory(&call->err);
    }
    weir_status st = WEIR_OK;
    for (size_t i = 0; st == WEIR_OK && i < options->metadata_n; i++) {
        st = keep_text(call, weir_slice_of(options->metadata[i].key), &entries[i].key);
        if (st == WEIR_OK) {
            st = keep_text(call, weir_slice_of(options->metadata[i].value), &entries[i].value);
        }
    }
    if (st == WEIR_OK && options->namespace_id != NULL) {
        entries[n - 1].key = weir_slice_of("namespace");
        st = keep_text(call, weir_slice_of(options->namespace_id), &entries[n - 1].value);
    }
    call->frame.metadata = entries;
    call->frame.metadata_n = n;
    return st;
}

/* Packs the payload once; each attempt copies it into its message. An asynchronous call outlives
 * the caller's request. */
static weir_status keep_payload(struct call *call, const ProtobufCMessage *request)
{
    const ProtobufCMessage *complete = NULL;
    const weir_status st =
        request_complete(call->method, request, &call->arena, &complete, &call->err);
    if (st != WEIR_OK) {
        return st;
    }
    const size_t n = protobuf_c_message_get_packed_size(complete);
    call->frame.timeout_ms = UINT32_MAX;  // its longest packed form
    const size_t size = weir_request_frame_size(&call->frame, n);
    if (size > call->client->max_request_bytes) {
        return weir_fail_limit(&call->err, "size of the request in bytes (max_request_bytes)",
                               call->client->max_request_bytes, size);
    }
    uint8_t *bytes = weir_arena_bytes(&call->arena, n);
    if (bytes == NULL) {
        return client_fail_memory(&call->err);
    }
    (void)protobuf_c_message_pack(complete, bytes);
    call->payload = weir_slice(bytes, n);
    return WEIR_OK;
}

static void set_deadline(struct call *call, const ProtobufCMessage *request,
                         const struct weir_call_options *options)
{
    const uint32_t wait_ms = request_wait_ms(request);
    call->is_poll = wait_ms > 0;
    uint64_t timeout_ms = options->timeout_ms;
    if (timeout_ms == 0) {
        timeout_ms = (uint64_t)call->client->timeout_ms + wait_ms;
    }
    if (timeout_ms > TIMEOUT_MS_MAX) {
        timeout_ms = TIMEOUT_MS_MAX;
    }
    call->timeout_ms = (uint32_t)timeout_ms;
    call->deadline_us = weir_monotonic_us() + (int64_t)timeout_ms * 1000;
}

static weir_status call_prepare(struct call *call, size_t method, const ProtobufCMessage *request,
                                const struct weir_call_options *options)
{
    static const struct weir_call_options standard = WEIR_CALL_OPTIONS_INIT;
    if (options == NULL) {
        options = &standard;
    }
    weir_error_init(&call->err);
    call->method = &weir_methods[method];
    call->response = NULL;
    call->attempts_n = 0;
    call->is_in_doubt = false;
    call->max_attempts =
        options->max_attempts != 0 ? options->max_attempts : call->client->retry.max_attempts;
    call->delay_ms = call->client->retry.first_delay_ms;
    call->frame = (struct weir_request_frame){.method = weir_slice_of(call->method->name)};
    set_deadline(call, request, options);
    const struct weir_slice token = text_or(weir_slice_of(options->token), call->client->token);
    weir_status st = keep_text(call, token, &call->frame.token);
    if (st == WEIR_OK) {
        st = keep_metadata(call, options);
    }
    return st == WEIR_OK ? keep_payload(call, request) : st;
}

/* ---- attempts ---- */

static int64_t remaining_ms(const struct call *call)
{
    /* Rounded up: a call with time left never asks for a wait of 0. */
    return (call->deadline_us - weir_monotonic_us() + 999) / 1000;
}

/* Starts the operation of `state`. False if the call has been cancelled. */
static bool start_operation(struct call *call, enum call_state state, int64_t ms)
{
    (void)pthread_mutex_lock(&call->mutex);
    const bool is_cancelled = call->is_cancelled;
    if (is_cancelled) {
        (void)call_fail_closing(&call->err);
    } else {
        call->state = state;
        if (state == CALL_PAUSING) {
            nng_sleep_aio((nng_duration)ms, call->pause);
        } else {
            nng_aio_set_timeout(call->aio, (nng_duration)ms);
            (state == CALL_SENDING ? nng_ctx_send : nng_ctx_recv)(call->ctx, call->aio);
        }
    }
    (void)pthread_mutex_unlock(&call->mutex);
    return !is_cancelled;
}

/* nng returns the ownership of a message that it has not sent. */
static void drop_message(struct call *call)
{
    nng_msg_free(nng_aio_get_msg(call->aio));
    nng_aio_set_msg(call->aio, NULL);
}

/* Starts the attempt's send. False, with call->err set, if that fails. */
static bool send_attempt(struct call *call, int64_t left_ms)
{
    call->frame.timeout_ms = (uint32_t)left_ms;
    const size_t size = weir_request_frame_size(&call->frame, call->payload.n);
    nng_msg *msg = NULL;
    const int rv = call_take_ctx(call);
    if (rv != 0) {
        call_fail_transport(call, rv);
        return false;
    }
    if (nng_msg_alloc(&msg, size) != 0) {
        (void)client_fail_memory(&call->err);
        return false;
    }
    uint8_t *tail = weir_request_frame_head(&call->frame, call->payload.n, nng_msg_body(msg));
    if (call->payload.n > 0) {
        memcpy(tail, call->payload.p, call->payload.n);
    }
    call->was_sent = false;
    call->sent_bytes = size;
    nng_aio_set_msg(call->aio, msg);
    if (!start_operation(call, CALL_SENDING, left_ms < SEND_WAIT_MS ? left_ms : SEND_WAIT_MS)) {
        drop_message(call);
        return false;
    }
    return true;
}

/* Whether the call may be sent again after its failure. A request that was never sent has not been
 * executed; a refusal of the request itself would only come again. */
static bool may_repeat(const struct call *call)
{
    if (!weir_status_retryable(call->err.status) || call->attempts_n >= call->max_attempts) {
        return false;
    }
    return !call->was_sent || call->method->retry != WEIR_RETRY_NEVER;
}

/* Starts the pause before another attempt. False if the call ends with call->err. */
static bool retry(struct call *call)
{
    if (!may_repeat(call)) {
        return false;
    }
    const uint32_t pause_ms = client_pause_ms(call->client, &call->delay_ms);
    if ((int64_t)pause_ms >= remaining_ms(call)) {
        return false;
    }
    if (call->pause == NULL && call_alloc_aio(call, &call->pause) != 0) {
        return false;
    }
    return start_operation(call, CALL_PAUSING, pause_ms);
}

/* Whether the failed attempt may have been carried out in a way that only this call can repeat
 * safely: the library may have made the message ids or the token. A caller who were told that
 * nothing was done, and called again, would have it done twice. */
static bool leaves_doubt(const struct call *call)
{
    return weir_status_retryable(call->err.status) &&
           (call->method->retry == WEIR_RETRY_BY_MESSAGE_ID ||
            call->method->retry == WEIR_RETRY_BY_TOKEN);
}

/* Whether the server refuses before it looks whether it has carried out the request already. */
static bool is_refused_unseen(const struct weir_error *err)
{
    return err->status == WEIR_AUTH_REQUIRED || err->status == WEIR_AUTH_INVALID_TOKEN ||
           err->status == WEIR_AUTH_UNAUTHORIZED ||
           (err->status == WEIR_LIMIT_EXCEEDED && weir_error_is_transient(err));
}

/* Decides after the failure of a sent attempt; true if the call goes on. A refusal by a full queue
 * is repeated only to find out whether an earlier attempt was carried out. */
static bool after_failure(struct call *call)
{
    if (!call->is_in_doubt || !is_refused_unseen(&call->err)) {
        call->is_in_doubt = call->is_in_doubt || leaves_doubt(call);
        return retry(call);
    }
    const bool passes = weir_error_is_transient(&call->err);
    call_fail_in_doubt(call);
    return passes && retry(call);
}

static bool begin_attempt(struct call *call)
{
    const int64_t left_ms = remaining_ms(call);
    if (left_ms <= 0) {
        if (call->err.status == WEIR_OK) {
            call_fail_no_connection(call);
        }
        return false;
    }
    return send_attempt(call, left_ms);
}

static bool receive_reply(struct call *call)
{
    struct links *links = &call->client->links;
    links_note_sent(links, call_sent(call));
    call->was_sent = true;
    call->attempts_n++;
    const int64_t left_ms = remaining_ms(call);
    if (!start_operation(call, CALL_RECEIVING, left_ms < 1 ? 1 : left_ms)) {
        links_note_ended(links, call_sent(call), false);
        return false;
    }
    return true;
}

static bool after_send(struct call *call, int rv)
{
    if (rv == 0) {
        return receive_reply(call);
    }
    drop_message(call);
    if (rv == NNG_ETIMEDOUT) {
        call_note_wait(call);
        return begin_attempt(call);
    }
    call->attempts_n++;
    call_fail_transport(call, rv);
    return retry(call);
}

/* Parses the server's outcome. A failure with more details than an error's own area holds is parsed
 * a second time, into an area with room for all of them. */
static weir_status parse_reply(struct call *call, struct weir_slice reply,
                               struct weir_slice *payload)
{
    weir_error_init(&call->err);
    const weir_status st = weir_response_parse(reply, payload, &call->err);
    if (st == WEIR_OK || reply.n <= call->err.details_cap) {
        return st;
    }
    char *area = weir_arena_alloc(&call->arena, reply.n);
    if (area == NULL) {
        return st;
    }
    weir_error_init(&call->err);
    weir_error_enlarge(&call->err, area, reply.n);
    return weir_response_parse(reply, payload, &call->err);
}

static weir_status take_response(struct call *call, struct weir_slice payload)
{
    ProtobufCMessage *response = NULL;
    weir_status st = response_unpack(call->method->output, payload, &response, &call->err);
    if (st != WEIR_OK) {
        return st;
    }
    st = response_check_written(call->payload, response, &call->err);
    if (st != WEIR_OK) {
        weir_response_free(response);
        return st;
    }
    call->response = response;
    return WEIR_OK;
}

/* Whether the receive has really timed out. nng's time-out thread may mistake it for the operation
 * before it on the same aio, if that one ended just when its time was over; such a time-out is not
 * silence of the server. */
static bool is_out_of_time(const struct call *call, int rv)
{
    return rv == NNG_ETIMEDOUT && remaining_ms(call) <= EARLY_MS;
}

static bool after_receive(struct call *call, int rv)
{
    const bool has_timed_out = is_out_of_time(call, rv);
    if (has_timed_out) {
        call_note_silence(call);
    }
    links_note_ended(&call->client->links, call_sent(call), rv == 0);
    if (has_timed_out) {
        call_fail_no_reply(call);
        return after_failure(call);
    }
    if (rv != 0) {
        call_fail_transport(call, rv);
        return after_failure(call);
    }
    nng_msg *msg = nng_aio_get_msg(call->aio);
    nng_aio_set_msg(call->aio, NULL);
    struct weir_slice payload = {0};
    weir_status st = parse_reply(call, weir_slice(nng_msg_body(msg), nng_msg_len(msg)), &payload);
    if (st == WEIR_OK) {
        st = take_response(call, payload);
    }
    nng_msg_free(msg);
    return st == WEIR_OK ? false : after_failure(call);
}

/* Called when an operation of the call has ended. True if the next one has been started, false if
 * the call has ended, with its outcome in call->err and call->response. */
static bool step(struct call *call)
{
    const int rv = nng_aio_result(call_current_aio(call));
    switch (call->state) {
    case CALL_SENDING:
        return after_send(call, rv);
    case CALL_RECEIVING:
        /* Receives start in after_send only: nng 1.5.2 crashes if a receive is cancelled while its
         * send is pending. */
        return after_receive(call, rv);
    case CALL_PAUSING:
        if (rv == 0) {
            return begin_attempt(call);
        }
        call_fail_transport(call, rv);
        return false;
    }
    return false;
}

/* ---- both ways to make a call ---- */

/* Copies the outcome into the caller's error, whose area for details may have been enlarged. */
static void hand_over_error(struct weir_error *to, char *area, size_t cap,
                            const struct weir_error *from)
{
    weir_error_init(to);
    if (area != to->inline_details) {
        weir_error_enlarge(to, area, cap);
    }
    if (from->status == WEIR_OK) {
        return;
    }
    to->status = from->status;
    memcpy(to->text, from->text, sizeof to->text);
    size_t at = 0;
    const char *key = NULL;
    const char *value = NULL;
    while (weir_error_next_detail(from, &at, &key, &value)) {
        weir_error_detail_slice(to, key, weir_slice_of(value));
    }
}

weir_status weir_client_call(struct weir_client *client, size_t method,
                             const ProtobufCMessage *request,
                             const struct weir_call_options *options, ProtobufCMessage **response,
                             struct weir_error *err)
{
    *response = NULL;
    char *area = err->details;
    const size_t cap = err->details_cap;
    struct call *call = NULL;
    weir_status st = call_acquire(client, CALL_WAITING, &call, err);
    if (st != WEIR_OK) {
        return st;
    }
    if (call_prepare(call, method, request, options) == WEIR_OK && begin_attempt(call)) {
        do {
            nng_aio_wait(call_current_aio(call));
        } while (step(call));
    }
    hand_over_error(err, area, cap, &call->err);
    *response = call->response;
    st = call->err.status;
    call_release(call);
    return st;
}

void call_on_aio(void *arg)
{
    struct call *call = arg;
    if (step(call)) {
        return;
    }
    call_note_end(call);
    call->completion.thunk(&call->completion, call->err.status, call->response, &call->err);
    call_release(call);
}

weir_status weir_client_start(struct weir_client *client, size_t method,
                              const ProtobufCMessage *request,
                              const struct weir_call_options *options,
                              const struct weir_client_completion *completion,
                              struct weir_error *err)
{
    struct call *call = NULL;
    weir_status st = call_acquire(client, CALL_CALLBACK, &call, err);
    if (st != WEIR_OK) {
        return st;
    }
    call->completion = *completion;
    st = call_prepare(call, method, request, options);
    if (st == WEIR_OK && begin_attempt(call)) {
        return WEIR_OK;
    }
    st = call->err.status;
    weir_error_copy(err, &call->err);
    call_release(call);
    return st;
}
