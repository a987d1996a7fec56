/* One thread polls the listener and all pairs of connections, and forwards each chunk that it
 * receives according to the current mode. The modes that lose data count each received chunk as one
 * request or one answer. Setting a mode wakes the thread through a pipe, so that it does not act on
 * an outdated poll set. */
#include "tests/lib/pg_proxy.h"

#include "tests/lib/socket_pairs.h"

#include <arpa/inet.h>
#include <check.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { ROOM_BYTES = 4096 };  // of socket buffer for bytes not yet forwarded

struct pg_proxy {
    pthread_t thread;
    struct sockaddr_un server;
    char path[108];  // of the listening Unix socket; "" for a TCP port
    int listener;
    int wake[2];

    pthread_mutex_t mutex;  // guards the members below
    enum pg_proxy_mode mode;
    size_t skip;
    bool refuses_after_loss;
    bool is_stopping;
    size_t connections;
    pthread_cond_t holding;  // mode PROXY_HOLDS_REQUEST has become PROXY_HOLDS

    /* Used by the proxy's thread only. */
    struct socket_pair pairs[SOCKET_PAIRS_MAX];
    bool is_greeted[SOCKET_PAIRS_MAX];
    struct socket_pair *asker;  // connection in whose transaction the shared session is
};

static void address(struct sockaddr_un *at, const char *dir)
{
    *at = (struct sockaddr_un){.sun_family = AF_UNIX};
    const int n = snprintf(at->sun_path, sizeof at->sun_path, "%s/.s.PGSQL.5432", dir);
    ck_assert_int_lt(n, (int)sizeof at->sun_path);
}

/* ---- the thread ---- */

static void take_in(struct pg_proxy *proxy)
{
    if (proxy->mode == PROXY_REFUSES) {
        (void)close(accept(proxy->listener, NULL, NULL));
        return;
    }
    const struct socket_pair *pair =
        socket_pairs_take_in(proxy->pairs, proxy->listener, (const struct sockaddr *)&proxy->server,
                             sizeof proxy->server);
    if (pair != NULL) {
        proxy->connections++;
        proxy->is_greeted[pair - proxy->pairs] = false;
    }
}

/* Decides whether to forward received bytes or to cut the connection. */
static bool is_to_pass(struct pg_proxy *proxy, bool is_request)
{
    if (proxy->mode != (is_request ? PROXY_LOSES_REQUEST : PROXY_LOSES_REPLY)) {
        return true;
    }
    if (proxy->skip > 0) {
        proxy->skip--;
        return true;
    }
    proxy->mode = proxy->refuses_after_loss ? PROXY_REFUSES : PROXY_PASSES;
    return false;
}

/* Changes the process number in the server's greeting. The greeting ends with it, in a 12-byte
 * message "K". */
static void greet(struct pg_proxy *proxy, const struct socket_pair *pair, char *bytes, size_t n)
{
    static const char key[] = {'K', 0, 0, 0, 12};
    char *at = memmem(bytes, n, key, sizeof key);
    if (at != NULL) {
        at[sizeof key] = (char)(at[sizeof key] ^ 1);
        proxy->is_greeted[pair - proxy->pairs] = true;
    }
}

static struct socket_pair *first_of(struct pg_proxy *proxy)
{
    struct socket_pair *pair = proxy->pairs;
    while (pair->client < 0) {
        pair++;
    }
    return pair;
}

/* Returns the socket that bytes are forwarded to. In mode PROXY_POOLS_TRANSACTIONS the connections
 * share the session of the first one after their greeting; "X" ends a connection's own session. */
static int target(struct pg_proxy *proxy, struct socket_pair *pair, bool is_request, char *bytes,
                  size_t n)
{
    if (proxy->mode < PROXY_POOLS_TRANSACTIONS) {
        return is_request ? pair->server : pair->client;
    }
    const bool is_greeted = proxy->is_greeted[pair - proxy->pairs];
    const bool is_shared = is_greeted && proxy->mode == PROXY_POOLS_TRANSACTIONS;
    if (!is_request && !is_greeted) {
        greet(proxy, pair, bytes, n);
    }
    if (is_request && is_shared && bytes[0] != 'X') {
        proxy->asker = pair;
        return first_of(proxy)->server;
    }
    if (!is_request && is_shared && pair == first_of(proxy)) {
        return proxy->asker->client;
    }
    return is_request ? pair->server : pair->client;
}

/* Begins to hold, unless the request that has come is to pass; it stays where it is meanwhile. */
static bool begins_to_hold(struct pg_proxy *proxy)
{
    if (proxy->mode != PROXY_HOLDS_REQUEST || proxy->skip-- > 0) {
        return false;
    }
    proxy->mode = PROXY_HOLDS;
    (void)pthread_cond_broadcast(&proxy->holding);
    return true;
}

static void move(struct pg_proxy *proxy, struct socket_pair *pair, bool is_request)
{
    char bytes[SOCKET_PAIRS_CHUNK_BYTES];
    if (is_request && begins_to_hold(proxy)) {
        return;
    }
    const ssize_t n = recv(is_request ? pair->client : pair->server, bytes, sizeof bytes, 0);
    if (n <= 0 || !is_to_pass(proxy, is_request) ||
        !socket_pair_send(target(proxy, pair, is_request, bytes, (size_t)n), bytes, (size_t)n)) {
        socket_pair_cut(pair);
    }
}

static size_t watch(struct pg_proxy *proxy, struct pollfd *fds)
{
    const bool holds = proxy->mode == PROXY_HOLDS;
    fds[0] = (struct pollfd){.fd = proxy->wake[0], .events = POLLIN};
    fds[1] = (struct pollfd){.fd = holds ? -1 : proxy->listener, .events = POLLIN};
    size_t n = 2;
    for (size_t p = 0; p < SOCKET_PAIRS_MAX; p++) {
        const struct socket_pair *pair = &proxy->pairs[p];
        const bool is_on = pair->client >= 0 && !holds;
        fds[n++] = (struct pollfd){.fd = is_on ? pair->client : -1, .events = POLLIN};
        fds[n++] = (struct pollfd){.fd = is_on ? pair->server : -1, .events = POLLIN};
    }
    return n;
}

static void serve_locked(struct pg_proxy *proxy, const struct pollfd *fds)
{
    for (size_t p = 0; p < SOCKET_PAIRS_MAX; p++) {
        struct socket_pair *pair = &proxy->pairs[p];
        if (proxy->mode == PROXY_REFUSES) {
            socket_pair_cut(pair);
        }
        if (pair->client >= 0 && fds[2 + 2 * p].revents != 0) {
            move(proxy, pair, true);
        }
        if (pair->client >= 0 && fds[3 + 2 * p].revents != 0) {
            move(proxy, pair, false);
        }
    }
    if (fds[1].revents != 0) {
        take_in(proxy);
    }
}

static void *run(void *context)
{
    struct pg_proxy *proxy = context;
    struct pollfd fds[2 + 2 * SOCKET_PAIRS_MAX];
    (void)pthread_mutex_lock(&proxy->mutex);
    while (!proxy->is_stopping) {
        const size_t n = watch(proxy, fds);
        (void)pthread_mutex_unlock(&proxy->mutex);
        (void)poll(fds, (nfds_t)n, -1);
        (void)pthread_mutex_lock(&proxy->mutex);
        if (fds[0].revents != 0) {
            char byte = 0;
            (void)!read(proxy->wake[0], &byte, 1);
            continue;  // the mode may have changed
        }
        serve_locked(proxy, fds);
    }
    (void)pthread_mutex_unlock(&proxy->mutex);
    return NULL;
}

/* ---- functions for the test ---- */

static struct pg_proxy *start(const char *server_dir, const struct sockaddr *own, socklen_t own_n)
{
    struct pg_proxy *proxy = calloc(1, sizeof *proxy);
    const int room = ROOM_BYTES;
    ck_assert_ptr_nonnull(proxy);
    address(&proxy->server, server_dir);
    socket_pairs_init(proxy->pairs);
    proxy->listener = socket(own->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(setsockopt(proxy->listener, SOL_SOCKET, SO_RCVBUF, &room, sizeof room), 0);
    ck_assert_int_eq(bind(proxy->listener, own, own_n), 0);
    ck_assert_int_eq(listen(proxy->listener, SOCKET_PAIRS_MAX), 0);
    ck_assert_int_eq(pipe(proxy->wake), 0);
    (void)pthread_mutex_init(&proxy->mutex, NULL);
    (void)pthread_cond_init(&proxy->holding, NULL);
    ck_assert_int_eq(pthread_create(&proxy->thread, NULL, run, proxy), 0);
    return proxy;
}

struct pg_proxy *pg_proxy_start(const char *server_dir, const char *dir)
{
    struct sockaddr_un own;
    address(&own, dir);
    struct pg_proxy *proxy = start(server_dir, (const struct sockaddr *)&own, sizeof own);
    memcpy(proxy->path, own.sun_path, sizeof own.sun_path);
    return proxy;
}

struct pg_proxy *pg_proxy_start_on_port(const char *server_dir, int *port)
{
    struct sockaddr_in own = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t own_n = sizeof own;
    struct pg_proxy *proxy = start(server_dir, (const struct sockaddr *)&own, own_n);
    ck_assert_int_eq(getsockname(proxy->listener, (struct sockaddr *)&own, &own_n), 0);
    *port = ntohs(own.sin_port);
    return proxy;
}

static void wake(struct pg_proxy *proxy)
{
    (void)!write(proxy->wake[1], "", 1);
}

void pg_proxy_set(struct pg_proxy *proxy, enum pg_proxy_mode mode, size_t skip)
{
    (void)pthread_mutex_lock(&proxy->mutex);
    proxy->mode = mode;
    proxy->skip = skip;
    proxy->refuses_after_loss = false;
    (void)pthread_mutex_unlock(&proxy->mutex);
    wake(proxy);
}

void pg_proxy_refuse_after_loss(struct pg_proxy *proxy)
{
    (void)pthread_mutex_lock(&proxy->mutex);
    proxy->refuses_after_loss = true;
    (void)pthread_mutex_unlock(&proxy->mutex);
}

void pg_proxy_wait_until_holding(struct pg_proxy *proxy)
{
    (void)pthread_mutex_lock(&proxy->mutex);
    while (proxy->mode == PROXY_HOLDS_REQUEST) {
        (void)pthread_cond_wait(&proxy->holding, &proxy->mutex);
    }
    (void)pthread_mutex_unlock(&proxy->mutex);
}

size_t pg_proxy_connections(struct pg_proxy *proxy)
{
    (void)pthread_mutex_lock(&proxy->mutex);
    const size_t n = proxy->connections;
    (void)pthread_mutex_unlock(&proxy->mutex);
    return n;
}

void pg_proxy_stop(struct pg_proxy *proxy)
{
    (void)pthread_mutex_lock(&proxy->mutex);
    proxy->is_stopping = true;
    (void)pthread_mutex_unlock(&proxy->mutex);
    wake(proxy);
    (void)pthread_join(proxy->thread, NULL);
    socket_pairs_cut_all(proxy->pairs);
    (void)close(proxy->listener);
    (void)close(proxy->wake[0]);
    (void)close(proxy->wake[1]);
    if (proxy->path[0] != '\0') {
        (void)unlink(proxy->path);
    }
    (void)pthread_cond_destroy(&proxy->holding);
    (void)pthread_mutex_destroy(&proxy->mutex);
    free(proxy);
}
