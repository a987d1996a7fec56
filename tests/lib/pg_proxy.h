/* A proxy between a store and PostgreSQL that can cut connections at a chosen moment.
 *
 * The proxy listens on its own socket, forwards every connection to the server's socket, and runs
 * on one thread. Any other thread may call the functions. */
#ifndef WEIR_TESTS_LIB_PG_PROXY_H
#define WEIR_TESTS_LIB_PG_PROXY_H

#include <stddef.h>

enum pg_proxy_mode {
    PROXY_PASSES,         // passes everything
    PROXY_LOSES_REPLY,    // drops one answer, cuts its connection, then passes
    PROXY_LOSES_REQUEST,  // drops one request, cuts its connection, then passes
    PROXY_HOLDS,          // passes nothing, cuts nothing
    PROXY_HOLDS_REQUEST,  // passes until there is a request, then holds
    PROXY_REFUSES,        // cuts open and new connections
    /* Acts as a connection pooler: the greeting names another process than the one that serves.
     * Requests go to the session of the first connection, or each to its connection's own
     * session. */
    PROXY_POOLS_TRANSACTIONS,
    PROXY_POOLS_SESSIONS
};

struct pg_proxy;

/* Starts a proxy. `server_dir` and `dir` are the directories of the two Unix sockets, as in host=
 * of a URL. The caller stops the proxy. */
struct pg_proxy *pg_proxy_start(const char *server_dir, const char *dir);
/* As pg_proxy_start, but listens on a port of 127.0.0.1, with small socket buffers. */
struct pg_proxy *pg_proxy_start_on_port(const char *server_dir, int *port);
void pg_proxy_stop(struct pg_proxy *proxy);

/* Sets the mode; takes effect before it returns. `skip` requests and their answers pass before one
 * is lost or held. */
void pg_proxy_set(struct pg_proxy *proxy, enum pg_proxy_mode mode, size_t skip);

/* Waits until a request is held in mode PROXY_HOLDS_REQUEST. */
void pg_proxy_wait_until_holding(struct pg_proxy *proxy);

/* Returns the number of connections made through the proxy so far. */
size_t pg_proxy_connections(struct pg_proxy *proxy);

/* Switches to PROXY_REFUSES as soon as a request or an answer has been lost. */
void pg_proxy_refuse_after_loss(struct pg_proxy *proxy);

#endif
