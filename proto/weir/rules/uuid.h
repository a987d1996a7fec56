/* Message ids. 16 bytes in network order everywhere but at the edges. */
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

/* Accepts 36 characters with hyphens or 32 without, either case, either in braces; any version, the
 * nil UUID included. False for anything else, *id then unchanged. */
bool weir_uuid_parse(struct weir_slice text, struct weir_uuid *id);

/* Lower case with hyphens, and a NUL. */
void weir_uuid_format(const struct weir_uuid *id, char text[WEIR_UUID_TEXT + 1]);

/* A new UUID version 7 (RFC 9562): 48 bits of Unix milliseconds, then a counter and random bits, so
 * that ids made by one process are strictly increasing as bytes, also when the clock goes back.
 * Thread-safe, and safe to use on both sides of a fork(). Blocks only as getrandom does. False
 * where the system gives no random bytes, *id then unchanged. */
bool weir_uuid_make_v7(struct weir_uuid *id);

#ifdef __cplusplus
}
#endif

#endif
