#include "weir/wire/pb_arena.h"

struct pb_arena {
    struct weir_arena *arena;
    bool is_exhausted;  // an allocation failed
};

static void *pb_alloc(void *data, size_t n)
{
    struct pb_arena *pb = data;
    void *p = weir_arena_alloc(pb->arena, n);
    if (p == NULL) {
        pb->is_exhausted = true;
    }
    return p;
}

static void pb_free(void *data, void *p)
{
    (void)data;
    (void)p;
}

weir_status weir_pb_unpack(struct weir_arena *arena, const ProtobufCMessageDescriptor *type,
                           struct weir_slice bytes, ProtobufCMessage **message,
                           struct weir_error *err)
{
    struct pb_arena pb = {.arena = arena};
    ProtobufCAllocator allocator = {.alloc = pb_alloc, .free = pb_free, .allocator_data = &pb};
    ProtobufCMessage *unpacked = protobuf_c_message_unpack(type, &allocator, bytes.n, bytes.p);
    if (unpacked != NULL) {
        *message = unpacked;
        return WEIR_OK;
    }
    if (pb.is_exhausted && arena->refused_bytes == 0) {
        return weir_arena_fail(arena, err);
    }
    if (pb.is_exhausted) {
        (void)weir_fail(err, WEIR_LIMIT_EXCEEDED,
                        "decoding %s takes more than the %zu bytes of memory a call may use",
                        type->short_name, arena->cap_bytes);
        weir_error_detail(err, "limit", "%zu", arena->cap_bytes);
        return WEIR_LIMIT_EXCEEDED;
    }
    return weir_fail_field(err, "payload", "not a %s", type->short_name);
}
