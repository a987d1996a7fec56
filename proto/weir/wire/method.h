/* What both sides know of a method, made by protoc-gen-weir from the service blocks of the .proto
 * files.
 *
 * The generated header weir/v1/methods.h has an enum with one constant for each rpc and the table
 * indexed by it. All of it is constant; pure functions. */
#ifndef WEIR_WIRE_METHOD_H
#define WEIR_WIRE_METHOD_H

#include "weir/base/slice.h"

#include <protobuf-c/protobuf-c.h>

/* As weir.v1.Access and weir.v1.Retry in options.proto, where they are explained. */
enum weir_access {
    WEIR_ACCESS_NAMESPACE,
    WEIR_ACCESS_PUBLIC,
    WEIR_ACCESS_OWNER,
    WEIR_ACCESS_ADMIN
};
enum weir_retry {
    WEIR_RETRY_NEVER,
    WEIR_RETRY_SAFE,
    WEIR_RETRY_BY_MESSAGE_ID,
    WEIR_RETRY_BY_TOKEN
};

struct weir_method {
    const char *name;     // as in Request.method: "weir.v1.MessageStore/WriteMessages"
    size_t name_n;        // its bytes
    const char *service;  // "MessageStore"
    const char *rpc;      // "WriteMessages"
    const char *summary;  // first sentence of the rpc's comment
    const ProtobufCMessageDescriptor *input;
    const ProtobufCMessageDescriptor *output;
    enum weir_access access;
    enum weir_retry retry;
    const char *token_field;  // with WEIR_RETRY_BY_TOKEN, else NULL
};

/* All methods, in the .proto files' order; defined in the generated methods.c. */
extern const struct weir_method weir_methods[];
extern const size_t weir_methods_n;

/* The index of a method in weir_methods by its full name; weir_methods_n where there is none. */
size_t weir_method_find(struct weir_slice name);

#endif
