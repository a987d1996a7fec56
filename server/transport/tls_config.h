/* Loads and checks the certificates for tls+tcp:// when the server starts. */
#ifndef WEIR_SERVER_TLS_CONFIG_H
#define WEIR_SERVER_TLS_CONFIG_H

#include "server/base/config.h"
#include "server/base/log.h"

struct nng_tls_config;

/* Loads the certificate and its key, which must belong together, and the CA of client certificates
 * if the configuration demands these. The caller frees *tls with nng_tls_config_free. Returns
 * INVALID_REQUEST, with a text that names the file and *tls NULL. */
weir_status weir_tls_config_load(const struct weir_config *config, struct nng_tls_config **tls,
                                 struct weir_error *err);

/* Says in the log which certificate has expired or is not valid yet. The server serves all the
 * same: a clock may be wrong, and other listeners need no certificate. */
void weir_tls_config_warn(const struct weir_config *config, const struct weir_log *log);

#endif
