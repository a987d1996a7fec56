/* The limits of requests and replies. Those of the enum are fixed. Each limit of the list has an
 * option of weir-server, and `struct weir_limits` holds the values in force. The client library
 * checks the fixed limits and leaves the others to the server.
 *
 * Other limits are declared with what they limit: namespace ids and tokens in token.h, JSON texts
 * in json_text.h, names of consumers in client/weir.h. */
#ifndef WEIR_RULES_LIMITS_H
#define WEIR_RULES_LIMITS_H

#include "weir/rules/token.h"

#include <stdint.h>

enum {
    WEIR_WRITE_MESSAGES_MAX = 1000,  // messages of one write, all its streams together
    WEIR_WRITE_STREAMS_MAX = 100,    // streams of one WriteStreams
    WEIR_READ_TYPES_MAX = 32,        // types of one read
    WEIR_LIST_LIMIT_MAX = 1000,      // `limit` of a list
    WEIR_LIST_LIMIT_DEFAULT = 100,
    WEIR_BATCH_DEFAULT = 1000,       // batch_size of a read without one
    WEIR_METADATA_ENTRIES_MAX = 64,  // entries of Request.metadata
    WEIR_REQUEST_BYTES_MIN = 65536,  // lowest max-request-bytes: every server reads such a request
    WEIR_REPLY_BYTES_MAX = 256 << 20,  // highest max-reply-bytes
    /* Highest values of the three options. Reads check names against these and not against the
     * values in force: messages written under a higher limit are still found by their names. */
    WEIR_STREAM_NAME_BYTES_MAX = 1024,
    WEIR_CORRELATION_BYTES_MAX = 1024,
    WEIR_TYPE_BYTES_MAX = 512
};

#define WEIR_IMPORT_POSITION_MAX ((int64_t)1 << 62)  // pos and gpos of an imported message

/* X(member, option and metavar, default, lowest, highest, what it limits) */
#define WEIR_LIMIT_LIST(X)                                                              \
    X(stream_name_bytes, "max-stream-name-bytes", 1024, 64, WEIR_STREAM_NAME_BYTES_MAX, \
      "Longest stream name, in bytes")                                                  \
    X(correlation_bytes, "max-correlation-bytes", 1024, 64, WEIR_CORRELATION_BYTES_MAX, \
      "Longest correlation stream name, in bytes")                                      \
    X(type_bytes, "max-type-bytes", 512, 16, WEIR_TYPE_BYTES_MAX,                       \
      "Longest message type, in bytes")                                                 \
    X(namespace_bytes, "max-namespace-bytes", 128, 16, WEIR_NAMESPACE_MAX_BYTES,        \
      "Longest name of a namespace, in bytes")                                          \
    X(description_bytes, "max-description-bytes", 4096, 0, 65536,                       \
      "Longest description of a namespace, in bytes")                                   \
    X(message_bytes, "max-message-bytes", 1048576, 1024, 16777216,                      \
      "Largest message: bytes of data plus metadata")                                   \
    X(request_bytes, "max-request-bytes", 67108864, WEIR_REQUEST_BYTES_MIN, 1073741824, \
      "Largest request, in bytes")                                                      \
    X(reply_bytes, "max-reply-bytes", 16777216, 65536, WEIR_REPLY_BYTES_MAX,            \
      "Largest reply, in bytes of messages")                                            \
    X(batch_size, "max-batch-size", 10000, 1, 100000,                                   \
      "Largest batch_size of a read; a read of all (-1) stops there as well")           \
    X(import_records, "max-import-records", 10000, 1, 10000,                            \
      "Largest number of records in one ImportMessages call")                           \
    X(wait_ms, "max-wait-ms", 60000, 0, 600000, "Longest wait_ms of a read, in milliseconds")

struct weir_limits {
#define WEIR_LIMIT_MEMBER(member, option, standard, lowest, highest, what) int64_t member;
    WEIR_LIMIT_LIST(WEIR_LIMIT_MEMBER)
#undef WEIR_LIMIT_MEMBER
};

#define WEIR_LIMIT_DEFAULT(member, option, standard, lowest, highest, what) .member = (standard),
#define WEIR_LIMITS_DEFAULT                 \
    {                                       \
        WEIR_LIMIT_LIST(WEIR_LIMIT_DEFAULT) \
    }

#endif
