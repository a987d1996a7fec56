#include "weir/rules/digest.h"

#include <openssl/evp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

static pthread_once_t is_fetched = PTHREAD_ONCE_INIT;
static EVP_MD *md5;
static EVP_MD *sha256;

/* Fetched once and kept, because looking an algorithm up costs more than hashing a name. "-fips"
 * lifts a system-wide demand for approved algorithms: this MD5 spreads streams over readers and
 * protects nothing. */
static void fetch(void)
{
    md5 = EVP_MD_fetch(NULL, "MD5", "-fips");
    sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
}

static void digest_or_die(EVP_MD *const *algorithm, struct weir_slice bytes, uint8_t *digest)
{
    (void)pthread_once(&is_fetched, fetch);
    if (*algorithm == NULL || EVP_Digest(bytes.p, bytes.n, digest, NULL, *algorithm, NULL) != 1) {
        (void)fputs("weir: libcrypto gives no MD5 or SHA-256\n", stderr);
        abort();
    }
}

void weir_digest_md5(struct weir_slice bytes, uint8_t digest[WEIR_MD5_BYTES])
{
    digest_or_die(&md5, bytes, digest);
}

void weir_digest_sha256(struct weir_slice bytes, uint8_t digest[WEIR_SHA256_BYTES])
{
    digest_or_die(&sha256, bytes, digest);
}
