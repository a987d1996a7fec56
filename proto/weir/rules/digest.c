/* Uses the functions of libcrypto that work in the caller's memory, deprecated since 3.0. Their
 * replacements allocate for each digest (in 3.0 even with a reused context), and there is nothing
 * sensible to do if that fails. */
#define OPENSSL_API_COMPAT 10101
#include "weir/rules/digest.h"

#include <openssl/md5.h>
#include <openssl/sha.h>

/* The functions of libcrypto cannot fail here, so their results are ignored. */
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
