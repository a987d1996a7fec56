/* Certificates and private keys in PEM. nng's TLS engine takes any certificate with any key, and
 * then fails at each connection, so whoever reads a pair checks it. */
#ifndef WEIR_WIRE_PEM_PAIR_H
#define WEIR_WIRE_PEM_PAIR_H

#include <stdbool.h>
#include <stddef.h>

enum weir_pem_pair {
    WEIR_PEM_PAIR_FITS,
    WEIR_PEM_PAIR_NO_CERTIFICATE,
    WEIR_PEM_PAIR_NO_KEY,  // none, or one with a password
    WEIR_PEM_PAIR_DIFFERS  // the key belongs to another certificate
};

/* Looks at the first certificate and the first key of the texts. Leaves OpenSSL's list of errors as
 * it was. */
enum weir_pem_pair weir_pem_pair_check(const char *cert_pem, const char *key_pem);

struct weir_pem_lapse {
    size_t number;                             // of the certificate in the text, from 1
    bool has_expired;                          // else it is not valid yet
    char time[sizeof "2026-01-01T00:00:00Z"];  // when it expired, or becomes valid
};

/* Whether a certificate of the text is not valid at this time; *lapse is the first such. */
bool weir_pem_find_lapse(const char *certs_pem, struct weir_pem_lapse *lapse);

#endif
