/* A TCP connection that looks like one of nng's: accepted, sent on and received on with the calls
 * that nng makes (nng_connections.h). One at a time. */
#ifndef WEIR_TESTS_UNIT_WIRE_H
#define WEIR_TESTS_UNIT_WIRE_H

#include "server/transport/pending_replies.h"

#include <sys/types.h>

extern struct wire {
    int listener;
    int client;
    int server;  // the accepted end, as nng would have it
    weir_connection_key key;
} wire;

void wire_open(void);
void wire_close(void);

/* Returns the key of a descriptor's connection; 0 if it has none. */
weir_connection_key wire_key_of(int descriptor);

/* Sets wire.key, which wire_open leaves 0. */
void wire_learn_key(void);

/* Exchanges greetings, as nng does first on a tcp:// connection. */
void wire_greet(void);

/* Sends bytes as nng sends a message, and returns what sendmsg() does. */
ssize_t wire_try_to_send(const void *bytes, size_t n);

/* Sends a text as nng sends a reply; all of it must be taken. */
void wire_send(const char *text);

/* The client receives exactly this text, which has left already. */
void wire_assert_received(const char *text);

/* Announces `n` pending replies on the connection. Requires its key. */
void wire_announce(size_t n);

#endif
