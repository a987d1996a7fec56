/* One thread polls the listener and the pairs of connections and moves bytes. A change by the test
 * increments changes_n under the mutex and wakes the thread through a pipe; the thread discards the
 * results of a poll that began before the change. */
#include "tests/client/relay.h"

#include "tests/lib/socket_pairs.h"

#include <arpa/inet.h>
#include <check.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct relay {
    pthread_t thread;
    struct sockaddr_in server;
    struct sockaddr_in own;
    char url[64];
    int wake[2];

    pthread_mutex_t mutex;  // guards the members below; not held while the thread waits
    int listener;           // -1: closed
    struct socket_pair pairs[SOCKET_PAIRS_MAX];
    bool is_silent[SOCKET_PAIRS_MAX];
    size_t connections;
    bool is_stopping;
    unsigned changes_n;  // changes made by the test so far
};

/* ---- the thread ---- */

static void take_in_locked(struct relay *relay)
{
    const struct socket_pair *pair =
        socket_pairs_take_in(relay->pairs, relay->listener, (const struct sockaddr *)&relay->server,
                             sizeof relay->server);
    if (pair != NULL) {
        relay->is_silent[pair - relay->pairs] = false;
        relay->connections++;
    }
}

static void move(struct socket_pair *pair, int from, int to)
{
    char bytes[SOCKET_PAIRS_CHUNK_BYTES];
    const ssize_t n = recv(from, bytes, sizeof bytes, 0);
    if (n <= 0 || !socket_pair_send(to, bytes, (size_t)n)) {
        socket_pair_cut(pair);
    }
}

static size_t watch_locked(const struct relay *relay, struct pollfd *fds)
{
    fds[0] = (struct pollfd){.fd = relay->wake[0], .events = POLLIN};
    fds[1] = (struct pollfd){.fd = relay->listener, .events = POLLIN};
    size_t n = 2;
    for (size_t p = 0; p < SOCKET_PAIRS_MAX; p++) {
        const struct socket_pair *pair = &relay->pairs[p];
        const bool is_on = pair->client >= 0 && !relay->is_silent[p];
        fds[n++] = (struct pollfd){.fd = is_on ? pair->client : -1, .events = POLLIN};
        fds[n++] = (struct pollfd){.fd = is_on ? pair->server : -1, .events = POLLIN};
    }
    return n;
}

static void serve_locked(struct relay *relay, const struct pollfd *fds)
{
    for (size_t p = 0; p < SOCKET_PAIRS_MAX; p++) {
        struct socket_pair *pair = &relay->pairs[p];
        if (pair->client >= 0 && fds[2 + 2 * p].revents != 0) {
            move(pair, pair->client, pair->server);
        }
        if (pair->client >= 0 && fds[3 + 2 * p].revents != 0) {
            move(pair, pair->server, pair->client);
        }
    }
    if (fds[1].revents != 0) {
        take_in_locked(relay);
    }
}

static void *run(void *context)
{
    struct relay *relay = context;
    struct pollfd fds[2 + 2 * SOCKET_PAIRS_MAX];
    (void)pthread_mutex_lock(&relay->mutex);
    while (!relay->is_stopping) {
        const size_t n = watch_locked(relay, fds);
        const unsigned changes_n = relay->changes_n;
        (void)pthread_mutex_unlock(&relay->mutex);
        (void)poll(fds, (nfds_t)n, -1);
        (void)pthread_mutex_lock(&relay->mutex);
        if (fds[0].revents != 0) {
            char byte = 0;
            (void)!read(relay->wake[0], &byte, 1);
        }
        if (relay->changes_n == changes_n) {
            serve_locked(relay, fds);
        }
    }
    (void)pthread_mutex_unlock(&relay->mutex);
    return NULL;
}

/* ---- functions for the test ---- */

/* Listens on the relay's port: the first time a free one, which it then keeps. */
static int open_listener(struct relay *relay)
{
    socklen_t n = sizeof relay->own;
    const int on = 1;
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on), 0);
    ck_assert_int_eq(bind(fd, (const struct sockaddr *)&relay->own, n), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&relay->own, &n), 0);
    ck_assert_int_eq(listen(fd, SOCKET_PAIRS_MAX), 0);
    return fd;
}

struct relay *relay_start(const char *server_url)
{
    struct relay *relay = calloc(1, sizeof *relay);
    unsigned port = 0;
    ck_assert_ptr_nonnull(relay);
    ck_assert_int_eq(sscanf(server_url, "tcp://127.0.0.1:%u", &port), 1);
    relay->own =
        (struct sockaddr_in){.sin_family = AF_INET, .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    relay->server = relay->own;
    relay->server.sin_port = htons((uint16_t)port);
    socket_pairs_init(relay->pairs);
    relay->listener = open_listener(relay);
    (void)snprintf(relay->url, sizeof relay->url, "tcp://127.0.0.1:%d", ntohs(relay->own.sin_port));
    ck_assert_int_eq(pipe(relay->wake), 0);
    (void)pthread_mutex_init(&relay->mutex, NULL);
    ck_assert_int_eq(pthread_create(&relay->thread, NULL, run, relay), 0);
    return relay;
}

const char *relay_url(const struct relay *relay)
{
    return relay->url;
}

/* Locks the relay, after which the thread is not handling data, and makes the thread rebuild its
 * poll set. */
static void begin_change(struct relay *relay)
{
    (void)pthread_mutex_lock(&relay->mutex);
    relay->changes_n++;
    (void)!write(relay->wake[1], "", 1);
}

static void end_change(struct relay *relay)
{
    (void)pthread_mutex_unlock(&relay->mutex);
}

static void set_silent(struct relay *relay, bool is_silent)
{
    begin_change(relay);
    for (size_t p = 0; p < SOCKET_PAIRS_MAX; p++) {
        relay->is_silent[p] = is_silent;
    }
    end_change(relay);
}

void relay_silence(struct relay *relay)
{
    set_silent(relay, true);
}

void relay_resume(struct relay *relay)
{
    set_silent(relay, false);
}

void relay_close(struct relay *relay)
{
    begin_change(relay);
    socket_pairs_cut_all(relay->pairs);
    (void)close(relay->listener);
    relay->listener = -1;
    end_change(relay);
}

void relay_open(struct relay *relay)
{
    begin_change(relay);
    relay->listener = open_listener(relay);
    end_change(relay);
}

size_t relay_connections(struct relay *relay)
{
    (void)pthread_mutex_lock(&relay->mutex);
    const size_t n = relay->connections;
    (void)pthread_mutex_unlock(&relay->mutex);
    return n;
}

void relay_stop(struct relay *relay)
{
    begin_change(relay);
    relay->is_stopping = true;
    end_change(relay);
    (void)pthread_join(relay->thread, NULL);
    socket_pairs_cut_all(relay->pairs);
    if (relay->listener >= 0) {
        (void)close(relay->listener);
    }
    (void)close(relay->wake[0]);
    (void)close(relay->wake[1]);
    (void)pthread_mutex_destroy(&relay->mutex);
    free(relay);
}
