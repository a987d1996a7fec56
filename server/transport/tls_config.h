/* Certificates for tls+tcp://, read and checked at start. */
#ifndef WEIR_SERVER_TLS_CONFIG_H
#define WEIR_SERVER_TLS_CONFIG_H

#include "server/operation/config.h"

struct nng_tls_config;

/* Loads certificate and key, which must belong together, and the authorities of client certificates
 * if they are demanded. INVALID_REQUEST with a text that names the file. The caller frees
 * *tls with nng_tls_config_free. */
weir_status weir_tls_config_load(const struct weir_config *config, struct nng_tls_config **tls,
                                 struct weir_error *err);

#endif
