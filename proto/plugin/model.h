/* The model of the generated files: the methods of all services, checked and with their C names.
 *
 * Strings belong to the model's arena or to the request; both must outlive the model. */
#ifndef WEIR_PLUGIN_MODEL_H
#define WEIR_PLUGIN_MODEL_H

#include "weir/base/arena.h"
#include "weir/base/fail.h"

#include <google/protobuf/compiler/plugin.pb-c.h>

struct model_method {
    const char *full_name;         // weir.v1.MessageStore/WriteMessages
    const char *service;           // MessageStore
    const char *rpc;               // WriteMessages
    const char *name;              // message_store_write_messages
    const char *id;                // WEIR_METHOD_MESSAGE_STORE_WRITE_MESSAGES
    const char *input;             // Weir__V1__WriteMessagesRequest
    const char *input_descriptor;  // weir__v1__write_messages_request__descriptor
    const char *output;
    const char *output_descriptor;
    const char *access;       // a constant of enum weir_access
    const char *retry;        // a constant of enum weir_retry
    const char *token_field;  // NULL if none
    const char *comment;      // the rpc's leading comment, "" if none
    const char *summary;      // its first sentence on one line
};

struct model {
    const char *folder;            // of the generated files, "weir/v1/"
    const char **message_headers;  // protoc-c's headers of the files with services
    size_t message_headers_n;
    /* Headers to generate in protoc-c's place, for files that extend descriptor.proto. */
    const char **stand_ins;
    size_t stand_ins_n;
    struct model_method *methods;
    size_t methods_n;
};

/* Loads the model. INVALID_REQUEST, with a text for the author of the .proto files, if they break a
 * rule; LIMIT_EXCEEDED when out of memory. */
weir_status model_load(const Google__Protobuf__Compiler__CodeGeneratorRequest *request,
                       struct weir_arena *arena, struct model *model, struct weir_error *err);

#endif
