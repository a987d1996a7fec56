#include "server/handlers/check_namespace.h"

#include "server/handlers/check_message.h"
#include "weir/rules/json_text.h"
#include "weir/rules/limits.h"

weir_status weir_check_namespace_id(const char *text, struct weir_slice *id, struct weir_error *err)
{
    *id = weir_slice_of(text);
    return id->n == 0 ? weir_fail_field(err, "namespace", "required")
                      : weir_namespace_check(*id, "namespace", err);
}

static weir_status check_new_id(const struct weir_call *call, const char *text,
                                struct weir_slice *id, struct weir_error *err)
{
    const size_t most = (size_t)weir_call_limits(call)->namespace_bytes;
    const weir_status st = weir_check_namespace_id(text, id, err);
    return st == WEIR_OK && id->n > most
               ? weir_fail_field(
                     err, "namespace",
                     "%zu bytes are too long: must be at most %zu (--max-namespace-bytes)", id->n,
                     most)
               : st;
}

weir_status weir_check_new_token(const char *text, const char *field, struct weir_slice id,
                                 struct weir_error *err)
{
    uint8_t named[WEIR_NAMESPACE_MAX_BYTES];
    size_t named_n = 0;
    if (!weir_token_parse(weir_slice_of(text), named, &named_n)) {
        return weir_fail_field(err, field, "not a valid token");
    }
    if (!weir_slice_equal(weir_slice(named, named_n), id)) {
        return weir_fail_field(err, field, "the token names another namespace");
    }
    return WEIR_OK;
}

static weir_status check_metadata(const ProtobufCBinaryData *in, struct weir_slice *metadata,
                                  struct weir_error *err)
{
    *metadata = weir_request_bytes(true, in);
    const weir_status st = weir_json_check(*metadata, "metadata", NULL, err);
    return st == WEIR_OK && !weir_json_is_object(*metadata)
               ? weir_fail_field(err, "metadata", "must be a JSON object")
               : st;
}

weir_status weir_check_create_namespace(const struct weir_call *call,
                                        const Weir__V1__CreateNamespaceRequest *request,
                                        struct weir_namespace_record *record,
                                        struct weir_error *err)
{
    *record = (struct weir_namespace_record){.created_at_us = 0};
    const size_t most_metadata = (size_t)weir_call_limits(call)->message_bytes;
    if (request->has_metadata && request->metadata.len > most_metadata) {
        return weir_fail_limit(err, "metadata in bytes (--max-message-bytes)", most_metadata,
                               request->metadata.len);
    }
    weir_status st = check_new_id(call, request->namespace_, &record->id, err);
    if (st != WEIR_OK) {
        return st;
    }
    const size_t most = (size_t)weir_call_limits(call)->description_bytes;
    record->description = weir_slice_of(request->description);
    if (record->description.n > most) {
        return weir_fail_field(
            err, "description",
            "%zu bytes are too long: must be at most %zu (--max-description-bytes)",
            record->description.n, most);
    }
    if (request->token != NULL) {
        st = weir_check_new_token(request->token, "token", record->id, err);
    }
    if (st == WEIR_OK && request->has_metadata) {
        st = check_metadata(&request->metadata, &record->metadata, err);
    }
    return st;
}

weir_status weir_check_list_limit(protobuf_c_boolean has_limit, int64_t limit, size_t *checked,
                                  struct weir_error *err)
{
    if (has_limit && (limit < 1 || limit > WEIR_LIST_LIMIT_MAX)) {
        return weir_fail_field(err, "limit", "%lld is out of range: must be 1 to %d",
                               (long long)limit, WEIR_LIST_LIMIT_MAX);
    }
    *checked = has_limit ? (size_t)limit : WEIR_LIST_LIMIT_DEFAULT;
    return WEIR_OK;
}

weir_status weir_check_list_text(const char *text, const char *field, struct weir_slice *checked,
                                 struct weir_error *err)
{
    *checked = weir_slice_of(text);
    if (checked->n > WEIR_STREAM_NAME_BYTES_MAX) {
        return weir_fail_field(err, field, "%zu bytes are too long: must be at most %d", checked->n,
                               WEIR_STREAM_NAME_BYTES_MAX);
    }
    return WEIR_OK;
}
