/* Reads JSON into messages. Errors name the field at fault by its path, as in "writes[1].type". */
#include "client/cli/message_json.h"

#include "client/cli/json_walk.h"
#include "client/cli/message_memory.h"
#include "weir/rules/json_text.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

enum { PATH_BYTES = 256, NUMBER_BYTES = 400 };

struct reading {
    struct weir_arena *arena;
    struct weir_error *err;
    char path[PATH_BYTES];  // of the field being read
    size_t path_n;
};

static weir_status fail(struct reading *r, const char *reason)
{
    return weir_fail_field(r->err, r->path_n == 0 ? "request" : r->path, "%s", reason);
}

/* Notes `n` bytes appended to the path, unless they did not fit; returns the length before, for
 * leave(). */
static size_t entered(struct reading *r, int n)
{
    const size_t before = r->path_n;
    r->path_n = n < 0 || (size_t)n >= PATH_BYTES - before ? before : before + (size_t)n;
    return before;
}

static size_t enter_field(struct reading *r, const char *name)
{
    return entered(r, snprintf(r->path + r->path_n, PATH_BYTES - r->path_n, "%s%s",
                               r->path_n == 0 ? "" : ".", name));
}

static size_t enter_element(struct reading *r, size_t index)
{
    return entered(r, snprintf(r->path + r->path_n, PATH_BYTES - r->path_n, "[%zu]", index));
}

static void leave(struct reading *r, size_t before)
{
    r->path_n = before;
    r->path[before] = '\0';
}

static weir_status read_text(struct reading *r, struct weir_slice json, struct weir_slice *text)
{
    struct weir_error fault;
    weir_error_init(&fault);
    if (json.n == 0 || json.p[0] != '"') {
        return fail(r, "not a string");
    }
    if (weir_json_check(json, "string", NULL, &fault) != WEIR_OK) {
        return fail(r, fault.text);
    }
    uint8_t *out = weir_arena_bytes(r->arena, json.n + 1);
    size_t n = 0;
    if (out == NULL || !weir_json_unescape(json, out, &n)) {
        return fail(r, "not a string");
    }
    out[n] = '\0';
    *text = weir_slice(out, n);
    return WEIR_OK;
}

static weir_status read_bytes(struct reading *r, struct weir_slice json, ProtobufCBinaryData *bytes)
{
    struct weir_error fault;
    weir_error_init(&fault);
    if (weir_json_check(json, "JSON text", NULL, &fault) != WEIR_OK) {
        return fail(r, fault.text);
    }
    bytes->data = (uint8_t *)(uintptr_t)json.p;
    bytes->len = json.n;
    return WEIR_OK;
}

/* Copies a number's text and terminates it; false for anything but a JSON number. The check comes
 * first because the C library's functions accept more than JSON does. */
static bool number_text(struct weir_slice json, char text[NUMBER_BYTES])
{
    struct weir_error fault;
    weir_error_init(&fault);
    if (json.n == 0 || json.n >= NUMBER_BYTES ||
        (json.p[0] != '-' && (json.p[0] < '0' || json.p[0] > '9')) ||
        weir_json_check(json, "number", NULL, &fault) != WEIR_OK) {
        return false;
    }
    memcpy(text, json.p, json.n);
    text[json.n] = '\0';
    return true;
}

static weir_status read_signed(struct reading *r, struct weir_slice json, int64_t min, int64_t max,
                               int64_t *value)
{
    char text[NUMBER_BYTES];
    char *end = NULL;
    errno = 0;
    const bool is_number = number_text(json, text);
    const long long number = is_number ? strtoll(text, &end, 10) : 0;
    if (!is_number || *end != '\0' || errno != 0 || number < min || number > max) {
        return fail(r, "not a whole number in the field's range");
    }
    *value = number;
    return WEIR_OK;
}

static weir_status read_unsigned(struct reading *r, struct weir_slice json, uint64_t max,
                                 uint64_t *value)
{
    char text[NUMBER_BYTES];
    char *end = NULL;
    errno = 0;
    const bool is_number = number_text(json, text) && text[0] != '-';
    const unsigned long long number = is_number ? strtoull(text, &end, 10) : 0;
    if (!is_number || *end != '\0' || errno != 0 || number > max) {
        return fail(r, "not a whole number in the field's range");
    }
    *value = number;
    return WEIR_OK;
}

static weir_status read_double(struct reading *r, struct weir_slice json, double *value)
{
    char text[NUMBER_BYTES];
    char *end = NULL;
    if (!number_text(json, text)) {
        return fail(r, "not a number");
    }
    *value = strtod(text, &end);
    return *end == '\0' ? WEIR_OK : fail(r, "not a number");
}

static weir_status read_enum(struct reading *r, const ProtobufCEnumDescriptor *type,
                             struct weir_slice json, int32_t *value)
{
    struct weir_slice name;
    const weir_status st = read_text(r, json, &name);
    if (st != WEIR_OK) {
        return st;
    }
    const ProtobufCEnumValue *found =
        protobuf_c_enum_descriptor_get_value_by_name(type, (const char *)name.p);
    if (found == NULL) {
        return fail(r, "not a name of the enum");
    }
    *value = found->value;
    return WEIR_OK;
}

static weir_status read_message(struct reading *r, const ProtobufCMessageDescriptor *type,
                                struct weir_slice json, ProtobufCMessage **message);

/* Reads a number into a place of the field's type. */
static weir_status read_number(struct reading *r, ProtobufCType type, struct weir_slice json,
                               void *place)
{
    int64_t number = 0;
    uint64_t natural = 0;
    weir_status st = WEIR_OK;
    switch (type) {
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_SFIXED32:
        st = read_signed(r, json, INT32_MIN, INT32_MAX, &number);
        *(int32_t *)place = (int32_t)number;
        return st;
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
        st = read_unsigned(r, json, UINT32_MAX, &natural);
        *(uint32_t *)place = (uint32_t)natural;
        return st;
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
        return read_signed(r, json, INT64_MIN, INT64_MAX, place);
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
        return read_unsigned(r, json, UINT64_MAX, place);
    case PROTOBUF_C_TYPE_DOUBLE:
        return read_double(r, json, place);
    default:
        return fail(r, "fields of this type cannot be given");
    }
}

static weir_status read_value(struct reading *r, const ProtobufCFieldDescriptor *field,
                              struct weir_slice json, void *place)
{
    struct weir_slice text;
    weir_status st = WEIR_OK;
    switch (field->type) {
    case PROTOBUF_C_TYPE_STRING:
        st = read_text(r, json, &text);
        if (st == WEIR_OK) {
            *(char **)place = (char *)(uintptr_t)text.p;
        }
        return st;
    case PROTOBUF_C_TYPE_BYTES:
        return read_bytes(r, json, place);
    case PROTOBUF_C_TYPE_BOOL:
        *(protobuf_c_boolean *)place = weir_slice_is(json, "true");
        return weir_slice_is(json, "true") || weir_slice_is(json, "false")
                   ? WEIR_OK
                   : fail(r, "neither true nor false");
    case PROTOBUF_C_TYPE_ENUM:
        return read_enum(r, field->descriptor, json, place);
    case PROTOBUF_C_TYPE_MESSAGE:
        return read_message(r, field->descriptor, json, place);
    default:
        return read_number(r, field->type, json, place);
    }
}

static weir_status count_elements(struct reading *r, struct weir_slice json, size_t *n)
{
    size_t at = 0;
    struct weir_slice value;
    const char *fault = NULL;
    *n = 0;
    while (json_next_element(json, &at, &value, &fault)) {
        (*n)++;
    }
    return fault == NULL ? WEIR_OK : fail(r, fault);
}

static weir_status read_array(struct reading *r, const ProtobufCFieldDescriptor *field,
                              struct weir_slice json, ProtobufCMessage *message)
{
    size_t n = 0;
    weir_status st = count_elements(r, json, &n);
    if (st != WEIR_OK) {
        return st;
    }
    const size_t size = message_element_size(field->type);
    char *elements = weir_arena_array(r->arena, n, size);
    if (elements == NULL) {
        return fail(r, "too long");
    }
    size_t at = 0;
    struct weir_slice value;
    const char *fault = NULL;
    for (size_t i = 0; st == WEIR_OK && json_next_element(json, &at, &value, &fault); i++) {
        const size_t before = enter_element(r, i);
        st = read_value(r, field, value, elements + i * size);
        if (st == WEIR_OK) {
            leave(r, before);
        }
    }
    *(void **)message_member(message, field->offset) = elements;
    *(size_t *)message_member(message, field->quantifier_offset) = n;
    return st;
}

/* Marks a member of a oneof as given. Fails if another one was given, which would be lost. */
static weir_status take_oneof(struct reading *r, const ProtobufCFieldDescriptor *field,
                              ProtobufCMessage *message)
{
    uint32_t *taken = message_member(message, field->quantifier_offset);
    const ProtobufCFieldDescriptor *other =
        protobuf_c_message_descriptor_get_field(message->descriptor, *taken);
    if (other != NULL) {
        char reason[128];
        (void)snprintf(reason, sizeof reason, "cannot be given together with %s", other->name);
        return fail(r, reason);
    }
    *taken = field->id;
    return WEIR_OK;
}

static weir_status read_field(struct reading *r, const ProtobufCFieldDescriptor *field,
                              struct weir_slice json, ProtobufCMessage *message)
{
    if (field->label == PROTOBUF_C_LABEL_REPEATED) {
        return read_array(r, field, json, message);
    }
    const weir_status st = read_value(r, field, json, message_member(message, field->offset));
    if (st != WEIR_OK) {
        return st;
    }
    if ((field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0) {
        return take_oneof(r, field, message);
    }
    if (field->quantifier_offset != 0) {
        *(protobuf_c_boolean *)message_member(message, field->quantifier_offset) = true;
    }
    return WEIR_OK;
}

/* Reads a member of an object. `given` has a bit for each field of the message. */
static weir_status read_member(struct reading *r, ProtobufCMessage *message, uint64_t *given,
                               struct weir_slice key, struct weir_slice value)
{
    const ProtobufCMessageDescriptor *type = message->descriptor;
    struct weir_slice name;
    weir_status st = read_text(r, key, &name);
    if (st != WEIR_OK) {
        return st;
    }
    const size_t before = enter_field(r, (const char *)name.p);
    const ProtobufCFieldDescriptor *field =
        protobuf_c_message_descriptor_get_field_by_name(type, (const char *)name.p);
    if (field == NULL) {
        char reason[128];
        (void)snprintf(reason, sizeof reason, "%s has no such field", type->name);
        return fail(r, reason);
    }
    const uint64_t bit = UINT64_C(1) << (field - type->fields);
    if ((*given & bit) != 0) {
        return fail(r, "given twice");
    }
    *given |= bit;
    if (field->type == PROTOBUF_C_TYPE_BYTES || !weir_slice_is(value, "null")) {
        st = read_field(r, field, value, message);
    }
    if (st == WEIR_OK) {
        leave(r, before);
    }
    return st;
}

/* The recursion ends because no message type of weir.v1 contains itself. */
static weir_status read_message(struct reading *r, const ProtobufCMessageDescriptor *type,
                                struct weir_slice json, ProtobufCMessage **message)
{
    ProtobufCMessage *filled = weir_arena_array(r->arena, 1, type->sizeof_message);
    if (filled == NULL) {
        return fail(r, "too long");
    }
    assert(type->n_fields <= 64);
    protobuf_c_message_init(type, filled);
    uint64_t given = 0;
    size_t at = 0;
    struct weir_slice key;
    struct weir_slice value;
    const char *fault = NULL;
    while (json_next_member(json, &at, &key, &value, &fault)) {
        const weir_status st = read_member(r, filled, &given, key, value);
        if (st != WEIR_OK) {
            return st;
        }
    }
    *message = filled;
    return fault == NULL ? WEIR_OK : fail(r, fault);
}

weir_status message_from_json(const ProtobufCMessageDescriptor *type, struct weir_slice json,
                              struct weir_arena *arena, ProtobufCMessage **message,
                              struct weir_error *err)
{
    struct reading r = {.arena = arena, .err = err};
    return read_message(&r, type, json, message);
}
