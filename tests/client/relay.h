/* A TCP relay between a client and a server that can fall silent without closing its connections.
 *
 * The relay listens on its own port, forwards every connection to the server's port, and runs on
 * one thread. Any other thread may call the functions, which take effect before they return. */
#ifndef WEIR_TESTS_CLIENT_RELAY_H
#define WEIR_TESTS_CLIENT_RELAY_H

#include <stddef.h>

struct relay;

/* Starts a relay to a server at tcp://127.0.0.1:PORT, which need not be running yet. */
struct relay *relay_start(const char *server_url);
void relay_stop(struct relay *relay);

/* Returns the server's URL with the relay's port. */
const char *relay_url(const struct relay *relay);

/* Makes the existing connections stay open but pass nothing. New connections pass data. */
void relay_silence(struct relay *relay);

/* Makes all connections pass data again, starting with the bytes held back. */
void relay_resume(struct relay *relay);

/* Cuts all connections and accepts no new ones until relay_open listens on the same port again. */
void relay_close(struct relay *relay);
void relay_open(struct relay *relay);

/* Returns the number of connections made through the relay so far. */
size_t relay_connections(struct relay *relay);

#endif
