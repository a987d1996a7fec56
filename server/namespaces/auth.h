/* Who calls, and in which namespace. */
#ifndef WEIR_SERVER_AUTH_H
#define WEIR_SERVER_AUTH_H

#include "server/calls/call.h"
#include "weir/wire/method.h"

/* Checks the call's token for a method of this access and sets is_admin and, where the method acts
 * inside a namespace, the tenant, opened. AUTH_REQUIRED, AUTH_INVALID_TOKEN, AUTH_UNAUTHORIZED (an
 * unknown namespace and a wrong secret look the same), NAMESPACE_NOT_FOUND (an admin named it),
 * INVALID_REQUEST (an admin named none), BACKEND_UNAVAILABLE (the store did not tell). */
weir_status weir_auth_check(struct weir_call *call, enum weir_access access,
                            struct weir_error *err);

/* For WEIR_ACCESS_OWNER, once the request is decoded: its `namespace` field is the token's own
 * namespace, or the caller is admin. AUTH_UNAUTHORIZED. A missing field is the handler's to
 * refuse. */
weir_status weir_auth_check_owner(const struct weir_call *call, const ProtobufCMessage *request,
                                  struct weir_error *err);

/* A call that sets a token (WEIR_RETRY_BY_TOKEN) may have been executed although its reply was
 * lost; the token it came with is dead then. So where a WEIR_ACCESS_OWNER call was refused with
 * AUTH_UNAUTHORIZED, the token that it wants to set counts instead: who shows the one that is in
 * force may say so once more. */
weir_status weir_auth_check_repetition(struct weir_call *call, const struct weir_method *method,
                                       const ProtobufCMessage *request, struct weir_error *err);

/* For handlers of WEIR_ACCESS_OWNER methods that work inside the namespace they name: makes it the
 * call's tenant, opened. NAMESPACE_NOT_FOUND. */
weir_status weir_auth_enter(struct weir_call *call, struct weir_slice id, struct weir_error *err);

/* INVALID_REQUEST for an admin whose call is to name its namespace in the metadata. */
weir_status weir_auth_fail_unnamed(struct weir_error *err);

/* For a call that ends with NAMESPACE_NOT_FOUND: to the holder of a namespace's token, one that was
 * deleted while he was served is as unknown as one that never was (AUTH_UNAUTHORIZED); an admin is
 * told which it is. What was known of it is forgotten. Returns the status to end with. */
weir_status weir_auth_namespace_gone(struct weir_call *call, struct weir_error *err);

#endif
