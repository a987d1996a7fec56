#include "tests/lib/socket_pairs.h"

#include <unistd.h>

void socket_pairs_init(struct socket_pair pairs[SOCKET_PAIRS_MAX])
{
    for (size_t p = 0; p < SOCKET_PAIRS_MAX; p++) {
        pairs[p].client = -1;
    }
}

struct socket_pair *socket_pairs_take_in(struct socket_pair pairs[SOCKET_PAIRS_MAX], int listener,
                                         const struct sockaddr *server, socklen_t server_n)
{
    const int client = accept(listener, NULL, NULL);
    const int other = socket(server->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct socket_pair *pair = NULL;
    for (size_t p = 0; p < SOCKET_PAIRS_MAX && pair == NULL; p++) {
        pair = pairs[p].client < 0 ? &pairs[p] : NULL;
    }
    if (client < 0 || pair == NULL || connect(other, server, server_n) != 0) {
        (void)close(client);
        (void)close(other);
        return NULL;
    }
    *pair = (struct socket_pair){.client = client, .server = other};
    return pair;
}

void socket_pair_cut(struct socket_pair *pair)
{
    if (pair->client >= 0) {
        (void)close(pair->client);
        (void)close(pair->server);
        pair->client = -1;
    }
}

void socket_pairs_cut_all(struct socket_pair pairs[SOCKET_PAIRS_MAX])
{
    for (size_t p = 0; p < SOCKET_PAIRS_MAX; p++) {
        socket_pair_cut(&pairs[p]);
    }
}

bool socket_pair_send(int to, const char *bytes, size_t n)
{
    while (n > 0) {
        const ssize_t sent = send(to, bytes, n, MSG_NOSIGNAL);
        if (sent <= 0) {
            return false;
        }
        bytes += sent;
        n -= (size_t)sent;
    }
    return true;
}
