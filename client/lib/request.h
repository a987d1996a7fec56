/* What the library does to a request before its first attempt. */
#ifndef WEIR_CLIENT_REQUEST_H
#define WEIR_CLIENT_REQUEST_H

#include "weir/base/arena.h"
#include "weir/base/status.h"
#include "weir/wire/method.h"

/* Gives *complete: the request itself or, where something had to be filled in to make a repetition
 * recognisable, a copy in `arena` that shares everything else with it. Filled are the ids of all
 * weir.v1.NewMessage (UUIDs version 7, in the request's order) and the token that the method's
 * token_field names; a token is only made for a namespace id that is valid, because the server
 * refuses another anyway. BACKEND_UNAVAILABLE without memory or random bytes, LIMIT_EXCEEDED past
 * the arena's cap. */
weir_status request_complete(const struct weir_method *method, const ProtobufCMessage *request,
                             struct weir_arena *arena, const ProtobufCMessage **complete,
                             struct weir_error *err);

/* The value of the request's `wait_ms`; 0 where there is none. */
uint32_t request_wait_ms(const ProtobufCMessage *request);

#endif
