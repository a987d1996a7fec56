#include "server/transport/sp_parts.h"

#include <string.h>

enum {
    LENGTH_BYTES = 8,
    MESSAGE = 1,    // type byte that precedes a length on ipc://
    HOP_BYTES = 4,  // an entry of a request's header: one per device passed, then the request id
    HOPS_MAX = 8    // nng drops requests with more entries
};

bool weir_sp_begins_greeting(const uint8_t *bytes)
{
    return memcmp(bytes, "\0SP\0", 4) == 0;
}

/* The protocol number, in bytes 4 and 5, is checked later. */
static bool is_fit_greeting(const uint8_t *bytes, size_t n)
{
    return n == WEIR_SP_GREETING_BYTES && weir_sp_begins_greeting(bytes) && bytes[6] == 0 &&
           bytes[7] == 0;
}

static bool is_fit_length(struct weir_sp_parts *parts, size_t message_max)
{
    const uint8_t *bytes = parts->begin;
    const size_t n = parts->wanted;
    uint64_t length = 0;
    for (size_t i = n - LENGTH_BYTES; i < n; i++) {
        length = length << 8 | bytes[i];
    }
    const bool is_length = (n == LENGTH_BYTES || bytes[0] == MESSAGE) && length >= HOP_BYTES;
    parts->is_too_long = is_length && message_max > 0 && length > message_max;
    return is_length && !parts->is_too_long;
}

/* A header ends with the entry whose highest bit is set. One that is too long is accepted here,
 * because nng drops the request without closing the connection. */
static bool is_request(const uint8_t *bytes, size_t n)
{
    bool is_last = false;
    size_t at = 0;
    while (!is_last && n - at >= HOP_BYTES && at < HOPS_MAX * HOP_BYTES) {
        is_last = (bytes[at] & 0x80) != 0;
        at += HOP_BYTES;
    }
    return is_last || at == HOPS_MAX * HOP_BYTES;
}

void weir_sp_parts_begin(struct weir_sp_parts *parts, const uint8_t *to, size_t n)
{
    if (parts->received == parts->wanted) {
        parts->begin = to;
        parts->wanted = n;
        parts->received = 0;
    }
}

bool weir_sp_parts_add(struct weir_sp_parts *parts, size_t n, size_t message_max)
{
    parts->received += n;
    if (parts->received < parts->wanted) {
        return true;
    }
    const enum weir_sp_part part = parts->part;
    parts->part = part == WEIR_SP_LENGTH ? WEIR_SP_MESSAGE : WEIR_SP_LENGTH;
    switch (part) {
    case WEIR_SP_GREETING:
        return is_fit_greeting(parts->begin, parts->wanted);
    case WEIR_SP_LENGTH:
        return is_fit_length(parts, message_max);
    case WEIR_SP_MESSAGE:
        break;
    }
    return is_request(parts->begin, parts->wanted);
}
