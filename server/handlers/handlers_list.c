#include "server/handlers/handlers.h"

#include "server/calls/dispatch.h"
#include "server/calls/server_parts.h"
#include "server/handlers/check_namespace.h"
#include "server/handlers/namespace_info.h"
#include "server/namespaces/tenants.h"

/* ---- namespaces ---- */

/* Describes a namespace, without counts where its own storage cannot be read: one damaged namespace
 * does not end the whole listing. The deadline does. */
static weir_status fill_info(struct weir_call *call, const struct weir_namespace_record *record,
                             Weir__V1__NamespaceInfo *info, struct weir_error *err)
{
    struct weir_error own;
    weir_error_init(&own);
    const weir_status st = weir_namespace_info_fill(call, record, info, err);
    if (st == WEIR_OK &&
        weir_namespace_info_count(call, record->id, info, &own) == WEIR_DEADLINE_EXCEEDED) {
        weir_error_copy(err, &own);
        return err->status;
    }
    return st;
}

static weir_status reply_namespaces(struct weir_call *call, const struct weir_registry_page *page,
                                    struct weir_error *err)
{
    const size_t n = page->n;
    Weir__V1__ListNamespacesResponse response = WEIR__V1__LIST_NAMESPACES_RESPONSE__INIT;
    Weir__V1__NamespaceInfo *infos = weir_arena_array(&call->arena, n, sizeof *infos);
    response.namespaces = weir_arena_array(&call->arena, n, sizeof *response.namespaces);
    if (infos == NULL || response.namespaces == NULL) {
        return weir_call_is_too_large(call, err);
    }
    for (size_t i = 0; i < n; i++) {
        const weir_status st = fill_info(call, &page->records[i], &infos[i], err);
        if (st != WEIR_OK) {
            return st;
        }
        response.namespaces[i] = &infos[i];
    }
    response.n_namespaces = n;
    response.next_cursor = page->is_more ? infos[n - 1].namespace_ : (char *)(uintptr_t) "";
    return weir_call_reply(call, &response.base, err);
}

WEIR_HANDLER(weir_handle_list_namespaces, Weir__V1__ListNamespacesRequest)
{
    struct weir_registry_query query = {.max_bytes = (size_t)weir_call_limits(call)->reply_bytes,
                                        .deadline_us = call->deadline_us};
    weir_status st = weir_check_list_limit(request->has_limit, request->limit, &query.limit, err);
    if (st == WEIR_OK) {
        st = weir_check_list_text(request->cursor, "cursor", &query.after, err);
    }
    struct weir_registry_page page;
    if (st == WEIR_OK) {
        st = weir_namespace_list(call->server->store, &query, &call->arena, &page, err);
    }
    return st == WEIR_OK ? reply_namespaces(call, &page, err) : st;
}

/* ---- streams ---- */

static weir_status reply_streams(struct weir_call *call, const struct weir_stream_page *page,
                                 struct weir_error *err)
{
    const struct weir_stream_info *from = page->streams;
    const size_t n = page->n;
    Weir__V1__ListStreamsResponse response = WEIR__V1__LIST_STREAMS_RESPONSE__INIT;
    Weir__V1__StreamInfo *infos = weir_arena_array(&call->arena, n, sizeof *infos);
    response.streams = weir_arena_array(&call->arena, n, sizeof *response.streams);
    if (infos == NULL || response.streams == NULL) {
        return weir_call_is_too_large(call, err);
    }
    for (size_t i = 0; i < n; i++) {
        weir__v1__stream_info__init(&infos[i]);
        infos[i].stream_name = weir_call_text(call, from[i].name);
        if (infos[i].stream_name == NULL) {
            return weir_call_is_too_large(call, err);
        }
        infos[i].has_version = true;
        infos[i].version = from[i].version;
        infos[i].has_last_activity_us = true;
        infos[i].last_activity_us = from[i].last_activity_us;
        response.streams[i] = &infos[i];
    }
    response.n_streams = n;
    response.next_cursor =
        page->is_more && n > 0 ? infos[n - 1].stream_name : (char *)(uintptr_t) "";
    return weir_call_reply(call, &response.base, err);
}

WEIR_HANDLER(weir_handle_list_streams, Weir__V1__ListStreamsRequest)
{
    struct weir_page_query query = {.deadline_us = weir_dispatch_store_deadline(call)};
    weir_status st = weir_check_list_limit(request->has_limit, request->limit, &query.limit, err);
    if (st == WEIR_OK) {
        st = weir_check_list_text(request->prefix, "prefix", &query.prefix, err);
    }
    if (st == WEIR_OK) {
        st = weir_check_list_text(request->cursor, "cursor", &query.after, err);
    }
    if (st != WEIR_OK) {
        return st;
    }
    struct weir_stream_page page;
    st = weir_list_streams(weir_tenant_ns(call->tenant), &query, &call->arena, &page, err);
    return st == WEIR_OK ? reply_streams(call, &page, err) : st;
}

/* ---- categories ---- */

static weir_status reply_categories(struct weir_call *call, const struct weir_category_list *list,
                                    struct weir_error *err)
{
    const struct weir_category_info *from = list->categories;
    const size_t n = list->n;
    Weir__V1__ListCategoriesResponse response = WEIR__V1__LIST_CATEGORIES_RESPONSE__INIT;
    Weir__V1__CategoryInfo *infos = weir_arena_array(&call->arena, n, sizeof *infos);
    response.categories = weir_arena_array(&call->arena, n, sizeof *response.categories);
    if (infos == NULL || response.categories == NULL) {
        return weir_call_is_too_large(call, err);
    }
    for (size_t i = 0; i < n; i++) {
        weir__v1__category_info__init(&infos[i]);
        infos[i].category = weir_call_text(call, from[i].name);
        if (infos[i].category == NULL) {
            return weir_call_is_too_large(call, err);
        }
        infos[i].has_stream_count = true;
        infos[i].stream_count = from[i].stream_count;
        infos[i].has_message_count = true;
        infos[i].message_count = from[i].message_count;
        response.categories[i] = &infos[i];
    }
    response.n_categories = n;
    return weir_call_reply(call, &response.base, err);
}

WEIR_HANDLER(weir_handle_list_categories, Weir__V1__ListCategoriesRequest)
{
    (void)request;
    struct weir_category_list list;
    const weir_status st = weir_list_categories(
        weir_tenant_ns(call->tenant), weir_dispatch_store_deadline(call), &call->arena, &list, err);
    return st == WEIR_OK ? reply_categories(call, &list, err) : st;
}
