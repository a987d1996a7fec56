/* Message ids: UUIDs, held as 16 bytes in network order and converted from and to text where they
 * enter and leave. */
#ifndef WEIR_RULES_UUID_H
#define WEIR_RULES_UUID_H

#include "weir/base/slice.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { WEIR_UUID_BYTES = 16, WEIR_UUID_TEXT = 36 };

struct weir_uuid {
    uint8_t bytes[WEIR_UUID_BYTES];
};

/* Parses 36 characters with hyphens or 32 digits without, in either case, with or without braces;
 * any version, including the nil UUID. False for anything else, with *id unchanged. */
bool weir_uuid_parse(struct weir_slice text, struct weir_uuid *id);

/* Writes the id in lower case with hyphens, and a NUL. */
void weir_uuid_format(const struct weir_uuid *id, char text[WEIR_UUID_TEXT + 1]);

/* Makes a new UUID version 7 (RFC 9562): 48 bits of Unix milliseconds, then a counter and random
 * bits. The ids of one process strictly increase as bytes, also when the clock goes back.
 * Thread-safe, and safe on both sides of a fork(). Blocks only as getrandom does. False if the
 * system gives no random bytes, with *id unchanged. */
bool weir_uuid_make_v7(struct weir_uuid *id);

#ifdef __cplusplus
}
#endif

#endif
