/* Defines nng_stream_send() and nng_stream_recv() in place of nng's own, for two reasons:
 * operations on TLS connections always complete, and no reply is leaked on WebSocket connections
 * (ws_replies.h). The library's calls of both functions are bound to these definitions.
 *
 * nng 1.5.2 sends and receives a message in parts and may close the connection between two parts.
 * The next part is then not started and its aio never completes. Closing waits for that completion
 * for ever, and so does the thread that releases all connections. A client gets there easily: with
 * a request followed by a message that is too long or is no request. On other connections nng never
 * meets the end between two parts (nng_connections.h); but what arrives over TLS only nng can read.
 * So an operation that was not started is completed here, as failed.
 *
 * This is safe for the operations of nng's TLS transport, the only ones on a TLS stream: the lock
 * under which they are started is also taken to cancel them and to handle their completion, so none
 * completes twice; and the operation on the whole message keeps the message alive until then. */
#define _GNU_SOURCE
#include "server/transport/ws_replies.h"

#include <dlfcn.h>
#include <nng/nng.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

typedef void operation(nng_stream *stream, nng_aio *aio);

/* Returns nng's own definition of a function. Threads may look it up at the same time: they find
 * the same one. */
static operation *library_function(_Atomic(operation *) *known, const char *name)
{
    operation *found = atomic_load_explicit(known, memory_order_relaxed);
    if (found == NULL) {
        void *symbol = dlsym(RTLD_NEXT, name);
        memcpy(&found, &symbol, sizeof found);
        atomic_store_explicit(known, found, memory_order_relaxed);
    }
    return found;
}

static bool is_tls(nng_stream *stream)
{
    bool is_verified = false;
    return nng_stream_get_bool(stream, NNG_OPT_TLS_VERIFIED, &is_verified) == 0;
}

static void fail_if_not_started(nng_stream *stream, nng_aio *aio)
{
    if (nng_aio_result(aio) == NNG_ECANCELED && is_tls(stream)) {
        nng_aio_finish(aio, NNG_ECANCELED);
    }
}

/* Only nng's WebSocket transport sends whole messages by its stream; the other ones send bytes. */
void nng_stream_send(nng_stream *stream, nng_aio *aio)
{
    static _Atomic(operation *) known;
    if (nng_aio_get_msg(aio) != NULL) {
        weir_ws_replies_begin(stream, aio);
    }
    library_function(&known, "nng_stream_send")(stream, aio);
    fail_if_not_started(stream, aio);
}

void nng_stream_recv(nng_stream *stream, nng_aio *aio)
{
    static _Atomic(operation *) known;
    library_function(&known, "nng_stream_recv")(stream, aio);
    fail_if_not_started(stream, aio);
}
