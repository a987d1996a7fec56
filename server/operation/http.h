/* Serves /metrics and /healthz over HTTP/1.1, for monitoring.
 *
 * One thread serves a few connections at a time, each for one request and at most five seconds.
 * When all places are taken the oldest connection is closed, so slow or many clients cannot block
 * the listener. RPC does not depend on the thread. There is neither TLS nor a token: do not expose
 * the listener to an open network. */
#ifndef WEIR_SERVER_HTTP_H
#define WEIR_SERVER_HTTP_H

#include "weir/base/fail.h"

struct weir_http;
struct weir_server;

/* Checks that `url` is http://HOST:PORT; INVALID_REQUEST with a text that names it otherwise. */
weir_status weir_http_check(const char *url, struct weir_error *err);

/* Listens and starts the thread. BACKEND_UNAVAILABLE where the address cannot be resolved or bound,
 * or resources are short; INVALID_REQUEST for a wrong URL. The caller stops it. */
weir_status weir_http_start(struct weir_server *server, const char *url, struct weir_http **http,
                            struct weir_error *err);

/* Returns the URL with the port that was really taken. */
const char *weir_http_url(const struct weir_http *http);

/* Ends the thread, closes all connections and frees `http`. */
void weir_http_stop(struct weir_http *http);

#endif
