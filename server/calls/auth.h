/* Authentication: judges the token of a call and finds the namespace that the call acts in.
 *
 * Dispatch and handlers call it on the thread that serves the call. It may block on the store's
 * registry, except where call->must_not_block is set, and opens a namespace on a worker only.
 * A BACKEND_ERROR of the registry says nothing about the token, so it becomes BACKEND_UNAVAILABLE.
 * An unknown namespace and a wrong secret look the same to a client: AUTH_UNAUTHORIZED. */
#ifndef WEIR_SERVER_AUTH_H
#define WEIR_SERVER_AUTH_H

#include "server/calls/call.h"
#include "weir/wire/method.h"

/* Checks the call's token for a method of this access. Sets call->is_admin and call->tenant, which
 * is opened for WEIR_ACCESS_NAMESPACE. Returns AUTH_REQUIRED, AUTH_INVALID_TOKEN,
 * AUTH_UNAUTHORIZED, NAMESPACE_NOT_FOUND (an admin named it), INVALID_REQUEST (an admin named
 * none), BACKEND_UNAVAILABLE (the store gave no answer, or would have to be asked and must not). */
weir_status weir_auth_check(struct weir_call *call, enum weir_access access,
                            struct weir_error *err);

/* For WEIR_ACCESS_OWNER, once the request is decoded: checks that its `namespace` field is the
 * token's own namespace, or that the caller is an admin; AUTH_UNAUTHORIZED otherwise. A missing
 * field passes: the handler refuses it. */
weir_status weir_auth_check_owner(const struct weir_call *call, const ProtobufCMessage *request,
                                  struct weir_error *err);

/* For a WEIR_ACCESS_OWNER call that sets a token (WEIR_RETRY_BY_TOKEN) and was refused with
 * AUTH_UNAUTHORIZED: accepts it where the token that it wants to set is the one in force. The call
 * may be the repetition of one that was executed and whose reply was lost; the token that it came
 * with is no longer valid then. */
weir_status weir_auth_check_repetition(struct weir_call *call, const struct weir_method *method,
                                       const ProtobufCMessage *request, struct weir_error *err);

/* For handlers of methods with another access than WEIR_ACCESS_NAMESPACE that work inside the
 * namespace `id`: makes it the call's tenant and opens it. NAMESPACE_NOT_FOUND, BACKEND_UNAVAILABLE
 * and what weir_tenant_open returns. */
weir_status weir_auth_enter(struct weir_call *call, struct weir_slice id, struct weir_error *err);

/* Returns a number for whose a request is, which need not be parsed yet: the same for requests with
 * the same token for the same namespace, and likely another for others (turns.h, places.h). Judges
 * nothing. Any thread. */
uint32_t weir_auth_owner_of(struct weir_slice request);

/* Returns INVALID_REQUEST: an admin has to name the namespace in the metadata. */
weir_status weir_auth_fail_unnamed(struct weir_error *err);

/* For a call that ends with NAMESPACE_NOT_FOUND: drops the cached tenant of the namespace, if that
 * is the call's own, and returns the status to end with. An admin is told which namespace is gone.
 * For the holder of a token, a namespace deleted meanwhile is as unknown as one that never was
 * (AUTH_UNAUTHORIZED). */
weir_status weir_auth_namespace_gone(struct weir_call *call, struct weir_error *err);

#endif
