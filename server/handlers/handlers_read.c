/* The handlers of reads. A read may run at once, in the lane of small reads or in a turn for slow
 * reads; whichever thread has read then calls one of the functions of the first section, which
 * makes the reply or has the call wait. */
#include "server/handlers/handlers.h"

#include "server/calls/dispatch.h"
#include "server/calls/long_poll.h"
#include "server/calls/reply_rows.h"
#include "server/calls/server_parts.h"
#include "server/handlers/request_check.h"
#include "server/namespaces/tenants.h"

/* ---- after the read ---- */

/* Replies with the rows; has a watching call wait where there are none. */
static weir_status was_read(struct weir_call *call, struct weir_error *err)
{
    const struct weir_rows *rows = &call->read.rows;
    const weir_status st = err->status;
    if (st == WEIR_OK && call->watches && rows->n == 0) {
        return weir_long_poll_wait(call, rows->next_position, err);
    }
    if (call->watches) {
        weir_long_poll_end(call);
    }
    if (st != WEIR_OK) {
        return st;
    }
    weir_metrics_read(&call->server->metrics, rows->n);
    return weir_reply_rows(call, rows, err);
}

/* Replies with no message and the position of the first that would have been read; see
 * wants_start. */
static weir_status start_was_read(struct weir_call *call, struct weir_error *err)
{
    struct weir_rows *rows = &call->read.rows;
    if (err->status == WEIR_OK && rows->n > 0) {
        const struct weir_row *row = &rows->rows[0];
        rows->next_position =
            call->read.query.selector == WEIR_SELECT_STREAM ? row->position : row->global_position;
        rows->n = 0;
    }
    return was_read(call, err);
}

static weir_status last_was_read(struct weir_call *call, struct weir_error *err)
{
    const struct weir_rows *rows = &call->read.rows;
    if (err->status != WEIR_OK) {
        return err->status;
    }
    weir_metrics_read(&call->server->metrics, rows->n);
    return weir_reply_last(call, rows->n > 0 ? &rows->rows[0] : NULL, err);
}

/* ---- reading ---- */

/* Runs the call's read, whose query is set: at once, or by way of slow_reads.h if the read may
 * examine much or the store is local. */
static weir_status read_rows(struct weir_call *call,
                             weir_status (*then)(struct weir_call *call, struct weir_error *err),
                             struct weir_error *err)
{
    if (weir_query_is_slow(&call->read.query) || weir_store_is_local(call->server->store)) {
        return weir_call_read(call, WEIR_CALL_READS_SLOW, then);
    }
    (void)weir_read(weir_tenant_ns(call->tenant), &call->read.query, &call->arena, &call->read.rows,
                    err);
    return then(call, err);
}

/* Whether the start must be looked up: the client asks for no message, but for the next position,
 * and the start is not a position of what is read (a global position in a stream, the newest). */
static bool wants_start(const struct weir_query *query)
{
    return query->max_messages == 0 && (query->is_from_global || query->is_from_newest);
}

static bool is_for_the_lane(const struct weir_call *call, const struct weir_query *query)
{
    return weir_store_groups_reads(call->server->store) && weir_query_is_small(query);
}

/* Answers a read, at once or, where it finds nothing, within `wait_ms`. */
static weir_status answer_read(struct weir_call *call, struct weir_query *query, uint32_t wait_ms,
                               struct weir_error *err)
{
    const bool is_start = wants_start(query);
    if (is_start) {
        query->max_messages = 1;
        query->is_headers_only = true;
        wait_ms = 0;
    }
    const bool is_for_lane = is_for_the_lane(call, query);
    if (call->must_not_block && !is_for_lane) {
        return weir_fail(err, WEIR_BACKEND_UNAVAILABLE, "the store must be asked");
    }
    const weir_status st = weir_long_poll_watch(call, query, wait_ms, &call->watches, err);
    if (st != WEIR_OK) {
        return st;
    }
    call->read.query = *query;
    return is_for_lane ? weir_call_read(call, WEIR_CALL_READS, is_start ? start_was_read : was_read)
                       : read_rows(call, is_start ? start_was_read : was_read, err);
}

/* ---- handlers ---- */

WEIR_HANDLER(weir_handle_get_stream_messages, Weir__V1__GetStreamMessagesRequest)
{
    struct weir_query query;
    uint32_t wait_ms = 0;
    const weir_status st = weir_check_stream_read(call, request, &query, &wait_ms, err);
    return st == WEIR_OK ? answer_read(call, &query, wait_ms, err) : st;
}

WEIR_HANDLER(weir_handle_get_category_messages, Weir__V1__GetCategoryMessagesRequest)
{
    struct weir_query query;
    uint32_t wait_ms = 0;
    const weir_status st = weir_check_category_read(call, request, &query, &wait_ms, err);
    return st == WEIR_OK ? answer_read(call, &query, wait_ms, err) : st;
}

WEIR_HANDLER(weir_handle_get_last_stream_message, Weir__V1__GetLastStreamMessageRequest)
{
    struct weir_query query;
    const weir_status st = weir_check_last_read(call, request, &query, err);
    if (st != WEIR_OK) {
        return st;
    }
    call->read.query = weir_query_of_last(&query);
    return read_rows(call, last_was_read, err);
}

WEIR_HANDLER(weir_handle_get_stream_version, Weir__V1__GetStreamVersionRequest)
{
    struct weir_slice name;
    weir_status st = weir_check_known_stream(request->stream_name, &name, err);
    if (st != WEIR_OK) {
        return st;
    }
    int64_t version = -1;
    st = weir_stream_version(weir_tenant_ns(call->tenant), name, weir_dispatch_store_deadline(call),
                             &version, err);
    if (st != WEIR_OK) {
        return st;
    }
    Weir__V1__GetStreamVersionResponse response = WEIR__V1__GET_STREAM_VERSION_RESPONSE__INIT;
    response.has_exists = true;
    response.exists = version >= 0;
    response.has_version = true;
    response.version = version;
    return weir_call_reply(call, &response.base, err);
}
