#include "server/handlers/namespace_info.h"

#include "server/calls/server_parts.h"

weir_status weir_namespace_info_fill(struct weir_call *call,
                                     const struct weir_namespace_record *record,
                                     Weir__V1__NamespaceInfo *info, struct weir_error *err)
{
    weir__v1__namespace_info__init(info);
    info->namespace_ = weir_call_text(call, record->id);
    info->description =
        record->description.p == NULL ? NULL : weir_call_text(call, record->description);
    if (info->namespace_ == NULL || (record->description.p != NULL && info->description == NULL)) {
        return weir_call_is_too_large(call, err);
    }
    info->has_metadata = record->metadata.p != NULL;
    info->metadata = (ProtobufCBinaryData){.data = (uint8_t *)(uintptr_t)record->metadata.p,
                                           .len = record->metadata.n};
    info->has_created_at_us = true;
    info->created_at_us = record->created_at_us;
    return WEIR_OK;
}

weir_status weir_namespace_info_count(struct weir_call *call, struct weir_slice id,
                                      Weir__V1__NamespaceInfo *info, struct weir_error *err)
{
    struct weir_namespace *ns = NULL;
    struct weir_namespace_totals totals;
    weir_status st = weir_namespace_open(call->server->store, id, call->deadline_us, &ns, err);
    if (st != WEIR_OK) {
        return st;
    }
    st = weir_namespace_totals(ns, call->deadline_us, &totals, err);
    weir_namespace_release(ns);
    if (st == WEIR_OK) {
        info->has_message_count = true;
        info->message_count = totals.message_count;
        info->has_stream_count = true;
        info->stream_count = totals.stream_count;
        info->has_last_activity_us = totals.message_count > 0;
        info->last_activity_us = totals.last_activity_us;
    }
    return st;
}
