/* Clients that speak the SP protocol themselves on a socket of their own, so that nothing reads on
 * their behalf and nothing connects anew. */
#ifndef WEIR_TESTS_RPC_BARE_H
#define WEIR_TESTS_RPC_BARE_H

#include "weir/base/slice.h"

/* Connects to a tcp:// URL on this machine and shakes hands; returns the socket. */
int bare_connect(const char *url);

/* Sends a request. Gives up in silence where the server has closed the connection. */
void bare_send(int fd, uint32_t id, struct weir_slice request);

/* Waits for a reply and drops it; false where the connection ends instead. */
bool bare_receive(int fd);

#endif
