/* Import records in both forms: an accepted line is a JSON object, and the record, printed in
 * weir's form, is one line that reads back as the same record. */
#include "client/cli/record.h"
#include "tests/fuzz/fuzz.h"
#include "weir/rules/json_text.h"
#include "weir/rules/time_text.h"
#include "weir/rules/utf8.h"
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
    struct weir_error err;
    weir_error_init(&err);
    require(record_write(out, &message, &err) == WEIR_OK);
    require(fclose(out) == 0);
    return text;
}

static void require_one_line(const char *text, size_t n)
{
    require(n > 0 && text[n - 1] == '\n' && strlen(text) == n);
    for (size_t i = 0; i + 1 < n; i++) {
        require((uint8_t)text[i] >= 0x20);
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

static json_t *load(struct weir_slice line)
{
    return json_loadb((const char *)line.p, line.n, JSON_DECODE_INT_AS_REAL, NULL);
}

/* jansson accepts deeper nesting than weir, so that the 512 levels of a value fit in the line's
 * own. */
static void compare_members(struct weir_slice line, const record *r)
{
    json_t *root = load(line);
    require(json_is_object(root));
    require(r->has_data == (json_object_get(root, "data") != NULL));
    require(r->has_metadata == (json_object_get(root, "meta") != NULL));
    require(strcmp(r->stream_name, json_string_value(json_object_get(root, "stream"))) == 0);
    require(strcmp(r->type, json_string_value(json_object_get(root, "type"))) == 0);
    json_decref(root);
}

/* Returns whether a position consists of digits alone, few enough for the range. */
static bool is_position(struct weir_slice number, uint8_t first)
{
    for (size_t i = 0; i < number.n; i++) {
        if (number.p[i] < (i == 0 ? first : '0') || number.p[i] > '9') {
            return false;
        }
    }
    return number.n >= 1 && number.n <= 15;
}

static bool has_positions(struct weir_slice line)
{
    size_t at = 0;
    struct weir_slice key;
    struct weir_slice value;
    bool pos = false;
    bool gpos = false;
    while (weir_json_next_member(line, &at, &key, &value)) {
        if (key.n > 0 && memchr(key.p, '\\', key.n) != NULL) {
            return false;
        }
        pos = weir_slice_is(key, "pos") ? is_position(value, '0') : pos;
        gpos = weir_slice_is(key, "gpos") ? is_position(value, '1') : gpos;
    }
    return pos && gpos;
}

static bool is_string(const json_t *root, const char *name, size_t bytes_min)
{
    const json_t *value = json_object_get(root, name);
    return json_is_string(value) && json_string_length(value) >= bytes_min;
}

/* Returns whether jansson's reading of the line gives no reason to refuse it. */
static bool is_usable(struct weir_slice line)
{
    struct weir_error err;
    weir_error_init(&err);
    if (weir_json_check(line, "line", NULL, &err) != WEIR_OK || !has_positions(line)) {
        return false;
    }
    struct weir_uuid id;
    int64_t time_us = 0;
    json_t *root = load(line);
    const char *id_text = json_string_value(json_object_get(root, "id"));
    const char *time_text = json_string_value(json_object_get(root, "time"));
    const bool usable = is_string(root, "stream", 1) && is_string(root, "type", 0) &&
                        weir_uuid_parse(weir_slice_of(id_text), &id) &&
                        weir_time_parse(weir_slice_of(time_text), &time_us);
    json_decref(root);
    return usable;
}

static bool is_null(struct weir_slice json)
{
    return weir_slice_is(json, "null");
}

/* The two forms differ in one member. */
static void compare_forms(const record *plain, const record *eventodb)
{
    record expected = *plain;
    if (is_null(json_of(plain->has_metadata, plain->metadata))) {
        expected.has_metadata = false;
    }
    require_same(&expected, eventodb);
}

static weir_status read_as(struct weir_slice line, bool is_eventodb, struct weir_arena *arena,
                           record *message)
{
    struct weir_error err;
    weir_error_init(&err);
    const weir_status st = record_parse(line, is_eventodb, arena, message, &err);
    if (st != WEIR_OK) {
        require(st == WEIR_INVALID_RECORD && !is_usable(line));
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
    const weir_status st = read_as(line, false, &arena, &plain);
    require(read_as(line, true, &arena, &eventodb) == st);
    if (st == WEIR_OK) {
        check_values(&plain);
        compare_members(line, &plain);
        compare_forms(&plain, &eventodb);
        print_and_read(&plain);
    }
    weir_arena_fini(&arena);
    free(copy);
    return 0;
}
