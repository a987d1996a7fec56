#include "client/cli/request_size.h"

#include "weir/rules/limits.h"

#include <stdlib.h>

enum {
    /* Upper bound of what surrounds the payload: method, token, namespace. */
    ENVELOPE_BYTES = 4096
};

void request_size_begin(struct request_size *size, size_t frame_bytes)
{
    size->read_bytes = WEIR_REQUEST_BYTES_MIN - ENVELOPE_BYTES;
    size->max_bytes = frame_bytes - ENVELOPE_BYTES;
}

size_t request_size_cut(const struct request_size *size, const ProtobufCMessage *request,
                        size_t *messages_n)
{
    size_t bytes = protobuf_c_message_get_packed_size(request);
    while (*messages_n > 1 && bytes > size->max_bytes) {
        *messages_n /= 2;
        bytes = protobuf_c_message_get_packed_size(request);
    }
    return bytes;
}

uint32_t request_size_attempts(const struct request_size *size, size_t bytes)
{
    return bytes > size->read_bytes ? 1 : 0;
}

/* Returns the size of the request on which a connection was lost; 0 if none was lost. */
static unsigned long long lost_bytes(const struct weir_error *err)
{
    const char *text = weir_error_get_detail(err, "request_bytes");
    return text == NULL ? 0 : strtoull(text, NULL, 10);
}

bool request_size_is_lost(const struct weir_error *err)
{
    return lost_bytes(err) > WEIR_REQUEST_BYTES_MIN;
}

/* Whether the server reads a request of this size, after a call that was not lost on a large
 * request: it answered, and so the error has no detail `url`, or the connection was lost on a
 * request that every server reads. */
static bool is_read(const struct weir_error *err)
{
    return weir_error_get_detail(err, "url") == NULL || lost_bytes(err) > 0;
}

enum request_again request_size_learn(struct request_size *size, size_t bytes, size_t messages_n,
                                      const struct weir_error *err)
{
    if (bytes <= size->read_bytes) {
        return REQUEST_NOT_AGAIN;
    }
    if (request_size_is_lost(err)) {
        size->max_bytes = size->read_bytes;
        return messages_n > 1 ? REQUEST_AGAIN_SMALLER : REQUEST_NOT_AGAIN;
    }
    if (!is_read(err)) {
        return REQUEST_NOT_AGAIN;
    }
    size->read_bytes = bytes;
    return weir_status_retryable(err->status) ? REQUEST_AGAIN : REQUEST_NOT_AGAIN;
}
