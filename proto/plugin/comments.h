/* Comments of a .proto file, found by the path of the declaration that follows them. */
#ifndef WEIR_PLUGIN_COMMENTS_H
#define WEIR_PLUGIN_COMMENTS_H

#include "weir/base/arena.h"

#include <google/protobuf/descriptor.pb-c.h>

/* Returns the comment before an rpc, as protoc gives it: with one blank before the text of each
 * line; "" if there is none. */
const char *comment_of_method(const Google__Protobuf__FileDescriptorProto *file, size_t service,
                              size_t method);

/* Returns the first sentence of a comment on one line; NULL when out of memory. */
char *comment_summary(struct weir_arena *arena, const char *comment);

#endif
