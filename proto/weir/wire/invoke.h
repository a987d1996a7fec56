/* The two ways to make a call, as the generated stubs (weir/v1/stubs.h) use them.
 *
 * Implemented by client/lib. A method is an index into weir_methods. A request is borrowed until
 * the function returns; a response belongs to its receiver, who frees it with weir_response_free.
 * Both functions may be called from any thread. */
#ifndef WEIR_WIRE_INVOKE_H
#define WEIR_WIRE_INVOKE_H

#include "weir/base/status.h"

#include <protobuf-c/protobuf-c.h>

struct weir_client;
struct weir_call_options;
struct weir_client_completion;

/* Called once, on a thread of the library, when a started call has ended. `response` is NULL unless
 * `status` is WEIR_OK, and belongs to the callback. `err` is valid until the callback returns, and
 * empty on success. */
typedef void (*weir_client_done)(const struct weir_client_completion *completion,
                                 weir_status status, ProtobufCMessage *response,
                                 const struct weir_error *err);

/* The callback of a started call. `thunk` converts `typed` back to its own type before it calls it,
 * so that no function is called through a pointer of another type. */
struct weir_client_completion {
    weir_client_done thunk;
    void (*typed)(void);  // the caller's callback, of the type that `thunk` expects
    void *context;        // passed to `typed`
};

/* Makes a call and waits for its end, including retries. `options` may be NULL. Sets *response to a
 * message of the method's output type on OK, else to NULL. */
weir_status weir_client_call(struct weir_client *client, size_t method,
                             const ProtobufCMessage *request,
                             const struct weir_call_options *options, ProtobufCMessage **response,
                             struct weir_error *err);

/* Starts a call and returns. On OK the callback of `completion`, which is copied, is called exactly
 * once, possibly before this function returns; otherwise it is not called. */
weir_status weir_client_start(struct weir_client *client, size_t method,
                              const ProtobufCMessage *request,
                              const struct weir_call_options *options,
                              const struct weir_client_completion *completion,
                              struct weir_error *err);

#endif
