/* /metrics and /healthz over HTTP/1.1, for machines that watch the server.
 *
 * One thread serves a few connections at a time, each for one request and a few seconds at most;
 * when all places are taken, the one that has been there longest goes. So nobody holds the listener
 * by being slow or many, and RPC never waits for it. It is not for the open network: no TLS, no
 * token. */
#ifndef WEIR_SERVER_HTTP_H
#define WEIR_SERVER_HTTP_H

#include "weir/base/status.h"

struct weir_http;
struct weir_server;

/* Whether `url` is http://HOST:PORT. INVALID_REQUEST with a text that names it. */
weir_status weir_http_check(const char *url, struct weir_error *err);

/* Starts to serve. BACKEND_UNAVAILABLE where the address cannot be had. */
weir_status weir_http_start(struct weir_server *server, const char *url, struct weir_http **http,
                            struct weir_error *err);

/* Where it really is. */
const char *weir_http_url(const struct weir_http *http);

void weir_http_stop(struct weir_http *http);

#endif
