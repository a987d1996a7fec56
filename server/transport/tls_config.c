#include "server/transport/tls_config.h"

#include "weir/wire/pem_pair.h"

#include <nng/nng.h>
#include <nng/supplemental/tls/tls.h>

#include <openssl/crypto.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { PEM_BYTES_MAX = 1024 * 1024 };

/* Returns the whole file, terminated by a NUL, for the caller to free; NULL, with *err set, if it
 * cannot be read or is too large. */
static char *read_file(const char *path, struct weir_error *err)
{
    FILE *file = fopen(path, "re");
    char *text = malloc(PEM_BYTES_MAX + 1);
    size_t n = 0;
    bool is_whole = false;
    if (file != NULL && text != NULL) {
        n = fread(text, 1, PEM_BYTES_MAX, file);
        is_whole = ferror(file) == 0 && n < PEM_BYTES_MAX;
    }
    const int problem = errno;
    if (file != NULL) {
        (void)fclose(file);
    }
    if (!is_whole) {
        free(text);
        (void)weir_fail(err, WEIR_INVALID_REQUEST, "cannot read %s: %s", path,
                        n == PEM_BYTES_MAX ? "the file is too large" : strerror(problem));
        return NULL;
    }
    text[n] = '\0';
    return text;
}

static weir_status check_pair(const struct weir_config *config, const char *cert_pem,
                              const char *key_pem, struct weir_error *err)
{
    switch (weir_pem_pair_check(cert_pem, key_pem)) {
    case WEIR_PEM_PAIR_FITS:
        break;
    case WEIR_PEM_PAIR_NO_CERTIFICATE:
        return weir_fail(err, WEIR_INVALID_REQUEST, "%s contains no PEM certificate",
                         config->tls_cert);
    case WEIR_PEM_PAIR_NO_KEY:
        return weir_fail(err, WEIR_INVALID_REQUEST,
                         "%s contains no PEM private key without a password", config->tls_key);
    case WEIR_PEM_PAIR_DIFFERS:
        return weir_fail(err, WEIR_INVALID_REQUEST, "the key in %s does not belong to %s",
                         config->tls_key, config->tls_cert);
    }
    return WEIR_OK;
}

static weir_status demand_client_certs(const struct weir_config *config, nng_tls_config *tls,
                                       struct weir_error *err)
{
    if (config->tls_client_ca == NULL) {
        return WEIR_OK;
    }
    char *ca = read_file(config->tls_client_ca, err);
    if (ca == NULL) {
        return WEIR_INVALID_REQUEST;
    }
    int rv = nng_tls_config_ca_chain(tls, ca, NULL);
    free(ca);
    if (rv == 0) {
        rv = nng_tls_config_auth_mode(tls, NNG_TLS_AUTH_MODE_REQUIRED);
    }
    return rv == 0
               ? WEIR_OK
               : weir_fail(err, WEIR_INVALID_REQUEST, "cannot use the CA certificates in %s: %s",
                           config->tls_client_ca, nng_strerror(rv));
}

static weir_status make_config(const struct weir_config *config, const char *cert, const char *key,
                               nng_tls_config **tls, struct weir_error *err)
{
    int rv = nng_tls_config_alloc(tls, NNG_TLS_MODE_SERVER);
    if (rv != 0) {
        *tls = NULL;
        return weir_fail(err, WEIR_INVALID_REQUEST, "cannot set up TLS: %s", nng_strerror(rv));
    }
    rv = nng_tls_config_own_cert(*tls, cert, key, NULL);
    weir_status st = WEIR_OK;
    if (rv != 0) {
        st = weir_fail(err, WEIR_INVALID_REQUEST, "cannot use %s with %s: %s", config->tls_cert,
                       config->tls_key, nng_strerror(rv));
    } else {
        st = demand_client_certs(config, *tls, err);
    }
    if (st != WEIR_OK) {
        nng_tls_config_free(*tls);
        *tls = NULL;
    }
    return st;
}

weir_status weir_tls_config_load(const struct weir_config *config, struct nng_tls_config **tls,
                                 struct weir_error *err)
{
    *tls = NULL;
    if (config->tls_cert == NULL) {
        return weir_fail(err, WEIR_INVALID_REQUEST, "tls+tcp:// requires --tls-cert and --tls-key");
    }
    char *cert = read_file(config->tls_cert, err);
    char *key = cert == NULL ? NULL : read_file(config->tls_key, err);
    weir_status st = WEIR_INVALID_REQUEST;
    if (key != NULL) {
        st = check_pair(config, cert, key, err);
        if (st == WEIR_OK) {
            st = make_config(config, cert, key, tls, err);
        }
        OPENSSL_cleanse(key, strlen(key));
    }
    free(key);
    free(cert);
    return st;
}

static void warn_of(const char *path, const char *consequence, const struct weir_log *log)
{
    struct weir_error err;
    weir_error_init(&err);
    char *certs = path == NULL ? NULL : read_file(path, &err);
    struct weir_pem_lapse lapse;
    if (certs != NULL && weir_pem_find_lapse(certs, &lapse)) {
        weir_log_say(log, WEIR_LOG_WARN, "certificate %zu in %s %s %s; %s", lapse.number, path,
                     lapse.has_expired ? "expired at" : "is not valid before", lapse.time,
                     consequence);
    }
    free(certs);
}

void weir_tls_config_warn(const struct weir_config *config, const struct weir_log *log)
{
    warn_of(config->tls_cert, "clients refuse it", log);
    warn_of(config->tls_client_ca, "clients with a certificate from it are refused", log);
}
