/* The functions that work in memory of their caller, which libcrypto calls deprecated since 3.0:
 * what it has in their place allocates for each digest, and 3.0 also where one context is used over
 * and over. Where that fails there is no digest, and nothing that could be told in its place. */
#define OPENSSL_API_COMPAT 10101
#include "weir/rules/digest.h"

#include <openssl/md5.h>
#include <openssl/sha.h>

/* They do not fail. */
void weir_digest_md5(struct weir_slice bytes, uint8_t digest[WEIR_MD5_BYTES])
{
    MD5_CTX context;
    (void)MD5_Init(&context);
    (void)MD5_Update(&context, bytes.p, bytes.n);
    (void)MD5_Final(digest, &context);
}

void weir_digest_sha256(struct weir_slice bytes, uint8_t digest[WEIR_SHA256_BYTES])
{
    SHA256_CTX context;
    (void)SHA256_Init(&context);
    (void)SHA256_Update(&context, bytes.p, bytes.n);
    (void)SHA256_Final(digest, &context);
}
