/* Namespace ids and the tokens that give access to namespaces.
 *
 * A token is "ns_" + base64url(namespace id, no padding) + "_" + 64 hexadecimal digits (32 random
 * bytes). It is parsed from the right, because base64url contains '_'. A server stores only its
 * SHA-256. */
#ifndef WEIR_RULES_TOKEN_H
#define WEIR_RULES_TOKEN_H

#include "weir/base/status.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
    WEIR_NAMESPACE_MAX_BYTES = 128,
    WEIR_TOKEN_MAX_BYTES = 3 + (WEIR_NAMESPACE_MAX_BYTES * 4 + 2) / 3 + 1 + 64
};

/* Checks a namespace id: 1..128 bytes of UTF-8 without control characters (U+0000..U+001F,
 * U+007F..U+009F), not "." or "..". INVALID_REQUEST on `field` otherwise. */
weir_status weir_namespace_check(struct weir_slice id, const char *field, struct weir_error *err);

/* Makes a new token for the namespace, with a NUL behind it. INVALID_REQUEST on "namespace" for a
 * bad id; BACKEND_ERROR if the system gives no random bytes. */
weir_status weir_token_make(struct weir_slice namespace_id, char token[WEIR_TOKEN_MAX_BYTES + 1],
                            struct weir_error *err);

/* Parses a token and gives its namespace in `id`, without a NUL, and its length in *id_n. False if
 * the token is malformed: wrong prefix, a missing part, a random part that is not 64 hexadecimal
 * digits of either case, or a namespace part that is not canonical base64url (padding, foreign
 * characters, stray bits at the end) of a valid id. `id` and *id_n are then undefined. Pure. */
bool weir_token_parse(struct weir_slice token, uint8_t id[WEIR_NAMESPACE_MAX_BYTES], size_t *id_n);

#ifdef __cplusplus
}
#endif

#endif
