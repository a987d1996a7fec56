/* Comments of a .proto file, found by the path of what they stand before. */
#ifndef WEIR_PLUGIN_COMMENTS_H
#define WEIR_PLUGIN_COMMENTS_H

#include "weir/base/arena.h"

#include <google/protobuf/descriptor.pb-c.h>

/* The comment before an rpc, with one blank before each line's text as protoc gives it; "" if there
 * is none. */
const char *comment_of_method(const Google__Protobuf__FileDescriptorProto *file, size_t service,
                              size_t method);

/* The first sentence of a comment on one line; NULL without memory. */
char *comment_summary(struct weir_arena *arena, const char *comment);

#endif
