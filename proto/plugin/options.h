/* The method options of weir/v1/options.proto: finds their definitions and reads a method's values.
 *
 * protobuf-c has no extensions: they arrive as unknown fields of MethodOptions. Their numbers and
 * enum values come from the definitions that protoc sends along, so that options.proto is the only
 * place that defines them. */
#ifndef WEIR_PLUGIN_OPTIONS_H
#define WEIR_PLUGIN_OPTIONS_H

#include "weir/base/arena.h"
#include "weir/base/fail.h"

#include <google/protobuf/compiler/plugin.pb-c.h>

struct option_definitions {
    const Google__Protobuf__FieldDescriptorProto *access;
    const Google__Protobuf__FieldDescriptorProto *retry;
    const Google__Protobuf__FieldDescriptorProto *token_field;
    const Google__Protobuf__EnumDescriptorProto *access_values;
    const Google__Protobuf__EnumDescriptorProto *retry_values;
};

struct method_options {
    const char *access;       // "ACCESS_OWNER"; the default if the method has none
    const char *retry;        // "RETRY_SAFE"
    const char *token_field;  // NULL if not given
};

/* Finds the definitions. INVALID_REQUEST if one of the options is not defined. */
weir_status options_find(const Google__Protobuf__Compiler__CodeGeneratorRequest *request,
                         struct option_definitions *definitions, struct weir_error *err);

/* Reads the options of a method. INVALID_REQUEST for an unknown enum value, LIMIT_EXCEEDED when out
 * of memory. */
weir_status options_read(const struct option_definitions *definitions,
                         const Google__Protobuf__MethodDescriptorProto *method,
                         struct weir_arena *arena, struct method_options *options,
                         struct weir_error *err);

#endif
