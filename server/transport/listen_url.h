/* The URLs that --listen and --http take, checked before nng sees them. Pure functions.
 *
 * nng takes some port where none is given and deletes a plain file at the path of an ipc socket, so
 * both are looked at here. */
#ifndef WEIR_SERVER_LISTEN_URL_H
#define WEIR_SERVER_LISTEN_URL_H

#include "weir/base/status.h"

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
    const char *text;        // the whole
    struct weir_slice host;  // with a port only; in brackets where it is an IPv6 address
    int port;                // -1 where the kind has none
    struct weir_slice path;  // from the '/' on, maybe empty; of ipc and inproc: what follows "//"
};

/* INVALID_REQUEST with a text that names the URL. The slices point into `text`. */
weir_status weir_listen_url_parse(const char *text, struct weir_listen_url *url,
                                  struct weir_error *err);

/* The same for http://HOST:PORT, which --http takes; its kind is TCP. */
weir_status weir_http_url_parse(const char *text, struct weir_listen_url *url,
                                struct weir_error *err);

/* Whether only this machine can reach it. */
bool weir_listen_url_is_local(const struct weir_listen_url *url);

/* Writes the URL with the port that was really taken. */
void weir_listen_url_format(const struct weir_listen_url *url, int port,
                            char text[WEIR_URL_BYTES_MAX]);

#endif
