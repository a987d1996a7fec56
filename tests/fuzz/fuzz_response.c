/* A client's handling of replies. The first byte chooses a method; the rest is used as a frame and
 * also as a payload. A payload must unpack into the same message as protobuf-c's, in one
 * allocation; the linker's --wrap counts allocations. */
#include "client/lib/response.h"
#include "client/weir.h"
#include "tests/fuzz/fuzz.h"
#include "weir/wire/frame.h"
#include "weir/wire/method.h"

void *__real_malloc(size_t n);
void *__wrap_malloc(size_t n);

static size_t allocations;

void *__wrap_malloc(size_t n)
{
    allocations++;
    return __real_malloc(n);
}

static struct fuzz_text pack(const ProtobufCMessage *message)
{
    const size_t n = protobuf_c_message_get_packed_size(message);
    struct fuzz_text packed = {.p = calloc(1, n + 1), .n = n, .cap = n + 1};
    require(packed.p != NULL && protobuf_c_message_pack(message, packed.p) == n);
    return packed;
}

static void compare(const ProtobufCMessage *ours, const ProtobufCMessageDescriptor *type,
                    struct weir_slice payload)
{
    ProtobufCMessage *theirs = protobuf_c_message_unpack(type, NULL, payload.n, payload.p);
    require(theirs != NULL);
    struct fuzz_text x = pack(ours);
    struct fuzz_text y = pack(theirs);
    require(weir_slice_equal(fuzz_slice(&x), fuzz_slice(&y)));
    free(x.p);
    free(y.p);
    protobuf_c_message_free_unpacked(theirs, NULL);
}

/* The response must outlive the payload, which is overwritten before the response is compared. */
static void unpack(const ProtobufCMessageDescriptor *type, struct weir_slice payload)
{
    uint8_t *copy = fuzz_copy(payload, false);
    struct weir_error err;
    weir_error_init(&err);
    ProtobufCMessage *response = NULL;
    allocations = 0;
    const weir_status st = response_unpack(type, weir_slice(copy, payload.n), &response, &err);
    const size_t used = allocations;
    memset(copy, 0xFF, payload.n);
    free(copy);
    if (st == WEIR_OK) {
        require(used == 1);
        compare(response, type, payload);
        weir_response_free(response);
    } else {
        require(st == WEIR_BACKEND_ERROR && response == NULL && err.text[0] != '\0');
    }
}

static void parse(const ProtobufCMessageDescriptor *type, struct weir_slice frame)
{
    struct weir_error err;
    weir_error_init(&err);
    struct weir_slice payload = {0};
    const weir_status st = weir_response_parse(frame, &payload, &err);
    if (st == WEIR_OK) {
        require(fuzz_is_inside(payload, frame) || payload.n == 0);
        unpack(type, payload);
    } else {
        require(st == err.status && st > WEIR_OK && st < WEIR_STATUS_COUNT);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    const ProtobufCMessageDescriptor *type = weir_methods[data[0] % weir_methods_n].output;
    uint8_t *copy = fuzz_copy(weir_slice(data + 1, size - 1), false);
    parse(type, weir_slice(copy, size - 1));
    unpack(type, weir_slice(copy, size - 1));
    free(copy);
    return 0;
}
