/* Walks a packed message by its descriptor, recursively: each message has a `struct level` on the
 * stack, linked to the one around it. The first fault ends the walk; only then is its path
 * built. */
#include "weir/wire/check.h"

#include "weir/rules/utf8.h"
#include "weir/wire/field.h"

#include <stdio.h>
#include <string.h>

/* A message being checked and, through `outer`, the messages around it: a fault's path is made from
 * these. */
struct level {
    const struct level *outer;  // NULL for the outermost message
    const ProtobufCMessageDescriptor *type;
    struct weir_slice bytes;                // the whole message
    const ProtobufCFieldDescriptor *field;  // being checked, NULL between fields
    const uint8_t *field_end;               // end of that field in `bytes`
    size_t depth;                           // 1 for the outermost message
    size_t elements_n;                      // found inside this message so far
    uint64_t seen[4];                       // bit i: field i of the type has occurred
};

struct checker {
    size_t elements_left;
    size_t max_elements;
    const char *records;  // a repeated field of the outermost message, or NULL
    struct weir_error *err;
};

enum { PATH_BYTES_MAX = 256 };

/* Returns the number of earlier elements of the repeated field being checked. Counts them only
 * after a fault, so that valid messages do not pay for it. */
static size_t index_of(const struct level *level)
{
    size_t before = 0;
    struct weir_slice rest = level->bytes;
    struct weir_wire_field field;
    const char *fault = NULL;
    while (weir_wire_next(&rest, &field, &fault) && rest.p < level->field_end) {
        before += field.number == level->field->id ? 1 : 0;
    }
    return before;
}

static void add_level(char *path, size_t *n, const struct level *level)
{
    if (level->outer != NULL) {
        add_level(path, n, level->outer);
    }
    if (level->field == NULL || *n >= PATH_BYTES_MAX) {
        return;
    }
    int added = 0;
    const char *dot = *n == 0 ? "" : ".";
    if (level->field->label == PROTOBUF_C_LABEL_REPEATED) {
        added = snprintf(path + *n, PATH_BYTES_MAX - *n, "%s%s[%zu]", dot, level->field->name,
                         index_of(level));
    } else {
        added = snprintf(path + *n, PATH_BYTES_MAX - *n, "%s%s", dot, level->field->name);
    }
    *n += added < 0 ? 0 : (size_t)added;
}

/* Whether the fault is in a field of a record. */
static bool is_in_record(const struct checker *checker, const struct level *level)
{
    return checker->records != NULL && level->depth == 2 && level->field != NULL &&
           strcmp(level->outer->field->name, checker->records) == 0;
}

static weir_status fail_here(struct checker *checker, const struct level *level, const char *reason)
{
    if (is_in_record(checker, level)) {
        return weir_fail_record(checker->err, index_of(level->outer) + 1, level->field->name,
                                reason);
    }
    char path[PATH_BYTES_MAX] = "";
    size_t n = 0;
    add_level(path, &n, level);
    return weir_fail_field(checker->err, path[0] == '\0' ? "payload" : path, "%s", reason);
}

/* Counts `n` elements, and `copied` earlier ones that a merge copies. */
static weir_status count_elements(struct checker *checker, struct level *level, size_t n,
                                  size_t copied)
{
    if (n > checker->elements_left || copied > checker->elements_left - n) {
        char reason[64];
        (void)snprintf(reason, sizeof reason, "more than %zu elements in the message",
                       checker->max_elements);
        return fail_here(checker, level, reason);
    }
    checker->elements_left -= n + copied;
    level->elements_n += n;
    return WEIR_OK;
}

static enum weir_wire_type wire_type_of(ProtobufCType type)
{
    switch (type) {
    case PROTOBUF_C_TYPE_SFIXED32:
    case PROTOBUF_C_TYPE_FIXED32:
    case PROTOBUF_C_TYPE_FLOAT:
        return WEIR_WIRE_FIXED32;
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_DOUBLE:
        return WEIR_WIRE_FIXED64;
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_BYTES:
    case PROTOBUF_C_TYPE_MESSAGE:
        return WEIR_WIRE_BYTES;
    default:
        return WEIR_WIRE_VARINT;
    }
}

static bool is_known_value(const ProtobufCFieldDescriptor *field, uint64_t value)
{
    /* A negative value is sent as a varint of 64 bits; the low 32 bits count. */
    return field->type != PROTOBUF_C_TYPE_ENUM ||
           protobuf_c_enum_descriptor_get_value(field->descriptor, (int32_t)(uint32_t)value) !=
               NULL;
}

/* Checks packed numbers: a repeated field in one piece. */
static weir_status check_packed(struct checker *checker, struct level *level,
                                struct weir_slice bytes)
{
    const enum weir_wire_type wire_type = wire_type_of(level->field->type);
    if (wire_type != WEIR_WIRE_VARINT) {
        const size_t size = wire_type == WEIR_WIRE_FIXED32 ? 4 : 8;
        if (bytes.n % size != 0) {
            return fail_here(checker, level, "the packed field is truncated");
        }
        return count_elements(checker, level, bytes.n / size, 0);
    }
    weir_status status = WEIR_OK;
    while (status == WEIR_OK && bytes.n > 0) {
        uint64_t value = 0;
        if (!weir_wire_take_varint(&bytes, &value)) {
            return fail_here(checker, level, "the packed field is truncated");
        }
        if (!is_known_value(level->field, value)) {
            return fail_here(checker, level, "not a known enum value");
        }
        status = count_elements(checker, level, 1, 0);
    }
    return status;
}

/* Whether the field has occurred before in this message; notes that it has. Fields beyond the bits
 * of `seen` always count as repetitions, which is the safe side. */
static bool was_seen(struct level *level, const ProtobufCFieldDescriptor *field)
{
    const size_t at = (size_t)(field - level->type->fields);
    if (at >= WEIR_COUNTOF(level->seen) * 64) {
        return true;
    }
    const uint64_t bit = UINT64_C(1) << (at % 64);
    const bool was = (level->seen[at / 64] & bit) != 0;
    level->seen[at / 64] |= bit;
    return was;
}

static weir_status check_message(struct checker *checker, struct level *level);

static weir_status check_submessage(struct checker *checker, struct level *level,
                                    struct weir_slice bytes)
{
    if (level->depth == WEIR_WIRE_DEPTH_MAX) {
        return fail_here(checker, level, "nested too deeply");
    }
    struct level inner = {
        .outer = level,
        .type = level->field->descriptor,
        .bytes = bytes,
        .depth = level->depth + 1,
    };
    const weir_status status = check_message(checker, &inner);
    level->elements_n += inner.elements_n;
    return status;
}

/* Counts a known field if it takes memory in addition to its message's struct. */
static weir_status count_field(struct checker *checker, struct level *level)
{
    const ProtobufCFieldDescriptor *field = level->field;
    if (field->label == PROTOBUF_C_LABEL_REPEATED) {
        return count_elements(checker, level, 1, 0);
    }
    if (!was_seen(level, field)) {
        return WEIR_OK;
    }
    const size_t copied = field->type == PROTOBUF_C_TYPE_MESSAGE ? level->elements_n : 0;
    return count_elements(checker, level, 1, copied);
}

static weir_status check_field(struct checker *checker, struct level *level,
                               const struct weir_wire_field *found)
{
    const ProtobufCFieldDescriptor *field = level->field;
    const enum weir_wire_type expected = wire_type_of(field->type);
    if (found->type == WEIR_WIRE_BYTES && expected != WEIR_WIRE_BYTES &&
        field->label == PROTOBUF_C_LABEL_REPEATED) {
        return check_packed(checker, level, found->bytes);
    }
    if (found->type != expected) {
        return fail_here(checker, level, "has the wrong wire type");
    }
    const weir_status status = count_field(checker, level);
    if (status != WEIR_OK) {
        return status;
    }
    if (field->type == PROTOBUF_C_TYPE_MESSAGE) {
        return check_submessage(checker, level, found->bytes);
    }
    if (field->type == PROTOBUF_C_TYPE_STRING && !weir_utf8_is_valid(found->bytes)) {
        return fail_here(checker, level, "must be UTF-8 text without U+0000");
    }
    if (!is_known_value(field, found->value)) {
        return fail_here(checker, level, "not a known enum value");
    }
    return WEIR_OK;
}

static weir_status check_message(struct checker *checker, struct level *level)
{
    struct weir_slice rest = level->bytes;
    struct weir_wire_field found;
    const char *fault = NULL;
    while (weir_wire_next(&rest, &found, &fault)) {
        level->field = protobuf_c_message_descriptor_get_field(level->type, found.number);
        level->field_end = rest.p;
        const weir_status status = level->field == NULL ? count_elements(checker, level, 1, 0)
                                                        : check_field(checker, level, &found);
        if (status != WEIR_OK) {
            return status;
        }
        level->field = NULL;
    }
    return fault == NULL ? WEIR_OK : fail_here(checker, level, fault);
}

weir_status weir_wire_check(struct weir_slice bytes, const ProtobufCMessageDescriptor *type,
                            size_t max_elements, const char *records, struct weir_error *err)
{
    struct checker checker = {.elements_left = max_elements,
                              .max_elements = max_elements,
                              .records = records,
                              .err = err};
    struct level outermost = {.type = type, .bytes = bytes, .depth = 1};
    return check_message(&checker, &outermost);
}
