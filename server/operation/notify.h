/* Tells the service manager how the server is, in systemd's protocol (sd_notify(3)): a datagram to
 * the socket that NOTIFY_SOCKET names. Without that variable nothing is sent. */
#ifndef WEIR_SERVER_NOTIFY_H
#define WEIR_SERVER_NOTIFY_H

#include <stdbool.h>

#define WEIR_NOTIFY_READY    "READY=1"
#define WEIR_NOTIFY_STOPPING "STOPPING=1"

/* Sends one state; true where it was sent or nobody wants to know. A failure is no reason to stop:
 * the manager sees for itself what became of the process. */
bool weir_notify(const char *state);

#endif
