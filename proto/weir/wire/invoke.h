/* What the generated stubs (weir/v1/stubs.h) need of the client library: two ways to make any call.
 *
 * Implemented by client/; called by generated code only. A method is an index into weir_methods. A
 * request is borrowed until the function returns; a response belongs to whoever receives it and is
 * released with weir_response_free. Both functions may be called from any thread. */
#ifndef WEIR_WIRE_INVOKE_H
#define WEIR_WIRE_INVOKE_H

#include "weir/base/status.h"

#include <protobuf-c/protobuf-c.h>

struct weir_client;
struct weir_call_options;
struct weir_client_completion;

/* Called once when a started call has ended, on a thread of the library. `response` is NULL unless
 * `status` is WEIR_OK; it then belongs to the callback. `err` is valid until the callback returns,
 * and empty on success. */
typedef void (*weir_client_done)(const struct weir_client_completion *completion,
                                 weir_status status, ProtobufCMessage *response,
                                 const struct weir_error *err);

/* Whom to call at the end. `thunk` knows the type of `typed` and turns it back before calling it,
 * so that no function is ever called through a pointer of another type. */
struct weir_client_completion {
    weir_client_done thunk;
    void (*typed)(void);  // the caller's callback, of the type that `thunk` expects
    void *context;        // passed to it untouched
};

/* Makes a call and waits for its end, retries included. `options` may be NULL. *response is set on
 * OK to a message of the method's output type, and NULL otherwise. */
weir_status weir_client_call(struct weir_client *client, size_t method,
                             const ProtobufCMessage *request,
                             const struct weir_call_options *options, ProtobufCMessage **response,
                             struct weir_error *err);

/* Starts a call and returns. OK: `completion`, of which a copy is kept, will be called exactly
 * once, possibly before this function returns. Otherwise it will not be called and `err` says why.
 */
weir_status weir_client_start(struct weir_client *client, size_t method,
                              const ProtobufCMessage *request,
                              const struct weir_call_options *options,
                              const struct weir_client_completion *completion,
                              struct weir_error *err);

#endif
