/* MD5 and SHA-256 by libcrypto. The functions neither allocate nor fail. Thread-safe. */
#ifndef WEIR_RULES_DIGEST_H
#define WEIR_RULES_DIGEST_H

#include "weir/base/slice.h"

enum { WEIR_MD5_BYTES = 16, WEIR_SHA256_BYTES = 32 };

void weir_digest_md5(struct weir_slice bytes, uint8_t digest[WEIR_MD5_BYTES]);
void weir_digest_sha256(struct weir_slice bytes, uint8_t digest[WEIR_SHA256_BYTES]);

#endif
