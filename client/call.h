/* One call: its attempts, from request to response. */
#ifndef WEIR_CLIENT_CALL_H
#define WEIR_CLIENT_CALL_H

#include "client/client.h"

/* Begins to end every call that waits for its next attempt. The client is closing. */
void calls_abort_locked(struct weir_client *client);

/* Frees the pools. Nothing is in flight any more. */
void calls_free(struct weir_client *client);

#endif
