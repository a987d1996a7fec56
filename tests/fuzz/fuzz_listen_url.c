/* Listen URLs: an accepted URL has a known scheme and a valid port, and the URL reported with
 * another port reads as the same place. */
#include "server/transport/listen_url.h"
#include "tests/fuzz/fuzz.h"

static const char *const prefixes[] = {
    [WEIR_TRANSPORT_TCP] = "tcp://",       [WEIR_TRANSPORT_TLS] = "tls+tcp://",
    [WEIR_TRANSPORT_WS] = "ws://",         [WEIR_TRANSPORT_IPC] = "ipc://",
    [WEIR_TRANSPORT_INPROC] = "inproc://",
};

static bool has_port(const struct weir_listen_url *url)
{
    return url->kind == WEIR_TRANSPORT_TCP || url->kind == WEIR_TRANSPORT_TLS ||
           url->kind == WEIR_TRANSPORT_WS;
}

/* Scheme, host, port and path make up the whole text; the port may have leading zeros. */
static void check_parts(const struct weir_listen_url *url)
{
    const struct weir_slice whole = weir_slice_of(url->text);
    const size_t scheme_n = strlen(prefixes[url->kind]);
    require(strncmp(url->text, prefixes[url->kind], scheme_n) == 0);
    require(fuzz_is_inside(url->path, whole) && url->path.p + url->path.n == whole.p + whole.n);
    if (!has_port(url)) {
        require(url->port == -1 && url->path.p == whole.p + scheme_n && url->path.n > 0);
        return;
    }
    require(url->host.p == whole.p + scheme_n && fuzz_is_inside(url->host, whole));
    require(url->port >= 0 && url->port <= 65535);
    const char *colon = (const char *)url->host.p + url->host.n;
    char *end = NULL;
    require(*colon == ':' && strtol(colon + 1, &end, 10) == url->port);
    require((const uint8_t *)end == url->path.p);
    require(url->path.n == 0 || (url->kind == WEIR_TRANSPORT_WS && url->path.p[0] == '/'));
}

static void check_formatted(const struct weir_listen_url *url, int port)
{
    char *text = malloc(WEIR_URL_BYTES_MAX);
    require(text != NULL);
    weir_listen_url_format(url, port, text);
    struct weir_error err;
    weir_error_init(&err);
    struct weir_listen_url again;
    /* A longer port may exceed the room for parsing, but the URL is written completely. */
    if (weir_listen_url_parse(text, &again, &err) == WEIR_OK) {
        require(again.kind == url->kind && again.port == (has_port(url) ? port : -1));
        require(weir_slice_equal(again.host, url->host));
        require(weir_slice_equal(again.path, url->path));
        require(weir_listen_url_is_local(&again) == weir_listen_url_is_local(url));
    } else {
        require(strlen(text) > strlen(url->text) && strstr(err.text, "too long") != NULL);
    }
    free(text);
}

/* Checks URLs that only this machine can reach, by names that no other host can have. */
static void check_local(const struct weir_listen_url *url)
{
    if (!has_port(url)) {
        require(weir_listen_url_is_local(url));
    } else if (weir_listen_url_is_local(url)) {
        require(weir_slice_is(url->host, "localhost") || weir_slice_is(url->host, "[::1]") ||
                memcmp(url->host.p, "127.", 4) == 0);
    }
}

/* Any host with a port is accepted; the host is what precedes the last ':'. */
static void check_host(const char *host)
{
    char text[WEIR_URL_BYTES_MAX];
    struct weir_error err;
    weir_error_init(&err);
    struct weir_listen_url url;
    if (strlen(host) <= 64 && strpbrk(host, "/[]") == NULL) {
        (void)snprintf(text, sizeof text, "tls+tcp://%s:8", host);
        require(weir_listen_url_parse(text, &url, &err) == WEIR_OK);
        require(url.port == 8 && weir_slice_is(url.host, host));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = (char *)fuzz_copy(weir_slice(data, size), true);
    check_host(text);
    struct weir_error err;
    weir_error_init(&err);
    struct weir_listen_url url;
    if (weir_listen_url_parse(text, &url, &err) == WEIR_OK) {
        check_parts(&url);
        check_local(&url);
        check_formatted(&url, 0);
        check_formatted(&url, 65535);
        check_formatted(&url, url.port);
    } else {
        require(err.status == WEIR_INVALID_REQUEST && err.text[0] != '\0');
    }
    free(text);
    return 0;
}
