/* Clients that speak the SP protocol on a plain socket, so that no library reads or reconnects on
 * their behalf. */
#ifndef WEIR_TESTS_RPC_BARE_H
#define WEIR_TESTS_RPC_BARE_H

#include "weir/base/slice.h"

/* Connects to a tcp:// or ws:// URL on this machine, and sends nothing. Returns the socket. */
int bare_open(const char *url);

/* Connects to a tcp:// URL on this machine and completes the SP handshake. Returns the socket. */
int bare_connect(const char *url);

/* Sends a request. Stops silently if the server has closed the connection. */
void bare_send(int fd, uint32_t id, struct weir_slice request);

/* Waits for a reply and discards it. Returns false if the connection ends first. */
bool bare_receive(int fd);

#endif
