/* The server's half of tokens: the hashes it stores and compares, and the form of admin tokens.
 * Pure functions. */
#ifndef WEIR_RULES_TOKEN_HASH_H
#define WEIR_RULES_TOKEN_HASH_H

#include "weir/rules/token.h"

enum {
    WEIR_TOKEN_HASH_BYTES = 32,
    WEIR_ADMIN_TOKEN_MIN_BYTES = 32,
    WEIR_ADMIN_TOKEN_MAX_BYTES = 256
};

struct weir_token_hash {
    uint8_t bytes[WEIR_TOKEN_HASH_BYTES];
};

/* Computes the SHA-256 of the whole token. */
void weir_token_hash(struct weir_slice token, struct weir_token_hash *hash);

/* Compares in constant time. */
bool weir_token_hash_equal(const struct weir_token_hash *a, const struct weir_token_hash *b);

/* Whether a token has the form of an admin token: 32..256 printable ASCII bytes without blanks. */
bool weir_admin_token_is_valid(struct weir_slice token);

#endif
