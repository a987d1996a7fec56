/* TLS of a client: CA, own certificate and expected server name, for nng's dialers. */
#include "client/lib/client.h"

#include "weir/wire/pem_pair.h"

#include <openssl/crypto.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Longer than any chain of certificates. */
enum { PEM_BYTES_MAX = 1 << 20 };

/* Where distributions keep the certificates of public CAs; the first readable file is used. */
static const char *const system_ca_files[] = {
    "/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"};

/* Returns a whole file with a NUL behind it, which the caller frees; NULL, with `err` set, on
 * failure. */
static char *read_pem(const char *field, const char *path, struct weir_error *err)
{
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        (void)weir_fail_field(err, field, "'%s': %s", path, strerror(errno));
        return NULL;
    }
    char *text = malloc(PEM_BYTES_MAX + 1);
    if (text == NULL) {
        (void)fclose(file);
        (void)client_fail_memory(err);
        return NULL;
    }
    const size_t n = fread(text, 1, PEM_BYTES_MAX + 1, file);
    const bool is_whole = ferror(file) == 0 && n <= PEM_BYTES_MAX;
    (void)fclose(file);
    if (!is_whole) {
        free(text);
        (void)weir_fail_field(err, field, "'%s' cannot be read, or is longer than %d bytes", path,
                              PEM_BYTES_MAX);
        return NULL;
    }
    text[n] = '\0';
    return text;
}

static weir_status set_ca(nng_tls_config *tls, const char *path, struct weir_error *err)
{
    for (size_t i = 0; path == NULL && i < WEIR_COUNTOF(system_ca_files); i++) {
        if (access(system_ca_files[i], R_OK) == 0) {
            path = system_ca_files[i];
        }
    }
    if (path == NULL) {
        return weir_fail_field(err, "tls_ca_file",
                               "no CA file is given, and the system has no certificates");
    }
    const int rv = nng_tls_config_ca_file(tls, path);
    if (rv == NNG_ECRYPTO) {
        return weir_fail_field(err, "tls_ca_file",
                               "'%s' contains no PEM certificate, or a damaged one", path);
    }
    if (rv != 0) {
        return client_fail_option(err, rv, "tls_ca_file", "'%s'", path);
    }
    return WEIR_OK;
}

static weir_status check_pair(const struct weir_client_options *options, const char *cert_pem,
                              const char *key_pem, struct weir_error *err)
{
    switch (weir_pem_pair_check(cert_pem, key_pem)) {
    case WEIR_PEM_PAIR_FITS:
        break;
    case WEIR_PEM_PAIR_NO_CERTIFICATE:
        return weir_fail_field(err, "tls_cert_file", "'%s' contains no PEM certificate",
                               options->tls_cert_file);
    case WEIR_PEM_PAIR_NO_KEY:
        return weir_fail_field(err, "tls_key_file",
                               "'%s' contains no PEM private key without a password",
                               options->tls_key_file);
    case WEIR_PEM_PAIR_DIFFERS:
        return weir_fail_field(err, "tls_key_file", "the key in '%s' does not belong to '%s'",
                               options->tls_key_file, options->tls_cert_file);
    }
    return WEIR_OK;
}

static weir_status set_own_certificate(nng_tls_config *tls,
                                       const struct weir_client_options *options,
                                       struct weir_error *err)
{
    if (options->tls_cert_file == NULL) {
        return WEIR_OK;
    }
    char *key = NULL;
    char *cert = read_pem("tls_cert_file", options->tls_cert_file, err);
    if (cert != NULL) {
        key = read_pem("tls_key_file", options->tls_key_file, err);
    }
    weir_status st = err->status;
    if (key != NULL) {
        st = check_pair(options, cert, key, err);
        const int rv = st == WEIR_OK ? nng_tls_config_own_cert(tls, cert, key, NULL) : 0;
        if (rv != 0) {
            st = client_fail_option(err, rv, "tls_cert_file", "'%s' with key '%s'",
                                    options->tls_cert_file, options->tls_key_file);
        }
        OPENSSL_cleanse(key, strlen(key));
    }
    free(key);
    free(cert);
    return st;
}

/* Sets the name that the server's certificate must have. Without one, nng would accept any
 * certificate that the CA has signed. */
static weir_status set_server_name(struct weir_client *client, const char *name, const nng_url *url,
                                   struct weir_error *err)
{
    if (name == NULL) {
        name = url->u_hostname;
    }
    if (name == NULL || name[0] == '\0') {
        return weir_fail_field(err, "url", "'%s' names no host", client->url);
    }
    const int rv = nng_tls_config_server_name(client->links.tls, name);
    if (rv != 0) {
        return client_fail_option(err, rv, "tls_server_name", "'%s'", name);
    }
    return WEIR_OK;
}

static bool has_tls(const nng_url *url)
{
    return strncmp(url->u_scheme, "tls+", 4) == 0 || strcmp(url->u_scheme, "wss") == 0;
}

static weir_status configure(struct weir_client *client, const struct weir_client_options *options,
                             const nng_url *url, struct weir_error *err)
{
    int rv = nng_tls_config_alloc(&client->links.tls, NNG_TLS_MODE_CLIENT);
    if (rv == 0) {
        rv = nng_tls_config_auth_mode(client->links.tls, NNG_TLS_AUTH_MODE_REQUIRED);
    }
    if (rv != 0) {
        return client_fail_option(err, rv, "url", "cannot set up TLS for '%s'", client->url);
    }
    weir_status st = set_server_name(client, options->tls_server_name, url, err);
    if (st == WEIR_OK) {
        st = set_ca(client->links.tls, options->tls_ca_file, err);
    }
    if (st == WEIR_OK) {
        st = set_own_certificate(client->links.tls, options, err);
    }
    return st;
}

weir_status client_tls_open(struct weir_client *client, const struct weir_client_options *options,
                            struct weir_error *err)
{
    nng_url *url = NULL;
    const int rv = nng_url_parse(&url, client->url);
    if (rv != 0) {
        return client_fail_option(err, rv, "url", "'%s'", client->url);
    }
    const weir_status st = has_tls(url) ? configure(client, options, url, err) : WEIR_OK;
    nng_url_free(url);
    return st;
}
