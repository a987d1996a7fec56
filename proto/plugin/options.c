#include "plugin/options.h"

typedef Google__Protobuf__Compiler__CodeGeneratorRequest code_request;
typedef Google__Protobuf__FileDescriptorProto file_proto;
typedef Google__Protobuf__FieldDescriptorProto field_proto;
typedef Google__Protobuf__EnumDescriptorProto enum_proto;
typedef Google__Protobuf__MethodDescriptorProto method_proto;

static const char extended[] = ".google.protobuf.MethodOptions";

static bool is_named(const char *name, const char *wanted)
{
    return name != NULL && strcmp(name, wanted) == 0;
}

static const enum_proto *find_enum(const file_proto *file, const char *name)
{
    for (size_t i = 0; i < file->n_enum_type; i++) {
        if (is_named(file->enum_type[i]->name, name)) {
            return file->enum_type[i];
        }
    }
    return NULL;
}

static void find_in_file(const file_proto *file, struct option_definitions *definitions)
{
    for (size_t i = 0; i < file->n_extension; i++) {
        const field_proto *field = file->extension[i];
        if (!is_named(field->extendee, extended)) {
            continue;
        }
        if (is_named(field->name, "access")) {
            definitions->access = field;
            definitions->access_values = find_enum(file, "Access");
        } else if (is_named(field->name, "retry")) {
            definitions->retry = field;
            definitions->retry_values = find_enum(file, "Retry");
        } else if (is_named(field->name, "token_field")) {
            definitions->token_field = field;
        }
    }
}

weir_status options_find(const code_request *request, struct option_definitions *definitions,
                         struct weir_error *err)
{
    *definitions = (struct option_definitions){0};
    for (size_t i = 0; i < request->n_proto_file; i++) {
        find_in_file(request->proto_file[i], definitions);
    }
    if (definitions->access_values == NULL || definitions->retry_values == NULL ||
        definitions->token_field == NULL) {
        return weir_fail(err, WEIR_INVALID_REQUEST,
                         "no file defines the method options access (enum Access), retry (enum "
                         "Retry) and token_field: import weir/v1/options.proto");
    }
    return WEIR_OK;
}

/* Returns the last occurrence of an option, the one that counts in protobuf; NULL if there is
 * none. */
static const ProtobufCMessageUnknownField *find_value(const method_proto *method,
                                                      const field_proto *option)
{
    const ProtobufCMessageUnknownField *found = NULL;
    for (unsigned i = 0; method->options != NULL && i < method->options->base.n_unknown_fields;
         i++) {
        const ProtobufCMessageUnknownField *field = &method->options->base.unknown_fields[i];
        if (field->tag == (uint32_t)option->number) {
            found = field;
        }
    }
    return found;
}

static const char *value_name(const enum_proto *values, int32_t number)
{
    for (size_t i = 0; i < values->n_value; i++) {
        if (values->value[i]->number == number) {
            return values->value[i]->name;
        }
    }
    return NULL;
}

static uint64_t varint_of(const uint8_t *p, size_t n)
{
    uint64_t value = 0;
    for (size_t i = 0; i < n && i < 10; i++) {
        value |= (uint64_t)(p[i] & 0x7f) << (7 * i);
    }
    return value;
}

/* Reads an enum option. The default is the value 0, as options.proto declares it. */
static weir_status read_enum(const method_proto *method, const field_proto *option,
                             const enum_proto *values, const char **name, struct weir_error *err)
{
    const ProtobufCMessageUnknownField *value = find_value(method, option);
    int32_t number = 0;
    if (value != NULL && value->wire_type == PROTOBUF_C_WIRE_TYPE_VARINT) {
        number = (int32_t)(uint32_t)varint_of(value->data, value->len);
    }
    *name = value_name(values, number);
    if (*name == NULL) {
        return weir_fail(err, WEIR_INVALID_REQUEST, "rpc %s: option %s has no value %d",
                         method->name, option->name, (int)number);
    }
    return WEIR_OK;
}

/* Reads a string option, NULL if absent. The data of an unknown field begins with its length. */
static weir_status read_text(const method_proto *method, const field_proto *option,
                             struct weir_arena *arena, const char **text, struct weir_error *err)
{
    *text = NULL;
    const ProtobufCMessageUnknownField *value = find_value(method, option);
    if (value == NULL || value->wire_type != PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED) {
        return WEIR_OK;
    }
    size_t at = 0;
    while (at < value->len && (value->data[at] & 0x80) != 0) {
        at++;
    }
    struct weir_slice copy;
    if (at >= value->len ||
        !weir_arena_copy(arena, weir_slice(value->data + at + 1, value->len - at - 1), &copy)) {
        return weir_fail(err, WEIR_LIMIT_EXCEEDED, "out of memory");
    }
    *text = (const char *)copy.p;
    return WEIR_OK;
}

weir_status options_read(const struct option_definitions *definitions, const method_proto *method,
                         struct weir_arena *arena, struct method_options *options,
                         struct weir_error *err)
{
    weir_status status =
        read_enum(method, definitions->access, definitions->access_values, &options->access, err);
    if (status != WEIR_OK) {
        return status;
    }
    status = read_enum(method, definitions->retry, definitions->retry_values, &options->retry, err);
    if (status != WEIR_OK) {
        return status;
    }
    return read_text(method, definitions->token_field, arena, &options->token_field, err);
}
