/* A thread polls (poll(2)) a listener, a pipe that tells it to stop, and a few connections. All
 * sockets are non-blocking. A connection reads a head (READING), writes its reply (WRITING), then
 * shuts down its sending side and reads until the client closes (CLOSING); LIFE_US ends it in any
 * phase. The thread owns the connections and `accepts_at_us`; everything else is set before it
 * starts. It blocks in poll, and for /healthz on the store. */
#define _GNU_SOURCE  // accept4()
#include "server/operation/http.h"

#include "server/calls/server_parts.h"
#include "server/operation/resources.h"
#include "server/operation/samples.h"
#include "server/transport/listen_url.h"
#include "weir/base/monotonic.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    PLACES = 16,  // connections; fewer where descriptors are few
    HEAD_BYTES_MAX = 4096,
    LIFE_US = 5 * 1000 * 1000,  // longest life of a connection
    /* Pause after a connection could not be accepted, as without free descriptors. */
    ACCEPT_PAUSE_US = 100 * 1000,
    BACKLOG = 64
};

enum phase { READING, WRITING, CLOSING };  // CLOSING: reads until the client has closed

struct connection {
    int fd;  // -1: a free place
    enum phase phase;
    int64_t until_us;
    size_t head_n;
    char head[HEAD_BYTES_MAX + 1];
    char *reply;
    size_t reply_n;
    size_t written_n;
};

struct weir_http {
    struct weir_server *server;
    int listener;
    int stop_pipe[2];
    pthread_t thread;
    char url[WEIR_URL_BYTES_MAX];
    /* The thread's own, from here on. */
    int64_t accepts_at_us;  // no earlier accept: a connection that cannot be taken stays ready
    size_t places_n;
    struct connection connections[PLACES];
};

/* ---- the URL ---- */

struct address {
    struct weir_listen_url url;
    char host[WEIR_URL_BYTES_MAX];
    char port[8];
};

static weir_status parse_url(const char *url, struct address *address, struct weir_error *err)
{
    const weir_status st = weir_http_url_parse(url, &address->url, err);
    if (st != WEIR_OK) {
        return st;
    }
    struct weir_slice host = address->url.host;
    if (host.n >= 2 && host.p[0] == '[' && host.p[host.n - 1] == ']') {
        host = weir_slice(host.p + 1, host.n - 2);
    }
    if (host.n == 0) {
        return weir_fail(err, WEIR_INVALID_REQUEST, "cannot listen on '%s': the URL names no host",
                         url);
    }
    (void)snprintf(address->host, sizeof address->host, "%.*s", WEIR_SLICE_ARG(host));
    (void)snprintf(address->port, sizeof address->port, "%d", address->url.port);
    return WEIR_OK;
}

weir_status weir_http_check(const char *url, struct weir_error *err)
{
    struct address address;
    return parse_url(url, &address, err);
}

/* ---- the listener ---- */

static void set_flags(int fd)
{
    (void)fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
}

/* Returns a listening socket for the address; -1 with errno set. */
static int listen_on(const struct addrinfo *info)
{
    const int fd = socket(info->ai_family, info->ai_socktype, info->ai_protocol);
    const int on = 1;
    if (fd < 0) {
        return -1;
    }
    set_flags(fd);
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, info->ai_addr, info->ai_addrlen) != 0 || listen(fd, BACKLOG) != 0) {
        const int problem = errno;
        (void)close(fd);
        errno = problem;
        return -1;
    }
    return fd;
}

static int port_of(int fd)
{
    struct sockaddr_storage storage;
    socklen_t n = sizeof storage;
    if (getsockname(fd, (struct sockaddr *)&storage, &n) != 0) {
        return 0;
    }
    return storage.ss_family == AF_INET6
               ? ntohs(((struct sockaddr_in6 *)(void *)&storage)->sin6_port)
               : ntohs(((struct sockaddr_in *)(void *)&storage)->sin_port);
}

static weir_status open_listener(struct weir_http *http, const char *url, struct weir_error *err)
{
    struct address address;
    const weir_status st = parse_url(url, &address, err);
    if (st != WEIR_OK) {
        return st;
    }
    const struct addrinfo hints = {.ai_flags = AI_PASSIVE | AI_NUMERICSERV,
                                   .ai_socktype = SOCK_STREAM};
    struct addrinfo *list = NULL;
    const int rv = getaddrinfo(address.host, address.port, &hints, &list);
    if (rv != 0) {
        return weir_fail(err, WEIR_BACKEND_UNAVAILABLE, "cannot listen on '%s': %s", url,
                         gai_strerror(rv));
    }
    for (const struct addrinfo *info = list; info != NULL && http->listener < 0;
         info = info->ai_next) {
        http->listener = listen_on(info);
    }
    const int problem = errno;
    freeaddrinfo(list);
    if (http->listener < 0) {
        return weir_fail(err, WEIR_BACKEND_UNAVAILABLE, "cannot listen on '%s': %s", url,
                         strerror(problem));
    }
    weir_listen_url_format(&address.url, port_of(http->listener), http->url);
    return WEIR_OK;
}

/* ---- replies ---- */

struct page {
    int status;
    const char *reason;
    const char *type;
    char *body;  // NULL: the reason is the body
    size_t n;
};

static const struct page bad_request = {.status = 400, .reason = "Bad Request"};
static const struct page not_found = {.status = 404, .reason = "Not Found"};
static const struct page not_allowed = {.status = 405, .reason = "Method Not Allowed"};
static const struct page too_large = {.status = 431, .reason = "Request Header Fields Too Large"};
static const struct page out_of_memory = {.status = 503, .reason = "Service Unavailable"};

static void set_reply(struct connection *c, const struct page *page, bool has_body)
{
    const char *body = page->body == NULL ? page->reason : page->body;
    const size_t body_n = page->body == NULL ? strlen(page->reason) : page->n;
    const size_t room = body_n + 512;
    c->reply = malloc(room);
    c->written_n = 0;
    c->reply_n = 0;
    c->phase = WRITING;
    if (c->reply == NULL) {
        return;
    }
    const int head_n = snprintf(
        c->reply, room,
        "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n%sConnection: close\r\n\r\n",
        page->status, page->reason, page->type == NULL ? "text/plain; charset=utf-8" : page->type,
        body_n, page->status == 405 ? "Allow: GET, HEAD\r\n" : "");
    c->reply_n = (size_t)head_n;
    if (has_body) {
        memcpy(c->reply + c->reply_n, body, body_n);
        c->reply_n += body_n;
    }
}

static void reply_metrics(struct weir_http *http, struct connection *c, bool has_body)
{
    struct page page = {
        .status = 200, .reason = "OK", .type = "text/plain; version=0.0.4; charset=utf-8"};
    page.body = weir_samples_text(http->server, &page.n);
    set_reply(c, page.body == NULL ? &out_of_memory : &page, has_body);
    free(page.body);
}

static void reply_health(struct weir_http *http, struct connection *c, bool has_body)
{
    char serving[] = "SERVING\n";
    char not_serving[] = "NOT_SERVING\n";
    const bool is_well =
        !atomic_load(&http->server->is_stopping) && weir_health_is_good(&http->server->health);
    const struct page page = {.status = is_well ? 200 : 503,
                              .reason = is_well ? "OK" : "Service Unavailable",
                              .body = is_well ? serving : not_serving,
                              .n = is_well ? sizeof serving - 1 : sizeof not_serving - 1};
    set_reply(c, &page, has_body);
}

/* ---- requests ---- */

/* Returns the path of a target. A server must accept the absolute form with scheme and host as
 * well, which is meant for proxies (RFC 9112, 3.2.2). Cuts off query and fragment. */
static char *path_of(char *target)
{
    static const char scheme[] = "http://";
    const size_t scheme_n = sizeof scheme - 1;
    target[strcspn(target, "?#")] = '\0';
    if (strncasecmp(target, scheme, scheme_n) != 0) {
        return target;
    }
    const size_t host_n = strcspn(target + scheme_n, "/");
    return host_n == 0 ? target : target + scheme_n + host_n;
}

/* Splits a request line; false unless it is METHOD SP TARGET SP HTTP/1.x. */
static bool split_request_line(char *line, char **method, char **target)
{
    char *rest = NULL;
    *method = strtok_r(line, " ", &rest);
    *target = strtok_r(NULL, " ", &rest);
    const char *version = strtok_r(NULL, " ", &rest);
    if (*method == NULL || *target == NULL || version == NULL ||
        strncmp(version, "HTTP/1.", 7) != 0 || strtok_r(NULL, " ", &rest) != NULL) {
        return false;
    }
    return true;
}

static void answer(struct weir_http *http, struct connection *c)
{
    char *method = NULL;
    char *target = NULL;
    c->head[strcspn(c->head, "\r\n")] = '\0';
    if (!split_request_line(c->head, &method, &target)) {
        set_reply(c, &bad_request, true);
        return;
    }
    const char *path = path_of(target);
    const bool is_head = strcmp(method, "HEAD") == 0;
    if (!is_head && strcmp(method, "GET") != 0) {
        set_reply(c, &not_allowed, true);
    } else if (strcmp(path, "/metrics") == 0) {
        reply_metrics(http, c, !is_head);
    } else if (strcmp(path, "/healthz") == 0) {
        reply_health(http, c, !is_head);
    } else {
        set_reply(c, &not_found, !is_head);
    }
}

/* ---- connections ---- */

static void drop(struct connection *c)
{
    (void)close(c->fd);
    free(c->reply);
    c->reply = NULL;
    c->fd = -1;
}

static bool is_head_complete(const struct connection *c)
{
    return strstr(c->head, "\r\n\r\n") != NULL || strstr(c->head, "\n\n") != NULL;
}

static void read_head(struct weir_http *http, struct connection *c)
{
    const ssize_t n = recv(c->fd, c->head + c->head_n, HEAD_BYTES_MAX - c->head_n, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    if (n <= 0) {
        drop(c);
        return;
    }
    /* A NUL is not allowed in a head, and would end the text early. */
    const bool has_nul = memchr(c->head + c->head_n, '\0', (size_t)n) != NULL;
    c->head_n += (size_t)n;
    c->head[c->head_n] = '\0';
    if (has_nul) {
        set_reply(c, &bad_request, true);
    } else if (is_head_complete(c)) {
        answer(http, c);
    } else if (c->head_n == HEAD_BYTES_MAX) {
        set_reply(c, &too_large, true);
    }
}

static void write_reply(struct connection *c)
{
    if (c->reply == NULL) {
        drop(c);
        return;
    }
    const ssize_t n = send(c->fd, c->reply + c->written_n, c->reply_n - c->written_n, MSG_NOSIGNAL);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    if (n < 0) {
        drop(c);
        return;
    }
    c->written_n += (size_t)n;
    if (c->written_n == c->reply_n) {
        /* Closing at once could discard what the client has not read yet. */
        (void)shutdown(c->fd, SHUT_WR);
        c->phase = CLOSING;
    }
}

static void read_to_end(struct connection *c)
{
    char sink[1024];
    const ssize_t n = recv(c->fd, sink, sizeof sink, 0);
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
        drop(c);
    }
}

static void advance(struct weir_http *http, struct connection *c)
{
    if (c->phase == READING) {
        read_head(http, c);
    } else if (c->phase == WRITING) {
        write_reply(c);
    } else {
        read_to_end(c);
    }
}

/* Returns a free place of the first places_n, dropping the oldest connection if need be. */
static struct connection *find_place(struct weir_http *http)
{
    struct connection *oldest = &http->connections[0];
    for (size_t i = 0; i < http->places_n; i++) {
        struct connection *c = &http->connections[i];
        if (c->fd < 0) {
            return c;
        }
        if (c->until_us < oldest->until_us) {
            oldest = c;
        }
    }
    drop(oldest);
    return oldest;
}

/* Uses accept4(), because accept() is replaced for nng (nng_accept.c) and refuses descriptors that
 * are reserved for other uses than clients. HTTP's connections may have those. */
static void accept_one(struct weir_http *http)
{
    const int fd = accept4(http->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
        http->accepts_at_us = weir_monotonic_us() + ACCEPT_PAUSE_US;
        return;
    }
    struct connection *c = find_place(http);
    c->fd = fd;
    c->phase = READING;
    c->until_us = weir_monotonic_us() + LIFE_US;
    c->head_n = 0;
    c->head[0] = '\0';
    c->reply = NULL;
}

/* ---- the thread ---- */

enum { AT_STOP, AT_LISTENER, AT_CONNECTIONS };

/* Drops connections whose time is over, fills the descriptors for poll, and returns its time-out in
 * milliseconds: until the next connection ends or accepting goes on; -1 for none. */
static int prepare(struct weir_http *http, struct pollfd fds[AT_CONNECTIONS + PLACES])
{
    const int64_t now_us = weir_monotonic_us();
    const bool accepts = http->accepts_at_us <= now_us;
    int64_t first_us = accepts ? INT64_MAX : http->accepts_at_us;
    fds[AT_STOP] = (struct pollfd){.fd = http->stop_pipe[0], .events = POLLIN};
    fds[AT_LISTENER] = (struct pollfd){.fd = accepts ? http->listener : -1, .events = POLLIN};
    for (size_t i = 0; i < PLACES; i++) {
        struct connection *c = &http->connections[i];
        if (c->fd >= 0 && c->until_us <= now_us) {
            drop(c);
        }
        if (c->fd >= 0 && c->until_us < first_us) {
            first_us = c->until_us;
        }
        fds[AT_CONNECTIONS + i] =
            (struct pollfd){.fd = c->fd, .events = c->phase == WRITING ? POLLOUT : POLLIN};
    }
    return first_us == INT64_MAX ? -1 : (int)((first_us - now_us) / 1000) + 1;
}

static void *serve(void *context)
{
    struct weir_http *http = context;
    struct pollfd fds[AT_CONNECTIONS + PLACES];
    for (;;) {
        const int timeout_ms = prepare(http, fds);
        if (poll(fds, WEIR_COUNTOF(fds), timeout_ms) < 0) {
            continue;
        }
        if (fds[AT_STOP].revents != 0) {
            return NULL;
        }
        for (size_t i = 0; i < PLACES; i++) {
            if (fds[AT_CONNECTIONS + i].revents != 0) {
                advance(http, &http->connections[i]);
            }
        }
        if (fds[AT_LISTENER].revents != 0) {
            accept_one(http);
        }
    }
}

static void destroy(struct weir_http *http)
{
    for (size_t i = 0; i < PLACES; i++) {
        if (http->connections[i].fd >= 0) {
            drop(&http->connections[i]);
        }
    }
    for (size_t i = 0; i < WEIR_COUNTOF(http->stop_pipe); i++) {
        if (http->stop_pipe[i] >= 0) {
            (void)close(http->stop_pipe[i]);
        }
    }
    if (http->listener >= 0) {
        (void)close(http->listener);
    }
    free(http);
}

static struct weir_http *make(struct weir_server *server)
{
    struct weir_http *http = calloc(1, sizeof *http);
    if (http == NULL) {
        return NULL;
    }
    http->server = server;
    http->places_n = weir_resources_http_connections(PLACES);
    http->listener = -1;
    http->stop_pipe[0] = http->stop_pipe[1] = -1;
    for (size_t i = 0; i < PLACES; i++) {
        http->connections[i].fd = -1;
    }
    return http;
}

weir_status weir_http_start(struct weir_server *server, const char *url, struct weir_http **http,
                            struct weir_error *err)
{
    struct weir_http *made = make(server);
    if (made == NULL || pipe(made->stop_pipe) != 0) {
        if (made != NULL) {
            destroy(made);
        }
        return weir_fail(err, WEIR_BACKEND_UNAVAILABLE,
                         "cannot serve HTTP: out of memory or file descriptors");
    }
    const weir_status st = open_listener(made, url, err);
    if (st == WEIR_OK && pthread_create(&made->thread, NULL, serve, made) == 0) {
        *http = made;
        return WEIR_OK;
    }
    destroy(made);
    return st != WEIR_OK
               ? st
               : weir_fail(err, WEIR_BACKEND_UNAVAILABLE, "cannot start a thread to serve HTTP");
}

const char *weir_http_url(const struct weir_http *http)
{
    return http->url;
}

void weir_http_stop(struct weir_http *http)
{
    if (write(http->stop_pipe[1], "", 1) == 1) {
        (void)pthread_join(http->thread, NULL);
        destroy(http);
    }
}
