/* The envelope's parsers on arbitrary bytes. An accepted request must be valid for protobuf-c as
 * well, with the same fields. */
#include "tests/fuzz/fuzz.h"
#include "weir/v1/envelope.pb-c.h"
#include "weir/wire/frame.h"

static bool same(struct weir_slice ours, const char *theirs)
{
    return weir_slice_equal(ours, weir_slice_of(theirs));
}

static void compare(const struct weir_request_frame *ours, const Weir__V1__Request *theirs)
{
    require(same(ours->method, theirs->method));
    require(same(ours->token, theirs->token));
    require(ours->timeout_ms == theirs->timeout_ms);
    require(ours->payload.n == theirs->payload.len);
    require(ours->payload.n == 0 ||
            memcmp(ours->payload.p, theirs->payload.data, ours->payload.n) == 0);
    require(ours->metadata_n == theirs->n_metadata);
    for (size_t i = 0; i < ours->metadata_n; i++) {
        const char *key = theirs->metadata[i]->key;
        const char *value = theirs->metadata[i]->value;
        require(same(ours->metadata[i].key, key == NULL ? "" : key));
        require(same(ours->metadata[i].value, value == NULL ? "" : value));
    }
}

static void parse_request(struct weir_slice bytes)
{
    struct weir_arena arena;
    weir_arena_init(&arena, 1 << 16, 0);
    struct weir_error err;
    weir_error_init(&err);
    struct weir_request_frame frame;
    if (weir_request_frame_parse(bytes, &arena, &frame, &err) == WEIR_OK) {
        Weir__V1__Request *request = weir__v1__request__unpack(NULL, bytes.n, bytes.p);
        require(request != NULL);
        compare(&frame, request);
        weir__v1__request__free_unpacked(request, NULL);
    } else {
        require(weir_error_get_detail(&err, "field") != NULL);
    }
    weir_arena_fini(&arena);
}

/* A parsed failure that is written again must have the same contents. */
static void parse_response(struct weir_slice bytes)
{
    struct weir_error err;
    weir_error_init(&err);
    struct weir_slice payload = {0};
    const weir_status status = weir_response_parse(bytes, &payload, &err);
    if (status == WEIR_OK) {
        require(payload.p != NULL && payload.n <= bytes.n);
        return;
    }
    const size_t n = weir_response_error_size(&err);
    uint8_t *again = malloc(n);
    require(again != NULL);
    weir_response_error_pack(&err, again);
    struct weir_error second;
    weir_error_init(&second);
    require(weir_response_parse(weir_slice(again, n), &payload, &second) == status);
    require(second.details_n == err.details_n && strcmp(second.text, err.text) == 0);
    free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    parse_request(weir_slice(data, size));
    parse_response(weir_slice(data, size));
    return 0;
}
