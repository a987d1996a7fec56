/* Import records, in both forms: an accepted line is a JSON object, and what is read of it, printed
 * as `weir` prints messages, is one line that is read as the same record. */
#include "client/record.h"
#include "tests/fuzz/fuzz.h"
#include "weir/rules/json_text.h"
#include "weir/rules/uuid.h"

#include <jansson.h>

enum { ARENA_BYTES = 1 << 20 };

typedef Weir__V1__ImportedMessage record;

/* ---- comparing ---- */

static struct weir_slice json_of(protobuf_c_boolean has, ProtobufCBinaryData json)
{
    return has ? weir_slice(json.data, json.len) : weir_slice(NULL, 0);
}

static bool is_same_json(struct weir_slice a, struct weir_slice b)
{
    struct weir_error err;
    weir_error_init(&err);
    bool equal = false;
    require(weir_json_equal(a, b, &equal, &err) == WEIR_OK);
    return equal;
}

static void require_same(const record *a, const record *b)
{
    require(strcmp(a->id, b->id) == 0 && strcmp(a->type, b->type) == 0);
    require(strcmp(a->stream_name, b->stream_name) == 0);
    require(a->position == b->position && a->global_position == b->global_position);
    require(a->time_us == b->time_us);
    require(is_same_json(json_of(a->has_data, a->data), json_of(b->has_data, b->data)));
    require(
        is_same_json(json_of(a->has_metadata, a->metadata), json_of(b->has_metadata, b->metadata)));
}

/* ---- printing ---- */

static char *print(const record *r, size_t *n)
{
    Weir__V1__Message message = WEIR__V1__MESSAGE__INIT;
    message.id = r->id;
    message.stream_name = r->stream_name;
    message.type = r->type;
    message.position = r->position;
    message.global_position = r->global_position;
    message.time_us = r->time_us;
    message.has_data = r->has_data;
    message.data = r->data;
    message.has_metadata = r->has_metadata;
    message.metadata = r->metadata;
    char *text = NULL;
    FILE *out = open_memstream(&text, n);
    require(out != NULL);
    record_write(out, &message);
    require(fclose(out) == 0);
    return text;
}

static void require_one_line(const char *text, size_t n)
{
    require(n > 0 && text[n - 1] == '\n' && strlen(text) == n);
    for (size_t i = 0; i + 1 < n; i++) {
        const uint8_t c = (uint8_t)text[i];
        require(c >= 0x20 && c != 0x7F);
        require(c != 0xC2 || (uint8_t)text[i + 1] > 0x9F);
    }
}

static void print_and_read(const record *first)
{
    struct weir_arena arena;
    weir_arena_init(&arena, ARENA_BYTES, 0);
    struct weir_error err;
    weir_error_init(&err);
    size_t n = 0;
    size_t again_n = 0;
    char *text = print(first, &n);
    require_one_line(text, n);
    record second;
    require(record_parse(weir_slice(text, n - 1), false, &arena, &second, &err) == WEIR_OK);
    require_same(first, &second);
    char *again = print(&second, &again_n);
    require(again_n == n && memcmp(again, text, n) == 0);
    free(again);
    free(text);
    weir_arena_fini(&arena);
}

/* ---- reading ---- */

static void check_values(const record *r)
{
    struct weir_uuid id;
    require(weir_uuid_parse(weir_slice_of(r->id), &id));
    require(r->stream_name[0] != '\0' && weir_utf8_is_valid(weir_slice_of(r->stream_name)));
    require(weir_utf8_is_valid(weir_slice_of(r->type)));
    require(r->has_position && r->position >= 0 && r->position <= (int64_t)1 << 62);
    require(r->has_global_position && r->global_position >= 1 &&
            r->global_position <= (int64_t)1 << 62);
    require(r->has_time_us);
}

/* jansson takes deeper nesting than we do, so that a value's 512 levels fit into the line's. */
static void require_object(struct weir_slice line)
{
    json_t *root = json_loadb((const char *)line.p, line.n, JSON_DECODE_INT_AS_REAL, NULL);
    require(json_is_object(root));
    json_decref(root);
}

static bool is_null(struct weir_slice json)
{
    return weir_slice_is(json, "null");
}

/* EventoDB's form differs by one thing. */
static void compare_forms(const record *plain, const record *eventodb)
{
    record expected = *plain;
    if (is_null(json_of(plain->has_metadata, plain->metadata))) {
        expected.has_metadata = false;
    }
    require_same(&expected, eventodb);
}

static void walk(struct weir_slice line)
{
    size_t at = 0;
    struct weir_slice key;
    struct weir_slice value;
    const char *fault = NULL;
    while (record_next_member(line, &at, &key, &value, &fault)) {
        require(fuzz_is_inside(key, line) && fuzz_is_inside(value, line) && at <= line.n);
        require(key.n >= 2 && value.n >= 1);
    }
}

static weir_status read_as(struct weir_slice line, bool is_eventodb, struct weir_arena *arena,
                           record *message)
{
    struct weir_error err;
    weir_error_init(&err);
    const weir_status st = record_parse(line, is_eventodb, arena, message, &err);
    require(st == WEIR_OK || st == WEIR_INVALID_RECORD);
    if (st != WEIR_OK) {
        require(strcmp(weir_error_get_detail(&err, "reason"), err.text) == 0);
    }
    return st;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *copy = fuzz_copy(weir_slice(data, size), false);
    const struct weir_slice line = weir_slice(copy, size);
    struct weir_arena arena;
    weir_arena_init(&arena, ARENA_BYTES, 0);
    record plain;
    record eventodb;
    walk(line);
    const weir_status st = read_as(line, false, &arena, &plain);
    require(read_as(line, true, &arena, &eventodb) == st);
    if (st == WEIR_OK) {
        check_values(&plain);
        require_object(line);
        compare_forms(&plain, &eventodb);
        print_and_read(&plain);
    }
    weir_arena_fini(&arena);
    free(copy);
    return 0;
}
