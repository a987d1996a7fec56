#include "server/transport/ws_replies.h"

#include "server/transport/pending_replies.h"

#include <stdatomic.h>

/* By descriptor: nng's aio for sending on the connection, the same for its whole life; NULL
 * before the first reply. */
static _Atomic(nng_aio *) sending_aios[WEIR_DESCRIPTORS_MAX];

void weir_ws_replies_new(int descriptor)
{
    if (descriptor >= 0) {
        atomic_store(&sending_aios[descriptor], NULL);
    }
}

void weir_ws_replies_begin(nng_stream *stream, nng_aio *aio)
{
    bool has_no_delay = false;
    weir_pending_ask();
    (void)nng_stream_get_bool(stream, NNG_OPT_TCP_NODELAY, &has_no_delay);
    const int descriptor = weir_pending_descriptor(weir_pending_asked());
    if (descriptor >= 0) {
        atomic_store(&sending_aios[descriptor], aio);
    }
}

void weir_ws_replies_end(int descriptor)
{
    nng_aio *aio = descriptor >= 0 ? atomic_exchange(&sending_aios[descriptor], NULL) : NULL;
    if (aio == NULL) {
        return;
    }
    nng_aio_stop(aio);
    nng_msg *lost = nng_aio_get_msg(aio);
    if (lost != NULL) {
        nng_aio_set_msg(aio, NULL);
        nng_msg_free(lost);
    }
}
