/* Connections that a test passes on: each with one of its own to the real server. The bytes in
 * between are the test's. One thread's at a time. */
#ifndef WEIR_TESTS_LIB_SOCKET_PAIRS_H
#define WEIR_TESTS_LIB_SOCKET_PAIRS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

enum { SOCKET_PAIRS_MAX = 64, SOCKET_PAIRS_CHUNK_BYTES = 65536 };

/* A connection and its other half. */
struct socket_pair {
    int client;  // -1: free
    int server;
};

/* All are free. */
void socket_pairs_init(struct socket_pair pairs[SOCKET_PAIRS_MAX]);

/* Takes what has come to the listener and connects it to the server. NULL where it was refused. */
struct socket_pair *socket_pairs_take_in(struct socket_pair pairs[SOCKET_PAIRS_MAX], int listener,
                                         const struct sockaddr *server, socklen_t server_n);

/* Closes both halves, if it is not free. */
void socket_pair_cut(struct socket_pair *pair);
void socket_pairs_cut_all(struct socket_pair pairs[SOCKET_PAIRS_MAX]);

/* False where the other end has gone. */
bool socket_pair_send(int to, const char *bytes, size_t n);

#endif
