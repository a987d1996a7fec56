#include "server/handlers.h"

const struct weir_handlers weir_all_handlers = {
    .message_store_write_messages = weir_handle_write_messages,
    .message_store_write_streams = weir_handle_write_streams,
    .message_store_import_messages = weir_handle_import_messages,
    .message_store_get_stream_messages = weir_handle_get_stream_messages,
    .message_store_get_category_messages = weir_handle_get_category_messages,
    .message_store_get_last_stream_message = weir_handle_get_last_stream_message,
    .message_store_get_stream_version = weir_handle_get_stream_version,
    .system_get_server_info = weir_handle_get_server_info,
    .system_check_health = weir_handle_check_health,
};
