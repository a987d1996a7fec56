#include "weir/wire/pem_pair.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <time.h>

static enum weir_pem_pair compare(X509 *cert, EVP_PKEY *key)
{
    if (cert == NULL) {
        return WEIR_PEM_PAIR_NO_CERTIFICATE;
    }
    if (key == NULL) {
        return WEIR_PEM_PAIR_NO_KEY;
    }
    return X509_check_private_key(cert, key) == 1 ? WEIR_PEM_PAIR_FITS : WEIR_PEM_PAIR_DIFFERS;
}

enum weir_pem_pair weir_pem_pair_check(const char *cert_pem, const char *key_pem)
{
    (void)ERR_set_mark();
    BIO *cert_bio = BIO_new_mem_buf(cert_pem, -1);
    BIO *key_bio = BIO_new_mem_buf(key_pem, -1);
    X509 *cert = cert_bio == NULL ? NULL : PEM_read_bio_X509(cert_bio, NULL, NULL, NULL);
    /* The empty password keeps OpenSSL from asking for one at the terminal. */
    static char no_password[] = "";
    EVP_PKEY *key =
        key_bio == NULL ? NULL : PEM_read_bio_PrivateKey(key_bio, NULL, NULL, no_password);
    const enum weir_pem_pair pair = compare(cert, key);
    EVP_PKEY_free(key);
    X509_free(cert);
    (void)BIO_free(key_bio);
    (void)BIO_free(cert_bio);
    (void)ERR_pop_to_mark();
    return pair;
}

static bool has_lapsed(const X509 *cert, struct weir_pem_lapse *lapse)
{
    const ASN1_TIME *begin = X509_get0_notBefore(cert);
    const ASN1_TIME *end = X509_get0_notAfter(cert);
    lapse->has_expired = X509_cmp_current_time(end) < 0;
    if (!lapse->has_expired && X509_cmp_current_time(begin) <= 0) {
        return false;
    }
    struct tm time;
    return ASN1_TIME_to_tm(lapse->has_expired ? end : begin, &time) == 1 &&
           strftime(lapse->time, sizeof lapse->time, "%Y-%m-%dT%H:%M:%SZ", &time) != 0;
}

bool weir_pem_find_lapse(const char *certs_pem, struct weir_pem_lapse *lapse)
{
    (void)ERR_set_mark();
    BIO *bio = BIO_new_mem_buf(certs_pem, -1);
    bool is_found = false;
    X509 *cert = NULL;
    lapse->number = 0;
    while (bio != NULL && !is_found && (cert = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL) {
        lapse->number++;
        is_found = has_lapsed(cert, lapse);
        X509_free(cert);
    }
    (void)BIO_free(bio);
    (void)ERR_pop_to_mark();
    return is_found;
}
