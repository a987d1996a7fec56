/* Namespace ids and the tokens that open them.
 *
 * A token is "ns_" + base64url(namespace id, no padding) + "_" + 64 hexadecimal digits (32 random
 * bytes). It is parsed from the right, because base64url contains '_'. Only its SHA-256 is ever
 * stored. */
#ifndef WEIR_RULES_TOKEN_H
#define WEIR_RULES_TOKEN_H

#include "weir/base/status.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
    WEIR_NAMESPACE_MAX_BYTES = 128,
    WEIR_TOKEN_MAX_BYTES = 3 + (WEIR_NAMESPACE_MAX_BYTES * 4 + 2) / 3 + 1 + 64,
    WEIR_ADMIN_TOKEN_MIN_BYTES = 32,
    WEIR_ADMIN_TOKEN_MAX_BYTES = 256,
    WEIR_TOKEN_HASH_BYTES = 32
};

struct weir_token_hash {
    uint8_t bytes[WEIR_TOKEN_HASH_BYTES];
};

/* 1..128 bytes of UTF-8 without control characters (U+0000..U+001F, U+007F..U+009F), not "." or
 * "..". INVALID_REQUEST on `field` otherwise. */
weir_status weir_namespace_check(struct weir_slice id, const char *field, struct weir_error *err);

/* NAMESPACE_NOT_FOUND and NAMESPACE_EXISTS, with the detail `namespace`; they return the status. */
weir_status weir_fail_no_namespace(struct weir_error *err, struct weir_slice id);
weir_status weir_fail_namespace_exists(struct weir_error *err, struct weir_slice id);

/* Writes a fresh token for the namespace and a NUL. INVALID_REQUEST on "namespace" for a bad id;
 * BACKEND_ERROR where the system gives no random bytes. */
weir_status weir_token_make(struct weir_slice namespace_id, char token[WEIR_TOKEN_MAX_BYTES + 1],
                            struct weir_error *err);

/* The namespace that a token names, into `id` (not terminated), its length into *id_n. False where
 * it is no token: wrong prefix, missing part, random part not exactly 64 hex digits of either case,
 * namespace part not canonical base64url (padding, foreign characters, stray bits at the end) or
 * not a valid id. `id` and *id_n are then undefined. Pure. */
bool weir_token_parse(struct weir_slice token, uint8_t id[WEIR_NAMESPACE_MAX_BYTES], size_t *id_n);

/* SHA-256 of the whole token. */
void weir_token_hash(struct weir_slice token, struct weir_token_hash *hash);

/* In constant time. */
bool weir_token_hash_equal(const struct weir_token_hash *a, const struct weir_token_hash *b);

/* 32..256 printable ASCII bytes without blanks. */
bool weir_admin_token_is_valid(struct weir_slice token);

#ifdef __cplusplus
}
#endif

#endif
