/* A wire between a store and PostgreSQL that can be cut at a chosen moment.
 *
 * It listens on a socket of its own, passes every connection on to the server's socket, and
 * runs on one thread. Functions may be called from any other. */
#ifndef WEIR_TESTS_LIB_PG_PROXY_H
#define WEIR_TESTS_LIB_PG_PROXY_H

#include <stddef.h>

enum pg_proxy_mode {
    PROXY_PASSES,         // everything goes through
    PROXY_LOSES_REPLY,    // once: an answer is dropped and its connection cut; then it passes
    PROXY_LOSES_REQUEST,  // once: a request is dropped and its connection cut; then it passes
    PROXY_HOLDS,          // nothing goes through, nothing is cut
    PROXY_REFUSES,        // open connections are cut, new ones too
    /* As a pooler: the greeting names another process than the one that serves. Requests go
     * to the session of the first connection, or to the connection's own. */
    PROXY_POOLS_TRANSACTIONS,
    PROXY_POOLS_SESSIONS
};

struct pg_proxy;

/* `server_dir` and `dir` are the directories of the two sockets, as in a URL's host=. */
struct pg_proxy *pg_proxy_start(const char *server_dir, const char *dir);
/* Listens on a port of 127.0.0.1 instead, where little fits between it and the store. */
struct pg_proxy *pg_proxy_start_on_port(const char *server_dir, int *port);
void pg_proxy_stop(struct pg_proxy *proxy);

/* `skip`: so many requests and their answers pass before one is lost. Takes effect before it
 * returns. */
void pg_proxy_set(struct pg_proxy *proxy, enum pg_proxy_mode mode, size_t skip);

/* Connections that have been made through it so far. */
size_t pg_proxy_connections(struct pg_proxy *proxy);

/* PROXY_REFUSES as soon as something has been lost. */
void pg_proxy_refuse_after_loss(struct pg_proxy *proxy);

#endif
