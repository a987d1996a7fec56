/* The handlers: one function for each RPC, as the generated table wants it (struct weir_handlers).
 *
 * Dispatch calls a handler once the request is decoded into the call's arena, its strings are UTF-8
 * without NUL, and the caller is allowed to make the call. The handler finds all other faults of a
 * request (request_check.h, check_namespace.h). It runs on the thread that serves the call and
 * blocks on nothing but the store, and where call->must_not_block is set not on that either
 * (dispatch.h). A handler that returns WEIR_OK has packed the reply or set what comes next (enum
 * weir_call_step in call.h); any other status is the reply, with *err. */
#ifndef WEIR_SERVER_HANDLERS_H
#define WEIR_SERVER_HANDLERS_H

#include "weir/v1/dispatch.h"

/* The handlers of all methods. */
extern const struct weir_handlers weir_all_handlers;

#define WEIR_HANDLER(name, request_type) \
    weir_status name(struct weir_call *call, const request_type *request, struct weir_error *err)

WEIR_HANDLER(weir_handle_write_messages, Weir__V1__WriteMessagesRequest);
WEIR_HANDLER(weir_handle_write_streams, Weir__V1__WriteStreamsRequest);
WEIR_HANDLER(weir_handle_import_messages, Weir__V1__ImportMessagesRequest);

WEIR_HANDLER(weir_handle_get_stream_messages, Weir__V1__GetStreamMessagesRequest);
WEIR_HANDLER(weir_handle_get_category_messages, Weir__V1__GetCategoryMessagesRequest);
WEIR_HANDLER(weir_handle_get_last_stream_message, Weir__V1__GetLastStreamMessageRequest);
WEIR_HANDLER(weir_handle_get_stream_version, Weir__V1__GetStreamVersionRequest);

WEIR_HANDLER(weir_handle_create_namespace, Weir__V1__CreateNamespaceRequest);
WEIR_HANDLER(weir_handle_delete_namespace, Weir__V1__DeleteNamespaceRequest);
WEIR_HANDLER(weir_handle_get_namespace, Weir__V1__GetNamespaceRequest);
WEIR_HANDLER(weir_handle_list_namespaces, Weir__V1__ListNamespacesRequest);
WEIR_HANDLER(weir_handle_rotate_token, Weir__V1__RotateTokenRequest);
WEIR_HANDLER(weir_handle_clear_namespace, Weir__V1__ClearNamespaceRequest);
WEIR_HANDLER(weir_handle_list_streams, Weir__V1__ListStreamsRequest);
WEIR_HANDLER(weir_handle_list_categories, Weir__V1__ListCategoriesRequest);

WEIR_HANDLER(weir_handle_list_chunks, Weir__V1__ListChunksRequest);
WEIR_HANDLER(weir_handle_compress_chunks, Weir__V1__CompressChunksRequest);
WEIR_HANDLER(weir_handle_drop_chunks, Weir__V1__DropChunksRequest);

WEIR_HANDLER(weir_handle_get_server_info, Weir__V1__GetServerInfoRequest);
WEIR_HANDLER(weir_handle_check_health, Weir__V1__CheckHealthRequest);
WEIR_HANDLER(weir_handle_get_stats, Weir__V1__GetStatsRequest);

#endif
