/* The wire check: protobuf-c decodes whatever the check accepts, within the promised memory, and
 * the decoded message is accepted again. The first byte chooses the request or response of a
 * method. */
#include "tests/fuzz/fuzz.h"
#include "weir/wire/check.h"
#include "weir/wire/method.h"
#include "weir/wire/pb_arena.h"

enum { ELEMENTS_MAX = 512 };

static void pack_and_check(const ProtobufCMessage *message)
{
    const size_t n = protobuf_c_message_get_packed_size(message);
    uint8_t *bytes = malloc(n + 1);
    require(bytes != NULL);
    require(protobuf_c_message_pack(message, bytes) == n);
    struct weir_error err;
    weir_error_init(&err);
    require(weir_wire_check(weir_slice(bytes, n), message->descriptor, ELEMENTS_MAX, NULL, &err) ==
            WEIR_OK);
    free(bytes);
}

static void decode(struct weir_slice bytes, const ProtobufCMessageDescriptor *type)
{
    struct weir_arena arena;
    weir_arena_init(&arena, weir_wire_memory_max(bytes.n, ELEMENTS_MAX), 0);
    struct weir_error err;
    weir_error_init(&err);
    ProtobufCMessage *message = NULL;
    const weir_status status = weir_pb_unpack(&arena, type, bytes, &message, &err);
    /* protobuf-c refuses to merge two messages whose oneof is unset. */
    require(status == WEIR_OK || status == WEIR_INVALID_REQUEST);
    if (status == WEIR_OK) {
        pack_and_check(message);
    }
    weir_arena_fini(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    const struct weir_method *method = &weir_methods[data[0] / 2 % weir_methods_n];
    const ProtobufCMessageDescriptor *type = data[0] % 2 == 0 ? method->input : method->output;
    const struct weir_slice bytes = weir_slice(data + 1, size - 1);
    struct weir_error err;
    weir_error_init(&err);
    if (weir_wire_check(bytes, type, ELEMENTS_MAX, NULL, &err) == WEIR_OK) {
        decode(bytes, type);
    } else {
        require(weir_error_get_detail(&err, "field") != NULL);
    }
    return 0;
}
