#include "client/cli/message_json.h"

#include "client/cli/json_walk.h"
#include "client/lib/json_out.h"
#include "weir/rules/json_text.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

bool message_is_map_entry(const ProtobufCMessageDescriptor *type)
{
    const size_t n = strlen(type->short_name);
    return type->n_fields == 2 && n > 5 && strcmp(type->short_name + n - 5, "Entry") == 0 &&
           strcmp(type->fields[0].name, "key") == 0 && strcmp(type->fields[1].name, "value") == 0 &&
           type->fields[0].type == PROTOBUF_C_TYPE_STRING &&
           type->fields[1].type == PROTOBUF_C_TYPE_STRING;
}

static void *member(ProtobufCMessage *message, unsigned offset)
{
    return (char *)message + offset;
}

static const void *const_member(const ProtobufCMessage *message, unsigned offset)
{
    return (const char *)message + offset;
}

static size_t element_size(ProtobufCType type)
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

/* ---- reading ---- */

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
        return fail(r, "no string");
    }
    if (weir_json_check(json, "string", NULL, &fault) != WEIR_OK) {
        return fail(r, fault.text);
    }
    uint8_t *out = weir_arena_bytes(r->arena, json.n + 1);
    size_t n = 0;
    if (out == NULL || !weir_json_unescape(json, out, &n)) {
        return fail(r, "no string");
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
        return fail(r, "no whole number in its range");
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
        return fail(r, "no whole number in its range");
    }
    *value = number;
    return WEIR_OK;
}

static weir_status read_double(struct reading *r, struct weir_slice json, double *value)
{
    char text[NUMBER_BYTES];
    char *end = NULL;
    if (!number_text(json, text)) {
        return fail(r, "no number");
    }
    *value = strtod(text, &end);
    return *end == '\0' ? WEIR_OK : fail(r, "no number");
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
        return fail(r, "not a value of the enum");
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
        return fail(r, "of a type that cannot be given");
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
    const size_t size = element_size(field->type);
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
    *(void **)member(message, field->offset) = elements;
    *(size_t *)member(message, field->quantifier_offset) = n;
    return st;
}

/* Marks a member of a oneof as given. Fails if another one was given, which would be lost. */
static weir_status take_oneof(struct reading *r, const ProtobufCFieldDescriptor *field,
                              ProtobufCMessage *message)
{
    uint32_t *taken = member(message, field->quantifier_offset);
    const ProtobufCFieldDescriptor *other =
        protobuf_c_message_descriptor_get_field(message->descriptor, *taken);
    if (other != NULL) {
        char reason[128];
        (void)snprintf(reason, sizeof reason, "given beside %s, and only one of them may be",
                       other->name);
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
    const weir_status st = read_value(r, field, json, member(message, field->offset));
    if (st != WEIR_OK) {
        return st;
    }
    if ((field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0) {
        return take_oneof(r, field, message);
    }
    if (field->quantifier_offset != 0) {
        *(protobuf_c_boolean *)member(message, field->quantifier_offset) = true;
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

/* ---- writing ---- */

static void put_number(FILE *out, ProtobufCType type, const void *value)
{
    switch (type) {
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
        (void)fprintf(out, "%" PRId64, *(const int64_t *)value);
        break;
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
        (void)fprintf(out, "%" PRIu64, *(const uint64_t *)value);
        break;
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
        (void)fprintf(out, "%" PRIu32, *(const uint32_t *)value);
        break;
    case PROTOBUF_C_TYPE_DOUBLE:
        (void)fprintf(out, "%.17g", *(const double *)value);
        break;
    case PROTOBUF_C_TYPE_FLOAT:
        (void)fprintf(out, "%.9g", (double)*(const float *)value);
        break;
    default:
        (void)fprintf(out, "%" PRId32, *(const int32_t *)value);
        break;
    }
}

static void put_enum(FILE *out, const ProtobufCEnumDescriptor *type, int32_t value)
{
    const ProtobufCEnumValue *found = protobuf_c_enum_descriptor_get_value(type, value);
    if (found == NULL) {
        (void)fprintf(out, "%" PRId32, value);
    } else {
        json_put_string(out, weir_slice_of(found->name));
    }
}

static void put_value(FILE *out, const ProtobufCFieldDescriptor *field, const void *value)
{
    switch (field->type) {
    case PROTOBUF_C_TYPE_STRING:
        json_put_string(out, weir_slice_of(*(char *const *)value));
        break;
    case PROTOBUF_C_TYPE_BYTES: {
        const ProtobufCBinaryData *bytes = value;
        json_put_text(out, weir_slice(bytes->data, bytes->len));
        break;
    }
    case PROTOBUF_C_TYPE_BOOL:
        (void)fputs(*(const protobuf_c_boolean *)value ? "true" : "false", out);
        break;
    case PROTOBUF_C_TYPE_ENUM:
        put_enum(out, field->descriptor, *(const int32_t *)value);
        break;
    case PROTOBUF_C_TYPE_MESSAGE:
        message_to_json(out, *(ProtobufCMessage *const *)value);
        break;
    default:
        put_number(out, field->type, value);
        break;
    }
}

static void put_map(FILE *out, const ProtobufCFieldDescriptor *field,
                    const ProtobufCMessage *const *entries, size_t n)
{
    const ProtobufCMessageDescriptor *type = field->descriptor;
    (void)fputc('{', out);
    for (size_t i = 0; i < n; i++) {
        (void)fputs(i == 0 ? "" : ",", out);
        put_value(out, &type->fields[0], const_member(entries[i], type->fields[0].offset));
        (void)fputc(':', out);
        put_value(out, &type->fields[1], const_member(entries[i], type->fields[1].offset));
    }
    (void)fputc('}', out);
}

static void put_array(FILE *out, const ProtobufCFieldDescriptor *field, const char *elements,
                      size_t n)
{
    const size_t size = element_size(field->type);
    (void)fputc('[', out);
    for (size_t i = 0; i < n; i++) {
        (void)fputs(i == 0 ? "" : ",", out);
        put_value(out, field, elements + i * size);
    }
    (void)fputc(']', out);
}

/* Returns 1 if the field is present, else 0; for a repeated field the number of its elements. */
static size_t count_of(const ProtobufCFieldDescriptor *field, const ProtobufCMessage *message)
{
    if (field->label == PROTOBUF_C_LABEL_REPEATED) {
        return *(const size_t *)const_member(message, field->quantifier_offset);
    }
    if ((field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0) {
        return *(const uint32_t *)const_member(message, field->quantifier_offset) == field->id;
    }
    if (field->type == PROTOBUF_C_TYPE_STRING || field->type == PROTOBUF_C_TYPE_MESSAGE) {
        return *(void *const *)const_member(message, field->offset) != NULL;
    }
    return *(const protobuf_c_boolean *)const_member(message, field->quantifier_offset) ? 1 : 0;
}

void message_to_json(FILE *out, const ProtobufCMessage *message)
{
    const ProtobufCMessageDescriptor *type = message->descriptor;
    const char *separator = "{";
    for (unsigned i = 0; i < type->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &type->fields[i];
        const size_t n = count_of(field, message);
        if (n == 0) {
            continue;
        }
        (void)fprintf(out, "%s\"%s\":", separator, field->name);
        separator = ",";
        const void *value = const_member(message, field->offset);
        if (field->label != PROTOBUF_C_LABEL_REPEATED) {
            put_value(out, field, value);
        } else if (field->type == PROTOBUF_C_TYPE_MESSAGE &&
                   message_is_map_entry(field->descriptor)) {
            put_map(out, field, *(const ProtobufCMessage *const *const *)value, n);
        } else {
            put_array(out, field, *(const char *const *)value, n);
        }
    }
    (void)fputs(separator[0] == '{' ? "{}" : "}", out);
}
