/* Writes messages as JSON. */
#include "client/cli/message_json.h"

#include "client/cli/message_memory.h"
#include "client/lib/json_out.h"

#include <inttypes.h>

bool message_is_map_entry(const ProtobufCMessageDescriptor *type)
{
    const size_t n = strlen(type->short_name);
    return type->n_fields == 2 && n > 5 && strcmp(type->short_name + n - 5, "Entry") == 0 &&
           strcmp(type->fields[0].name, "key") == 0 && strcmp(type->fields[1].name, "value") == 0 &&
           type->fields[0].type == PROTOBUF_C_TYPE_STRING &&
           type->fields[1].type == PROTOBUF_C_TYPE_STRING;
}

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
        put_value(out, &type->fields[0], message_const_member(entries[i], type->fields[0].offset));
        (void)fputc(':', out);
        put_value(out, &type->fields[1], message_const_member(entries[i], type->fields[1].offset));
    }
    (void)fputc('}', out);
}

static void put_array(FILE *out, const ProtobufCFieldDescriptor *field, const char *elements,
                      size_t n)
{
    const size_t size = message_element_size(field->type);
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
        return *(const size_t *)message_const_member(message, field->quantifier_offset);
    }
    if ((field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0) {
        return *(const uint32_t *)message_const_member(message, field->quantifier_offset) ==
               field->id;
    }
    if (field->type == PROTOBUF_C_TYPE_STRING || field->type == PROTOBUF_C_TYPE_MESSAGE) {
        return *(void *const *)message_const_member(message, field->offset) != NULL;
    }
    return *(const protobuf_c_boolean *)message_const_member(message, field->quantifier_offset) ? 1
                                                                                                : 0;
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
        const void *value = message_const_member(message, field->offset);
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
