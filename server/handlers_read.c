#include "server/handlers.h"

#include "server/reply_rows.h"
#include "server/request_check.h"
#include "server/server.h"
#include "server/tenants.h"
#include "server/waiting.h"

/* No message is wanted, but where to go on must be told, and a start that is no position of what is
 * read (a global position in a stream, the newest) has to be looked up: it is where the first
 * message would have come from. */
static weir_status find_start(struct weir_call *call, const struct weir_query *query,
                              struct weir_rows *rows, struct weir_error *err)
{
    struct weir_query first = *query;
    first.max_messages = 1;
    first.is_headers_only = true;
    const weir_status st = weir_read(weir_tenant_ns(call->tenant), &first, &call->arena, rows, err);
    if (st == WEIR_OK && rows->n > 0) {
        const struct weir_row *row = &rows->rows[0];
        rows->next_position =
            query->selector == WEIR_SELECT_STREAM ? row->position : row->global_position;
        rows->n = 0;
    }
    return st;
}

static weir_status read_rows(struct weir_call *call, const struct weir_query *query,
                             struct weir_rows *rows, struct weir_error *err)
{
    const bool is_from_elsewhere = query->is_from_global || query->is_from_newest;
    return query->max_messages == 0 && is_from_elsewhere
               ? find_start(call, query, rows, err)
               : weir_read(weir_tenant_ns(call->tenant), query, &call->arena, rows, err);
}

/* Replies with the rows or, where there are none and the call watches, waits. */
static weir_status answer_rows(struct weir_call *call, weir_status st, const struct weir_rows *rows,
                               struct weir_error *err)
{
    if (st == WEIR_OK && call->watches && rows->n == 0) {
        return weir_waiting_wait(call, rows->next_position);
    }
    if (call->watches) {
        weir_waiting_end(call);
    }
    if (st != WEIR_OK) {
        return st;
    }
    weir_metrics_read(&call->server->metrics, rows->n);
    return weir_reply_rows(call, rows, err);
}

static weir_status was_read(struct weir_call *call, struct weir_error *err)
{
    return answer_rows(call, err->status, &call->read.rows, err);
}

static bool is_for_the_lane(const struct weir_call *call, const struct weir_query *query)
{
    return weir_store_groups_reads(call->server->store) && weir_query_is_small(query);
}

/* What the query finds, at once or, where it finds nothing, within the wait. */
static weir_status answer_read(struct weir_call *call, struct weir_query *query, uint32_t wait_ms,
                               struct weir_error *err)
{
    const bool is_for_lane = is_for_the_lane(call, query);
    if (call->must_not_block && !is_for_lane) {
        return weir_fail(err, WEIR_BACKEND_UNAVAILABLE, "the store must be asked");
    }
    weir_status st = weir_waiting_watch(call, query, wait_ms, &call->watches, err);
    if (st != WEIR_OK) {
        return st;
    }
    if (is_for_lane || weir_query_is_long(query)) {
        call->read.query = *query;
        return weir_call_read(call, is_for_lane ? WEIR_CALL_READS : WEIR_CALL_READS_LONG, was_read);
    }
    struct weir_rows rows;
    st = read_rows(call, query, &rows, err);
    return answer_rows(call, st, &rows, err);
}

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
    weir_status st = weir_check_last_read(call, request, &query, err);
    if (st != WEIR_OK) {
        return st;
    }
    struct weir_rows rows;
    st = weir_read_last(weir_tenant_ns(call->tenant), &query, &call->arena, &rows, err);
    if (st != WEIR_OK) {
        return st;
    }
    weir_metrics_read(&call->server->metrics, rows.n);
    return weir_reply_last(call, rows.n > 0 ? &rows.rows[0] : NULL, err);
}

WEIR_HANDLER(weir_handle_get_stream_version, Weir__V1__GetStreamVersionRequest)
{
    struct weir_slice name;
    weir_status st = weir_check_known_stream(request->stream_name, &name, err);
    if (st != WEIR_OK) {
        return st;
    }
    int64_t version = -1;
    st = weir_stream_version(weir_tenant_ns(call->tenant), name, call->deadline_us, &version, err);
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
