#include "server/handlers/handlers.h"

#include "server/calls/server_parts.h"
#include "weir/base/monotonic.h"
#include "weir/rules/message_db.h"

enum { PROTOCOL_VERSION = 1 };

WEIR_HANDLER(weir_handle_get_server_info, Weir__V1__GetServerInfoRequest)
{
    (void)request;
    const struct weir_store *store = call->server->store;
    Weir__V1__GetServerInfoResponse response = WEIR__V1__GET_SERVER_INFO_RESPONSE__INIT;
    response.server_version = (char *)(uintptr_t)WEIR_VERSION;
    response.has_protocol_version = true;
    response.protocol_version = PROTOCOL_VERSION;
    response.message_db_compat = (char *)(uintptr_t)WEIR_MESSAGE_DB_VERSION;
    response.backend = (char *)(uintptr_t)weir_store_backend_name(store);
    response.has_schema_version = true;
    response.schema_version = weir_store_schema_version(store);
    return weir_call_reply(call, &response.base, err);
}

WEIR_HANDLER(weir_handle_check_health, Weir__V1__CheckHealthRequest)
{
    (void)request;
    struct weir_server *server = call->server;
    Weir__V1__CheckHealthResponse response = WEIR__V1__CHECK_HEALTH_RESPONSE__INIT;
    response.has_status = true;
    response.status = weir_health_is_good(&server->health)
                          ? WEIR__V1__CHECK_HEALTH_RESPONSE__SERVING_STATUS__SERVING
                          : WEIR__V1__CHECK_HEALTH_RESPONSE__SERVING_STATUS__NOT_SERVING;
    response.backend = (char *)(uintptr_t)weir_store_backend_name(server->store);
    response.has_uptime_us = true;
    response.uptime_us = weir_monotonic_us() - server->started_at_us;
    return weir_call_reply(call, &response.base, err);
}
