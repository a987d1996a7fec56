#include "weir/rules/token_hash.h"

#include "weir/rules/digest.h"

#include <openssl/crypto.h>

void weir_token_hash(struct weir_slice token, struct weir_token_hash *hash)
{
    _Static_assert(sizeof hash->bytes == WEIR_SHA256_BYTES, "a token's hash is its SHA-256");
    weir_digest_sha256(token, hash->bytes);
}

bool weir_token_hash_equal(const struct weir_token_hash *a, const struct weir_token_hash *b)
{
    return CRYPTO_memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

bool weir_admin_token_is_valid(struct weir_slice token)
{
    if (token.n < WEIR_ADMIN_TOKEN_MIN_BYTES || token.n > WEIR_ADMIN_TOKEN_MAX_BYTES) {
        return false;
    }
    for (size_t i = 0; i < token.n; i++) {
        if (token.p[i] <= ' ' || token.p[i] >= 0x7F) {
            return false;
        }
    }
    return true;
}
