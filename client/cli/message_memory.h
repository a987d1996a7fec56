/* The memory of protobuf-c's messages, whose types are known by their descriptors only. */
#ifndef WEIR_CLIENT_MESSAGE_MEMORY_H
#define WEIR_CLIENT_MESSAGE_MEMORY_H

#include <protobuf-c/protobuf-c.h>

/* Return the member of a message at an offset that its descriptor gives. */
static inline void *message_member(ProtobufCMessage *message, unsigned offset)
{
    return (char *)message + offset;
}

static inline const void *message_const_member(const ProtobufCMessage *message, unsigned offset)
{
    return (const char *)message + offset;
}

/* Returns the size of an element of a repeated field. */
static inline size_t message_element_size(ProtobufCType type)
{
    switch (type) {
    case PROTOBUF_C_TYPE_BOOL:
        return sizeof(protobuf_c_boolean);
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_MESSAGE:
        return sizeof(void *);
    case PROTOBUF_C_TYPE_BYTES:
        return sizeof(ProtobufCBinaryData);
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_DOUBLE:
        return sizeof(uint64_t);
    default:
        return sizeof(uint32_t);
    }
}

#endif
