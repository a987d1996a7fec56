/* Pairs of connections for a test proxy: one from a client, one to the real server. The proxy moves
 * the bytes between them. One thread at a time may use an array of pairs. */
#ifndef WEIR_TESTS_LIB_SOCKET_PAIRS_H
#define WEIR_TESTS_LIB_SOCKET_PAIRS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

enum { SOCKET_PAIRS_MAX = 64, SOCKET_PAIRS_CHUNK_BYTES = 65536 };

/* A client's connection and the matching connection to the server. */
struct socket_pair {
    int client;  // -1: free
    int server;
};

/* Marks all pairs as free. */
void socket_pairs_init(struct socket_pair pairs[SOCKET_PAIRS_MAX]);

/* Accepts a connection from the listener and connects it to the server. Returns NULL if that
 * failed. */
struct socket_pair *socket_pairs_take_in(struct socket_pair pairs[SOCKET_PAIRS_MAX], int listener,
                                         const struct sockaddr *server, socklen_t server_n);

/* Close both connections of one pair, if in use, and of all pairs. */
void socket_pair_cut(struct socket_pair *pair);
void socket_pairs_cut_all(struct socket_pair pairs[SOCKET_PAIRS_MAX]);

/* Sends all bytes. Returns false if the connection is gone. */
bool socket_pair_send(int to, const char *bytes, size_t n);

#endif
