#include "server/handlers/handlers.h"

#include "server/calls/auth.h"
#include "server/namespaces/tenants.h"
#include "weir/rules/duration.h"
#include "weir/rules/time_text.h"

/* Makes the namespace that the admin names in the metadata the call's tenant. */
static weir_status enter(struct weir_call *call, struct weir_slice *id, struct weir_error *err)
{
    *id = weir_request_frame_metadata(&call->frame, "namespace");
    return id->p == NULL ? weir_auth_fail_unnamed(err) : weir_auth_enter(call, *id, err);
}

static weir_status check_older_than(const char *text, int64_t *before_us, struct weir_error *err)
{
    int64_t duration_us = 0;
    if (text == NULL) {
        return weir_fail_field(err, "older_than", "required");
    }
    if (!weir_duration_parse(weir_slice_of(text), &duration_us)) {
        return weir_fail_field(err, "older_than", "not a duration; must be " WEIR_DURATION_FORM);
    }
    *before_us = weir_now_us() - duration_us;
    return WEIR_OK;
}

/* ---- the methods ---- */

static weir_status ask(struct weir_call *call, struct weir_chunk_query query,
                       struct weir_chunk_list *list, struct weir_error *err)
{
    query.deadline_us = call->deadline_us;
    return weir_chunks(weir_tenant_ns(call->tenant), &query, &call->arena, list, err);
}

static weir_status fill_chunk(struct weir_call *call, const struct weir_chunk *from,
                              Weir__V1__ChunkInfo *to, struct weir_error *err)
{
    weir__v1__chunk_info__init(to);
    to->name = weir_call_text(call, from->name);
    to->has_range_start_us = true;
    to->range_start_us = from->range_start_us;
    to->has_range_end_us = true;
    to->range_end_us = from->range_end_us;
    to->has_compressed = true;
    to->compressed = from->is_compressed;
    to->has_size_bytes = true;
    to->size_bytes = from->size_bytes;
    to->has_row_count = true;
    to->row_count = from->row_count;
    return to->name == NULL ? weir_call_is_too_large(call, err) : WEIR_OK;
}

WEIR_HANDLER(weir_handle_list_chunks, Weir__V1__ListChunksRequest)
{
    (void)request;
    struct weir_slice id;
    struct weir_chunk_list list;
    weir_status st = enter(call, &id, err);
    if (st == WEIR_OK) {
        const struct weir_chunk_query query = {.action = WEIR_CHUNKS_LIST};
        st = ask(call, query, &list, err);
    }
    if (st != WEIR_OK) {
        return st;
    }
    Weir__V1__ListChunksResponse response = WEIR__V1__LIST_CHUNKS_RESPONSE__INIT;
    Weir__V1__ChunkInfo *infos = weir_arena_array(&call->arena, list.n, sizeof *infos);
    response.chunks = weir_arena_array(&call->arena, list.n, sizeof *response.chunks);
    if (infos == NULL || response.chunks == NULL) {
        return weir_call_is_too_large(call, err);
    }
    for (size_t c = 0; st == WEIR_OK && c < list.n; c++) {
        st = fill_chunk(call, &list.chunks[c], &infos[c], err);
        response.chunks[c] = &infos[c];
    }
    response.n_chunks = list.n;
    return st == WEIR_OK ? weir_call_reply(call, &response.base, err) : st;
}

/* Compresses or drops chunks, and lists their names for the reply. */
static weir_status change(struct weir_call *call, const struct weir_chunk_query *query,
                          char ***names, size_t *n, struct weir_error *err)
{
    struct weir_chunk_list list;
    const weir_status st = ask(call, *query, &list, err);
    if (st != WEIR_OK) {
        return st;
    }
    *n = list.n;
    *names = weir_arena_array(&call->arena, *n, sizeof **names);
    for (size_t c = 0; *names != NULL && c < *n; c++) {
        (*names)[c] = weir_call_text(call, list.chunks[c].name);
        if ((*names)[c] == NULL) {
            *names = NULL;
        }
    }
    return *names == NULL ? weir_call_is_too_large(call, err) : WEIR_OK;
}

WEIR_HANDLER(weir_handle_compress_chunks, Weir__V1__CompressChunksRequest)
{
    struct weir_slice id;
    struct weir_chunk_query query = {.action = WEIR_CHUNKS_COMPRESS};
    Weir__V1__CompressChunksResponse response = WEIR__V1__COMPRESS_CHUNKS_RESPONSE__INIT;
    weir_status st = check_older_than(request->older_than, &query.before_us, err);
    if (st == WEIR_OK) {
        st = enter(call, &id, err);
    }
    if (st == WEIR_OK) {
        st = change(call, &query, &response.names, &response.n_names, err);
    }
    return st == WEIR_OK ? weir_call_reply(call, &response.base, err) : st;
}

WEIR_HANDLER(weir_handle_drop_chunks, Weir__V1__DropChunksRequest)
{
    struct weir_slice id;
    struct weir_chunk_query query = {.action = WEIR_CHUNKS_DROP};
    Weir__V1__DropChunksResponse response = WEIR__V1__DROP_CHUNKS_RESPONSE__INIT;
    weir_status st = check_older_than(request->older_than, &query.before_us, err);
    if (st == WEIR_OK) {
        st = enter(call, &id, err);
    }
    if (st == WEIR_OK && !weir_slice_equal(weir_slice_of(request->confirm), id)) {
        st = weir_fail(err, WEIR_PRECONDITION,
                       "`confirm` must be the id of the namespace whose chunks are dropped");
    }
    if (st == WEIR_OK) {
        st = change(call, &query, &response.names, &response.n_names, err);
    }
    return st == WEIR_OK ? weir_call_reply(call, &response.base, err) : st;
}
