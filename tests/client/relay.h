/* A wire of TCP between a client and a server that can fall silent without being cut.
 *
 * It listens on a port of its own, passes every connection on to the server's port, and runs on one
 * thread. Functions may be called from any other, and take effect before they return. */
#ifndef WEIR_TESTS_CLIENT_RELAY_H
#define WEIR_TESTS_CLIENT_RELAY_H

#include <stddef.h>

struct relay;

/* To a server at tcp://127.0.0.1:PORT, which need not be there yet. */
struct relay *relay_start(const char *server_url);
void relay_stop(struct relay *relay);

/* As the server's URL, with the relay's port. */
const char *relay_url(const struct relay *relay);

/* The connections that there are stay open and pass nothing any more; further ones do. */
void relay_silence(struct relay *relay);

/* All of them pass again, what was held back first. */
void relay_resume(struct relay *relay);

/* Cuts all connections and takes no more, until it opens again on the same port. */
void relay_close(struct relay *relay);
void relay_open(struct relay *relay);

/* Connections that have been made through it so far. */
size_t relay_connections(struct relay *relay);

#endif
