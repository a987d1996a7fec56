/* The store's URL, and what libpq is given to connect to each of its hosts.
 *
 * libpq can try several hosts by itself, but in its asynchronous form it gives none of them a time
 * limit; so the list is taken apart here. The URL may contain a password: no text made here repeats
 * any part of the URL, and weir_pg_url_redact removes the password from texts made elsewhere.
 * Immutable once parsed, and so thread-safe. */
#ifndef WEIR_STORE_POSTGRES_PG_URL_H
#define WEIR_STORE_POSTGRES_PG_URL_H

#include "weir/base/fail.h"

#include <libpq-fe.h>

enum { WEIR_PG_KEYWORDS_MAX = 64, WEIR_PG_HOST_BYTES = 1024 };

struct pg_url {
    PQconninfoOption *options;
    size_t hosts;                // at least 1
    int64_t connect_timeout_us;  // of the URL; INT64_MAX if it sets none
};

/* Parses "postgresql://…"; `scheme` ("timescaledb://") is accepted in its place.
 * INVALID_REQUEST. */
weir_status weir_pg_url_parse(const char *text, const char *scheme, struct pg_url *url,
                              struct weir_error *err);
void weir_pg_url_free(struct pg_url *url);

/* The arguments of PQconnectStartParams for one host. They point into this struct and into the URL,
 * so the struct must not be copied. */
struct pg_target {
    const char *keywords[WEIR_PG_KEYWORDS_MAX];
    const char *values[WEIR_PG_KEYWORDS_MAX];
    size_t n;
    char host[WEIR_PG_HOST_BYTES];
    char hostaddr[WEIR_PG_HOST_BYTES];
    char port[WEIR_PG_HOST_BYTES];
};

void weir_pg_url_target(const struct pg_url *url, size_t host, struct pg_target *target);

/* Overwrites the URL's password, wherever it stands in the text, with asterisks, and every line end
 * with a blank. */
void weir_pg_url_redact(const struct pg_url *url, char *text);

#endif
