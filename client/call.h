/* One call: its attempts, from request to response. */
#ifndef WEIR_CLIENT_CALL_H
#define WEIR_CLIENT_CALL_H

#include "client/client.h"

/* Begins to end every call in flight: none starts anything any more. What they do is aborted
 * except, with `awaits_replies`, that those whose request is with the server go on waiting for its
 * answer. */
void calls_cancel_locked(struct weir_client *client, bool awaits_replies);

/* Frees the pools. Nothing is in flight any more. */
void calls_free(struct weir_client *client);

#endif
