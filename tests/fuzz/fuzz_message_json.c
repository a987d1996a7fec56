/* Messages as JSON. The first byte chooses the request or response of a method; the rest is the
 * text. An accepted text is a JSON object for jansson, packs into bytes that the wire check
 * accepts, and prints as one line that reads back and prints the same. */
#include "client/cli/message_json.h"
#include "tests/fuzz/fuzz.h"
#include "weir/v1/system.pb-c.h"
#include "weir/wire/check.h"
#include "weir/wire/method.h"

#include <jansson.h>

enum { ARENA_BYTES = 4 << 20, ELEMENTS_MAX = 8192 };

static char *print(const ProtobufCMessage *message, size_t *n)
{
    char *text = NULL;
    FILE *out = open_memstream(&text, n);
    require(out != NULL);
    message_to_json(out, message);
    require(fclose(out) == 0 && strlen(text) == *n);
    for (size_t i = 0; i < *n; i++) {
        require((uint8_t)text[i] >= 0x20 && text[i] != 0x7F);
    }
    return text;
}

/* Like strtoll, jansson ignores a NUL byte after a number. It also accepts deeper nesting than
 * weir, so that the 512 levels of a value fit in the message's own. */
static json_t *load_object(struct weir_slice text)
{
    require(memchr(text.p, 0, text.n) == NULL);
    json_t *root = json_loadb((const char *)text.p, text.n, JSON_DECODE_INT_AS_REAL, NULL);
    require(json_is_object(root));
    return root;
}

static bool was_given(json_t *printed, json_t *given);

static bool elements_were_given(json_t *printed, json_t *given)
{
    bool all = json_array_size(printed) == json_array_size(given);
    for (size_t i = 0; all && i < json_array_size(printed); i++) {
        all = was_given(json_array_get(printed, i), json_array_get(given, i));
    }
    return all;
}

static bool members_were_given(json_t *printed, json_t *given)
{
    bool all = json_is_object(given);
    const char *key;
    json_t *value;
    json_object_foreach(printed, key, value)
    {
        json_t *other = json_object_get(given, key);
        all = all && other != NULL && was_given(value, other);
    }
    return all;
}

/* Returns whether everything printed was given. A null counts as given: an earlier duplicate of the
 * member has given the value. */
static bool was_given(json_t *printed, json_t *given)
{
    if (json_is_null(given)) {
        return true;
    }
    if (json_is_object(printed)) {
        return members_were_given(printed, given);
    }
    return json_is_array(printed) ? elements_were_given(printed, given)
                                  : json_equal(printed, given) != 0;
}

static void compare(struct weir_slice printed, struct weir_slice given)
{
    json_t *ours = load_object(printed);
    json_t *theirs = load_object(given);
    require(was_given(ours, theirs));
    json_decref(ours);
    json_decref(theirs);
}

static void pack_and_check(const ProtobufCMessage *message)
{
    const size_t n = protobuf_c_message_get_packed_size(message);
    uint8_t *bytes = malloc(n + 1);
    require(bytes != NULL && protobuf_c_message_pack(message, bytes) == n);
    struct weir_error err;
    weir_error_init(&err);
    require(weir_wire_check(weir_slice(bytes, n), message->descriptor, ELEMENTS_MAX, NULL, &err) ==
            WEIR_OK);
    free(bytes);
}

static void print_and_read(const ProtobufCMessage *message, struct weir_slice given,
                           struct weir_arena *arena)
{
    struct weir_error err;
    weir_error_init(&err);
    ProtobufCMessage *again = NULL;
    size_t n = 0;
    size_t again_n = 0;
    char *text = print(message, &n);
    compare(weir_slice(text, n), given);
    require(message_from_json(message->descriptor, weir_slice(text, n), arena, &again, &err) ==
            WEIR_OK);
    char *again_text = print(again, &again_n);
    require(again_n == n && memcmp(again_text, text, n) == 0);
    free(again_text);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    const struct weir_method *method = &weir_methods[data[0] / 2 % weir_methods_n];
    /* The only message with a map is printed but never read. */
    const bool has_map = method->output == &weir__v1__get_stats_response__descriptor;
    const ProtobufCMessageDescriptor *type =
        data[0] % 2 == 0 || has_map ? method->input : method->output;
    uint8_t *text = fuzz_copy(weir_slice(data + 1, size - 1), false);
    struct weir_arena arena;
    weir_arena_init(&arena, ARENA_BYTES, 0);
    struct weir_error err;
    weir_error_init(&err);
    ProtobufCMessage *message = NULL;
    if (message_from_json(type, weir_slice(text, size - 1), &arena, &message, &err) == WEIR_OK) {
        pack_and_check(message);
        print_and_read(message, weir_slice(text, size - 1), &arena);
    } else {
        require(err.status == WEIR_INVALID_REQUEST);
        require(weir_error_get_detail(&err, "field") != NULL);
    }
    weir_arena_fini(&arena);
    free(text);
    return 0;
}
