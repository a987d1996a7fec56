#include "server/transport/listen_url.h"

#include <stdio.h>

static const struct {
    const char *prefix;
    enum weir_transport_kind kind;
    bool has_port;
} schemes[] = {
    {"tcp://", WEIR_TRANSPORT_TCP, true},        {"tls+tcp://", WEIR_TRANSPORT_TLS, true},
    {"ws://", WEIR_TRANSPORT_WS, true},          {"ipc://", WEIR_TRANSPORT_IPC, false},
    {"inproc://", WEIR_TRANSPORT_INPROC, false},
};

static weir_status reject(struct weir_error *err, const char *text, const char *what)
{
    return weir_fail(err, WEIR_INVALID_REQUEST, "cannot listen on '%s': %s", text, what);
}

/* Returns the index of the ':' before the port, or `n` if there is none. Colons inside brackets
 * belong to an IPv6 address. */
static size_t find_port(const char *authority, size_t n)
{
    size_t at = n;
    bool is_bracketed = false;
    for (size_t i = 0; i < n; i++) {
        if (authority[i] == '[' || authority[i] == ']') {
            is_bracketed = authority[i] == '[';
        } else if (authority[i] == ':' && !is_bracketed) {
            at = i;
        }
    }
    return at;
}

static int parse_port(const char *digits, size_t n)
{
    int port = 0;
    if (n == 0 || n > 5) {
        return -1;
    }
    for (size_t i = 0; i < n; i++) {
        if (digits[i] < '0' || digits[i] > '9') {
            return -1;
        }
        port = port * 10 + (digits[i] - '0');
    }
    return port <= 65535 ? port : -1;
}

static weir_status parse_authority(const char *rest, struct weir_listen_url *url,
                                   struct weir_error *err)
{
    const size_t n = strcspn(rest, "/");
    const size_t colon = find_port(rest, n);
    if (colon == n) {
        return reject(err, url->text, "it names no port; 0 takes a free one");
    }
    url->port = parse_port(rest + colon + 1, n - colon - 1);
    if (url->port < 0) {
        return reject(err, url->text, "the port is not a number from 0 to 65535");
    }
    url->host = weir_slice(rest, colon);
    url->path = weir_slice(rest + n, strlen(rest + n));
    if (url->kind != WEIR_TRANSPORT_WS && url->path.n > 0) {
        return reject(err, url->text, "it has a path, which only ws:// may have");
    }
    return WEIR_OK;
}

static weir_status init_url(const char *text, struct weir_listen_url *url, struct weir_error *err)
{
    *url = (struct weir_listen_url){.text = text, .port = -1};
    return strlen(text) + sizeof "65535" > WEIR_URL_BYTES_MAX ? reject(err, text, "it is too long")
                                                              : WEIR_OK;
}

weir_status weir_listen_url_parse(const char *text, struct weir_listen_url *url,
                                  struct weir_error *err)
{
    const weir_status st = init_url(text, url, err);
    if (st != WEIR_OK) {
        return st;
    }
    for (size_t i = 0; i < WEIR_COUNTOF(schemes); i++) {
        const size_t n = strlen(schemes[i].prefix);
        if (strncmp(text, schemes[i].prefix, n) != 0) {
            continue;
        }
        url->kind = schemes[i].kind;
        if (schemes[i].has_port) {
            return parse_authority(text + n, url, err);
        }
        url->path = weir_slice(text + n, strlen(text + n));
        return url->path.n > 0 ? WEIR_OK : reject(err, text, "nothing follows the scheme");
    }
    return reject(err, text,
                  "its scheme is none of tcp://, tls+tcp://, ws://, ipc:// and inproc://");
}

weir_status weir_http_url_parse(const char *text, struct weir_listen_url *url,
                                struct weir_error *err)
{
    static const char prefix[] = "http://";
    const weir_status st = init_url(text, url, err);
    if (st != WEIR_OK) {
        return st;
    }
    if (strncmp(text, prefix, sizeof prefix - 1) != 0) {
        return reject(err, text, "it is not http://HOST:PORT");
    }
    url->kind = WEIR_TRANSPORT_TCP;
    return parse_authority(text + sizeof prefix - 1, url, err);
}

bool weir_listen_url_is_local(const struct weir_listen_url *url)
{
    if (url->kind == WEIR_TRANSPORT_IPC || url->kind == WEIR_TRANSPORT_INPROC) {
        return true;
    }
    const bool is_v4 = url->host.n > 4 && memcmp(url->host.p, "127.", 4) == 0 &&
                       strspn((const char *)url->host.p, "0123456789.") == url->host.n;
    return is_v4 || weir_slice_is(url->host, "localhost") || weir_slice_is(url->host, "[::1]");
}

void weir_listen_url_format(const struct weir_listen_url *url, int port,
                            char text[WEIR_URL_BYTES_MAX])
{
    if (url->port < 0) {
        (void)snprintf(text, WEIR_URL_BYTES_MAX, "%s", url->text);
        return;
    }
    const int before = (int)(url->host.p + url->host.n - (const uint8_t *)url->text);
    (void)snprintf(text, WEIR_URL_BYTES_MAX, "%.*s:%d%.*s", before, url->text, port,
                   WEIR_SLICE_ARG(url->path));
}
