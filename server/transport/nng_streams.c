/* Sending and receiving by TLS always ends, and by WebSocket no reply is lost (ws_replies.h).
 *
 * nng 1.5.2 takes a message to pieces and closes a connection at any time, between two pieces as
 * well: the next one is not begun then, and nobody is told. Closing waits for its end, for ever,
 * and with it the thread that releases all connections. A client that sends a request, and then a
 * message that is too long or no request, gets there with ease. On other connections nng is told of
 * the end while it is in the middle of nothing (nng_sockets.c); what comes by TLS it alone can
 * read.
 *
 * The library calls nng_stream_send() and nng_stream_recv() as any program does, so it is bound to
 * the ones that stand here. They say that what was not begun has failed.
 *
 * That is safe for a transport's operations by TLS, which alone are on such a stream: the lock
 * under which they are begun is needed to cancel them and to hear of their end, so that no end is
 * told twice; and what waits for the whole message keeps all of it in place until then. */
#define _GNU_SOURCE
#include "server/transport/ws_replies.h"

#include <dlfcn.h>
#include <nng/nng.h>
#include <nng/supplemental/tls/tls.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

typedef void operation(nng_stream *stream, nng_aio *aio);

/* The library's own; found again and again is found alike. */
static operation *own(_Atomic(operation *) *known, const char *name)
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

static void end_if_not_begun(nng_stream *stream, nng_aio *aio)
{
    if (nng_aio_result(aio) == NNG_ECANCELED && is_tls(stream)) {
        nng_aio_finish(aio, NNG_ECANCELED);
    }
}

/* Of the transports only that by WebSocket has its stream send messages; the others, bytes. */
void nng_stream_send(nng_stream *stream, nng_aio *aio)
{
    static _Atomic(operation *) known;
    if (nng_aio_get_msg(aio) != NULL) {
        weir_ws_replies_begin(stream, aio);
    }
    own(&known, "nng_stream_send")(stream, aio);
    end_if_not_begun(stream, aio);
}

void nng_stream_recv(nng_stream *stream, nng_aio *aio)
{
    static _Atomic(operation *) known;
    own(&known, "nng_stream_recv")(stream, aio);
    end_if_not_begun(stream, aio);
}
