/* Every limit of the public surface, in one place. Those of the enum are fixed; each of the list is
 * set by an option of weir-server, and `struct weir_limits` carries the values in force. The client
 * library checks what is fixed and leaves the rest to the server. */
#ifndef WEIR_RULES_LIMITS_H
#define WEIR_RULES_LIMITS_H

#include <stdint.h>

enum {
    WEIR_WRITE_MESSAGES_MAX = 1000,  // messages of one write, all its streams together; fixed
    WEIR_WRITE_STREAMS_MAX = 100,    // streams of one WriteStreams; fixed
    WEIR_READ_TYPES_MAX = 32,        // types of one read; fixed
    WEIR_LIST_LIMIT_MAX = 1000,      // fixed
    WEIR_LIST_LIMIT_DEFAULT = 100,
    WEIR_BATCH_DEFAULT = 1000,
    WEIR_METADATA_ENTRIES_MAX = 64,  // entries of Request.metadata; fixed
    WEIR_REQUEST_BYTES_MIN = 65536,  // the lowest that can be set: any server reads such a request
    WEIR_REPLY_BYTES_MAX = 256 << 20,  // the highest that can be set
    /* The highest that can be set. What was written while more was allowed is still found by its
     * name, so these are what a name to look for is held against. */
    WEIR_STREAM_NAME_BYTES_MAX = 1024,
    WEIR_CORRELATION_BYTES_MAX = 1024,
    WEIR_TYPE_BYTES_MAX = 512
};

#define WEIR_IMPORT_POSITION_MAX ((int64_t)1 << 62)  // gpos and pos of an import; fixed

/* X(member, option and metavar, default, lowest, highest, what it limits) */
#define WEIR_LIMIT_LIST(X)                                                                    \
    X(stream_name_bytes, "max-stream-name-bytes", 1024, 64, WEIR_STREAM_NAME_BYTES_MAX,       \
      "length of a stream name")                                                              \
    X(correlation_bytes, "max-correlation-bytes", 1024, 64, WEIR_CORRELATION_BYTES_MAX,       \
      "length of a correlation stream name")                                                  \
    X(type_bytes, "max-type-bytes", 512, 16, WEIR_TYPE_BYTES_MAX, "length of a message type") \
    X(namespace_bytes, "max-namespace-bytes", 128, 16, 128, "length of a namespace id")       \
    X(description_bytes, "max-description-bytes", 4096, 0, 65536,                             \
      "length of a namespace's description")                                                  \
    X(message_bytes, "max-message-bytes", 1048576, 1024, 16777216,                            \
      "data plus metadata of a message")                                                      \
    X(request_bytes, "max-request-bytes", 67108864, WEIR_REQUEST_BYTES_MIN, 1073741824,       \
      "size of a request frame")                                                              \
    X(reply_bytes, "max-reply-bytes", 16777216, 65536, WEIR_REPLY_BYTES_MAX,                  \
      "messages in one reply")                                                                \
    X(batch_size, "max-batch-size", 10000, 1, 100000, "batch_size of a read")                 \
    X(import_records, "max-import-records", 10000, 1, 10000, "records of one ImportMessages") \
    X(wait_ms, "max-wait-ms", 60000, 0, 600000, "wait_ms of a read")

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
