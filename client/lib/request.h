/* Completes a request before its first attempt, so that the server recognises its repetitions. */
#ifndef WEIR_CLIENT_REQUEST_H
#define WEIR_CLIENT_REQUEST_H

#include "weir/base/arena.h"
#include "weir/base/fail.h"
#include "weir/wire/method.h"

/* Fills in the absent ids of all weir.v1.NewMessage (UUIDs version 7, in the request's order) and
 * the absent token that the method's token_field names. Sets *complete to the request itself or, if
 * something was filled in, to a copy in `arena` that shares all other parts with it. Makes a token
 * only for a valid namespace id; the server refuses any other. BACKEND_UNAVAILABLE without memory
 * or random bytes, LIMIT_EXCEEDED beyond the arena's cap. */
weir_status request_complete(const struct weir_method *method, const ProtobufCMessage *request,
                             struct weir_arena *arena, const ProtobufCMessage **complete,
                             struct weir_error *err);

/* Returns the request's `wait_ms`; 0 if it has none. */
uint32_t request_wait_ms(const ProtobufCMessage *request);

#endif
