/* Parses and checks the URLs of --listen and --http before nng sees them, because nng picks some
 * port if a URL has none. Pure functions: nothing here opens or looks up anything. (Whether the
 * path of an ipc:// URL is a plain file, which nng would delete, is checked in transport.c.) */
#ifndef WEIR_SERVER_LISTEN_URL_H
#define WEIR_SERVER_LISTEN_URL_H

#include "weir/base/fail.h"

enum weir_transport_kind {
    WEIR_TRANSPORT_TCP,
    WEIR_TRANSPORT_TLS,
    WEIR_TRANSPORT_WS,
    WEIR_TRANSPORT_IPC,
    WEIR_TRANSPORT_INPROC
};

enum { WEIR_URL_BYTES_MAX = 128 };  // nng's own limit, terminator included

struct weir_listen_url {
    enum weir_transport_kind kind;
    const char *text;        // the whole URL, as given; borrowed
    struct weir_slice host;  // kinds with a port only; an IPv6 address includes its brackets
    int port;                // 0 to 65535, 0: any free port; -1 for a kind without ports
    struct weir_slice path;  // from the '/' on, may be empty; ipc and inproc: all after "//"
};

/* Parses a URL of --listen. The slices of *url point into `text`. Returns INVALID_REQUEST with a
 * text that names the URL. */
weir_status weir_listen_url_parse(const char *text, struct weir_listen_url *url,
                                  struct weir_error *err);

/* Parses a URL of --http, http://HOST:PORT, in the manner of weir_listen_url_parse. The kind is
 * WEIR_TRANSPORT_TCP. */
weir_status weir_http_url_parse(const char *text, struct weir_listen_url *url,
                                struct weir_error *err);

/* Whether the URL can be reached from this machine only. */
bool weir_listen_url_is_local(const struct weir_listen_url *url);

/* Writes the URL with `port`, the port that the listener really has, in place of its own; a URL
 * without a port is copied. */
void weir_listen_url_format(const struct weir_listen_url *url, int port,
                            char text[WEIR_URL_BYTES_MAX]);

#endif
