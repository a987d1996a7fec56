/* How names of .proto files become names in C: for types the way protoc-c does it.
 *
 * Every function returns a new string in the arena, NULL without memory. */
#ifndef WEIR_PLUGIN_NAMES_H
#define WEIR_PLUGIN_NAMES_H

#include "weir/base/arena.h"

/* ".weir.v1.WriteMessagesRequest" -> "Weir__V1__WriteMessagesRequest" */
char *name_of_type(struct weir_arena *arena, const char *full_name);

/* ".weir.v1.WriteMessagesRequest" -> "weir__v1__write_messages_request__descriptor" */
char *name_of_descriptor(struct weir_arena *arena, const char *full_name);

/* "MessageStore", "WriteMessages" -> "message_store_write_messages" */
char *name_of_function(struct weir_arena *arena, const char *service, const char *rpc);

/* The same in capitals. */
char *name_in_capitals(struct weir_arena *arena, const char *name);

/* Texts one behind the other. */
char *name_join(struct weir_arena *arena, const char *a, const char *b, const char *c,
                const char *d);

#endif
