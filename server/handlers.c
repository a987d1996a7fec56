#include "server/handlers.h"

const struct weir_handlers weir_all_handlers = {
    .message_store_write_messages = weir_handle_write_messages,
    .message_store_write_streams = weir_handle_write_streams,
    .message_store_import_messages = weir_handle_import_messages,
    .message_store_get_stream_messages = weir_handle_get_stream_messages,
    .message_store_get_category_messages = weir_handle_get_category_messages,
    .message_store_get_last_stream_message = weir_handle_get_last_stream_message,
    .message_store_get_stream_version = weir_handle_get_stream_version,
    .namespaces_create_namespace = weir_handle_create_namespace,
    .namespaces_delete_namespace = weir_handle_delete_namespace,
    .namespaces_get_namespace = weir_handle_get_namespace,
    .namespaces_list_namespaces = weir_handle_list_namespaces,
    .namespaces_rotate_token = weir_handle_rotate_token,
    .namespaces_clear_namespace = weir_handle_clear_namespace,
    .namespaces_list_streams = weir_handle_list_streams,
    .namespaces_list_categories = weir_handle_list_categories,
    .system_get_server_info = weir_handle_get_server_info,
    .system_check_health = weir_handle_check_health,
    .system_get_stats = weir_handle_get_stats,
};
