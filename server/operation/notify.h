/* Tells the service manager the server's state by systemd's protocol (sd_notify(3)): a datagram to
 * the socket that NOTIFY_SOCKET names. Without that variable nothing is sent. */
#ifndef WEIR_SERVER_NOTIFY_H
#define WEIR_SERVER_NOTIFY_H

#include <stdbool.h>

#define WEIR_NOTIFY_READY    "READY=1"
#define WEIR_NOTIFY_STOPPING "STOPPING=1"

/* Sends one state. Returns false where it could not be sent, true also where NOTIFY_SOCKET is not
 * set. A failure is no reason to stop: the manager watches the process itself as well. */
bool weir_notify(const char *state);

#endif
