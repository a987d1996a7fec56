#include "server/handlers/check_message.h"

#include "weir/rules/json_text.h"
#include "weir/rules/limits.h"
#include "weir/rules/stream_name.h"

#include <stdio.h>

struct weir_slice weir_request_bytes(protobuf_c_boolean is_given, const ProtobufCBinaryData *bytes)
{
    if (!is_given) {
        return weir_slice(NULL, 0);
    }
    return bytes->data == NULL ? weir_slice_of("") : weir_slice(bytes->data, bytes->len);
}

bool weir_message_fits(const struct weir_call *call, size_t data_n, size_t metadata_n)
{
    const size_t most = (size_t)weir_call_limits(call)->message_bytes;
    return data_n <= most && metadata_n <= most - data_n;
}

weir_status weir_fail_message_size(const struct weir_call *call, const char *what, size_t data_n,
                                   size_t metadata_n, struct weir_error *err)
{
    char limited[160];
    (void)snprintf(limited, sizeof limited, "%s in bytes (--max-message-bytes)", what);
    return weir_fail_limit(err, limited, (unsigned long long)weir_call_limits(call)->message_bytes,
                           (unsigned long long)data_n + metadata_n);
}

weir_status weir_check_data(const struct weir_new_message *message, const char *field,
                            struct weir_error *err)
{
    return message->data.p == NULL ? WEIR_OK : weir_json_check(message->data, field, NULL, err);
}

weir_status weir_check_metadata(struct weir_call *call, struct weir_new_message *message,
                                const char *field, struct weir_error *err)
{
    message->correlation = weir_slice(NULL, 0);
    if (message->metadata.p == NULL) {
        return WEIR_OK;
    }
    uint8_t area[WEIR_CORRELATION_BYTES_MAX];
    struct weir_json_facts facts = {.area = area,
                                    .area_n = (size_t)weir_call_limits(call)->correlation_bytes};
    const weir_status st = weir_json_check(message->metadata, field, &facts, err);
    if (st != WEIR_OK || facts.correlation_stream.p == NULL) {
        return st;
    }
    const struct weir_slice category = weir_name_category(facts.correlation_stream);
    return weir_arena_copy(&call->arena, category, &message->correlation)
               ? WEIR_OK
               : weir_call_is_too_large(call, err);
}
