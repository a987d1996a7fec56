/* The method options of weir/v1/options.proto: where they are defined, and what a method says.
 *
 * protobuf-c knows no extensions: they arrive as unknown fields of MethodOptions. Numbers and enum
 * values are looked up in the definitions protoc sends along, so that they stand in options.proto
 * alone. */
#ifndef WEIR_PLUGIN_OPTIONS_H
#define WEIR_PLUGIN_OPTIONS_H

#include "weir/base/arena.h"
#include "weir/base/status.h"

#include <google/protobuf/compiler/plugin.pb-c.h>

struct option_definitions {
    const Google__Protobuf__FieldDescriptorProto *access;
    const Google__Protobuf__FieldDescriptorProto *retry;
    const Google__Protobuf__FieldDescriptorProto *token_field;
    const Google__Protobuf__EnumDescriptorProto *access_values;
    const Google__Protobuf__EnumDescriptorProto *retry_values;
};

struct method_options {
    const char *access;       // "ACCESS_OWNER"; the default where the method says nothing
    const char *retry;        // "RETRY_SAFE"
    const char *token_field;  // NULL if not given
};

/* INVALID_REQUEST where one of the options is not defined. */
weir_status options_find(const Google__Protobuf__Compiler__CodeGeneratorRequest *request,
                         struct option_definitions *definitions, struct weir_error *err);

weir_status options_read(const struct option_definitions *definitions,
                         const Google__Protobuf__MethodDescriptorProto *method,
                         struct weir_arena *arena, struct method_options *options,
                         struct weir_error *err);

#endif
