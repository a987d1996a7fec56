/* Converts names of .proto files to C names; those of types as protoc-c does.
 *
 * Every function returns a new string in the arena, NULL when out of memory. */
#ifndef WEIR_PLUGIN_NAMES_H
#define WEIR_PLUGIN_NAMES_H

#include "weir/base/arena.h"

/* ".weir.v1.WriteMessagesRequest" -> "Weir__V1__WriteMessagesRequest" */
char *name_of_type(struct weir_arena *arena, const char *full_name);

/* ".weir.v1.WriteMessagesRequest" -> "weir__v1__write_messages_request__descriptor" */
char *name_of_descriptor(struct weir_arena *arena, const char *full_name);

/* "MessageStore", "WriteMessages" -> "message_store_write_messages" */
char *name_of_function(struct weir_arena *arena, const char *service, const char *rpc);

/* "message_store_write_messages" -> "MESSAGE_STORE_WRITE_MESSAGES" */
char *name_in_capitals(struct weir_arena *arena, const char *name);

/* Concatenates four strings. */
char *name_join(struct weir_arena *arena, const char *a, const char *b, const char *c,
                const char *d);

#endif
