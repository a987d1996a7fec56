/* A connection of TCP as nng has it: accepted, and sent and received on by the calls that nng makes
 * (nng_connections.h). One at a time. */
#ifndef WEIR_TESTS_UNIT_WIRE_H
#define WEIR_TESTS_UNIT_WIRE_H

#include "server/transport/pending_replies.h"

extern struct wire {
    int listener;
    int client;
    int server;  // as accepted for nng
    weir_connection_key key;
} wire;

void wire_open(void);
void wire_close(void);

/* 0 where the descriptor is no connection's. */
weir_connection_key wire_key_of(int descriptor);

/* Sets the key, which is 0 before. */
void wire_learn_key(void);

/* So many replies to it, for which its key must be known. */
void wire_announce(size_t n);

#endif
